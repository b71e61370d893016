import type { Keyspace } from '../keyspace.ts';
import { HASH, type Slot, type StoredObject } from '../store/index.ts';
import { type Dice, Found } from './bytes.ts';

interface HashObject extends StoredObject {
  readonly fields: Map<string, string>;
  bytes: number;
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

const FIELD_BYTES = 64;

/**
 * A hash under a key: fields with values. Opened for one command; a mutation of any other entry makes it stale. Whoever mutates it calls
 * `keyspace.modified(hash.slot)` behind that, or removes the entry when `size` has become 0.
 */
export class HashValue {
  /** The entry; kept right through this value's own mutations. */
  slot: Slot;
  /** The value that `find` found. */
  readonly value = new Found();
  /** The field that `random` chose. */
  readonly field = new Found();
  readonly #object: HashObject;

  private constructor(slot: Slot, object: HashObject) {
    this.slot = slot;
    this.#object = object;
  }

  /** Opens the hash of an entry of type HASH. */
  static open(keyspace: Keyspace, slot: Slot): HashValue {
    return new HashValue(slot, keyspace.store.objectOf(slot) as HashObject);
  }

  /** Adds an entry with an empty hash for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): HashValue {
    const slot = keyspace.insert(buffer, start, end);
    keyspace.store.setObject(slot, HASH, { fields: new Map(), bytes: FIELD_BYTES } as HashObject);
    return HashValue.open(keyspace, slot);
  }

  /** Number of fields. */
  get size(): number {
    return this.#object.fields.size;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'listpack' | 'hashtable' {
    return 'hashtable';
  }

  /** Whether the field is there; its value is then in `value`. */
  find(buffer: Buffer, start: number, end: number): boolean {
    const text = this.#object.fields.get(buffer.latin1Slice(start, end));
    if (text === undefined) return false;
    this.value.set(Buffer.from(text, 'latin1'), 0, text.length);
    return true;
  }

  /** Sets a field; returns whether it is new. */
  set(
    fieldBuffer: Buffer,
    fieldStart: number,
    fieldEnd: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): boolean {
    const { fields } = this.#object;
    const { size } = fields;
    fields.set(fieldBuffer.latin1Slice(fieldStart, fieldEnd), buffer.latin1Slice(start, end));
    return fields.size !== size;
  }

  /** Whether the field was there. */
  delete(buffer: Buffer, start: number, end: number): boolean {
    return this.#object.fields.delete(buffer.latin1Slice(start, end));
  }

  /** Visits all fields; nothing may be mutated meanwhile. */
  forEach(visit: VisitField): void {
    for (const [field, value] of this.#object.fields) {
      const fieldBytes = Buffer.from(field, 'latin1');
      const valueBytes = Buffer.from(value, 'latin1');
      visit(fieldBytes, 0, fieldBytes.length, valueBytes, 0, valueBytes.length);
    }
  }

  /** Visits about `count` fields from a cursor on; returns the next cursor, 0 at the end. A field that stays is visited. */
  scan(_cursor: number, _count: number, visit: VisitField): number {
    this.forEach(visit);
    return 0;
  }

  /** Chooses any field, each as likely, into `field` and `value`. */
  random(dice: Dice): void {
    const [field, value] = [...this.#object.fields][dice.int(this.size)];
    this.field.set(Buffer.from(field, 'latin1'), 0, field.length);
    this.value.set(Buffer.from(value, 'latin1'), 0, value.length);
  }
}
