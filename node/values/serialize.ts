import { encodeCommand, RequestParser } from '../../lib/codec/resp/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { HASH, LIST, SET, type Slot, STRING, typeNames, ZSET } from '../store/index.ts';
import { HashValue } from './hash.ts';
import { ListValue } from './list.ts';
import { SetValue } from './set.ts';
import { ZsetValue } from './zset.ts';

const MAX = 0x7fffffff;
const UNLIMITED = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: MAX, maxBufferedBytes: MAX };

/** The whole value of an entry, to be given to `restoreEntry`. */
export function dumpEntry(keyspace: Keyspace, slot: Slot): Buffer {
  const { store } = keyspace;
  const type = store.typeOf(slot);
  const parts: (string | Buffer)[] = [typeNames[type]];
  const copy = (buffer: Buffer, start: number, end: number) =>
    parts.push(Buffer.from(buffer.subarray(start, end)));
  if (type === STRING) parts.push(Buffer.from(store.latin1(slot), 'latin1'));
  if (type === HASH) {
    HashValue.open(keyspace, slot).forEach((fb, fs, fe, vb, vs, ve) => {
      copy(fb, fs, fe);
      copy(vb, vs, ve);
    });
  }
  if (type === SET) SetValue.open(keyspace, slot).forEach(copy);
  if (type === LIST) {
    ListValue.open(keyspace, slot).walk(0, false, (b, s, e) => copy(b, s, e) > 0);
  }
  if (type === ZSET) {
    ZsetValue.open(keyspace, slot).walk(0, false, (b, s, e, score) => {
      copy(b, s, e);
      return parts.push(String(score)) > 0;
    });
  }
  return encodeCommand(...parts);
}

/** Adds an entry with a dumped value for a key that is not there. */
export function restoreEntry(
  keyspace: Keyspace,
  key: Buffer,
  start: number,
  end: number,
  payload: Buffer,
): Slot {
  const parser = new RequestParser(UNLIMITED);
  parser.push(payload);
  parser.next();
  const args = parser;
  const type = typeNames.indexOf(args.latin1(0));
  if (type === STRING) {
    const slot = keyspace.insert(key, start, end);
    keyspace.store.setBytes(slot, args.buffer, args.start(1), args.end(1));
    return slot;
  }
  if (type === HASH) {
    const hash = HashValue.create(keyspace, key, start, end);
    for (let i = 1; i < args.count; i += 2) {
      hash.set(args.buffer, args.start(i), args.end(i), args.buffer, args.start(i + 1), args.end(i + 1));
    }
    return hash.slot;
  }
  if (type === SET) {
    const set = SetValue.create(keyspace, key, start, end);
    for (let i = 1; i < args.count; i++) set.add(args.buffer, args.start(i), args.end(i));
    return set.slot;
  }
  if (type === LIST) {
    const list = ListValue.create(keyspace, key, start, end);
    for (let i = 1; i < args.count; i++) list.push(false, args.buffer, args.start(i), args.end(i));
    return list.slot;
  }
  const zset = ZsetValue.create(keyspace, key, start, end);
  for (let i = 1; i < args.count; i += 2) {
    zset.set(Number(args.latin1(i + 1)), args.buffer, args.start(i), args.end(i));
  }
  return zset.slot;
}
