import { RdbFormatError } from './format-error.ts';
import { textOf } from './integers.ts';
import type { VisitPacked } from './listpack.ts';

/* A ziplist (before Redis 7.0): bytes in all, offset of the last entry, number of entries, entries behind the size of the former, 0xff. */

const HEADER_BYTES = 10;
const END = 0xff;
const UNKNOWN_COUNT = 0xffff;
const BIG_FORMER = 254;

/** What an entry's first bytes say. */
interface Entry {
  /** Bytes before the payload. */
  readonly header: number;
  readonly payload: number;
  /** Null for a string. */
  readonly number: ((buffer: Buffer, at: number) => number | bigint) | null;
}

/** Visits the entries of the ziplist that these bytes are. Throws RdbFormatError when they are none, perhaps only after some visits. */
export function readZiplist(buffer: Buffer, start: number, end: number, visit: VisitPacked): void {
  if (end - start < HEADER_BYTES + 1) throw new RdbFormatError('a ziplist is cut off');
  const isWhole = buffer.readUInt32LE(start) === end - start && buffer[end - 1] === END;
  if (!isWhole) throw new RdbFormatError('a ziplist has another length than it says');
  const expected = buffer.readUInt16LE(start + 8);
  let count = 0;
  let former = 0;
  let last = start + HEADER_BYTES;
  for (let at = last; at < end - 1; count++) {
    const next = readEntry(buffer, at, end - 1, former, visit);
    former = next - at;
    last = at;
    at = next;
  }
  const hasCount = expected === UNKNOWN_COUNT || expected === count;
  if (!hasCount || buffer.readUInt32LE(start + 4) !== last - start) {
    throw new RdbFormatError('a ziplist has not the entries it says');
  }
}

function readEntry(buffer: Buffer, at: number, end: number, former: number, visit: VisitPacked): number {
  const isBig = buffer[at] === BIG_FORMER;
  const from = at + (isBig ? 5 : 1);
  // Up to five more bytes are looked at; those behind the end are the caller's, or undefined.
  if (from >= end || (isBig ? buffer.readUInt32LE(at + 1) : buffer[at]) !== former) {
    throw new RdbFormatError('a ziplist cannot be walked backwards');
  }
  const { header, payload, number } = entryAt(buffer, from, end);
  const payloadAt = from + header;
  if (payloadAt + payload > end) throw new RdbFormatError('a ziplist is cut off');
  if (number === null) {
    visit(buffer, payloadAt, payloadAt + payload);
  } else {
    const text = textOf(number(buffer, payloadAt));
    visit(text, 0, text.length);
  }
  return payloadAt + payload;
}

const int8: Entry = { header: 1, payload: 1, number: (buffer, at) => buffer.readInt8(at) };
const int16: Entry = { header: 1, payload: 2, number: (buffer, at) => buffer.readInt16LE(at) };
const int24: Entry = { header: 1, payload: 3, number: (buffer, at) => buffer.readIntLE(at, 3) };
const int32: Entry = { header: 1, payload: 4, number: (buffer, at) => buffer.readInt32LE(at) };
const int64: Entry = { header: 1, payload: 8, number: (buffer, at) => buffer.readBigInt64LE(at) };
/** Zero to twelve are in the first byte itself. */
const immediate: Entry = { header: 1, payload: 0, number: (buffer, at) => (buffer[at - 1] & 15) - 1 };

function entryAt(buffer: Buffer, at: number, end: number): Entry {
  const first = buffer[at];
  if (first < 0x40) return { header: 1, payload: first, number: null };
  if (first < 0x80 && at + 1 < end) {
    return { header: 2, payload: ((first & 63) << 8) | buffer[at + 1], number: null };
  }
  if (first === 0x80 && at + 4 < end) {
    return { header: 5, payload: buffer.readUInt32BE(at + 1), number: null };
  }
  if (first === 0xc0) return int16;
  if (first === 0xd0) return int32;
  if (first === 0xe0) return int64;
  if (first === 0xf0) return int24;
  if (first === 0xfe) return int8;
  if (first > 0xf0 && first < 0xfe) return immediate;
  throw new RdbFormatError('a ziplist has an unknown entry');
}
