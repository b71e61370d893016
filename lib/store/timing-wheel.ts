import { append, concat, type Links, relink, unlink } from './ring-list.ts';

/** Slots of a level, as bits; the levels cover 48 bits of milliseconds. */
const LEVEL_BITS = 6;
const SLOTS = 1 << LEVEL_BITS;
const HALF_LEVELS = 4;
const LEVELS = 2 * HALF_LEVELS;
/** The time is handled as two halves of 24 bits. */
const HALF = 2 ** (LEVEL_BITS * HALF_LEVELS);
/** Entries that one call moves to a finer level, at most: to find what is due, and to find exactly what is due next. */
const MOVES_FOR_DUE = 512;
const MOVES_FOR_NEAREST = 8192;

/** The links of an entry, and when it is due: whole milliseconds below 2^48. */
export interface TimedLinks extends Links {
  dueMs(ref: number): number;
}

/**
 * Finds the entry that is due next, among any number, in constant amortised time: a hierarchical timing wheel (Varghese and Lauck, 1987)
 * whose lists run through the records.
 *
 * An entry is in the level of the highest group of 6 bits in which its time differs from the wheel's, so the first list in use of the lowest level
 * in use holds what is due next. That list is spread over finer levels when it is asked for, a bounded number of entries with each
 * call.
 */
export class TimingWheel {
  readonly #links: TimedLinks;
  /** The first of each list, by level and slot. */
  readonly #first = new Int32Array(LEVELS * SLOTS);
  /** The list that is being spread; all in it is due at the wheel's time or later, and before anything in a coarser level. */
  #spreading = 0;
  /** The wheel's time, which nothing is due before. */
  #high = 0;
  #low = 0;
  size = 0;

  constructor(links: TimedLinks) {
    this.#links = links;
  }

  /** The wheel's time, in milliseconds: nothing in it is due before. */
  get timeMs(): number {
    return this.#high * HALF + this.#low;
  }

  add(ref: number): void {
    const dueMs = this.#links.dueMs(ref);
    const high = Math.floor(dueMs / HALF);
    const low = dueMs - high * HALF;
    if (high < this.#high || (high === this.#high && low < this.#low)) this.#turnBack(high, low);
    this.#enter(ref, high, low);
    this.size++;
  }

  #enter(ref: number, high: number, low: number): void {
    const list = this.#listOf(high, low);
    this.#first[list] = append(this.#links, this.#first[list], ref);
  }

  #listOf(high: number, low: number): number {
    const inHigh = high !== this.#high;
    const differing = inHigh ? high ^ this.#high : low ^ this.#low;
    const level = differing === 0 ? 0 : Math.floor((31 - Math.clz32(differing)) / LEVEL_BITS);
    const slot = ((inHigh ? high : low) >>> (level * LEVEL_BITS)) & (SLOTS - 1);
    return ((inHigh ? level + HALF_LEVELS : level) << LEVEL_BITS) + slot;
  }

  /** To be called before the time of an entry changes, too. */
  remove(ref: number): void {
    const dueMs = this.#links.dueMs(ref);
    const high = Math.floor(dueMs / HALF);
    const list = this.#listOf(high, dueMs - high * HALF);
    if (this.#spreading === ref) this.#spreading = unlink(this.#links, ref, ref);
    else this.#first[list] = unlink(this.#links, this.#first[list], ref);
    this.size--;
  }

  /** The record that was at `from` is now at `to`, with its links. */
  moved(from: number, to: number): void {
    relink(this.#links, from, to);
    if (this.#spreading === from) {
      this.#spreading = to;
      return;
    }
    const dueMs = this.#links.dueMs(to);
    const high = Math.floor(dueMs / HALF);
    const list = this.#listOf(high, dueMs - high * HALF);
    if (this.#first[list] === from) this.#first[list] = to;
  }

  clear(): void {
    this.#first.fill(0);
    this.#spreading = 0;
    this.#high = 0;
    this.#low = 0;
    this.size = 0;
  }

  /** An entry that is due at `nowMs` or before, or 0: there is none, or (`isSpreading`) another call may find one. */
  due(nowMs: number): number {
    if (this.size === 0 || !this.#settle(nowMs, MOVES_FOR_DUE)) return 0;
    const list = this.#firstList();
    if (list < 0 || list >= SLOTS) return 0;
    const ref = this.#first[list];
    return this.#links.dueMs(ref) <= nowMs ? ref : 0;
  }

  /**
   * The entry that is due next, or 0. While a long list is being spread it is one of that list, so that among thousands that are due within
   * the same slot it may not be the very first.
   */
  nearest(): number {
    if (this.size === 0) return 0;
    if (!this.#settle(Number.POSITIVE_INFINITY, MOVES_FOR_NEAREST)) return this.#spreading;
    return this.#first[this.#firstList()];
  }

  /** A list is being spread: what is due may not be known yet. */
  get isSpreading(): boolean {
    return this.#spreading !== 0;
  }

  /** Spreads what may be due until the next entry is in the finest level; false when that takes another call. */
  #settle(nowMs: number, maxMoves: number): boolean {
    for (let moves = maxMoves; ; ) {
      moves = this.#spread(moves);
      if (this.#spreading !== 0) return false;
      const list = this.#firstList();
      if (list < SLOTS || !this.#turnTo(list, nowMs)) return true;
    }
  }

  #spread(moves: number): number {
    let left = moves;
    const links = this.#links;
    while (this.#spreading !== 0 && left > 0) {
      const ref = this.#spreading;
      this.#spreading = unlink(links, ref, ref);
      const dueMs = links.dueMs(ref);
      const high = Math.floor(dueMs / HALF);
      this.#enter(ref, high, dueMs - high * HALF);
      left--;
    }
    return left;
  }

  /** The first list in use, from the finest level on; -1 for none. */
  #firstList(): number {
    const first = this.#first;
    for (let list = 0; list < first.length; list++) if (first[list] !== 0) return list;
    return -1;
  }

  /** Moves the wheel's time to where the list begins, and takes the list out to be spread; false when that is after `nowMs`. */
  #turnTo(list: number, nowMs: number): boolean {
    const slot = list & (SLOTS - 1);
    const level = list >>> LEVEL_BITS;
    const isHigh = level >= HALF_LEVELS;
    const shift = (isHigh ? level - HALF_LEVELS : level) * LEVEL_BITS;
    const half = isHigh ? this.#high : this.#low;
    const above = Math.floor(half / 2 ** (shift + LEVEL_BITS)) * 2 ** (shift + LEVEL_BITS);
    const turned = above + slot * 2 ** shift;
    const high = isHigh ? turned : this.#high;
    const low = isHigh ? 0 : turned;
    if (high * HALF + low > nowMs) return false;
    this.#high = high;
    this.#low = low;
    this.#spreading = this.#first[list];
    this.#first[list] = 0;
    return true;
  }

  /** An entry is due before the wheel's time: what is in the levels below the difference becomes one list again. */
  #turnBack(high: number, low: number): void {
    const list = this.#listOf(high, low);
    const level = list >>> LEVEL_BITS;
    let all = this.#spreading;
    this.#spreading = 0;
    for (let finer = 0; finer < level << LEVEL_BITS; finer++) {
      all = concat(this.#links, all, this.#first[finer]);
      this.#first[finer] = 0;
    }
    const formerHigh = this.#high;
    const formerLow = this.#low;
    this.#high = high;
    this.#low = low;
    // As seen from the earlier time, the later one lies in one slot of that level, and so does all that was near it.
    const target = this.#listOf(formerHigh, formerLow);
    this.#first[target] = concat(this.#links, all, this.#first[target]);
  }
}
