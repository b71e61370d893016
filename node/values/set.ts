import type { Keyspace } from '../keyspace.ts';
import { SET, type Slot, type StoredObject } from '../store/index.ts';
import { type Dice, Found, type VisitBytes } from './bytes.ts';

interface SetObject extends StoredObject {
  readonly members: Set<string>;
}

const SET_BYTES = 64;

/**
 * A set under a key. Opened for one command; a mutation of any other entry makes it stale. Whoever mutates it calls
 * `keyspace.modified(set.slot)` behind that, or removes the entry when `size` has become 0.
 */
export class SetValue {
  /** The entry; kept right through this value's own mutations. */
  slot: Slot;
  /** The member that `random` chose. */
  readonly member = new Found();
  readonly #object: SetObject;

  private constructor(slot: Slot, object: SetObject) {
    this.slot = slot;
    this.#object = object;
  }

  /** Opens the set of an entry of type SET. */
  static open(keyspace: Keyspace, slot: Slot): SetValue {
    return new SetValue(slot, keyspace.store.objectOf(slot) as SetObject);
  }

  /** Adds an entry with an empty set for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): SetValue {
    const slot = keyspace.insert(buffer, start, end);
    keyspace.store.setObject(slot, SET, { members: new Set(), bytes: SET_BYTES } as SetObject);
    return SetValue.open(keyspace, slot);
  }

  /** Number of members. */
  get size(): number {
    return this.#object.members.size;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'intset' | 'hashtable' {
    return 'hashtable';
  }

  has(buffer: Buffer, start: number, end: number): boolean {
    return this.#object.members.has(buffer.latin1Slice(start, end));
  }

  /** Whether the member is new. */
  add(buffer: Buffer, start: number, end: number): boolean {
    const { members } = this.#object;
    const { size } = members;
    return members.add(buffer.latin1Slice(start, end)).size !== size;
  }

  /** Whether the member was there. */
  delete(buffer: Buffer, start: number, end: number): boolean {
    return this.#object.members.delete(buffer.latin1Slice(start, end));
  }

  /** Visits all members (integers in ascending order while the encoding is `intset`); nothing may be mutated meanwhile. */
  forEach(visit: VisitBytes): void {
    for (const member of this.#object.members) visit(Buffer.from(member, 'latin1'), 0, member.length);
  }

  /** Visits about `count` members from a cursor on; returns the next cursor, 0 at the end. A member that stays is visited. */
  scan(_cursor: number, _count: number, visit: VisitBytes): number {
    this.forEach(visit);
    return 0;
  }

  /** Chooses any member, each as likely, into `member`. */
  random(dice: Dice): void {
    const member = [...this.#object.members][dice.int(this.size)];
    this.member.set(Buffer.from(member, 'latin1'), 0, member.length);
  }
}
