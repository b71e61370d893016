import type { Slot, Store } from '../store/index.ts';
import { FRAME_OVERHEAD_BYTES, type FrameWriter } from './frame-writer.ts';

/** Length line and line ends of an argument. */
const CALL_ARGUMENT_BYTES = 16;

/** What an effect needs room for. */
export function entryFrameBytes(store: Store, slot: Slot): number {
  return FRAME_OVERHEAD_BYTES + store.keyOf(slot).length + store.length(slot);
}

/** `RS.SET key value expiry version`: the entry is now as given. Part of the stream. */
export function writeSet(writer: FrameWriter, store: Store, slot: Slot): void {
  writer.text('*5\r\n$6\r\nRS.SET\r\n');
  writeEntry(writer, store, slot);
}

/** `RS.SNAP key value expiry version`: the entry as it is while the snapshot passes it. Not part of the stream. */
export function writeSnap(writer: FrameWriter, store: Store, slot: Slot): void {
  writer.text('*5\r\n$7\r\nRS.SNAP\r\n');
  writeEntry(writer, store, slot);
}

function writeEntry(writer: FrameWriter, store: Store, slot: Slot): void {
  writer.bulkText(store.keyOf(slot));
  writer.bulkValue(store, slot);
  writer.bulkNumber(store.expiresAt(slot));
  writer.bulkVersion(store.versionHigh(slot), store.versionLow(slot));
}

/** `RS.DEL key version` */
export function writeDelete(writer: FrameWriter, key: string, high: number, low: number): void {
  writer.text('*3\r\n$6\r\nRS.DEL\r\n');
  writer.bulkText(key);
  writer.bulkVersion(high, low);
}

/** `RS.PEXPIREAT key expiry`, 0 for never */
export function writeExpiry(writer: FrameWriter, key: string, atMs: number): void {
  writer.text('*3\r\n$12\r\nRS.PEXPIREAT\r\n');
  writer.bulkText(key);
  writer.bulkNumber(atMs);
}

/** `RS.APPEND key suffix version` */
export function writeAppend(
  writer: FrameWriter,
  key: string,
  suffix: Buffer,
  start: number,
  end: number,
  version: { high: number; low: number },
): void {
  writer.text('*4\r\n$9\r\nRS.APPEND\r\n');
  writer.bulkText(key);
  writer.bulkBytes(suffix, start, end);
  writer.bulkVersion(version.high, version.low);
}

/** Room for `writeCall`. */
export function callFrameBytes(parts: readonly (string | Buffer)[]): number {
  return parts.reduce((sum, part) => sum + part.length + CALL_ARGUMENT_BYTES, FRAME_OVERHEAD_BYTES);
}

/** `RS.CALL database version command …`: this command, after which its first key has the version. Text is one byte a character. */
export function writeCall(
  writer: FrameWriter,
  database: number,
  version: { high: number; low: number },
  parts: readonly (string | Buffer)[],
): void {
  writer.text(`*${parts.length + 3}\r\n$7\r\nRS.CALL\r\n`);
  writer.bulkNumber(database);
  writer.bulkVersion(version.high, version.low);
  for (const part of parts) {
    if (typeof part === 'string') writer.bulkText(part);
    else writer.bulkBytes(part, 0, part.length);
  }
}

/** `RS.FLUSHALL version` */
export function writeFlush(writer: FrameWriter, high: number, low: number): void {
  writer.text('*2\r\n$11\r\nRS.FLUSHALL\r\n');
  writer.bulkVersion(high, low);
}

/** `RS.SNAPEND offset version`: every entry has passed; the stream stands at `offset`. Not part of the stream. */
export function writeSnapEnd(writer: FrameWriter, offset: number, high: number, low: number): void {
  writer.text('*3\r\n$10\r\nRS.SNAPEND\r\n');
  writer.bulkNumber(offset);
  writer.bulkVersion(high, low);
}

/** `RS.LEASE epoch seq`: the leader is alive and asks for its lease. Not part of the stream. */
export function writeLease(writer: FrameWriter, epoch: number, seq: number): void {
  writer.text('*3\r\n$8\r\nRS.LEASE\r\n');
  writer.bulkNumber(epoch);
  writer.bulkNumber(seq);
}
