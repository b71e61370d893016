import { RdbFormatError } from './format-error.ts';
import { NumberRoom } from './number-room.ts';
import type { PackedCursor } from './packed-cursor.ts';

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

/** Goes over the entries of a ziplist. */
export class ZiplistCursor implements PackedCursor {
  readonly #numbers = new NumberRoom();
  #source: Buffer = this.#numbers.bytes;
  #from = 0;
  #at = 0;
  /** Where the end mark is. */
  #end = 0;
  #count = 0;
  #last = 0;
  /** Bytes of the entry before. */
  #former = 0;
  buffer: Buffer = this.#source;
  start = 0;
  end = 0;
  number = Number.NaN;

  open(buffer: Buffer, start: number, end: number): void {
    if (end - start < HEADER_BYTES + 1) throw new RdbFormatError('a ziplist is cut off');
    const isWhole = buffer.readUInt32LE(start) === end - start && buffer[end - 1] === END;
    if (!isWhole) throw new RdbFormatError('a ziplist has another length than it says');
    this.#source = buffer;
    this.#from = start;
    this.#at = start + HEADER_BYTES;
    this.#last = this.#at;
    this.#end = end - 1;
    this.#count = 0;
    this.#former = 0;
  }

  next(): boolean {
    const at = this.#at;
    if (at >= this.#end) return this.#finish();
    const buffer = this.#source;
    const end = this.#end;
    const isBig = buffer[at] === BIG_FORMER;
    const from = at + (isBig ? 5 : 1);
    // Up to five more bytes are looked at; those behind the end are the caller's, or undefined.
    if (from >= end || (isBig ? buffer.readUInt32LE(at + 1) : buffer[at]) !== this.#former) {
      throw new RdbFormatError('a ziplist cannot be walked backwards');
    }
    const { header, payload, number } = entryAt(buffer, from, end);
    const start = from + header;
    if (start + payload > end) throw new RdbFormatError('a ziplist is cut off');
    this.#count++;
    this.#last = at;
    this.#at = start + payload;
    this.#former = this.#at - at;
    this.#give(start, number === null ? null : number(buffer, start));
    return true;
  }

  #give(start: number, value: number | bigint | null): void {
    const numbers = this.#numbers;
    if (value !== null) numbers.write(value);
    this.buffer = value === null ? this.#source : numbers.bytes;
    this.start = value === null ? start : numbers.start;
    this.end = value === null ? this.#at : numbers.end;
    this.number = value === null ? Number.NaN : Number(value);
  }

  #finish(): boolean {
    const expected = this.#source.readUInt16LE(this.#from + 8);
    const hasCount = expected === UNKNOWN_COUNT || expected === this.#count;
    if (!hasCount || this.#source.readUInt32LE(this.#from + 4) !== this.#last - this.#from) {
      throw new RdbFormatError('a ziplist has not the entries it says');
    }
    return false;
  }
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
