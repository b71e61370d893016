import { RdbFormatError } from './format-error.ts';
import { integerOf } from './integers.ts';
import { NumberRoom } from './number-room.ts';
import type { PackedCursor } from './packed-cursor.ts';

/* A listpack (Redis's listpack.md): bytes in all, number of elements, elements each with its size behind it, 0xff. */

const HEADER_BYTES = 6;
const END = 0xff;
/** More elements than the header can say. */
const UNKNOWN_COUNT = 0xffff;
/** Most that an element takes beside its bytes: five before it and five behind. */
const ELEMENT_OVERHEAD = 10;

/** Goes over the elements of a listpack. */
export class ListpackCursor implements PackedCursor {
  readonly #numbers = new NumberRoom();
  #source: Buffer = this.#numbers.bytes;
  #at = 0;
  /** Where the end mark is. */
  #end = 0;
  #expected = 0;
  #count = 0;
  buffer: Buffer = this.#source;
  start = 0;
  end = 0;
  number = Number.NaN;

  open(buffer: Buffer, start: number, end: number): void {
    if (end - start < HEADER_BYTES + 1) throw new RdbFormatError('a listpack is cut off');
    const isWhole = buffer.readUInt32LE(start) === end - start && buffer[end - 1] === END;
    if (!isWhole) throw new RdbFormatError('a listpack has another length than it says');
    this.#source = buffer;
    this.#at = start + HEADER_BYTES;
    this.#end = end - 1;
    this.#expected = buffer[start + 4] | (buffer[start + 5] << 8);
    this.#count = 0;
  }

  next(): boolean {
    const buffer = this.#source;
    const at = this.#at;
    if (at >= this.#end) return this.#finish();
    this.#count++;
    const first = buffer[at];
    // Short strings, which most elements are.
    const behind = at + 1 + (first & 63);
    if ((first & 0xc0) !== 0x80 || behind >= this.#end || buffer[behind] !== behind - at)
      return this.#any(at);
    this.buffer = buffer;
    this.start = at + 1;
    this.end = behind;
    this.number = Number.NaN;
    this.#at = behind + 1;
    return true;
  }

  #finish(): boolean {
    if (this.#expected !== UNKNOWN_COUNT && this.#expected !== this.#count) {
      throw new RdbFormatError('a listpack has not as many elements as it says');
    }
    return false;
  }

  /** Turns to the element at `at`, whatever it is. */
  #any(at: number): boolean {
    const buffer = this.#source;
    const end = this.#end;
    const header = headerBytes(buffer[at]);
    if (at + header > end) throw new RdbFormatError('a listpack is cut off');
    const behind = at + header + payloadBytes(buffer, at);
    if (behind > end) throw new RdbFormatError('a listpack is cut off');
    this.#at = behind + checkBackLength(buffer, at, behind, end);
    if (isString(buffer[at])) {
      this.buffer = buffer;
      this.start = at + header;
      this.end = behind;
      this.number = Number.NaN;
    } else this.#give(integerAt(buffer, at));
    return true;
  }

  #give(value: number | bigint): void {
    const numbers = this.#numbers;
    numbers.write(value);
    this.buffer = numbers.bytes;
    this.start = numbers.start;
    this.end = numbers.end;
    this.number = Number(value);
  }
}

function isString(first: number): boolean {
  return (first & 0xc0) === 0x80 || (first & 0xf0) === 0xe0 || first === 0xf0;
}

/** Bytes of an element that say what it is; the payload comes behind. */
function headerBytes(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xf0) return 2;
  return first === 0xf0 ? 5 : 1;
}

function payloadBytes(buffer: Buffer, at: number): number {
  const first = buffer[at];
  if (first < 0x80) return 0;
  if (first < 0xc0) return first & 63;
  if (first < 0xe0) return 0;
  if (first < 0xf0) return ((first & 15) << 8) | buffer[at + 1];
  if (first === 0xf0) return buffer.readUInt32LE(at + 1);
  if (first > 0xf4) throw new RdbFormatError('a listpack has an unknown element');
  return first === 0xf4 ? 8 : first - 0xf1 + 2;
}

function integerAt(buffer: Buffer, at: number): number | bigint {
  const first = buffer[at];
  if (first < 0x80) return first;
  if (first < 0xe0) return ((((first & 31) << 8) | buffer[at + 1]) << 19) >> 19;
  if (first === 0xf1) return buffer.readInt16LE(at + 1);
  if (first === 0xf2) return buffer.readIntLE(at + 1, 3);
  if (first === 0xf3) return buffer.readInt32LE(at + 1);
  return buffer.readBigInt64LE(at + 1);
}

/** Bytes of the length behind an element of `length` bytes. */
function backLengthBytes(length: number): number {
  if (length <= 127) return 1;
  if (length < 16383) return 2;
  if (length < 2097151) return 3;
  return length < 268435455 ? 4 : 5;
}

function writeBackLength(target: Buffer, at: number, length: number): number {
  const count = backLengthBytes(length);
  for (let i = count - 1, rest = length; i >= 0; i--, rest = Math.floor(rest / 128)) {
    target[at + i] = (rest & 127) | (i === 0 ? 0 : 128);
  }
  return at + count;
}

const expectedLength = Buffer.alloc(5);

/** Makes sure that behind the element its length stands, by which it is walked backwards; returns the bytes of that. */
function checkBackLength(buffer: Buffer, from: number, at: number, end: number): number {
  const count = writeBackLength(expectedLength, 0, at - from);
  let isRight = at + count <= end;
  for (let i = 0; i < count; i++) if (buffer[at + i] !== expectedLength[i]) isRight = false;
  if (!isRight) throw new RdbFormatError('a listpack cannot be walked backwards');
  return count;
}

/** Builds a listpack. */
export class ListpackWriter {
  #buffer = Buffer.allocUnsafe(256);
  #at = HEADER_BYTES;
  #count = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#at + 1;
  }

  /** Number of elements. */
  get count(): number {
    return this.#count;
  }

  /** Adds the bytes as an element: as a number where they are the text of one. */
  add(buffer: Buffer, start: number, end: number): void {
    const number = integerOf(buffer, start, end);
    if (number === null) this.#addString(buffer, start, end);
    else this.addInteger(number);
  }

  /** Adds a signed 64-bit number. */
  addInteger(value: number | bigint): void {
    this.#reserve(ELEMENT_OVERHEAD + 8);
    const from = this.#at;
    this.#at = writeInteger(this.#buffer, from, value);
    this.#endElement(from);
  }

  #addString(source: Buffer, start: number, end: number): void {
    const length = end - start;
    this.#reserve(length + ELEMENT_OVERHEAD);
    const from = this.#at;
    const buffer = this.#buffer;
    if (length < 64) {
      buffer[this.#at++] = 0x80 | length;
    } else if (length < 4096) {
      buffer[this.#at++] = 0xe0 | (length >> 8);
      buffer[this.#at++] = length & 255;
    } else {
      buffer[this.#at++] = 0xf0;
      this.#at = buffer.writeUInt32LE(length, this.#at);
    }
    this.#at += source.copy(buffer, this.#at, start, end);
    this.#endElement(from);
  }

  #endElement(from: number): void {
    this.#at = writeBackLength(this.#buffer, this.#at, this.#at - from);
    this.#count++;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes < this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(this.#at * 2 + bytes + 1);
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  /** The listpack; valid until more is added. */
  finish(): Buffer {
    this.#buffer[this.#at] = END;
    this.#buffer.writeUInt32LE(this.#at + 1, 0);
    this.#buffer.writeUInt16LE(Math.min(this.#count, UNKNOWN_COUNT), 4);
    return this.#buffer.subarray(0, this.#at + 1);
  }

  /** Begins another one. */
  clear(): void {
    this.#at = HEADER_BYTES;
    this.#count = 0;
  }
}

function writeInteger(target: Buffer, at: number, value: number | bigint): number {
  if (typeof value === 'bigint' || value > 0x7fffffff || value < -0x80000000) {
    target[at] = 0xf4;
    return target.writeBigInt64LE(BigInt(value), at + 1);
  }
  if (value >= 0 && value <= 127) {
    target[at] = value;
    return at + 1;
  }
  if (value >= -4096 && value <= 4095) {
    target[at] = 0xc0 | ((value >> 8) & 31);
    target[at + 1] = value & 255;
    return at + 2;
  }
  const bytes = value === (value << 16) >> 16 ? 2 : value === (value << 8) >> 8 ? 3 : 4;
  target[at] = 0xf1 + bytes - 2;
  return target.writeIntLE(value, at + 1, bytes);
}
