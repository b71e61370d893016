import { copyWords, RecentViews, slabMemory } from '../../lib/base/index.ts';

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

/** Up to so many bytes, a view that has to be made costs more than copying them. */
export const LONGEST_VIEW = 1024;

/** Views of the first bytes of a slab, which are written to sockets again and again: each is made once. */
export class StartViews {
  #slab: Buffer = Buffer.alloc(0);
  readonly #views: (Buffer | null)[] = new Array(LONGEST_VIEW + 1).fill(null);

  /** The first `length` bytes. */
  of(slab: Buffer, length: number): Buffer {
    if (length > LONGEST_VIEW) return slab.subarray(0, length);
    if (slab !== this.#slab) {
      this.#slab = slab;
      this.#views.fill(null);
    }
    const made = this.#views[length];
    if (made !== null) return made;
    const view = slab.subarray(0, length);
    this.#views[length] = view;
    return view;
  }
}

const sources = new RecentViews();
const targets = new RecentViews();

/** Copies `from[start, end)` to `to[at…)`; returns where it ends there. The two must not overlap. */
export function copyRange(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start;
  if (sources.suit(from, length) && targets.suit(to, length))
    copyWords(sources.of(from), start, length, targets.of(to), at);
  else from.copy(to, at, start, end);
  return at + length;
}
