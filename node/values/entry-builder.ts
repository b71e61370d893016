import type { RdbKind, RdbSink } from '../../lib/codec/rdb/index.ts';
import { pieceMemory } from '../../lib/store/index.ts';
import type { DataSet } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { HASH, LIST, SET, type Slot, STRING, type ValueType, ZSET } from '../store/index.ts';
import type { LargeForm } from './collection.ts';
import { HashBuilder } from './hash-builder.ts';
import { ListBuilder } from './list-builder.ts';
import { Packing } from './packing.ts';
import { SetBuilder } from './set-builder.ts';
import { ZsetBuilder } from './zset-builder.ts';

const types: Readonly<Record<RdbKind, ValueType>> = {
  string: STRING,
  list: LIST,
  set: SET,
  zset: ZSET,
  hash: HASH,
};

/**
 * Builds values that are read, one after the other, outside of any store: a small collection in a room for it, so that its entry is written once,
 * with all that is in it.
 */
export class EntryBuilder implements RdbSink {
  readonly #packing = new Packing();
  readonly #list = new ListBuilder(this.#packing);
  readonly #set: SetBuilder;
  readonly #zset: ZsetBuilder;
  readonly #hash: HashBuilder;
  type: ValueType = STRING;
  /** Of a value that `end` has completed: its bytes, if `object` is null. Valid until the next one begins, of a string as long as what it was read from. */
  bytes: Buffer = this.#packing.bytes;
  start = 0;
  end = 0;

  constructor(data: DataSet) {
    this.#set = new SetBuilder(this.#packing, data);
    this.#zset = new ZsetBuilder(this.#packing, data);
    this.#hash = new HashBuilder(this.#packing, data);
  }

  /** The value when it is no string and too large for the bytes of an entry. */
  get object(): LargeForm | null {
    if (this.type === HASH) return this.#hash.large;
    if (this.type === SET) return this.#set.large;
    if (this.type === ZSET) return this.#zset.large;
    return this.type === LIST ? this.#list.large : null;
  }

  begin(kind: RdbKind): void {
    const type = types[kind];
    this.type = type;
    this.#packing.clear();
    if (type === HASH) this.#hash.begin();
    else if (type === SET) this.#set.begin();
    else if (type === ZSET) this.#zset.begin();
    else if (type === LIST) this.#list.begin();
  }

  string(buffer: Buffer, start: number, end: number): void {
    this.bytes = buffer;
    this.start = start;
    this.end = end;
  }

  element(buffer: Buffer, start: number, end: number): boolean {
    if (this.type === SET) return this.#set.add(buffer, start, end);
    this.#list.push(buffer, start, end);
    return true;
  }

  member(buffer: Buffer, start: number, end: number, score: number): boolean {
    return this.#zset.add(score, buffer, start, end);
  }

  field(
    fieldBuffer: Buffer,
    fieldStart: number,
    fieldEnd: number,
    valueBuffer: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    return this.#hash.add(fieldBuffer, fieldStart, fieldEnd, valueBuffer, valueStart, valueEnd);
  }

  /** All of the value has come. */
  complete(): void {
    if (this.type === STRING || this.object !== null) return;
    this.start = this.#packing.finish();
    this.end = this.#packing.end;
    this.bytes = this.#packing.bytes;
  }

  /** Adds an entry with the value that `complete` has completed, for a key that is not there. */
  addTo(keyspace: Keyspace, key: Buffer, start: number, end: number): Slot {
    const slot = keyspace.insert(key, start, end);
    const { store } = keyspace;
    const { object, type } = this;
    if (object !== null) return store.setObject(slot, type, object);
    store.setBytes(slot, this.bytes, this.start, this.end);
    if (type !== STRING) store.setType(slot, type);
    return slot;
  }

  /** Lets go of a value that is not going to be complete. */
  drop(): void {
    pieceMemory.dropped(this.object?.bytes ?? 0);
  }
}
