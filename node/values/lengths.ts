/*
 * Lengths of packed byte strings: one byte up to 223, else two, of which the first is 224 or more. Written backwards behind a string they
 * can be read from its end.
 */

const WIDE = 224;

/** The longest string that can be packed. */
export const MAX_PACKED_LENGTH = ((256 - WIDE) << 8) - 1;

/** The length that stands at `at`. */
export function lengthAt(bytes: Buffer, at: number): number {
  const first = bytes[at];
  return first < WIDE ? first : ((first - WIDE) << 8) | bytes[at + 1];
}

/** The length that ends before `end`, written backwards. */
export function lengthBefore(bytes: Buffer, end: number): number {
  const last = bytes[end - 1];
  return last < WIDE ? last : ((last - WIDE) << 8) | bytes[end - 2];
}

/** How many bytes the length itself takes. */
export function lengthSize(length: number): number {
  return length < WIDE ? 1 : 2;
}

/** Writes a length; returns where it ends. */
export function writeLength(bytes: Buffer, at: number, length: number): number {
  if (length < WIDE) {
    bytes[at] = length;
    return at + 1;
  }
  bytes[at] = WIDE + (length >> 8);
  bytes[at + 1] = length & 255;
  return at + 2;
}

/** Writes a length backwards; returns where it ends. */
export function writeLengthBackwards(bytes: Buffer, at: number, length: number): number {
  if (length < WIDE) {
    bytes[at] = length;
    return at + 1;
  }
  bytes[at] = length & 255;
  bytes[at + 1] = WIDE + (length >> 8);
  return at + 2;
}
