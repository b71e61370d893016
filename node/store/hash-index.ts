import { murmur3x86_32 } from '../../lib/ring/index.ts';
import { HASH, NEXT, SLOT_SHIFT, type SlotTable } from './slot-table.ts';

const INITIAL_BUCKETS = 16;
/** Buckets moved by each insertion or removal while the table is being resized: enough to finish before the next resize. */
const BUCKETS_PER_STEP = 8;
/** A table fuller than this is doubled: chains stay short. */
const MAX_FILL = 1 / 2;
/** A table emptier than this is halved. */
const MIN_FILL = 1 / 16;

/** Knows the keys of the slots. */
export interface KeySource {
  hasKey(slot: number, buffer: Buffer, start: number, end: number): boolean;
}

/**
 * Maps binary keys to slots (positive integers that index the columns of the store); 0 means "none".
 *
 * A chained hash table in typed arrays that grows and shrinks a few buckets at a time, as Redis's dict does: for a while there are two
 * tables, and what is not yet in the new one is still in the old one. Bucket counts are powers of two, which is what
 * makes the cursor of `scan` survive a resize.
 */
export class HashIndex {
  readonly #seed: number;
  readonly #slots: SlotTable;
  readonly #keys: KeySource;
  #heads = new Int32Array(INITIAL_BUCKETS);
  /** The table being emptied, while resizing. */
  #oldHeads: Int32Array | null = null;
  #moved = 0;
  size = 0;

  constructor(seed: number, slots: SlotTable, keys: KeySource) {
    this.#seed = seed;
    this.#slots = slots;
    this.#keys = keys;
  }

  get isResizing(): boolean {
    return this.#oldHeads !== null;
  }

  hash(buffer: Buffer, start: number, end: number): number {
    return murmur3x86_32(buffer, start, end, this.#seed) | 0;
  }

  /** The slot of the key, or 0. */
  find(hash: number, buffer: Buffer, start: number, end: number): number {
    const heads = this.#heads;
    const slot = this.#walk(heads[hash & (heads.length - 1)], hash, buffer, start, end);
    const old = this.#oldHeads;
    if (slot !== 0 || old === null) return slot;
    return this.#walk(old[hash & (old.length - 1)], hash, buffer, start, end);
  }

  #walk(head: number, hash: number, buffer: Buffer, start: number, end: number): number {
    const { words } = this.#slots;
    let slot = head;
    while (slot !== 0) {
      const row = slot << SLOT_SHIFT;
      if (words[row + HASH] === hash && this.#keys.hasKey(slot, buffer, start, end)) return slot;
      slot = words[row + NEXT];
    }
    return 0;
  }

  /** Adds a key that is not there. */
  insert(slot: number, hash: number): void {
    this.#slots.words[(slot << SLOT_SHIFT) + HASH] = hash;
    this.#push(this.#heads, slot);
    this.size++;
    if (this.#oldHeads) this.#step(BUCKETS_PER_STEP);
    else if (this.size > this.#heads.length * MAX_FILL) this.#startResize(this.#heads.length * 2);
  }

  /** Takes the slot's key out. */
  remove(slot: number): void {
    const found = this.#unlink(this.#heads, slot) || (this.#oldHeads && this.#unlink(this.#oldHeads, slot));
    if (!found) throw new Error(`slot ${slot} is not in the index`);
    this.size--;
    if (this.#oldHeads) this.#step(BUCKETS_PER_STEP);
    else if (this.size < this.#heads.length * MIN_FILL && this.#heads.length > INITIAL_BUCKETS) {
      this.#startResize(this.#heads.length / 2);
    }
  }

  /** The content of slot `from` is now in slot `to`. */
  moved(from: number, to: number): void {
    if (!this.#relink(this.#heads, from, to) && this.#oldHeads) this.#relink(this.#oldHeads, from, to);
  }

  #relink(heads: Int32Array, from: number, to: number): boolean {
    const { words } = this.#slots;
    const bucket = words[(to << SLOT_SHIFT) + HASH] & (heads.length - 1);
    if (heads[bucket] === from) {
      heads[bucket] = to;
      return true;
    }
    for (let at = heads[bucket]; at !== 0; ) {
      const link = (at << SLOT_SHIFT) + NEXT;
      if (words[link] === from) {
        words[link] = to;
        return true;
      }
      at = words[link];
    }
    return false;
  }

  clear(): void {
    this.#heads = new Int32Array(INITIAL_BUCKETS);
    this.#oldHeads = null;
    this.size = 0;
  }

  /**
   * Calls `visit` with the slots of one bucket and returns the cursor of the next one, 0 at the end. From cursor 0 to cursor 0, every key
   * that is there all the time is visited at least once, whatever is added, removed or resized in between.
   *
   * The cursor counts in the reversed bits of the bucket number (Pieter Noordhuis's algorithm in Redis's dict), so that the
   * buckets one bucket splits into, or merges from, are visited together.
   */
  scan(cursor: number, visit: (slot: number) => void): number {
    const old = this.#oldHeads;
    if (!old) {
      const mask = this.#heads.length - 1;
      this.#visitBucket(this.#heads[cursor & mask], visit);
      return nextCursor(cursor, mask);
    }
    const [small, large] = old.length < this.#heads.length ? [old, this.#heads] : [this.#heads, old];
    const smallMask = small.length - 1;
    const largeMask = large.length - 1;
    this.#visitBucket(small[cursor & smallMask], visit);
    let at = cursor;
    do {
      this.#visitBucket(large[at & largeMask], visit);
      at = nextCursor(at, largeMask);
    } while ((at & (smallMask ^ largeMask)) !== 0);
    return at;
  }

  #visitBucket(head: number, visit: (slot: number) => void): void {
    const { words } = this.#slots;
    for (let slot = head; slot !== 0; slot = words[(slot << SLOT_SHIFT) + NEXT]) visit(slot);
  }

  #push(heads: Int32Array, slot: number): void {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const bucket = words[row + HASH] & (heads.length - 1);
    words[row + NEXT] = heads[bucket];
    heads[bucket] = slot;
  }

  #unlink(heads: Int32Array, slot: number): boolean {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const bucket = words[row + HASH] & (heads.length - 1);
    let at = heads[bucket];
    if (at === slot) {
      heads[bucket] = words[row + NEXT];
      return true;
    }
    while (at !== 0) {
      const link = (at << SLOT_SHIFT) + NEXT;
      if (words[link] === slot) {
        words[link] = words[row + NEXT];
        return true;
      }
      at = words[link];
    }
    return false;
  }

  #startResize(buckets: number): void {
    this.#oldHeads = this.#heads;
    this.#heads = new Int32Array(buckets);
    this.#moved = 0;
    this.#step(BUCKETS_PER_STEP);
  }

  #step(buckets: number): void {
    const old = this.#oldHeads!;
    const until = Math.min(this.#moved + buckets, old.length);
    for (let bucket = this.#moved; bucket < until; bucket++) {
      let slot = old[bucket];
      old[bucket] = 0;
      while (slot !== 0) {
        const next = this.#slots.words[(slot << SLOT_SHIFT) + NEXT];
        this.#push(this.#heads, slot);
        slot = next;
      }
    }
    this.#moved = until;
    if (until === old.length) this.#oldHeads = null;
  }
}

/** Adds one to the cursor's reversed bits. */
function nextCursor(cursor: number, mask: number): number {
  return reverseBits(reverseBits(cursor | ~mask) + 1) >>> 0;
}

function reverseBits(value: number): number {
  let v = value;
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return (v >>> 16) | (v << 16) | 0;
}
