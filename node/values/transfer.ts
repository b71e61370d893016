import type { Marks } from '../cache/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { LIST, type Slot, STRING, type StoredObject, type ValueType, ZSET } from '../store/index.ts';
import { dumpEntry, restoreEntry } from './serialize.ts';

/** An entry of one database, by its key. */
export interface EntryPlace {
  readonly keyspace: Keyspace;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Everything of an entry but its key and its version. */
interface Content {
  readonly type: ValueType;
  readonly object: StoredObject | null;
  readonly bytes: Buffer;
  readonly wasEdited: boolean;
  readonly expiresAt: number;
  readonly marks: Marks | null;
}

function find({ keyspace, buffer, start, end }: EntryPlace): Slot {
  return keyspace.store.find(buffer, start, end);
}

function contentOf({ store, marks }: Keyspace, slot: Slot): Content {
  const object = store.objectOf(slot);
  const bytes = Buffer.allocUnsafe(object === null ? store.length(slot) : 0);
  if (object === null) store.copyValue(slot, bytes, 0);
  return {
    type: store.typeOf(slot),
    object,
    bytes,
    wasEdited: store.wasEdited(slot),
    expiresAt: store.expiresAt(slot),
    marks: marks.of(store, slot),
  };
}

/** Adds an entry with the value of `content`, for a key that is not there. */
function put(to: EntryPlace, content: Content): void {
  const { keyspace, buffer, start, end } = to;
  const { store } = keyspace;
  const { type, object, bytes } = content;
  const slot = keyspace.insert(buffer, start, end);
  if (object !== null) {
    store.setObject(slot, type, object);
    return;
  }
  store.setBytes(slot, bytes, 0, bytes.length);
  if (type !== STRING) store.setType(find(to), type);
  else if (content.wasEdited) store.writeAt(find(to), 0, bytes, 0, 0);
}

/** Gives the new entry what the former one has beside its value, and tells the stream and who listens. */
function finish(to: EntryPlace, content: Content): void {
  const { keyspace, buffer, start, end } = to;
  const { store } = keyspace;
  if (content.expiresAt !== 0) store.setExpiry(find(to), content.expiresAt);
  if (content.marks !== null) keyspace.mark(find(to), content.marks);
  keyspace.modified(find(to));
  keyspace.logValue(find(to));
  if (content.type === LIST || content.type === ZSET) keyspace.signalReady(buffer, start, end);
}

/** Makes the entry another one: same value, expiry and marks, a new version. What the other key held goes. Takes no time for collections. */
export function moveEntry(from: EntryPlace, to: EntryPlace): void {
  const content = contentOf(from.keyspace, find(from));
  const former = find(to);
  if (former !== 0) to.keyspace.remove(former);
  put(to, content);
  from.keyspace.remove(find(from));
  finish(to, content);
}

/** As `moveEntry`, but the entry stays and the other one gets a copy of value and marks. */
export function copyEntry(from: EntryPlace, to: EntryPlace): void {
  const source = find(from);
  const content = contentOf(from.keyspace, source);
  const payload = content.object === null ? null : dumpEntry(from.keyspace, source);
  const former = find(to);
  if (former !== 0) to.keyspace.remove(former);
  if (payload === null) put(to, content);
  else restoreEntry(to.keyspace, to.buffer, to.start, to.end, payload);
  finish(to, content);
}
