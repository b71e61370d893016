import { integerOf } from './integers.ts';
import { lzfCompress } from './lzf.ts';
import { ENCODED_INT8, ENCODED_INT16, ENCODED_INT32, ENCODED_LZF } from './types.ts';

/** Longest string that may be the text of a 32-bit number. */
const MAX_INT32_CHARS = 11;
/** Shorter strings never get shorter. */
const MIN_COMPRESSED = 21;
const MAX_HEADER_BYTES = 9;

/** Where short strings are compressed. */
const scratch = Buffer.allocUnsafeSlow(64 << 10);

/** How a writer encodes. */
export interface RdbWriterOptions {
  /** Compress strings where that saves at least four bytes. */
  readonly compresses: boolean;
}

/** Writes the parts of a value one after the other, as Redis 7.0 would, into a buffer that grows. */
export class RdbWriter {
  readonly #compresses: boolean;
  /** What has been written is before `length`. */
  buffer = Buffer.allocUnsafe(256);
  length = 0;

  constructor({ compresses }: RdbWriterOptions) {
    this.#compresses = compresses;
  }

  /** Makes room for `count` bytes behind `length`. */
  reserve(count: number): void {
    if (this.length + count <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(this.buffer.length + Math.max(count, this.buffer.length));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }

  /** These bytes, as they are. */
  raw(source: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    this.length += source.copy(this.buffer, this.length, start, end);
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  /** A length, or a number of things that follow. */
  count(value: number): void {
    this.reserve(MAX_HEADER_BYTES);
    const { buffer } = this;
    if (value < 0x40) {
      buffer[this.length++] = value;
    } else if (value < 0x4000) {
      buffer[this.length++] = 0x40 | (value >> 8);
      buffer[this.length++] = value & 255;
    } else if (value <= 0xffffffff) {
      buffer[this.length++] = 0x80;
      this.length = buffer.writeUInt32BE(value, this.length);
    } else {
      buffer[this.length++] = 0x81;
      this.length = buffer.writeBigUInt64BE(BigInt(value), this.length);
    }
  }

  /** A string: as a number where it is the text of a 32-bit one, compressed where that helps, else as it is. */
  string(source: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length <= MAX_INT32_CHARS && this.#integer(source, start, end)) return;
    if (this.#compresses && length >= MIN_COMPRESSED && this.#compressed(source, start, end)) return;
    this.count(length);
    this.reserve(length);
    this.length += source.copy(this.buffer, this.length, start, end);
  }

  #integer(source: Buffer, start: number, end: number): boolean {
    const value = integerOf(source, start, end);
    if (typeof value !== 'number' || value !== (value | 0)) return false;
    this.reserve(5);
    const { buffer, length } = this;
    const bytes = value === (value << 24) >> 24 ? 1 : value === (value << 16) >> 16 ? 2 : 4;
    buffer[length] = bytes === 1 ? ENCODED_INT8 : bytes === 2 ? ENCODED_INT16 : ENCODED_INT32;
    this.length = buffer.writeIntLE(value, length + 1, bytes);
    return true;
  }

  #compressed(source: Buffer, start: number, end: number): boolean {
    const length = end - start;
    const room = length - 4;
    const target = room <= scratch.length ? scratch : Buffer.allocUnsafe(room);
    const bytes = lzfCompress(source, start, end, target, room);
    if (bytes === 0) return false;
    this.byte(ENCODED_LZF);
    this.count(bytes);
    this.count(length);
    this.reserve(bytes);
    this.length += target.copy(this.buffer, this.length, 0, bytes);
    return true;
  }

  /** A score. */
  double(value: number): void {
    this.reserve(8);
    this.length = this.buffer.writeDoubleLE(value, this.length);
  }
}
