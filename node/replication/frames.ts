import { type Slot, STRING, type Store } from '../store/index.ts';
import { FRAME_OVERHEAD_BYTES, type FrameWriter } from './frame-writer.ts';

/* The frames between leader and followers. A frame of another database than 0 has its number behind the last argument. */

/** Length line and line ends of an argument. */
const CALL_ARGUMENT_BYTES = 16;

/** A version, as two unsigned words. */
interface Version {
  readonly high: number;
  readonly low: number;
}

/** What an effect on a string needs room for. */
export function entryFrameBytes(store: Store, slot: Slot): number {
  return FRAME_OVERHEAD_BYTES + store.keyOf(slot).length + store.length(slot);
}

/** `RS.PUT key value expiry version`: the entry is now this string. Part of the stream. */
export function writeSet(writer: FrameWriter, database: number, store: Store, slot: Slot): void {
  begin(writer, 'RS.PUT', 4, database);
  writeEntry(writer, database, store, slot);
}

/** `RS.SNAP key value expiry version`: the string as it is while the snapshot passes it. Not part of the stream. */
export function writeSnap(writer: FrameWriter, database: number, store: Store, slot: Slot): void {
  begin(writer, 'RS.SNAP', 4, database);
  writeEntry(writer, database, store, slot);
}

function writeEntry(writer: FrameWriter, database: number, store: Store, slot: Slot): void {
  writer.bulkText(store.keyOf(slot));
  writer.bulkValue(store, slot);
  writer.bulkNumber(store.expiresAt(slot));
  writer.bulkVersion(store.versionHigh(slot), store.versionLow(slot));
  end(writer, database);
}

/** Room for `writeRestore`. */
export function restoreFrameBytes(store: Store, slot: Slot, payload: Buffer): number {
  return FRAME_OVERHEAD_BYTES + store.keyOf(slot).length + payload.length;
}

/**
 * `RS.RESTORE key payload expiry version`: the entry is now what the payload of DUMP says. Part of the stream; as `RS.SNAPRESTORE` part of a
 * snapshot.
 */
export function writeRestore(
  writer: FrameWriter,
  inSnapshot: boolean,
  database: number,
  store: Store,
  slot: Slot,
  payload: Buffer,
): void {
  begin(writer, inSnapshot ? 'RS.SNAPRESTORE' : 'RS.RESTORE', 4, database);
  writer.bulkText(store.keyOf(slot));
  writer.bulkBytes(payload, 0, payload.length);
  writer.bulkNumber(store.expiresAt(slot));
  writer.bulkVersion(store.versionHigh(slot), store.versionLow(slot));
  end(writer, database);
}

/** Whether the whole value of the entry goes as `RS.RESTORE`, not as `RS.PUT`. */
export function isRestored(store: Store, slot: Slot): boolean {
  return store.typeOf(slot) !== STRING;
}

/** `RS.REMOVE key version` */
export function writeDelete(writer: FrameWriter, database: number, key: string, version: Version): void {
  begin(writer, 'RS.REMOVE', 2, database);
  writer.bulkText(key);
  writer.bulkVersion(version.high, version.low);
  end(writer, database);
}

/** `RS.PEXPIREAT key expiry`, 0 for never */
export function writeExpiry(writer: FrameWriter, database: number, key: string, atMs: number): void {
  begin(writer, 'RS.PEXPIREAT', 2, database);
  writer.bulkText(key);
  writer.bulkNumber(atMs);
  end(writer, database);
}

/** `RS.APPEND key suffix version` */
export function writeAppend(
  writer: FrameWriter,
  database: number,
  key: string,
  suffix: Buffer,
  suffixStart: number,
  suffixEnd: number,
  version: Version,
): void {
  begin(writer, 'RS.APPEND', 3, database);
  writer.bulkText(key);
  writer.bulkBytes(suffix, suffixStart, suffixEnd);
  writer.bulkVersion(version.high, version.low);
  end(writer, database);
}

/** Room for `writeCall`. */
export function callFrameBytes(parts: readonly (string | Buffer)[]): number {
  return parts.reduce((sum, part) => sum + part.length + CALL_ARGUMENT_BYTES, FRAME_OVERHEAD_BYTES);
}

/** `RS.CALL database version command …`: this command, after which its first key has the version. Text is one byte a character. */
export function writeCall(
  writer: FrameWriter,
  database: number,
  version: Version,
  parts: readonly (string | Buffer)[],
): void {
  begin(writer, 'RS.CALL', parts.length + 2, 0);
  writer.bulkNumber(database);
  writer.bulkVersion(version.high, version.low);
  for (const part of parts) {
    if (typeof part === 'string') writer.bulkText(part);
    else writer.bulkBytes(part, 0, part.length);
  }
}

/** `RS.SNAPCALL database command …`: a command that brings what entries do not hold themselves. Part of a snapshot. */
export function writeSnapCall(writer: FrameWriter, database: number, parts: readonly string[]): void {
  begin(writer, 'RS.SNAPCALL', parts.length + 1, 0);
  writer.bulkNumber(database);
  for (const part of parts) writer.bulkText(part);
}

/** `RS.FLUSH version`: all keys of the database are gone. */
export function writeFlush(writer: FrameWriter, database: number, version: Version): void {
  begin(writer, 'RS.FLUSH', 1, database);
  writer.bulkVersion(version.high, version.low);
  end(writer, database);
}

/** Length of an `RS.UNIT`. */
export const UNIT_FRAME_BYTES = '*2\r\n$7\r\nRS.UNIT\r\n$16\r\n0123456789abcdef\r\n'.length;

/** `RS.UNIT bytes`, as 16 hexadecimal digits: the frames in the next so many bytes of the stream take effect together. */
export function writeUnit(writer: FrameWriter, bytes: number): void {
  begin(writer, 'RS.UNIT', 1, 0);
  writer.bulkVersion(Math.floor(bytes / 2 ** 32), bytes % 2 ** 32);
}

/** `RS.SNAPEND offset version`: every entry has passed; the stream stands at `offset`. Not part of the stream. */
export function writeSnapEnd(writer: FrameWriter, offset: number, version: Version): void {
  begin(writer, 'RS.SNAPEND', 2, 0);
  writer.bulkNumber(offset);
  writer.bulkVersion(version.high, version.low);
}

/** `RS.LEASE epoch seq`: the leader is alive and asks for its lease. Not part of the stream. */
export function writeLease(writer: FrameWriter, epoch: number, seq: number): void {
  begin(writer, 'RS.LEASE', 2, 0);
  writer.bulkNumber(epoch);
  writer.bulkNumber(seq);
}

function begin(writer: FrameWriter, name: string, args: number, database: number): void {
  writer.arrayHeader(args + (database === 0 ? 1 : 2));
  writer.bulkText(name);
}

function end(writer: FrameWriter, database: number): void {
  if (database !== 0) writer.bulkNumber(database);
}
