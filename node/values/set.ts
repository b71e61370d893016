import type { Keyspace } from '../keyspace.ts';
import { SET, type Slot } from '../store/index.ts';
import { copyBytes, type Dice, Found, sameBytes, type VisitBytes } from './bytes.ts';
import { emptyEntry, TwofoldCollection } from './collection.ts';
import { compareIntegers, isInteger } from './integers.ts';
import { lengthAt, lengthSize, writeLength } from './lengths.ts';
import type { MemberTable } from './member-table.ts';
import { MAX_PACKED_BYTES, MAX_PACKED_COUNT, type PackedElements, packed } from './packed.ts';
import { TableObject } from './table-object.ts';

/** Integers may take more than other packed members: they have no table as long as their number is within the limit. */
export const MAX_INTSET_BYTES = 60_000;

/** Where `seek` stopped among the packed elements, `[length][member]`: at the member, or where it belongs. */
let foundAt = 0;
let foundEnd = 0;

/** Finds a member in what is packed. */
export function seekMember(
  { bytes, start: first, end: limit }: PackedElements,
  buffer: Buffer,
  start: number,
  end: number,
): boolean {
  const length = end - start;
  let at = first;
  while (at < limit) {
    const memberLength = lengthAt(bytes, at);
    const member = at + lengthSize(memberLength);
    if (memberLength === length && sameBytes(bytes, member, buffer, start, length)) {
      foundAt = at;
      foundEnd = member + length;
      return true;
    }
    at = member + memberLength;
  }
  foundAt = limit;
  return false;
}

/** As `seekMember`, for an integer among integers. */
function seekInteger(
  { bytes, start: first, end: limit }: PackedElements,
  buffer: Buffer,
  start: number,
  end: number,
): boolean {
  let at = first;
  while (at < limit) {
    const next = at + 1 + bytes[at];
    const order = compareIntegers(bytes, at + 1, next, buffer, start, end);
    if (order >= 0) {
      foundAt = at;
      foundEnd = next;
      return order === 0;
    }
    at = next;
  }
  foundAt = limit;
  return false;
}

/** Where an integer belongs among packed integers; -1 when it is there. */
export function placeOfInteger(among: PackedElements, buffer: Buffer, start: number, end: number): number {
  return seekInteger(among, buffer, start, end) ? -1 : foundAt;
}

/** Visits what is packed; `packed` may look at other values meanwhile. */
export function walkMembers({ bytes, start, end }: PackedElements, visit: VisitBytes): void {
  let at = start;
  while (at < end) {
    const length = lengthAt(bytes, at);
    const member = at + lengthSize(length);
    at = member + length;
    visit(bytes, member, at);
  }
}

/**
 * A set under a key. A small one is packed in the bytes of its entry, whole numbers in ascending order while Redis's encoding is `intset`; a larger one is a table.
 */
export class SetValue extends TwofoldCollection<TableObject> {
  #member: Found | null = null;

  /** Opens the set of an entry of type SET. */
  static open(keyspace: Keyspace, slot: Slot): SetValue {
    return new SetValue(keyspace, slot);
  }

  /** Adds an entry with an empty set for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): SetValue {
    return new SetValue(keyspace, emptyEntry(keyspace, SET, buffer, start, end));
  }

  /** The member that `random` chose. */
  get member(): Found {
    this.#member ??= new Found();
    return this.#member;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'intset' | 'hashtable' {
    return this.isCompact ? 'intset' : 'hashtable';
  }

  has(buffer: Buffer, start: number, end: number): boolean {
    if (this.large !== null) return this.large.table.find(buffer, start, end) !== 0;
    this.look();
    return seekMember(packed, buffer, start, end);
  }

  /** Whether the member is new. The bytes must not be this set's own. */
  add(buffer: Buffer, start: number, end: number): boolean {
    if (this.large !== null) return addToTable(this.large.table, buffer, start, end);
    this.look();
    const integers = !packed.isOutgrown;
    const isOrdered = integers && isInteger(buffer, start, end);
    if (isOrdered ? seekInteger(packed, buffer, start, end) : seekMember(packed, buffer, start, end))
      return false;
    const length = end - start;
    const size = lengthSize(length) + length;
    const { count } = packed;
    const fits = packed.used + size <= (isOrdered ? MAX_INTSET_BYTES : MAX_PACKED_BYTES);
    if (!fits || count === MAX_PACKED_COUNT) {
      return addToTable(this.#leavePacked(), buffer, start, end);
    }
    const offset = foundAt - packed.start;
    this.splice(offset, 0, size, 1);
    const at = packed.start + offset;
    copyBytes(buffer, start, end, packed.bytes, writeLength(packed.bytes, at, length));
    const isTooLarge = count + 1 > this.keyspace.data.limits.setIntegers;
    if (integers && (!isOrdered || isTooLarge)) packed.isOutgrown = true;
    if (packed.used > MAX_PACKED_BYTES && packed.isOutgrown) this.#leavePacked();
    return true;
  }

  /** Puts what is packed into a table. */
  #leavePacked(): MemberTable {
    const large = new TableObject('nothing', this.keyspace.data.hashSeed, false);
    walkMembers(packed, (bytes, start, end) => addToTable(large.table, bytes, start, end));
    return this.become(SET, large).table;
  }

  /** Whether the member was there. */
  delete(buffer: Buffer, start: number, end: number): boolean {
    if (this.large !== null) return this.large.delete(buffer, start, end);
    this.look();
    if (!seekMember(packed, buffer, start, end)) return false;
    this.splice(foundAt - packed.start, foundEnd - foundAt, 0, -1);
    return true;
  }

  /** Visits all members (integers in ascending order while the encoding is `intset`); nothing may be mutated meanwhile. */
  forEach(visit: VisitBytes): void {
    this.scan(0, Number.POSITIVE_INFINITY, visit);
  }

  /** Visits about `count` members from a cursor on; returns the next cursor, 0 at the end. A member that stays is visited. */
  scan(cursor: number, count: number, visit: VisitBytes): number {
    if (this.large === null) {
      this.look();
      walkMembers(packed, visit);
      return 0;
    }
    const { table } = this.large;
    return table.scan(cursor, count, () => visit(table.bytes, table.keyStart, table.keyEnd));
  }

  /** Chooses any member, each as likely, into `member`. */
  random(dice: Dice): void {
    if (this.large !== null) {
      const { table } = this.large;
      table.random(dice);
      this.member.set(table.bytes, table.keyStart, table.keyEnd);
      return;
    }
    this.look();
    let left = dice.int(packed.count);
    walkMembers(packed, (bytes, start, end) => {
      if (left-- === 0) this.member.set(bytes, start, end);
    });
  }
}

/** Adds a member to a table; returns whether it is new. */
export function addToTable(table: MemberTable, buffer: Buffer, start: number, end: number): boolean {
  if (table.find(buffer, start, end) !== 0) return false;
  table.insert(buffer, start, end, 0);
  table.tidy();
  return true;
}
