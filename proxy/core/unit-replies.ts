import { errorText, isErrorReply, plainError } from './frames.ts';

const PREVIOUS_ERRORS = 'EXECABORT Transaction discarded because of previous errors.';

/** How a node answered a unit. */
export interface UnitAnswer {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** Why it certainly did not run, as an error text; null: it ran, or was let down by a watched key. */
  readonly refusal: string | null;
}

/** Reads the replies of one unit: to MULTI, to each command (`QUEUED`), and to EXEC. */
export class UnitReplies {
  readonly total: number;
  #left: number;
  #firstError: string | null = null;
  #hasBegun = false;

  /** `commands`: how many stand between MULTI and EXEC. */
  constructor(commands: number) {
    this.total = commands + 2;
    this.#left = this.total;
  }

  /** Whether MULTI was refused: the commands behind it then ran one by one. */
  get isBroken(): boolean {
    return this.#left < this.total && !this.#hasBegun;
  }

  /** Takes the next reply; the answer with the last one, else null. */
  take(buffer: Buffer, start: number, end: number): UnitAnswer | null {
    const isError = isErrorReply(buffer, start);
    if (this.#left === this.total) this.#hasBegun = !isError;
    if (--this.#left > 0) {
      if (isError) this.#firstError ??= errorText(buffer, start, end);
      return null;
    }
    if (!isError) return { buffer, start, end, refusal: null };
    return this.#refused(buffer, start, end);
  }

  #refused(buffer: Buffer, start: number, end: number): UnitAnswer {
    const text = errorText(buffer, start, end);
    if (!text.startsWith('EXECABORT ')) return { buffer, start, end, refusal: null };
    if (text !== PREVIOUS_ERRORS || this.#firstError === null) {
      return { buffer, start, end, refusal: text.slice(text.indexOf(': ') + 2) };
    }
    const reply = abortReply(this.#firstError);
    return { buffer: reply, start: 0, end: reply.length, refusal: this.#firstError };
  }
}

/** EXEC's answer when the transaction certainly did not run for this reason (an error text), in the form of Redis 7. */
export function abortReply(reason: string): Buffer {
  return plainError(`EXECABORT Transaction discarded because of: ${reason.replace(/^ERR /, '')}`);
}
