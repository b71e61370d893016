import { RdbCutOff, RdbFormatError } from './format-error.ts';
import { lzfExpand } from './lzf.ts';
import { NumberRoom } from './number-room.ts';
import { ENCODED_INT8, ENCODED_INT16, ENCODED_INT32, ENCODED_LZF } from './types.ts';

const LENGTH_32 = 0x80;
const LENGTH_64 = 0x81;

/** Where short strings are expanded, by turns: nobody looks at more than two of them at a time. */
const rooms = [Buffer.allocUnsafeSlow(16 << 10), Buffer.allocUnsafeSlow(16 << 10)];
let roomTurn = 0;
const numbers = new NumberRoom();

/** What a reader accepts. */
export interface RdbLimits {
  /** Bytes of one string, when it is no longer compressed. */
  readonly maxStringBytes: number;
}

/**
 * Reads the parts of a value one after the other. Every method throws RdbCutOff where the bytes end too soon, RdbFormatError where they make
 * no sense or exceed the limits; nothing is allocated for a length before the bytes for it are known to be there.
 */
export class RdbReader {
  readonly #limits: RdbLimits;
  readonly #buffer: Buffer;
  readonly #end: number;
  /** Where the next part begins. */
  at: number;
  /** The string that `string` has read: a part of what is read from, or a copy, which is good until the string after the next one is read. */
  bytes: Buffer;
  start = 0;
  end = 0;

  constructor(limits: RdbLimits, buffer: Buffer, start: number, end: number) {
    this.#limits = limits;
    this.#buffer = buffer;
    this.#end = end;
    this.at = start;
    this.bytes = buffer;
  }

  /** Goes over `count` bytes and returns where they begin. */
  #take(count: number): number {
    const from = this.at;
    if (count > this.#end - from) throw new RdbCutOff(count - this.#end + from);
    this.at = from + count;
    return from;
  }

  byte(): number {
    return this.#buffer[this.#take(1)];
  }

  /** Goes over `count` bytes and gives them, as a part of what is read from. */
  raw(count: number): Buffer {
    const from = this.#take(count);
    return this.#buffer.subarray(from, this.at);
  }

  /** Seconds, four bytes. */
  seconds(): number {
    return this.#buffer.readInt32LE(this.#take(4));
  }

  /** Milliseconds, eight bytes. */
  milliseconds(): number {
    return Number(this.#buffer.readBigInt64LE(this.#take(8)));
  }

  /** A length, or a number of things that follow. */
  length(): number {
    const first = this.byte();
    if (first >= ENCODED_INT8) throw new RdbFormatError('an encoded string stands where a length should');
    return this.#length(first);
  }

  #length(first: number): number {
    if (first < 0x40) return first;
    if (first < 0x80) return ((first & 63) << 8) | this.byte();
    if (first === LENGTH_32) return this.#buffer.readUInt32BE(this.#take(4));
    if (first !== LENGTH_64) throw new RdbFormatError('a length is malformed');
    const value = Number(this.#buffer.readBigUInt64BE(this.#take(8)));
    if (!Number.isSafeInteger(value)) throw new RdbFormatError('a length is too large');
    return value;
  }

  /** Reads a string in any encoding into `bytes`, `start` and `end`. */
  string(): void {
    const first = this.byte();
    if (first === ENCODED_INT8) this.#number(this.#buffer.readInt8(this.#take(1)));
    else if (first === ENCODED_INT16) this.#number(this.#buffer.readInt16LE(this.#take(2)));
    else if (first === ENCODED_INT32) this.#number(this.#buffer.readInt32LE(this.#take(4)));
    else if (first === ENCODED_LZF) this.#compressed();
    else this.#plain(this.#checked(this.#length(first)));
  }

  #checked(length: number): number {
    if (length > this.#limits.maxStringBytes) throw new RdbFormatError('a string is too long');
    return length;
  }

  #number(value: number): void {
    numbers.write(value);
    this.bytes = numbers.bytes;
    this.start = numbers.start;
    this.end = numbers.end;
  }

  #plain(length: number): void {
    this.start = this.#take(length);
    this.end = this.at;
    this.bytes = this.#buffer;
  }

  #compressed(): void {
    const compressed = this.length();
    const length = this.#checked(this.length());
    const from = this.#take(compressed);
    roomTurn ^= 1;
    this.bytes = lzfExpand(this.#buffer, from, this.at, length, rooms[roomTurn]);
    this.start = 0;
    this.end = length;
  }

  /** A score as eight bytes. */
  binaryDouble(): number {
    return this.#buffer.readDoubleLE(this.#take(8));
  }

  /** A score as text behind its length, or one of three marks. */
  textDouble(): number {
    const length = this.byte();
    if (length === 255) return -Infinity;
    if (length === 254) return Infinity;
    if (length === 253) return Number.NaN;
    const from = this.#take(length);
    return doubleOf(this.#buffer, from, this.at);
  }
}

const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const INFINITE = /^[+-]?inf(?:inity)?$/i;

/** The score that the text says; NaN when it is none. */
export function doubleOf(buffer: Buffer, start: number, end: number): number {
  const text = buffer.latin1Slice(start, end);
  if (FLOAT.test(text)) return Number(text);
  if (!INFINITE.test(text)) return Number.NaN;
  return text.startsWith('-') ? -Infinity : Infinity;
}
