import type { Keyspace } from '../keyspace.ts';
import { HASH, type Slot, type StoredObject } from '../store/index.ts';
import { copyBytes, type Dice, Found, sameBytes } from './bytes.ts';
import { lengthAt, lengthSize, writeLength } from './lengths.ts';
import { MemberTable } from './member-table.ts';
import { MAX_PACKED_BYTES, MAX_PACKED_COUNT, packed } from './packed.ts';

/** A hash too large for the bytes of its entry. */
class HashObject implements StoredObject {
  readonly table: MemberTable;
  /** Whether it is still small by Redis's limits, which can be set above ours. */
  isListpack = true;

  constructor(seed: number) {
    this.table = new MemberTable('bytes', seed);
  }

  get bytes(): number {
    return this.table.reservedBytes;
  }
}

/** Visits a field and its value; both ranges are valid during the call. */
export type VisitField = (
  fieldBuffer: Buffer,
  fieldStart: number,
  fieldEnd: number,
  valueBuffer: Buffer,
  valueStart: number,
  valueEnd: number,
) => void;

/** Flag of packed hashes: beyond Redis's limits once. */
const IS_HASHTABLE = 1;
/** Few fields stay packed though they are long, as long as Redis's limits allow it: HGETALL gives them in their order then. */
const FEW_FIELDS = 16;
const MAX_LONG_BYTES = 1 << 20;

/** Where `seek` found the field, among the packed elements: `[length of field][length of value][field][value]`. */
let foundAt = 0;
let foundValue = 0;
let foundEnd = 0;

/** Finds a field in what `packed` looks at. */
function seek(buffer: Buffer, start: number, end: number): boolean {
  const { bytes } = packed;
  const limit = packed.end;
  const length = end - start;
  let at = packed.start;
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

/** Visits what `packed` looks at; it may look at other values meanwhile. */
function walkPacked(visit: VisitField): void {
  const { bytes, end } = packed;
  let at = packed.start;
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

/**
 * A hash under a key: fields with values. Opened for one command; a mutation of any other entry makes it stale. Whoever mutates it calls
 * `keyspace.modified(hash.slot)` behind that, or removes the entry when `size` has become 0.
 *
 * A small one is packed in the bytes of its entry, in the order in which the fields came; a larger one is a table.
 */
export class HashValue {
  /** The entry; kept right through this value's own mutations. */
  slot: Slot;
  /** The value that `find` found. */
  readonly value = new Found();
  /** The field that `random` chose. */
  readonly field = new Found();
  readonly #keyspace: Keyspace;
  #object: HashObject | null;

  private constructor(keyspace: Keyspace, slot: Slot, object: HashObject | null) {
    this.#keyspace = keyspace;
    this.slot = slot;
    this.#object = object;
  }

  /** Opens the hash of an entry of type HASH. */
  static open(keyspace: Keyspace, slot: Slot): HashValue {
    return new HashValue(keyspace, slot, keyspace.store.objectOf(slot) as HashObject | null);
  }

  /** Adds an entry with an empty hash for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): HashValue {
    const slot = keyspace.insert(buffer, start, end);
    keyspace.store.setType(slot, HASH);
    return new HashValue(keyspace, slot, null);
  }

  /** Number of fields. */
  get size(): number {
    if (this.#object !== null) return this.#object.table.size;
    this.#look();
    return packed.count;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'listpack' | 'hashtable' {
    if (this.#object !== null) return this.#object.isListpack ? 'listpack' : 'hashtable';
    this.#look();
    return (packed.flags & IS_HASHTABLE) === 0 ? 'listpack' : 'hashtable';
  }

  #look(): void {
    packed.look(this.#keyspace.store, this.slot);
  }

  /** Whether the field is there; its value is then in `value`. */
  find(buffer: Buffer, start: number, end: number): boolean {
    if (this.#object !== null) {
      const { table } = this.#object;
      if (table.find(buffer, start, end) === 0) return false;
      this.value.set(table.bytes, table.keyEnd, table.payloadEnd);
      return true;
    }
    this.#look();
    if (!seek(buffer, start, end)) return false;
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
      this.#object === null
        ? this.#setPacked(fieldBuffer, fieldStart, fieldEnd, buffer, start, end)
        : setInTable(this.#object.table, fieldBuffer, fieldStart, fieldEnd, buffer, start, end);
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
    this.#look();
    const found = seek(fieldBuffer, fieldStart, fieldEnd);
    const length = end - start;
    if (found && foundEnd - foundValue === length) {
      copyBytes(buffer, start, end, packed.bytes, foundValue);
      return false;
    }
    const fieldLength = fieldEnd - fieldStart;
    const size = lengthSize(fieldLength) + lengthSize(length) + fieldLength + length;
    if (!this.#fits(packed.used + size, Math.max(fieldLength, length))) {
      this.#leavePacked();
      return setInTable(this.#object!.table, fieldBuffer, fieldStart, fieldEnd, buffer, start, end);
    }
    const offset = found ? foundAt - packed.start : packed.used;
    packed.splice(offset, found ? foundEnd - foundAt : 0, size, found ? 0 : 1);
    this.slot = packed.slot;
    const { bytes } = packed;
    const at = writeLength(bytes, writeLength(bytes, packed.start + offset, fieldLength), length);
    copyBytes(fieldBuffer, fieldStart, fieldEnd, bytes, at);
    copyBytes(buffer, start, end, bytes, at + fieldLength);
    return !found;
  }

  /** Whether what is packed may come to take so many bytes, with a field or value of `longest`. */
  #fits(bytes: number, longest: number): boolean {
    if (bytes <= MAX_PACKED_BYTES) return packed.count < MAX_PACKED_COUNT;
    const { hashValueBytes } = this.#keyspace.data.limits;
    const isListpack = (packed.flags & IS_HASHTABLE) === 0 && longest <= hashValueBytes;
    return isListpack && packed.count < FEW_FIELDS && bytes <= MAX_LONG_BYTES;
  }

  /** Puts what is packed into a table. */
  #leavePacked(): void {
    const { store, data } = this.#keyspace;
    const object = new HashObject(data.hashSeed);
    object.isListpack = (packed.flags & IS_HASHTABLE) === 0;
    walkPacked((fb, fs, fe, vb, vs, ve) => setInTable(object.table, fb, fs, fe, vb, vs, ve));
    this.slot = store.setObject(this.slot, HASH, object);
    this.#object = object;
  }

  /** Once beyond Redis's limits, a hash is called a hash table for good. */
  #checkLimits(fieldLength: number, valueLength: number): void {
    const { hashEntries, hashValueBytes } = this.#keyspace.data.limits;
    const object = this.#object;
    const size = object === null ? packed.count : object.table.size;
    if (size <= hashEntries && fieldLength <= hashValueBytes && valueLength <= hashValueBytes) return;
    if (object === null) packed.flags |= IS_HASHTABLE;
    else object.isListpack = false;
  }

  /** Whether the field was there. */
  delete(buffer: Buffer, start: number, end: number): boolean {
    if (this.#object !== null) {
      const { table } = this.#object;
      const ref = table.find(buffer, start, end);
      if (ref === 0) return false;
      table.remove(ref);
      table.tidy();
      return true;
    }
    this.#look();
    if (!seek(buffer, start, end)) return false;
    packed.splice(foundAt - packed.start, foundEnd - foundAt, 0, -1);
    this.slot = packed.slot;
    return true;
  }

  /** Visits all fields; nothing may be mutated meanwhile. */
  forEach(visit: VisitField): void {
    this.scan(0, Number.POSITIVE_INFINITY, visit);
  }

  /** Visits about `count` fields from a cursor on; returns the next cursor, 0 at the end. A field that stays is visited. */
  scan(cursor: number, count: number, visit: VisitField): number {
    if (this.#object === null) {
      this.#look();
      walkPacked(visit);
      return 0;
    }
    const { table } = this.#object;
    return table.scan(cursor, count, () =>
      visit(table.bytes, table.keyStart, table.keyEnd, table.bytes, table.keyEnd, table.payloadEnd),
    );
  }

  /** Chooses any field, each as likely, into `field` and `value`. */
  random(dice: Dice): void {
    if (this.#object !== null) {
      const { table } = this.#object;
      table.random(dice);
      this.field.set(table.bytes, table.keyStart, table.keyEnd);
      this.value.set(table.bytes, table.keyEnd, table.payloadEnd);
      return;
    }
    this.#look();
    let left = dice.int(packed.count);
    walkPacked((fieldBuffer, fieldStart, fieldEnd, valueBuffer, valueStart, valueEnd) => {
      if (left-- !== 0) return;
      this.field.set(fieldBuffer, fieldStart, fieldEnd);
      this.value.set(valueBuffer, valueStart, valueEnd);
    });
  }
}

function setInTable(
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
  copyBytes(buffer, start, end, table.bytes, table.keyEnd);
  table.tidy();
  return ref === 0;
}
