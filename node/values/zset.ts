import type { Keyspace } from '../keyspace.ts';
import { type Slot, type StoredObject, ZSET } from '../store/index.ts';
import { type Dice, Found } from './bytes.ts';

interface ZsetObject extends StoredObject {
  /** In order. */
  readonly members: { score: number; member: string }[];
}

const ZSET_BYTES = 64;

/** Gets a member's byte range, valid during the call, and its score; false ends the walk. */
export type VisitMember = (buffer: Buffer, start: number, end: number, score: number) => boolean;

/**
 * A sorted set under a key: members ordered by score, and by their bytes where scores are equal. Ranks count from 0 at the lowest. Opened
 * for one command; a mutation of any other entry makes it stale. Whoever mutates it calls `keyspace.modified(zset.slot)` behind
 * that, or removes the entry when `size` has become 0.
 */
export class ZsetValue {
  /** The entry; kept right through this value's own mutations. */
  slot: Slot;
  /** The member that `random` or `at` chose; its score is in `score`. */
  readonly member = new Found();
  score = 0;
  readonly #object: ZsetObject;

  private constructor(slot: Slot, object: ZsetObject) {
    this.slot = slot;
    this.#object = object;
  }

  /** Opens the sorted set of an entry of type ZSET. */
  static open(keyspace: Keyspace, slot: Slot): ZsetValue {
    return new ZsetValue(slot, keyspace.store.objectOf(slot) as ZsetObject);
  }

  /** Adds an entry with an empty sorted set for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): ZsetValue {
    const slot = keyspace.insert(buffer, start, end);
    keyspace.store.setObject(slot, ZSET, { members: [], bytes: ZSET_BYTES } as ZsetObject);
    return ZsetValue.open(keyspace, slot);
  }

  /** Number of members. */
  get size(): number {
    return this.#object.members.length;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'listpack' | 'skiplist' {
    return 'skiplist';
  }

  /** The member's score; undefined when it is not there. */
  scoreOf(buffer: Buffer, start: number, end: number): number | undefined {
    return this.#object.members[this.rankOf(buffer, start, end)]?.score;
  }

  /** Gives a member its score (no NaN); returns whether the member is new. */
  set(score: number, buffer: Buffer, start: number, end: number): boolean {
    const isNew = !this.delete(buffer, start, end);
    const member = buffer.latin1Slice(start, end);
    const { members } = this.#object;
    let at = 0;
    while (at < members.length && isBefore(members[at], score, member)) at++;
    members.splice(at, 0, { score, member });
    return isNew;
  }

  /** Whether the member was there. */
  delete(buffer: Buffer, start: number, end: number): boolean {
    const rank = this.rankOf(buffer, start, end);
    if (rank >= 0) this.#object.members.splice(rank, 1);
    return rank >= 0;
  }

  /** The member's rank, or -1. */
  rankOf(buffer: Buffer, start: number, end: number): number {
    const text = buffer.latin1Slice(start, end);
    return this.#object.members.findIndex(({ member }) => member === text);
  }

  /** How many members have a score below `score`; with `inclusive` also those that have it. O(log n). */
  countBelow(score: number, inclusive: boolean): number {
    return this.#object.members.filter((m) => m.score < score || (inclusive && m.score === score)).length;
  }

  /** How many members come before the bytes in byte order (all scores being equal); with `inclusive` also that very one. O(log n). */
  countBefore(buffer: Buffer, start: number, end: number, inclusive: boolean): number {
    const text = buffer.latin1Slice(start, end);
    return this.#object.members.filter(({ member }) => member < text || (inclusive && member === text))
      .length;
  }

  /** Finds the member of a rank from 0 to below `size`, into `member` and `score`. */
  at(rank: number): void {
    const { member, score } = this.#object.members[rank];
    this.member.set(Buffer.from(member, 'latin1'), 0, member.length);
    this.score = score;
  }

  /** Visits members from `rank` on upwards, or downwards with `backwards`, until `visit` returns false; nothing may be mutated meanwhile. */
  walk(rank: number, backwards: boolean, visit: VisitMember): void {
    const { members } = this.#object;
    for (let i = rank; i >= 0 && i < members.length; i += backwards ? -1 : 1) {
      const { member, score } = members[i];
      if (!visit(Buffer.from(member, 'latin1'), 0, member.length, score)) return;
    }
  }

  /** Removes `count` members from `rank` on. */
  remove(rank: number, count: number): void {
    this.#object.members.splice(rank, count);
  }

  /** Visits about `count` members from a cursor on; returns the next cursor, 0 at the end. A member that stays is visited. */
  scan(_cursor: number, _count: number, visit: VisitMember): number {
    this.walk(0, false, visit);
    return 0;
  }

  /** Chooses any member, each as likely, into `member` and `score`. */
  random(dice: Dice): void {
    this.at(dice.int(this.size));
  }
}

function isBefore(a: { score: number; member: string }, score: number, member: string): boolean {
  return a.score < score || (a.score === score && a.member < member);
}
