import { giveBack } from './bytes.ts';

/** Free places behind the last home, for runs that go beyond it. */
const MIN_SLACK = 8;
const SLACK_SHIFT = 4;
/** A partition is rebuilt when it is fuller than this, to this, and when it is emptier than the last. */
const MAX_LOAD = 7 / 8;
const REBUILT_LOAD = 0.72;
const MIN_LOAD = 0.35;
const MIN_HOMES = 8;
/** Turns hashes, which are signed here, into numbers from 0 on. */
const SIGN = 0x80000000 | 0;

/**
 * A part of a hash index: pairs of a 32-bit hash and a reference, in the order of the hashes, which all begin with the same `depth` bits.
 *
 * Open addressing with linear probing where the home of a hash grows with it, and a run is kept in order of the hashes (Amble and Knuth,
 * "Ordered hash tables", 1974): a search ends early, a removal leaves nothing behind, and going through the places is going through the
 * hashes. A reference of 0 marks a free place; the last place is always free.
 *
 * The index of a store (`IndexPartition` of `lib/store`) is another thing: it keeps 8 bits of each hash, not 32, for half the bytes an entry,
 * and reads the records for the others. Here a scan must be in the order of whole hashes without reading a record, since HSCAN's cursor is a
 * hash, and an empty table must take next to nothing: there are as many as large collections.
 */
export class HashPartition {
  /** How many leading bits all hashes share. */
  readonly depth: number;
  /** Hash and reference by turns. */
  words: Int32Array;
  count = 0;
  #homes: number;
  #slack: number;

  /** `count`: how many pairs will be appended. */
  constructor(depth: number, count: number) {
    this.depth = depth;
    this.#homes = homesFor(count);
    this.#slack = MIN_SLACK + (this.#homes >> SLACK_SHIFT);
    this.words = this.#newWords();
  }

  /** Number of places, free ones included. */
  get places(): number {
    return this.words.length >> 1;
  }

  #newWords(): Int32Array {
    return new Int32Array((this.#homes + this.#slack + 1) << 1);
  }

  #homeOf(hash: number): number {
    return ((((hash ^ SIGN) << this.depth) >>> 16) * this.#homes) >>> 16;
  }

  /** The first place from the home of the hash on whose hash is not below it; it may be a free one. */
  seek(hash: number): number {
    const { words } = this;
    let word = this.#homeOf(hash) << 1;
    while (words[word + 1] !== 0 && words[word] < hash) word += 2;
    return word >> 1;
  }

  /** Adds a pair, behind those of the same hash; the references differ. */
  insert(hash: number, ref: number): void {
    if (this.count >= this.#homes * MAX_LOAD) this.#rebuild(homesFor(this.count + 1));
    while (!this.#tryInsert(hash, ref)) {
      this.#slack <<= 1;
      this.#rebuild(this.#homes);
    }
    this.count++;
  }

  #tryInsert(hash: number, ref: number): boolean {
    const { words } = this;
    let word = this.#homeOf(hash) << 1;
    while (words[word + 1] !== 0 && words[word] <= hash) word += 2;
    let free = word;
    while (words[free + 1] !== 0) free += 2;
    if (free === words.length - 2) return false;
    for (let to = free; to > word; to -= 2) {
      words[to] = words[to - 2];
      words[to + 1] = words[to - 1];
    }
    words[word] = hash;
    words[word + 1] = ref;
    return true;
  }

  /** Removes the pair at a place. */
  removeAt(place: number): void {
    const { words } = this;
    let word = place << 1;
    while (words[word + 3] !== 0 && this.#homeOf(words[word + 2]) << 1 <= word) {
      words[word] = words[word + 2];
      words[word + 1] = words[word + 3];
      word += 2;
    }
    words[word + 1] = 0;
    this.count--;
    if (this.#homes > MIN_HOMES && this.count < this.#homes * MIN_LOAD) this.#rebuild(homesFor(this.count));
  }

  /** Whether pairs of one more would not fit without a rebuild. */
  get isFull(): boolean {
    return this.count >= this.#homes * MAX_LOAD;
  }

  #rebuild(homes: number): void {
    const former = this.words;
    this.#homes = homes;
    this.#slack = Math.max(this.#slack, MIN_SLACK + (homes >> SLACK_SHIFT));
    while (!this.#fill(former)) this.#slack <<= 1;
    giveBack(former);
  }

  /** Places all pairs of a former table; false when they do not fit. */
  #fill(former: Int32Array): boolean {
    this.words = this.#newWords();
    let free = 0;
    for (let word = 0; word < former.length; word += 2) {
      if (former[word + 1] === 0) continue;
      free = this.#append(former[word], former[word + 1], free);
      if (free < 0) return false;
    }
    return true;
  }

  /** Places a pair at `free` or behind; returns the next free place, -1 when there is none. */
  #append(hash: number, ref: number, free: number): number {
    const place = Math.max(free, this.#homeOf(hash));
    if (place >= this.places - 1) return -1;
    this.words[place << 1] = hash;
    this.words[(place << 1) + 1] = ref;
    return place + 1;
  }

  /** A partition of `depth` with the pairs of several ones, in their order, that have a hash from `low` to `high`. */
  static gather(parts: readonly HashPartition[], depth: number, low: number, high: number): HashPartition {
    const pairs = new Int32Array(2 * parts.reduce((count, part) => count + part.count, 0));
    let end = 0;
    for (const { words } of parts) {
      for (let word = 0; word < words.length; word += 2) {
        if (words[word + 1] === 0 || words[word] < low || words[word] > high) continue;
        pairs[end++] = words[word];
        pairs[end++] = words[word + 1];
      }
    }
    const gathered = new HashPartition(depth, end >> 1);
    gathered.count = end >> 1;
    while (!gathered.#fill(pairs)) gathered.#slack <<= 1;
    giveBack(pairs);
    return gathered;
  }

  /** Gives the memory back; the partition is of no use then. */
  free(): void {
    giveBack(this.words);
  }
}

function homesFor(count: number): number {
  return Math.max(MIN_HOMES, Math.ceil(count / REBUILT_LOAD));
}
