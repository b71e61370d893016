/*
 * A record, in words: its length with all that belongs to it in bytes, hash, ends at (monotonic milliseconds modulo 2^32), length of the key and 2^16 times the
 * namespace, length of the value's frame; then key and frame. The assembly in front-table.wat knows this, and the index too.
 */
const HASH = 1;
const ENDS = 2;
const KEY_AND_NAMESPACE = 3;
const FRAME_LENGTH = 4;
const HEADER_BYTES = 20;
const UNIT = 8;
/** Places of a set, each a hash and where the record is; 0: it is free. */
const WAYS = 4;
const SET_WORDS = 2 * WAYS;
/** The index gets this part of the memory at most. */
const INDEX_PART = 8;
/** What is copied in words reads beyond the end. */
const SLACK_BYTES = 16;
/** One of so many newcomers is let in where another record would have to go that still counts. */
const ADMITTED_PART = 8;

/** What a record is about. */
export interface FrontEntry {
  readonly hash: number;
  readonly keyBytes: number;
  readonly frameBytes: number;
  /** Monotonic milliseconds modulo 2^32, signed. */
  readonly endsMs: number;
  readonly namespace: number;
}

/**
 * Records in the memory of `front-table.wat` from `start` on: an index by hash, with one record a hash at most, and a log that is written round and round. What
 * is in the index is in the log.
 */
export class FrontRecords {
  readonly indexAt: number;
  /** Sets of the index, less one. */
  readonly mask: number;
  readonly #words: Int32Array;
  readonly #logAt: number;
  readonly #logEnd: number;
  /** Where the next record goes, and where the oldest is. */
  #head: number;
  #tail: number;
  /** Behind the last record before the log began anew, while the oldest is one of those before; else 0. */
  #turn = 0;
  /** In the log, those included that are in the index no more. */
  #count = 0;
  #refused = 0;

  constructor(memory: ArrayBufferLike, start: number) {
    const bytes = memory.byteLength - start;
    let sets = 1;
    while (2 * sets * 4 * SET_WORDS <= bytes / INDEX_PART) sets *= 2;
    this.#words = new Int32Array(memory);
    this.indexAt = start;
    this.mask = sets - 1;
    this.#logAt = start + sets * 4 * SET_WORDS;
    this.#logEnd = memory.byteLength - SLACK_BYTES;
    this.#head = this.#logAt;
    this.#tail = this.#logAt;
  }

  /**
   * Makes a record; returns where its key and its frame belong, which the caller puts there at once. 0: there is the same one, or none may be made now, since what
   * counts until after `nowMs` would have to go: such a record goes for one of eight newcomers.
   */
  add({ hash, keyBytes, frameBytes, endsMs, namespace }: FrontEntry, nowMs: number): number {
    const words = this.#words;
    const former = this.#placeOf(hash);
    if (former >= 0 && words[(words[former + 1] >> 2) + ENDS] === endsMs) return 0;
    const size = Math.ceil((HEADER_BYTES + keyBytes + frameBytes) / UNIT) * UNIT;
    if (size > this.#logEnd - this.#logAt || !this.#admits(size, nowMs)) return 0;
    const at = this.#roomFor(size);
    const word = at >> 2;
    words[word] = size;
    words[word + HASH] = hash;
    words[word + ENDS] = endsMs;
    words[word + KEY_AND_NAMESPACE] = keyBytes | (namespace << 16);
    words[word + FRAME_LENGTH] = frameBytes;
    // Making room may have freed the place of the former.
    const place = this.#placeOf(hash);
    this.#enter(place >= 0 ? place : this.#freePlace(hash), hash, at);
    return at + HEADER_BYTES;
  }

  /** Forgets the key with this hash. */
  remove(hash: number): void {
    const place = this.#placeOf(hash);
    if (place >= 0) this.#enter(place, 0, 0);
  }

  clear(): void {
    if (this.#count === 0) return;
    this.#words.fill(0, this.indexAt >> 2, this.#logAt >> 2);
    this.#count = 0;
  }

  #enter(place: number, hash: number, at: number): void {
    this.#words[place] = hash;
    this.#words[place + 1] = at;
  }

  #setOf(hash: number): number {
    return (this.indexAt >> 2) + (hash & this.mask) * SET_WORDS;
  }

  /** The place in the index that this hash has; -1: none. */
  #placeOf(hash: number): number {
    const words = this.#words;
    const set = this.#setOf(hash);
    for (let place = set; place < set + SET_WORDS; place += 2) {
      if (words[place] === hash && words[place + 1] !== 0) return place;
    }
    return -1;
  }

  /** A place for another hash: a free one, or any. */
  #freePlace(hash: number): number {
    const set = this.#setOf(hash);
    for (let place = set; place < set + SET_WORDS; place += 2) if (this.#words[place + 1] === 0) return place;
    return set + 2 * ((this.#head / UNIT) % WAYS);
  }

  #admits(size: number, nowMs: number): boolean {
    if (this.#count === 0) return true;
    const begin = this.#head + size > this.#logEnd ? this.#logAt : this.#head;
    if (this.#tail < begin || this.#tail >= begin + size || !this.#counts(this.#tail, nowMs)) return true;
    this.#refused = (this.#refused + 1) % ADMITTED_PART;
    return this.#refused === 0;
  }

  /** Whether a record may be answered with. */
  #counts(at: number, nowMs: number): boolean {
    const words = this.#words;
    const place = this.#placeOf(words[(at >> 2) + HASH]);
    return place >= 0 && words[place + 1] === at && ((words[(at >> 2) + ENDS] - nowMs) | 0) > 0;
  }

  /** Frees so many bytes in one piece, and takes them. */
  #roomFor(size: number): number {
    if (this.#head + size > this.#logEnd) {
      while (this.#count > 0 && this.#tail >= this.#head) this.#dropOldest();
      this.#turn = this.#head;
      this.#head = this.#logAt;
    }
    const at = this.#head;
    while (this.#count > 0 && this.#tail >= at && this.#tail < at + size) this.#dropOldest();
    if (this.#count === 0) {
      this.#tail = at;
      this.#turn = 0;
    }
    this.#head = at + size;
    this.#count++;
    return at;
  }

  #dropOldest(): void {
    const words = this.#words;
    const at = this.#tail;
    const place = this.#placeOf(words[(at >> 2) + HASH]);
    if (place >= 0 && words[place + 1] === at) this.#enter(place, 0, 0);
    this.#count--;
    this.#tail += words[at >> 2];
    if (this.#tail !== this.#turn) return;
    this.#tail = this.#logAt;
    this.#turn = 0;
  }
}
