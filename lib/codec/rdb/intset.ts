import { RdbFormatError } from './format-error.ts';
import { NumberRoom } from './number-room.ts';
import type { PackedCursor } from './packed-cursor.ts';

/* An intset: bytes of a member (2, 4 or 8), number of members, members in ascending order. */

const HEADER_BYTES = 8;

/** Goes over the members of an intset, in ascending order. */
export class IntsetCursor implements PackedCursor {
  readonly #numbers = new NumberRoom();
  readonly buffer: Buffer = this.#numbers.bytes;
  #source: Buffer = this.buffer;
  #width = 0;
  #at = 0;
  #end = 0;
  #former: number | bigint = -Infinity;
  start = 0;
  end = 0;
  number = Number.NaN;

  open(buffer: Buffer, start: number, end: number): void {
    if (end - start < HEADER_BYTES) throw new RdbFormatError('an intset is cut off');
    const width = buffer.readUInt32LE(start);
    const count = buffer.readUInt32LE(start + 4);
    if (width !== 2 && width !== 4 && width !== 8) throw new RdbFormatError('an intset has no such members');
    if (count === 0 || count * width !== end - start - HEADER_BYTES) {
      throw new RdbFormatError('an intset has not as many members as it says');
    }
    this.#source = buffer;
    this.#width = width;
    this.#at = start + HEADER_BYTES;
    this.#end = end;
    this.#former = -Infinity;
  }

  next(): boolean {
    const at = this.#at;
    if (at >= this.#end) return false;
    const width = this.#width;
    const member = width === 8 ? this.#source.readBigInt64LE(at) : this.#source.readIntLE(at, width);
    if (member <= this.#former) throw new RdbFormatError('an intset is out of order');
    this.#former = member;
    this.#at = at + width;
    const numbers = this.#numbers;
    numbers.write(member);
    this.start = numbers.start;
    this.end = numbers.end;
    this.number = Number(member);
    return true;
  }
}

/** The intset of these members, in any order; each is a signed 64-bit number, none twice. */
export function writeIntset(members: readonly (number | bigint)[]): Buffer {
  const sorted = [...members].sort((a, b) => (a < b ? -1 : 1));
  const width = Math.max(2, widthOf(sorted[0]), widthOf(sorted[sorted.length - 1]));
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + sorted.length * width);
  bytes.writeUInt32LE(width, 0);
  bytes.writeUInt32LE(sorted.length, 4);
  let at = HEADER_BYTES;
  for (const member of sorted) {
    at =
      width === 8 ? bytes.writeBigInt64LE(BigInt(member), at) : bytes.writeIntLE(Number(member), at, width);
  }
  return bytes;
}

function widthOf(member: number | bigint): number {
  if (member >= -0x8000 && member <= 0x7fff) return 2;
  return member >= -0x80000000 && member <= 0x7fffffff ? 4 : 8;
}
