import { RdbFormatError } from './format-error.ts';

/* A zipmap (Redis before 2.6): number of pairs, fields and values each behind its length, with unused bytes behind a value, 0xff. */

const BIG = 254;
const END = 0xff;

/** Gets a field and its value, valid during the call. */
export type VisitPair = (
  buffer: Buffer,
  fieldStart: number,
  fieldEnd: number,
  valueStart: number,
  valueEnd: number,
) => void;

/** Visits the pairs of the zipmap that these bytes are. Throws RdbFormatError when they are none, perhaps only after some visits. */
export function readZipmap(buffer: Buffer, start: number, end: number, visit: VisitPair): void {
  if (end - start < 2 || buffer[end - 1] !== END) throw new RdbFormatError('a zipmap is cut off');
  let count = 0;
  let at = start + 1;
  for (; at < end - 1; count++) {
    const field = lengthAt(buffer, at, end);
    const fieldStart = at + lengthBytes(buffer[at]);
    const valueAt = fieldStart + field;
    if (valueAt >= end - 1) throw new RdbFormatError('a zipmap is cut off');
    const value = lengthAt(buffer, valueAt, end);
    // Behind the length of a value stands how many bytes behind it are unused.
    const unusedAt = valueAt + lengthBytes(buffer[valueAt]);
    const valueEnd = unusedAt + 1 + value;
    if (valueEnd + buffer[unusedAt] > end - 1) throw new RdbFormatError('a zipmap is cut off');
    visit(buffer, fieldStart, valueAt, unusedAt + 1, valueEnd);
    at = valueEnd + buffer[unusedAt];
  }
  if (buffer[start] < BIG && buffer[start] !== count) {
    throw new RdbFormatError('a zipmap has not as many pairs as it says');
  }
}

function lengthBytes(first: number): number {
  return first < BIG ? 1 : 5;
}

function lengthAt(buffer: Buffer, at: number, end: number): number {
  const first = buffer[at];
  if (first === END || at + lengthBytes(first) >= end) throw new RdbFormatError('a zipmap is cut off');
  return first < BIG ? first : buffer.readUInt32LE(at + 1);
}
