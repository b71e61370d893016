import { viewOf } from '../base/index.ts';
import type { RefIndex } from './ref-index.ts';

const NO_BYTES = Buffer.alloc(0);

/** Keys that will be asked for soon, in this order. */
export interface KeysAhead {
  /** Where they are, and a view of the same memory. */
  readonly buffer: Buffer;
  readonly view: DataView;
  readonly count: number;
  /** Whose turn it is; -1 before the first. */
  readonly current: number;
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  /** Room for their hashes, and one number more. */
  readonly hashes: Int32Array;
  /** Whose hashes these are; null when they were not written yet. */
  hashedBy: object | null;
}

/** The same hash (32 bits, signed) of bytes and of a view of them, which is faster. */
export interface KeyHash {
  ofBytes(bytes: Uint8Array, start: number, end: number, seed: number): number;
  ofView(view: DataView, start: number, end: number, seed: number): number;
}

/** Hashes the keys of one table. Those that are looked up ahead are hashed once, and their memory is read in one go. */
export class KeyHashes {
  readonly #hash: KeyHash;
  readonly #seed: number;
  /** Where the latest keys ahead are: what comes from there can be read in words. */
  input: Buffer = NO_BYTES;
  inputView = viewOf(NO_BYTES);
  #ahead: KeysAhead | null = null;

  constructor(hash: KeyHash, seed: number) {
    this.#hash = hash;
    this.#seed = seed;
  }

  of(buffer: Buffer, start: number, end: number): number {
    if (buffer !== this.input) return this.#hash.ofBytes(buffer, start, end, this.#seed) | 0;
    const ahead = this.#ahead;
    if (ahead !== null && ahead.hashedBy === this && ahead.buffer === buffer && ahead.current >= 0) {
      const { current } = ahead;
      if (ahead.keyStarts[current] === start && ahead.keyEnds[current] === end) return ahead.hashes[current];
    }
    return this.#hash.ofView(this.inputView, start, end, this.#seed);
  }

  /** Reads the memory that looking up these keys in `index` will need. The hashes are good until `ahead` gets other keys. */
  lookAhead(ahead: KeysAhead, index: RefIndex): void {
    const { buffer, view, keyStarts, keyEnds, hashes, count } = ahead;
    if (this.input !== buffer) {
      this.input = buffer;
      this.inputView = view;
    }
    // Nothing overlaps with the wait for a single one.
    if (count < 2) return;
    for (let i = 0; i < count; i++) {
      hashes[i] = this.#hash.ofView(view, keyStarts[i], keyEnds[i], this.#seed);
    }
    ahead.hashedBy = this;
    this.#ahead = ahead;
    index.touchEntries(hashes, count);
  }
}
