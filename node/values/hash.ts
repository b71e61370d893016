import type { Keyspace } from '../keyspace.ts';
import { HASH, type Slot } from '../store/index.ts';
import { copyBytes, type Dice, Found, sameBytes } from './bytes.ts';
import { emptyEntry, TwofoldCollection } from './collection.ts';
import { lengthAt, lengthSize, writeLength } from './lengths.ts';
import type { MemberTable } from './member-table.ts';
import { MAX_PACKED_BYTES, MAX_PACKED_COUNT, type PackedElements, packed } from './packed.ts';
import { TableObject } from './table-object.ts';

/** Visits a field and its value; both ranges are valid during the call. */
export type VisitField = (
  fieldBuffer: Buffer,
  fieldStart: number,
  fieldEnd: number,
  valueBuffer: Buffer,
  valueStart: number,
  valueEnd: number,
) => void;

/** Few fields stay packed though they are long, as long as Redis's limits allow it: HGETALL gives them in their order then. */
const FEW_FIELDS = 16;
const MAX_LONG_BYTES = 1 << 20;

/** Where `seek` found the field, among the packed elements: `[length of field][length of value][field][value]`. */
let foundAt = 0;
let foundValue = 0;
let foundEnd = 0;

/** Finds a field in what is packed. */
export function seekField(
  { bytes, start: first, end: limit }: PackedElements,
  buffer: Buffer,
  start: number,
  end: number,
): boolean {
  const length = end - start;
  let at = first;
  while (at < limit) {
    const fieldLength = lengthAt(bytes, at);
    const next = at + lengthSize(fieldLength);
    const valueLength = lengthAt(bytes, next);
    const field = next + lengthSize(valueLength);
    const value = field + fieldLength;
    if (fieldLength === length && sameBytes(bytes, field, buffer, start, length)) {
      foundAt = at;
      foundValue = value;
      foundEnd = value + valueLength;
      return true;
    }
    at = value + valueLength;
  }
  return false;
}

/** Visits what is packed; `packed` may look at other values meanwhile. */
export function walkFields({ bytes, start, end }: PackedElements, visit: VisitField): void {
  let at = start;
  while (at < end) {
    const fieldLength = lengthAt(bytes, at);
    const next = at + lengthSize(fieldLength);
    const valueLength = lengthAt(bytes, next);
    const field = next + lengthSize(valueLength);
    const value = field + fieldLength;
    at = value + valueLength;
    visit(bytes, field, value, bytes, value, at);
  }
}

/** Whether fields that are packed may get one more, with a field or value of `longest`, and come to take so many bytes. */
export function staysPacked(
  { count, isOutgrown }: PackedElements,
  bytes: number,
  longest: number,
  hashValueBytes: number,
): boolean {
  if (bytes <= MAX_PACKED_BYTES) return count < MAX_PACKED_COUNT;
  return !isOutgrown && longest <= hashValueBytes && count < FEW_FIELDS && bytes <= MAX_LONG_BYTES;
}

/**
 * A hash under a key: fields with values. A small one is packed in the bytes of its entry, in the order in which the fields came; a larger
 * one is a table.
 */
export class HashValue extends TwofoldCollection<TableObject> {
  #value: Found | null = null;
  #field: Found | null = null;

  /** Opens the hash of an entry of type HASH. */
  static open(keyspace: Keyspace, slot: Slot): HashValue {
    return new HashValue(keyspace, slot);
  }

  /** Adds an entry with an empty hash for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): HashValue {
    return new HashValue(keyspace, emptyEntry(keyspace, HASH, buffer, start, end));
  }

  /** The value that `find` found. */
  get value(): Found {
    this.#value ??= new Found();
    return this.#value;
  }

  /** The field that `random` chose. */
  get field(): Found {
    this.#field ??= new Found();
    return this.#field;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'listpack' | 'hashtable' {
    return this.isCompact ? 'listpack' : 'hashtable';
  }

  /** Whether the field is there; its value is then in `value`. */
  find(buffer: Buffer, start: number, end: number): boolean {
    if (this.large !== null) {
      const { table } = this.large;
      if (table.find(buffer, start, end) === 0) return false;
      this.value.set(table.bytes, table.keyEnd, table.payloadEnd);
      return true;
    }
    this.look();
    if (!seekField(packed, buffer, start, end)) return false;
    this.value.set(packed.bytes, foundValue, foundEnd);
    return true;
  }

  /** Sets a field; returns whether it is new. The bytes must not be this hash's own. */
  set(
    fieldBuffer: Buffer,
    fieldStart: number,
    fieldEnd: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): boolean {
    const isNew =
      this.large === null
        ? this.#setPacked(fieldBuffer, fieldStart, fieldEnd, buffer, start, end)
        : setInTable(this.large.table, fieldBuffer, fieldStart, fieldEnd, buffer, start, end);
    this.#checkLimits(fieldEnd - fieldStart, end - start);
    return isNew;
  }

  #setPacked(
    fieldBuffer: Buffer,
    fieldStart: number,
    fieldEnd: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): boolean {
    this.look();
    const found = seekField(packed, fieldBuffer, fieldStart, fieldEnd);
    const length = end - start;
    if (found && foundEnd - foundValue === length) {
      copyBytes(buffer, start, end, packed.bytes, foundValue);
      return false;
    }
    const fieldLength = fieldEnd - fieldStart;
    const size = lengthSize(fieldLength) + lengthSize(length) + fieldLength + length;
    const { hashValueBytes } = this.keyspace.data.limits;
    if (!staysPacked(packed, packed.used + size, Math.max(fieldLength, length), hashValueBytes)) {
      return setInTable(this.#leavePacked(), fieldBuffer, fieldStart, fieldEnd, buffer, start, end);
    }
    const offset = found ? foundAt - packed.start : packed.used;
    this.splice(offset, found ? foundEnd - foundAt : 0, size, found ? 0 : 1);
    const { bytes } = packed;
    const at = writeLength(bytes, writeLength(bytes, packed.start + offset, fieldLength), length);
    copyBytes(fieldBuffer, fieldStart, fieldEnd, bytes, at);
    copyBytes(buffer, start, end, bytes, at + fieldLength);
    return !found;
  }

  /** Puts what is packed into a table. */
  #leavePacked(): MemberTable {
    const large = new TableObject('bytes', this.keyspace.data.hashSeed, !packed.isOutgrown);
    walkFields(packed, (fb, fs, fe, vb, vs, ve) => setInTable(large.table, fb, fs, fe, vb, vs, ve));
    return this.become(HASH, large).table;
  }

  /** Once beyond Redis's limits, a hash is called a hash table for good. */
  #checkLimits(fieldLength: number, valueLength: number): void {
    const { hashEntries, hashValueBytes } = this.keyspace.data.limits;
    const size = this.large === null ? packed.count : this.large.size;
    if (size > hashEntries || fieldLength > hashValueBytes || valueLength > hashValueBytes) this.outgrow();
  }

  /** Whether the field was there. */
  delete(buffer: Buffer, start: number, end: number): boolean {
    if (this.large !== null) return this.large.delete(buffer, start, end);
    this.look();
    if (!seekField(packed, buffer, start, end)) return false;
    this.splice(foundAt - packed.start, foundEnd - foundAt, 0, -1);
    return true;
  }

  /** Visits all fields; nothing may be mutated meanwhile. */
  forEach(visit: VisitField): void {
    this.scan(0, Number.POSITIVE_INFINITY, visit);
  }

  /** Visits about `count` fields from a cursor on; returns the next cursor, 0 at the end. A field that stays is visited. */
  scan(cursor: number, count: number, visit: VisitField): number {
    if (this.large === null) {
      this.look();
      walkFields(packed, visit);
      return 0;
    }
    const { table } = this.large;
    return table.scan(cursor, count, () =>
      visit(table.bytes, table.keyStart, table.keyEnd, table.bytes, table.keyEnd, table.payloadEnd),
    );
  }

  /** Chooses any field, each as likely, into `field` and `value`. */
  random(dice: Dice): void {
    if (this.large !== null) {
      const { table } = this.large;
      table.random(dice);
      this.field.set(table.bytes, table.keyStart, table.keyEnd);
      this.value.set(table.bytes, table.keyEnd, table.payloadEnd);
      return;
    }
    this.look();
    let left = dice.int(packed.count);
    walkFields(packed, (fieldBuffer, fieldStart, fieldEnd, valueBuffer, valueStart, valueEnd) => {
      if (left-- !== 0) return;
      this.field.set(fieldBuffer, fieldStart, fieldEnd);
      this.value.set(valueBuffer, valueStart, valueEnd);
    });
  }
}

/** Sets a field of a table; returns whether it is new. */
export function setInTable(
  table: MemberTable,
  fieldBuffer: Buffer,
  fieldStart: number,
  fieldEnd: number,
  buffer: Buffer,
  start: number,
  end: number,
): boolean {
  const ref = table.find(fieldBuffer, fieldStart, fieldEnd);
  if (ref === 0) table.insert(fieldBuffer, fieldStart, fieldEnd, end - start);
  else if (table.payloadEnd - table.keyEnd !== end - start) table.replace(ref, end - start);
  else if (table.watchers.length > 0) table.show(ref);
  copyBytes(buffer, start, end, table.bytes, table.keyEnd);
  table.tidy();
  return ref === 0;
}
