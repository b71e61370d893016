/* Bits of byte ranges, counted from the highest bit of the first byte on, as Redis's bitmaps are. */

const MAX_FIELD_BYTES = 9;
/** Up to so many bytes are exact in a double. */
const NUMBER_BYTES = 6;

function popcount32(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  bits = (bits + (bits >>> 4)) & 0x0f0f0f0f;
  return Math.imul(bits, 0x01010101) >>> 24;
}

/** How many bits are set from bit `first` to bit `last`, both included, of the bytes that begin at `start`. */
export function countBits(buffer: Buffer, start: number, first: number, last: number): number {
  const from = start + Math.floor(first / 8);
  const to = start + Math.floor(last / 8);
  const head = 0xff >> (first & 7);
  const tail = 0xff << (7 - (last & 7));
  if (from === to) return popcount32(buffer[from] & head & tail);
  const edges = popcount32(buffer[from] & head) + popcount32(buffer[to] & tail & 0xff);
  return edges + countWhole(buffer, from + 1, to);
}

function countWhole(buffer: Buffer, from: number, to: number): number {
  let count = 0;
  let at = from;
  while (at < to && ((buffer.byteOffset + at) & 3) !== 0) count += popcount32(buffer[at++]);
  if (to - at >= 4) {
    const words = new Int32Array(buffer.buffer, buffer.byteOffset + at, (to - at) >> 2);
    for (let i = 0; i < words.length; i++) count += popcount32(words[i]);
    at += words.length * 4;
  }
  while (at < to) count += popcount32(buffer[at++]);
  return count;
}

/** The first bit that is `bit`, from bit `first` to bit `last`, both included, of the bytes that begin at `start`; -1 for none. */
export function findBit(buffer: Buffer, start: number, first: number, last: number, bit: number): number {
  const dull = bit === 1 ? 0 : 0xff;
  let at = Math.floor(first / 8);
  const end = Math.floor(last / 8);
  let found = (buffer[start + at] ^ dull) & (0xff >> (first & 7));
  while (found === 0 && at < end) found = buffer[start + ++at] ^ dull;
  if (found === 0) return -1;
  const position = at * 8 + Math.clz32(found) - 24;
  return position > last ? -1 : position;
}

/** The number in `width` bits (at most 64) from bit `offset` on of the bytes; those behind the end are zero. */
export function readField(
  buffer: Buffer,
  start: number,
  end: number,
  offset: number,
  width: number,
  signed: boolean,
): bigint {
  const first = Math.floor(offset / 8);
  const bytes = Math.floor((offset + width - 1) / 8) - first + 1;
  const behind = bytes * 8 - (offset & 7) - width;
  const from = start + first;
  let wide = 0n;
  if (bytes <= NUMBER_BYTES) {
    let value = 0;
    for (let i = from; i < from + bytes; i++) value = value * 256 + (i < end ? buffer[i] : 0);
    wide = BigInt(Math.floor(value / 2 ** behind));
  } else {
    for (let i = from; i < from + bytes; i++) wide = (wide << 8n) | BigInt(i < end ? buffer[i] : 0);
    wide >>= BigInt(behind);
  }
  return signed ? BigInt.asIntN(width, wide) : BigInt.asUintN(width, wide);
}

/** Bytes of a field that was changed: they belong at byte `at`, and are the first `length` of `bytes`. */
export class FieldBytes {
  readonly bytes = Buffer.alloc(MAX_FIELD_BYTES);
  at = 0;
  length = 0;

  /** Puts the lowest `width` bits of `value` at bit `offset` into a copy of the bytes there, which must be there. */
  set(buffer: Buffer, start: number, offset: number, width: number, value: bigint): void {
    const { bytes } = this;
    this.at = Math.floor(offset / 8);
    this.length = Math.floor((offset + width - 1) / 8) - this.at + 1;
    buffer.copy(bytes, 0, start + this.at, start + this.at + this.length);
    let rest = BigInt.asUintN(width, value);
    let left = width;
    let bit = (offset & 7) + width;
    while (left > 0) {
      const byte = (bit - 1) >> 3;
      const shift = byte * 8 + 8 - bit;
      const taken = Math.min(left, 8 - shift);
      const mask = ((1 << taken) - 1) << shift;
      const part = Number(rest & 0xffn) << shift;
      bytes[byte] = (bytes[byte] & ~mask) | (part & mask);
      rest >>= BigInt(taken);
      left -= taken;
      bit -= taken;
    }
  }
}
