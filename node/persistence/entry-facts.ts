import type { RdbWriter } from '../../lib/codec/rdb/index.ts';
import { OPCODE_AUX } from '../../lib/codec/rdb/index.ts';
import type { Marks } from '../cache/index.ts';
import type { Slot, Store } from '../store/index.ts';

/*
 * What Redis's files have no place for stands in AUX fields, which Redis reads over. `rs` is about the entry behind it: version 8, and when
 * the entry has marks client flags 4, soft expiry 6, and the tags, each behind its length 2. Numbers are big-endian.
 */

/** Name of the field with the facts of an entry. */
export const ENTRY_FIELD = 'rs';
/** Name of the field with the highest version of all, 16 hexadecimal digits. */
export const VERSION_FIELD = 'ringside-version';
/** Name of the field with a fence: its floor in decimal, a space, its name. */
export const FENCE_FIELD = 'ringside-fence';
/** Name of the field with the answer to a named write: until when it counts, the lengths of name and digest, and then name, digest and answer. */
export const ANSWER_FIELD = 'ringside-answer';

const VERSION_BYTES = 8;
const MARK_BYTES = 10;
const TAG_LENGTH_BYTES = 2;
const FIELD_BYTES = 2 + ENTRY_FIELD.length;
const MAX_LENGTH_BYTES = 9;

/** Writes the field about an entry. */
export function writeFacts(writer: RdbWriter, store: Store, slot: Slot, marks: Marks | null): void {
  const tags = marks?.tags ?? [];
  let bytes = VERSION_BYTES + (marks === null ? 0 : MARK_BYTES);
  for (const tag of tags) bytes += TAG_LENGTH_BYTES + tag.length;
  writer.reserve(FIELD_BYTES + MAX_LENGTH_BYTES + bytes);
  const { buffer } = writer;
  buffer[writer.length++] = OPCODE_AUX;
  buffer[writer.length++] = ENTRY_FIELD.length;
  writer.length += buffer.latin1Write(ENTRY_FIELD, writer.length);
  writer.count(bytes);
  let at = buffer.writeUInt32BE(store.versionHigh(slot), writer.length);
  at = buffer.writeUInt32BE(store.versionLow(slot), at);
  if (marks !== null) {
    at = buffer.writeUInt32BE(marks.clientFlags ?? 0, at);
    at = buffer.writeUIntBE(marks.softExpiresAt ?? 0, at, 6);
  }
  for (const tag of tags) {
    at = buffer.writeUInt16BE(tag.length, at);
    at += buffer.latin1Write(tag, at);
  }
  writer.length = at;
}

/** The facts of an entry, as read. */
export class EntryFacts {
  /** Whether there are any. */
  isGiven = false;
  high = 0;
  low = 0;
  marks: Marks | null = null;

  /** Reads the field; returns whether it is sound. */
  read(buffer: Buffer, start: number, end: number): boolean {
    if (end - start < VERSION_BYTES) return false;
    this.isGiven = true;
    this.high = wordAt(buffer, start);
    this.low = wordAt(buffer, start + 4);
    this.marks = null;
    const marksAt = start + VERSION_BYTES;
    if (end === marksAt) return true;
    if (end < marksAt + MARK_BYTES) return false;
    const clientFlags = wordAt(buffer, marksAt);
    const softExpiresAt = buffer.readUIntBE(marksAt + 4, 6);
    const tags = tagsOf(buffer, marksAt + MARK_BYTES, end);
    if (tags === null) return false;
    this.marks = { clientFlags, softExpiresAt, ...(tags.length > 0 && { tags }) };
    return true;
  }
}

/** Faster than the buffer's own method, once for each entry of a file. */
function wordAt(buffer: Buffer, at: number): number {
  return ((buffer[at] << 24) | (buffer[at + 1] << 16) | (buffer[at + 2] << 8) | buffer[at + 3]) >>> 0;
}

function tagsOf(buffer: Buffer, start: number, end: number): string[] | null {
  const tags: string[] = [];
  for (let at = start; at < end; ) {
    if (at + TAG_LENGTH_BYTES > end) return null;
    const from = at + TAG_LENGTH_BYTES;
    at = from + buffer.readUInt16BE(at);
    if (at > end) return null;
    tags.push(buffer.latin1Slice(from, at));
  }
  return tags;
}
