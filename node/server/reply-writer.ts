import { RespWriter } from '../../lib/codec/resp/index.ts';

/** A reply writer that remembers the errors that pass. */
export class ReplyWriter extends RespWriter {
  /** Error replies written so far. */
  errors = 0;
  #lastError = '';

  override error(text: string): void {
    this.errors++;
    this.#lastError = text;
    super.error(text);
  }

  /** First word of the last error reply. */
  get lastErrorCode(): string {
    const space = this.#lastError.indexOf(' ');
    return space < 0 ? this.#lastError : this.#lastError.slice(0, space);
  }
}
