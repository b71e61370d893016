import type { VisitBytes } from '../../values/index.ts';

const FIRST_BYTES = 1024;

/** Byte strings that a command keeps while it works, one behind the other in one buffer. */
export class ByteList {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  readonly #ends: number[] = [];
  /** Bytes of the longest. */
  longest = 0;

  get count(): number {
    return this.#ends.length;
  }

  add(buffer: Buffer, start: number, end: number): void {
    const at = this.#ends.length === 0 ? 0 : this.#ends[this.#ends.length - 1];
    const needed = at + end - start;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * needed);
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    buffer.copy(this.#bytes, at, start, end);
    this.#ends.push(needed);
    this.longest = Math.max(this.longest, end - start);
  }

  /** Visits them in the order they came. */
  forEach(visit: VisitBytes): void {
    let start = 0;
    for (const end of this.#ends) {
      visit(this.#bytes, start, end);
      start = end;
    }
  }
}
