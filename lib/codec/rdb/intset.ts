import { RdbFormatError } from './format-error.ts';
import { textOf } from './integers.ts';
import type { VisitPacked } from './listpack.ts';

/* An intset: bytes of a member (2, 4 or 8), number of members, members in ascending order. */

const HEADER_BYTES = 8;

/** Visits the members of the intset that these bytes are, in ascending order. Throws RdbFormatError when they are none. */
export function readIntset(buffer: Buffer, start: number, end: number, visit: VisitPacked): void {
  if (end - start < HEADER_BYTES) throw new RdbFormatError('an intset is cut off');
  const width = buffer.readUInt32LE(start);
  const count = buffer.readUInt32LE(start + 4);
  if (width !== 2 && width !== 4 && width !== 8) throw new RdbFormatError('an intset has no such members');
  if (count === 0 || count * width !== end - start - HEADER_BYTES) {
    throw new RdbFormatError('an intset has not as many members as it says');
  }
  let former: number | bigint = -Infinity;
  for (let at = start + HEADER_BYTES; at < end; at += width) {
    const member = width === 8 ? buffer.readBigInt64LE(at) : buffer.readIntLE(at, width);
    if (member <= former) throw new RdbFormatError('an intset is out of order');
    former = member;
    const text = textOf(member);
    visit(text, 0, text.length);
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
