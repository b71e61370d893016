import { RequestParser, type RespLimits } from '../../lib/codec/resp/index.ts';

const LF = 0x0a;
const HASH = 0x23;
const STAR = 0x2a;
const ONE = 0x31;
const NINE = 0x39;

/**
 * Hands out the commands of an append-only file: arrays of one argument at least, and nothing else that a client may send. Lines that begin
 * with `#` are annotations.
 */
export class AofParser extends RequestParser {
  readonly #onAnnotation: (text: string, bytes: number) => void;
  readonly #maxLineBytes: number;

  /** `onAnnotation` gets the line, and how many bytes it takes in the file, once all that stands before it has been handed out. */
  constructor(limits: RespLimits, onAnnotation: (text: string, bytes: number) => void) {
    super(limits);
    this.#onAnnotation = onAnnotation;
    this.#maxLineBytes = limits.maxInlineBytes;
  }

  protected override scan(): boolean {
    while (this.at === this.head && this.head < this.filled) {
      const { input, head } = this;
      if (input[head] === HASH) {
        if (!this.#scanAnnotation()) return false;
      } else if (input[head] !== STAR) this.fail('a command should begin here');
      else if (head + 1 < this.filled && (input[head + 1] < ONE || input[head + 1] > NINE)) {
        this.fail('a command without arguments');
      } else break;
    }
    return super.scan();
  }

  #scanAnnotation(): boolean {
    const { head } = this;
    const newline = this.find(LF, head);
    const bytes = (newline < 0 ? this.filled : newline + 1) - head;
    if (bytes > this.#maxLineBytes) this.fail('an annotation is too long');
    if (newline < 0) return false;
    const text = this.input.utf8Slice(head, newline).trimEnd();
    this.skipTo(newline + 1);
    this.#onAnnotation(text, bytes);
    return true;
  }
}
