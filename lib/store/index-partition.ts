/** Entries of a group; the 16th byte of the tags counts the entries that found the group full. */
export const GROUP_SLOTS = 15;
/** Four words of tags, and an address for each of the 15. */
const GROUP_WORDS = 19;
const TAG_WORDS = 4;
const OVERFLOW_WORD = 3;
const OVERFLOW_SHIFT = 24;
const MAX_OVERFLOW = 255;

/** Knows the keys of the records that addresses lead to. */
export interface RefKeys {
  /** Reads a byte of the record, to have it in the cache of the processor. */
  touchByte(ref: number): number;
  hashOf(ref: number): number;
  matches(ref: number, buffer: Buffer, start: number, end: number): boolean;
}

/** The tag of a hash: 1 to 255, from other bits than the place in the table. */
function tagOf(hash: number): number {
  return hash & 255 || 1;
}

/** Bit 7 of each byte of `word` that is zero, and no other bit. */
function zeroBytes(word: number): number {
  return ~(((word & 0x7f7f7f7f) + 0x7f7f7f7f) | word | 0x7f7f7f7f);
}

/**
 * One open-addressing table of 8-bit tags and addresses, in groups of 15 that are probed one after the other. The group a hash begins at
 * grows with the hash, so the table is in the order of hashes but for what has overflowed into later groups.
 *
 * Each group counts the entries that went past it, so that a search knows when to stop and a removal leaves no tombstone (the scheme of
 * Folly's F14 tables). A count that reaches 255 stays there until the table is built anew.
 */
export class IndexPartition {
  /** Leading bits of the hash that all entries share. */
  readonly depth: number;
  readonly groups: number;
  readonly #words: Int32Array;
  count = 0;

  constructor(depth: number, groups: number) {
    this.depth = depth;
    this.groups = groups;
    this.#words = new Int32Array(groups * GROUP_WORDS);
  }

  get bytes(): number {
    return this.#words.length * 4;
  }

  /** The group at which a hash begins. */
  homeOf(hash: number): number {
    return (((hash << this.depth) >>> 16) * this.groups) >>> 16;
  }

  /** Of the 16 bits of the hash behind the shared ones: the first value that begins at a group. */
  firstOf(group: number): number {
    return Math.ceil((group * 65536) / this.groups);
  }

  find(hash: number, keys: RefKeys, buffer: Buffer, start: number, end: number): number {
    const words = this.#words;
    const pattern = Math.imul(tagOf(hash), 0x01010101);
    let group = this.homeOf(hash);
    for (let probes = this.groups; probes > 0; probes--) {
      const base = group * GROUP_WORDS;
      for (let i = 0; i < TAG_WORDS; i++) {
        let found = zeroBytes(words[base + i] ^ pattern);
        if (i === OVERFLOW_WORD) found &= 0x00ffffff;
        while (found !== 0) {
          const byte = (31 - Math.clz32(found & -found)) >>> 3;
          const ref = words[base + TAG_WORDS + i * 4 + byte];
          if (keys.matches(ref, buffer, start, end)) return ref;
          found &= found - 1;
        }
      }
      if (words[base + OVERFLOW_WORD] >>> OVERFLOW_SHIFT === 0) return 0;
      group = group + 1 === this.groups ? 0 : group + 1;
    }
    return 0;
  }

  /** Reads the group at which the hash begins, which may lie across two lines of the cache. */
  touch(hash: number): number {
    const base = this.homeOf(hash) * GROUP_WORDS;
    return this.#words[base] ^ this.#words[base + GROUP_WORDS - 1];
  }

  /** The address that the hash most probably leads to, 0 when that takes a longer search. */
  candidate(hash: number): number {
    const words = this.#words;
    const pattern = Math.imul(tagOf(hash), 0x01010101);
    const base = this.homeOf(hash) * GROUP_WORDS;
    for (let i = 0; i < TAG_WORDS; i++) {
      let found = zeroBytes(words[base + i] ^ pattern);
      if (i === OVERFLOW_WORD) found &= 0x00ffffff;
      if (found === 0) continue;
      const byte = (31 - Math.clz32(found & -found)) >>> 3;
      return words[base + TAG_WORDS + i * 4 + byte];
    }
    return 0;
  }

  /** Adds an address; there must be room. */
  add(hash: number, ref: number): void {
    const words = this.#words;
    let group = this.homeOf(hash);
    for (;;) {
      const base = group * GROUP_WORDS;
      const slot = this.#freeSlot(base);
      if (slot >= 0) {
        words[base + (slot >> 2)] |= tagOf(hash) << ((slot & 3) << 3);
        words[base + TAG_WORDS + slot] = ref;
        this.count++;
        return;
      }
      if (words[base + OVERFLOW_WORD] >>> OVERFLOW_SHIFT !== MAX_OVERFLOW)
        words[base + OVERFLOW_WORD] += 1 << OVERFLOW_SHIFT;
      group = group + 1 === this.groups ? 0 : group + 1;
    }
  }

  #freeSlot(base: number): number {
    const words = this.#words;
    for (let i = 0; i < TAG_WORDS; i++) {
      let free = zeroBytes(words[base + i]);
      if (i === OVERFLOW_WORD) free &= 0x00ffffff;
      if (free !== 0) return i * 4 + ((31 - Math.clz32(free & -free)) >>> 3);
    }
    return -1;
  }

  /** Word of the address `ref`, or -1. */
  #place(hash: number, ref: number): number {
    const words = this.#words;
    let group = this.homeOf(hash);
    for (let probes = this.groups; probes > 0; probes--) {
      const first = group * GROUP_WORDS + TAG_WORDS;
      for (let at = first; at < first + GROUP_SLOTS; at++) if (words[at] === ref) return at;
      group = group + 1 === this.groups ? 0 : group + 1;
    }
    return -1;
  }

  /** The entry is now at `to`. False when `from` is not here. */
  replace(hash: number, from: number, to: number): boolean {
    const at = this.#place(hash, from);
    if (at >= 0) this.#words[at] = to;
    return at >= 0;
  }

  /** False when `ref` is not here. */
  remove(hash: number, ref: number): boolean {
    const words = this.#words;
    const at = this.#place(hash, ref);
    if (at < 0) return false;
    const found = Math.floor(at / GROUP_WORDS);
    const slot = at - found * GROUP_WORDS - TAG_WORDS;
    words[at] = 0;
    words[found * GROUP_WORDS + (slot >> 2)] &= ~(255 << ((slot & 3) << 3));
    for (let group = this.homeOf(hash); group !== found; ) {
      const overflow = group * GROUP_WORDS + OVERFLOW_WORD;
      if (words[overflow] >>> OVERFLOW_SHIFT !== MAX_OVERFLOW) words[overflow] -= 1 << OVERFLOW_SHIFT;
      group = group + 1 === this.groups ? 0 : group + 1;
    }
    this.count--;
    return true;
  }

  /** The address in a place from 0 to `GROUP_SLOTS` x `groups`, or 0. */
  at(place: number): number {
    const group = Math.floor(place / GROUP_SLOTS);
    return this.#words[group * GROUP_WORDS + TAG_WORDS + place - group * GROUP_SLOTS];
  }

  /** Calls `visit` with every address that begins at `home` and whose hash is not below `from`; returns how many. */
  visitHome(home: number, from: number, keys: RefKeys, visit: (ref: number) => void): number {
    const words = this.#words;
    let visited = 0;
    let group = home;
    for (let probes = this.groups; probes > 0; probes--) {
      const first = group * GROUP_WORDS + TAG_WORDS;
      for (let at = first; at < first + GROUP_SLOTS; at++) {
        const ref = words[at];
        if (ref === 0) continue;
        const hash = keys.hashOf(ref);
        if (this.homeOf(hash) !== home || hash >>> 0 < from) continue;
        visit(ref);
        visited++;
      }
      if (words[group * GROUP_WORDS + OVERFLOW_WORD] >>> OVERFLOW_SHIFT === 0) break;
      group = group + 1 === this.groups ? 0 : group + 1;
    }
    return visited;
  }

  /** Fills `hashes`, which is longer than needed, with the hash of each place that is in use; returns how many have the first bit behind the shared ones set. */
  readHashes(keys: RefKeys, hashes: Int32Array): number {
    // A round that only reads has many cache misses under way at a time; hashing would leave room for two.
    let sum = 0;
    for (let place = 0; place < this.groups * GROUP_SLOTS; place++) {
      const ref = this.at(place);
      if (ref !== 0) sum += keys.touchByte(ref);
    }
    hashes[hashes.length - 1] = sum;
    let high = 0;
    for (let place = 0; place < this.groups * GROUP_SLOTS; place++) {
      const ref = this.at(place);
      if (ref === 0) continue;
      const hash = keys.hashOf(ref);
      hashes[place] = hash;
      high += (hash << this.depth) >>> 31;
    }
    return high;
  }

  /** Puts all entries into tables with room for them: the only one, or by the next bit of the hash the first or the second. */
  moveTo(hashes: Int32Array, low: IndexPartition, high: IndexPartition = low): void {
    for (let place = 0; place < this.groups * GROUP_SLOTS; place++) {
      const ref = this.at(place);
      if (ref === 0) continue;
      const hash = hashes[place];
      (hash << this.depth < 0 ? high : low).add(hash, ref);
    }
  }

  /** Gives the memory back now rather than at some garbage collection. */
  discard(): void {
    (this.#words.buffer as ArrayBuffer).transfer(0);
  }
}
