/** Up to so many bytes, copying words of eight is faster than a call into native code. */
export const MOST_WORD_BYTES = 256;
const WORD = 8;

/** A view of the same memory, to read and write words in. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Larger buffers are not held on to. */
const MOST_HELD_BYTES = 256 * 1024;

/** Views of the two buffers that came last: most that come are one of these. */
export class RecentViews {
  #first: Uint8Array = new Uint8Array(0);
  #firstView: DataView = viewOf(this.#first);
  #second: Uint8Array = this.#first;
  #secondView: DataView = this.#firstView;

  /** Whether so many bytes of this buffer are best copied in words, by its view. */
  suit(bytes: Uint8Array, length: number): boolean {
    return length <= MOST_WORD_BYTES && bytes.length <= MOST_HELD_BYTES;
  }

  of(bytes: Uint8Array): DataView {
    if (bytes === this.#first) return this.#firstView;
    if (bytes === this.#second) return this.#secondView;
    this.#first = this.#second;
    this.#firstView = this.#secondView;
    this.#second = bytes;
    this.#secondView = viewOf(bytes);
    return this.#secondView;
  }
}

/** Copies up to `MOST_WORD_BYTES` bytes; source and target must not overlap. */
export function copyWords(
  source: DataView,
  start: number,
  length: number,
  target: DataView,
  at: number,
): void {
  if (length < WORD) {
    for (let i = 0; i < length; i++) target.setUint8(at + i, source.getUint8(start + i));
    return;
  }
  // The last word may cover some of the one before it.
  const last = length - WORD;
  for (let i = 0; i < last; i += WORD) {
    target.setBigInt64(at + i, source.getBigInt64(start + i, true), true);
  }
  target.setBigInt64(at + last, source.getBigInt64(start + last, true), true);
}

/** Whether `length` bytes are the same. */
export function sameWords(a: DataView, at: number, b: DataView, start: number, length: number): boolean {
  if (length < WORD) {
    for (let i = 0; i < length; i++) if (a.getUint8(at + i) !== b.getUint8(start + i)) return false;
    return true;
  }
  const last = length - WORD;
  for (let i = 0; i < last; i += WORD) {
    if (a.getBigInt64(at + i, true) !== b.getBigInt64(start + i, true)) return false;
  }
  return a.getBigInt64(at + last, true) === b.getBigInt64(start + last, true);
}
