import { RingsideError } from '../../lib/base/index.ts';

const TEXT_BYTES = 4096;
const MAX_BYTES = 512 * 1024 * 1024;
// Like compressed data: nothing on the way makes it smaller by accident. 64 symbols, all ASCII.
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Values of any size, all beginnings of one row of pseudo-random letters, so that none has to be made. */
export class Payload {
  #bytes: Buffer = letters(TEXT_BYTES);
  readonly #text = this.#bytes.toString('latin1');

  /** The value of `length` bytes as text, for the small ones; null beyond 4096. */
  text(length: number): string | null {
    return length <= TEXT_BYTES ? this.#text.slice(0, length) : null;
  }

  /** The value of `length` bytes. Not to be changed. */
  bytes(length: number): Buffer {
    if (length > MAX_BYTES) {
      throw new RingsideError('too_large', `a value of ${length} bytes is more than any target takes`);
    }
    if (length > this.#bytes.length)
      this.#bytes = letters(Math.min(Math.max(length, this.#bytes.length * 2), MAX_BYTES));
    return this.#bytes.subarray(0, length);
  }
}

function letters(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = 0x9e3779b9;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = ALPHABET.charCodeAt(state >>> 26);
  }
  return bytes;
}
