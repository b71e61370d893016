import type { Keyspace } from '../keyspace.ts';
import { type Slot, ZSET } from '../store/index.ts';
import { compareBytes, copyBytes, type Dice, Found, sameBytes } from './bytes.ts';
import { emptyEntry, TwofoldCollection } from './collection.ts';
import { lengthAt, lengthSize, writeLength } from './lengths.ts';
import { OrderedTable, type VisitMember } from './ordered-table.ts';
import { MAX_PACKED_BYTES, MAX_PACKED_COUNT, packed } from './packed.ts';

export type { VisitMember };

/** In front of a packed member. */
export const SCORE_BYTES = 8;

/** The element that `seek` looked at last, among the packed ones: `[length of member][score][member]`, in order. */
let at = 0;
let memberAt = 0;
let memberEnd = 0;
let rank = 0;
/** Whether it is the one that `scoreOf` looked for. */
let isFound = false;

/** Turns to the first element of what `packed` looks at; false when there is none. */
function first(): boolean {
  at = packed.start;
  rank = 0;
  return parse();
}

/** Turns to the next element; false at the end. */
function next(): boolean {
  at = memberEnd;
  rank++;
  return parse();
}

function parse(): boolean {
  if (at >= packed.end) return false;
  const length = lengthAt(packed.bytes, at);
  memberAt = at + lengthSize(length) + SCORE_BYTES;
  memberEnd = memberAt + length;
  return true;
}

/** Score of the element. */
function scoreHere(): number {
  return packed.bytes.readDoubleLE(memberAt - SCORE_BYTES);
}

/** Turns to a member; false when it is not there. */
function seekMember(buffer: Buffer, start: number, end: number): boolean {
  const length = end - start;
  for (let more = first(); more; more = next()) {
    if (memberEnd - memberAt === length && sameBytes(packed.bytes, memberAt, buffer, start, length)) {
      return true;
    }
  }
  return false;
}

/** Turns to the first element that does not come before this score and member. */
function seekPlace(score: number, buffer: Buffer, start: number, end: number): void {
  for (let more = first(); more; more = next()) {
    const other = scoreHere();
    if (other > score) return;
    if (other < score) continue;
    if (compareBytes(packed.bytes, memberAt, memberEnd, buffer, start, end) >= 0) return;
  }
}

/** Turns to the element of a rank, which must be there. */
function seekRank(wanted: number): void {
  first();
  while (rank < wanted) next();
}

/** Where each element begins, in order. */
function offsets(): number[] {
  const found: number[] = [];
  for (let more = first(); more; more = next()) found.push(at);
  return found;
}

/**
 * A sorted set under a key: members ordered by score, and by their bytes where scores are equal. Ranks count from 0 at the lowest. A small
 * one is packed in the bytes of its entry, in order; a larger one is a table with a tree.
 */
export class ZsetValue extends TwofoldCollection<OrderedTable> {
  /** Of the member that `random` or `at` chose. */
  score = 0;
  #member: Found | null = null;

  /** Opens the sorted set of an entry of type ZSET. */
  static open(keyspace: Keyspace, slot: Slot): ZsetValue {
    return new ZsetValue(keyspace, slot);
  }

  /** Adds an entry with an empty sorted set for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): ZsetValue {
    return new ZsetValue(keyspace, emptyEntry(keyspace, ZSET, buffer, start, end));
  }

  /** The member that `random` or `at` chose; its score is in `score`. */
  get member(): Found {
    this.#member ??= new Found();
    return this.#member;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'listpack' | 'skiplist' {
    return this.isCompact ? 'listpack' : 'skiplist';
  }

  /** The member's score; undefined when it is not there. */
  scoreOf(buffer: Buffer, start: number, end: number): number | undefined {
    if (this.large !== null) return this.large.scoreOf(buffer, start, end);
    this.look();
    isFound = seekMember(buffer, start, end);
    return isFound ? scoreHere() : undefined;
  }

  /** Gives a member its score (no NaN); returns whether the member is new. The bytes must not be this sorted set's own. */
  set(score: number, buffer: Buffer, start: number, end: number): boolean {
    this.scoreOf(buffer, start, end);
    return this.place(score, buffer, start, end);
  }

  /** As `set`, right behind `scoreOf` of the same member: it need not be looked for again. */
  place(score: number, buffer: Buffer, start: number, end: number): boolean {
    const kept = score === 0 && this.#forgetsSign(end - start) ? 0 : score;
    const isNew =
      this.large === null
        ? this.#placePacked(kept, buffer, start, end)
        : this.large.place(kept, buffer, start, end);
    if (isNew) this.#checkLimits(end - start);
    return isNew;
  }

  /** As in Redis, a small sorted set forgets the sign of zero, unless this member makes it a larger one. */
  #forgetsSign(length: number): boolean {
    const { zsetEntries, zsetValueBytes } = this.keyspace.data.limits;
    return this.isCompact && this.size < zsetEntries && length <= zsetValueBytes;
  }

  #placePacked(score: number, buffer: Buffer, start: number, end: number): boolean {
    const isNew = !isFound;
    if (!isNew && scoreHere() === score) return false;
    const length = end - start;
    const size = lengthSize(length) + SCORE_BYTES + length;
    const fits = packed.used + size <= MAX_PACKED_BYTES && packed.count < MAX_PACKED_COUNT;
    if (isNew && !fits) {
      const table = this.#leavePacked();
      table.scoreOf(buffer, start, end);
      return table.place(score, buffer, start, end);
    }
    if (!isNew) this.splice(at - packed.start, memberEnd - at, 0, -1);
    seekPlace(score, buffer, start, end);
    const offset = at - packed.start;
    this.splice(offset, 0, size, 1);
    const { bytes } = packed;
    const scoreAt = writeLength(bytes, packed.start + offset, length);
    bytes.writeDoubleLE(score, scoreAt);
    copyBytes(buffer, start, end, bytes, scoreAt + SCORE_BYTES);
    return isNew;
  }

  /** Puts what is packed into a table. */
  #leavePacked(): OrderedTable {
    const large = new OrderedTable(this.keyspace.data.hashSeed, !packed.isOutgrown);
    for (let more = first(); more; more = next()) {
      large.scoreOf(packed.bytes, memberAt, memberEnd);
      large.place(scoreHere(), packed.bytes, memberAt, memberEnd);
    }
    return this.become(ZSET, large);
  }

  /** Once beyond Redis's limits, a sorted set is called a skip list for good. */
  #checkLimits(length: number): void {
    const { zsetEntries, zsetValueBytes } = this.keyspace.data.limits;
    const size = this.large === null ? packed.count : this.large.size;
    if (size > zsetEntries || length > zsetValueBytes) this.outgrow();
  }

  /** Whether the member was there. */
  delete(buffer: Buffer, start: number, end: number): boolean {
    if (this.large !== null) return this.large.delete(buffer, start, end);
    this.look();
    if (!seekMember(buffer, start, end)) return false;
    this.splice(at - packed.start, memberEnd - at, 0, -1);
    return true;
  }

  /** The member's rank, or -1. */
  rankOf(buffer: Buffer, start: number, end: number): number {
    if (this.large !== null) return this.large.rankOf(buffer, start, end);
    this.look();
    return seekMember(buffer, start, end) ? rank : -1;
  }

  /** How many members have a score below `score`; with `inclusive` also those that have it. O(log n). */
  countBelow(score: number, inclusive: boolean): number {
    if (this.large !== null) return this.large.countBelow(score, inclusive);
    this.look();
    for (let more = first(); more; more = next()) {
      const other = scoreHere();
      if (inclusive ? other > score : other >= score) break;
    }
    return rank;
  }

  /** How many members come before the bytes in byte order (all scores being equal); with `inclusive` also that very one. O(log n). */
  countBefore(buffer: Buffer, start: number, end: number, inclusive: boolean): number {
    if (this.large !== null) return this.large.countBefore(buffer, start, end, inclusive);
    this.look();
    for (let more = first(); more; more = next()) {
      const order = compareBytes(packed.bytes, memberAt, memberEnd, buffer, start, end);
      if (inclusive ? order > 0 : order >= 0) break;
    }
    return rank;
  }

  /** Finds the member of a rank from 0 to below `size`, into `member` and `score`. */
  at(wanted: number): void {
    if (this.large !== null) {
      this.score = this.large.at(wanted);
      this.#chooseFromTable();
      return;
    }
    this.look();
    seekRank(wanted);
    this.score = scoreHere();
    this.member.set(packed.bytes, memberAt, memberEnd);
  }

  #chooseFromTable(): void {
    const { table } = this.large!;
    this.member.set(table.bytes, table.keyStart, table.keyEnd);
  }

  /**
   * Visits members from `wanted`, a rank, on upwards, or downwards with `backwards`, until `visit` returns false; nothing may be mutated meanwhile.
   * Who does not want scores says so, and gets 0: each would be a number object.
   */
  walk(wanted: number, backwards: boolean, visit: VisitMember, withScores = true): void {
    if (this.large !== null) {
      this.large.walk(wanted, backwards, visit, withScores);
      return;
    }
    this.look();
    const places = offsets();
    const { bytes } = packed;
    for (let i = wanted; i >= 0 && i < places.length; i += backwards ? -1 : 1) {
      const length = lengthAt(bytes, places[i]);
      const scoreAt = places[i] + lengthSize(length);
      const start = scoreAt + SCORE_BYTES;
      if (!visit(bytes, start, start + length, withScores ? bytes.readDoubleLE(scoreAt) : 0)) return;
    }
  }

  /** Removes `count` members from `wanted`, a rank, on. */
  remove(wanted: number, count: number): void {
    if (count === 0) return;
    if (this.large !== null) {
      this.large.remove(wanted, count);
      return;
    }
    this.look();
    seekRank(wanted);
    const from = at;
    while (rank < wanted + count - 1) next();
    this.splice(from - packed.start, memberEnd - from, 0, -count);
  }

  /** Visits about `count` members from a cursor on; returns the next cursor, 0 at the end. A member that stays is visited. */
  scan(cursor: number, count: number, visit: VisitMember): number {
    if (this.large !== null) return this.large.scan(cursor, count, visit);
    this.walk(0, false, (buffer, start, end, score) => {
      visit(buffer, start, end, score);
      return true;
    });
    return 0;
  }

  /** Chooses any member, each as likely, into `member` and `score`. */
  random(dice: Dice): void {
    if (this.large === null) {
      this.at(dice.int(this.size));
      return;
    }
    this.score = this.large.random(dice);
    this.#chooseFromTable();
  }
}
