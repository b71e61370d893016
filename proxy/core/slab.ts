import { slabMemory } from '../../lib/base/index.ts';

const SLAB_BYTES = 256 * 1024;
/** From here on a piece gets memory of its own: a slab lives as long as the last of its pieces. */
const LARGE_BYTES = SLAB_BYTES / 8;

/** Memory for many small pieces that are forgotten soon: neighbours in time lie side by side. */
export class Slab {
  /** Where the piece is that was reserved last. */
  bytes: Buffer = Buffer.alloc(0);
  #used = 0;
  #large: Buffer | null = null;

  /** Makes room for a piece, in `bytes`; returns where it begins. What is there before it is written means nothing. */
  reserve(length: number): number {
    if (length >= LARGE_BYTES) return this.#reserveLarge(length);
    if (this.#large !== null) {
      this.bytes = this.#large;
      this.#large = null;
    }
    if (this.#used + length > this.bytes.length) {
      this.bytes = slabMemory(SLAB_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return start;
  }

  #reserveLarge(length: number): number {
    this.#large ??= this.bytes;
    this.bytes = slabMemory(length);
    return 0;
  }
}

/** Ranges shorter than this are copied by a loop: a native call costs more. */
const LOOP_BYTES = 40;

/** Copies `from[start, end)` to `to[at…)`; returns where it ends there. */
export function copyRange(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start;
  if (length >= LOOP_BYTES) {
    from.copy(to, at, start, end);
    return at + length;
  }
  for (let i = 0; i < length; i++) to[at + i] = from[start + i];
  return at + length;
}
