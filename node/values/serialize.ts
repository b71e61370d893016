import {
  integerOf,
  isSealed,
  ListpackWriter,
  NODE_PACKED,
  NODE_PLAIN,
  PayloadReader,
  RDB_HASH,
  RDB_HASH_LISTPACK,
  RDB_LIST_QUICKLIST_2,
  RDB_SET,
  RDB_SET_INTSET,
  RDB_STRING,
  RDB_ZSET_2,
  RDB_ZSET_LISTPACK,
  RdbFormatError,
  RdbWriter,
  sealPayload,
  writeIntset,
} from '../../lib/codec/rdb/index.ts';
import type { DataSet } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { HASH, LIST, SET, type Slot, STRING, type Store, type ValueType, ZSET } from '../store/index.ts';
import { Found } from './bytes.ts';
import { EntryBuilder } from './entry-builder.ts';
import { HashValue } from './hash.ts';
import { ListValue } from './list.ts';
import { LongestPart } from './longest.ts';
import { SetValue } from './set.ts';
import { ZsetValue } from './zset.ts';

/** Redis's longest string. */
const MAX_STRING_BYTES = 512 * 1024 * 1024;
/** Elements share a node of a list up to this size, as in Redis by default. */
const NODE_BYTES = 8 * 1024;
/** Larger elements are a node as they are. */
const PLAIN_BYTES = 1024 * 1024;

const payloads = new PayloadReader({ maxStringBytes: MAX_STRING_BYTES });

/** The whole value of an entry as DUMP gives it: one that Redis 7.0 restores. */
export function dumpEntry(keyspace: Keyspace, slot: Slot, { compresses = false } = {}): Buffer {
  const writer = new RdbWriter({ compresses });
  dumpers[keyspace.store.typeOf(slot)](writer, keyspace, slot, false);
  return sealPayload(writer);
}

/** Writes type, key and value of an entry as they stand in a file. */
export function writeEntry(writer: RdbWriter, keyspace: Keyspace, slot: Slot): void {
  dumpers[keyspace.store.typeOf(slot)](writer, keyspace, slot, true);
}

/** Whether a payload is whole, and of a version that can be read. */
export function isIntact(payload: Buffer): boolean {
  return isSealed(payload);
}

/** Whether an intact payload has a value that can be restored. Takes time and memory for the value. */
export function isRestorable(payload: Buffer): boolean {
  try {
    payloads.check(payload);
    return true;
  } catch (error) {
    if (error instanceof RdbFormatError) return false;
    throw error;
  }
}

/** The length of a restorable payload's string, or of the longest element of its collection. */
export function longestInPayload(payload: Buffer): number {
  const found = new LongestPart();
  payloads.read(payload, found);
  return found.bytes;
}

const builders = new WeakMap<DataSet, EntryBuilder>();

/** Builds one value at a time. */
function builderFor(data: DataSet): EntryBuilder {
  const known = builders.get(data);
  if (known !== undefined) return known;
  const builder = new EntryBuilder(data);
  builders.set(data, builder);
  return builder;
}

/**
 * Adds an entry with the value of an intact payload, without expiry, for a key that is not there. Throws RdbFormatError when it has no
 * sound value, and leaves nothing behind then.
 */
export function restoreEntry(
  keyspace: Keyspace,
  key: Buffer,
  start: number,
  end: number,
  payload: Buffer,
): Slot {
  const builder = builderFor(keyspace.data);
  try {
    payloads.read(payload, builder);
  } catch (error) {
    builder.drop();
    throw error;
  }
  builder.complete();
  return builder.addTo(keyspace, key, start, end);
}

/** Writes a value behind its type; between them the key, when it is `named`. */
type Dump = (writer: RdbWriter, keyspace: Keyspace, slot: Slot, named: boolean) => void;

const found = new Found();

function begin(writer: RdbWriter, type: number, store: Store, slot: Slot, named: boolean): void {
  writer.byte(type);
  if (!named) return;
  store.viewKey(slot, found);
  writer.string(found.buffer, found.start, found.end);
}

function dumpString(writer: RdbWriter, { store }: Keyspace, slot: Slot, named: boolean): void {
  begin(writer, RDB_STRING, store, slot, named);
  store.view(slot, found);
  writer.string(found.buffer, found.start, found.end);
}

function dumpHash(writer: RdbWriter, keyspace: Keyspace, slot: Slot, named: boolean): void {
  const hash = HashValue.open(keyspace, slot);
  if (hash.encoding === 'listpack') {
    const packed = new ListpackWriter();
    hash.forEach((fieldBuffer, fieldStart, fieldEnd, buffer, start, end) => {
      packed.add(fieldBuffer, fieldStart, fieldEnd);
      packed.add(buffer, start, end);
    });
    begin(writer, RDB_HASH_LISTPACK, keyspace.store, slot, named);
    writeBytes(writer, packed.finish());
    return;
  }
  begin(writer, RDB_HASH, keyspace.store, slot, named);
  writer.count(hash.size);
  hash.forEach((fieldBuffer, fieldStart, fieldEnd, buffer, start, end) => {
    writer.string(fieldBuffer, fieldStart, fieldEnd);
    writer.string(buffer, start, end);
  });
}

function writeBytes(writer: RdbWriter, bytes: Buffer): void {
  writer.string(bytes, 0, bytes.length);
}

function dumpSet(writer: RdbWriter, keyspace: Keyspace, slot: Slot, named: boolean): void {
  const set = SetValue.open(keyspace, slot);
  if (set.encoding === 'intset') {
    const members: (number | bigint)[] = [];
    set.forEach((buffer, start, end) => {
      members.push(integerOf(buffer, start, end)!);
    });
    begin(writer, RDB_SET_INTSET, keyspace.store, slot, named);
    writeBytes(writer, writeIntset(members));
    return;
  }
  begin(writer, RDB_SET, keyspace.store, slot, named);
  writer.count(set.size);
  set.forEach((buffer, start, end) => {
    writer.string(buffer, start, end);
  });
}

function dumpZset(writer: RdbWriter, keyspace: Keyspace, slot: Slot, named: boolean): void {
  const zset = ZsetValue.open(keyspace, slot);
  if (zset.encoding === 'listpack') {
    const packed = new ListpackWriter();
    zset.walk(0, false, (buffer, start, end, score) => {
      packed.add(buffer, start, end);
      addScore(packed, score);
      return true;
    });
    begin(writer, RDB_ZSET_LISTPACK, keyspace.store, slot, named);
    writeBytes(writer, packed.finish());
    return;
  }
  begin(writer, RDB_ZSET_2, keyspace.store, slot, named);
  writer.count(zset.size);
  // From the highest down: whoever inserts in this order always inserts at the front.
  zset.walk(zset.size - 1, true, (buffer, start, end, score) => {
    writer.string(buffer, start, end);
    writer.double(score);
    return true;
  });
}

function addScore(packed: ListpackWriter, score: number): void {
  if (Number.isSafeInteger(score) && !Object.is(score, -0)) {
    packed.addInteger(score);
    return;
  }
  const infinite = score > 0 ? 'inf' : '-inf';
  const text = Number.isFinite(score) ? (Object.is(score, -0) ? '-0' : String(score)) : infinite;
  packed.add(Buffer.from(text, 'latin1'), 0, text.length);
}

/** A node of a list: its kind, and its bytes. */
interface Node {
  readonly container: number;
  readonly bytes: Buffer;
}

function dumpList(writer: RdbWriter, keyspace: Keyspace, slot: Slot, named: boolean): void {
  const nodes: Node[] = [];
  const packed = new ListpackWriter();
  const endNode = () => {
    if (packed.count > 0) nodes.push({ container: NODE_PACKED, bytes: Buffer.from(packed.finish()) });
    packed.clear();
  };
  ListValue.open(keyspace, slot).walk(0, false, (buffer, start, end) => {
    const isPlain = end - start > PLAIN_BYTES;
    if (isPlain || packed.length + end - start > NODE_BYTES) endNode();
    if (isPlain) nodes.push({ container: NODE_PLAIN, bytes: Buffer.from(buffer.subarray(start, end)) });
    else packed.add(buffer, start, end);
    return true;
  });
  endNode();
  begin(writer, RDB_LIST_QUICKLIST_2, keyspace.store, slot, named);
  writer.count(nodes.length);
  for (const { container, bytes } of nodes) {
    writer.count(container);
    writeBytes(writer, bytes);
  }
}

const dumpers: Readonly<Record<ValueType, Dump>> = {
  [STRING]: dumpString,
  [LIST]: dumpList,
  [SET]: dumpSet,
  [ZSET]: dumpZset,
  [HASH]: dumpHash,
};
