import { RDB_HASH, RDB_LIST, RDB_SET, RDB_ZSET_2, type RdbWriter } from '../../lib/codec/rdb/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { HASH, LIST, SET, type Slot, ZSET } from '../store/index.ts';
import { HashValue, ListValue, SetValue, ZsetValue } from '../values/index.ts';

/** A collection above this is written in parts. */
const LARGE_BYTES = 32 << 10;
/** Elements of a part. */
const PART_ELEMENTS = 64;

/** Whether writing the value at once would be noticed. */
export function isLarge({ store }: Keyspace, slot: Slot): boolean {
  return store.objectOf(slot) !== null && store.bytesOf(slot) > LARGE_BYTES;
}

/** Writes a part of a collection; returns where the next one begins, 0 at the end. */
type WritePart = (writer: RdbWriter, keyspace: Keyspace, slot: Slot, from: number) => number;

const writeFields: WritePart = (writer, keyspace, slot, from) =>
  HashValue.open(keyspace, slot).scan(
    from,
    PART_ELEMENTS,
    (fieldBuffer, fieldStart, fieldEnd, buffer, start, end) => {
      writer.string(fieldBuffer, fieldStart, fieldEnd);
      writer.string(buffer, start, end);
    },
  );

const writeMembers: WritePart = (writer, keyspace, slot, from) =>
  SetValue.open(keyspace, slot).scan(from, PART_ELEMENTS, (buffer, start, end) => {
    writer.string(buffer, start, end);
  });

const writeElements: WritePart = (writer, keyspace, slot, from) => {
  const list = ListValue.open(keyspace, slot);
  const to = Math.min(list.size, from + PART_ELEMENTS);
  let index = from;
  list.walk(from, false, (buffer, start, end) => {
    writer.string(buffer, start, end);
    return ++index < to;
  });
  return to === list.size ? 0 : to;
};

/** From the highest down: whoever inserts in this order always inserts at the front. */
const writeScored: WritePart = (writer, keyspace, slot, from) => {
  const zset = ZsetValue.open(keyspace, slot);
  const to = Math.min(zset.size, from + PART_ELEMENTS);
  let index = from;
  zset.walk(zset.size - 1 - from, true, (buffer, start, end, score) => {
    writer.string(buffer, start, end);
    writer.double(score);
    return ++index < to;
  });
  return to === zset.size ? 0 : to;
};

interface Shape {
  readonly rdbType: number;
  readonly size: (keyspace: Keyspace, slot: Slot) => number;
  readonly writePart: WritePart;
}

const shapes: ReadonlyMap<number, Shape> = new Map([
  [HASH, { rdbType: RDB_HASH, size: (k, slot) => HashValue.open(k, slot).size, writePart: writeFields }],
  [SET, { rdbType: RDB_SET, size: (k, slot) => SetValue.open(k, slot).size, writePart: writeMembers }],
  [LIST, { rdbType: RDB_LIST, size: (k, slot) => ListValue.open(k, slot).size, writePart: writeElements }],
  [ZSET, { rdbType: RDB_ZSET_2, size: (k, slot) => ZsetValue.open(k, slot).size, writePart: writeScored }],
]);

/** A collection that is written in parts. It must not change before the last one: who wants to change it has the rest written first. */
export class LargeValue {
  readonly key: Buffer;
  readonly #shape: Shape;
  #from = 0;

  /** Writes what stands before the elements. */
  constructor(writer: RdbWriter, keyspace: Keyspace, slot: Slot) {
    const { store } = keyspace;
    this.key = Buffer.from(store.keyOf(slot), 'latin1');
    this.#shape = shapes.get(store.typeOf(slot))!;
    writer.byte(this.#shape.rdbType);
    writer.string(this.key, 0, this.key.length);
    writer.count(this.#shape.size(keyspace, slot));
  }

  /** Writes the next part; returns whether there are more. */
  write(writer: RdbWriter, keyspace: Keyspace): boolean {
    const slot = keyspace.store.find(this.key, 0, this.key.length);
    this.#from = this.#shape.writePart(writer, keyspace, slot, this.#from);
    return this.#from !== 0;
  }
}
