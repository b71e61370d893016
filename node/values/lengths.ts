/*
 * Lengths of packed byte strings: one byte up to 223, else two, of which the first is 224 to 254, or 255 and four more. Written backwards
 * behind a string they can be read from its end.
 */

const WIDE = 224;
const WIDEST = 255;
const MAX_WIDE = ((WIDEST - WIDE) << 8) - 1;

/** The length that stands at `at`. */
export function lengthAt(bytes: Buffer, at: number): number {
  const first = bytes[at];
  if (first < WIDE) return first;
  return first < WIDEST ? ((first - WIDE) << 8) | bytes[at + 1] : bytes.readUInt32LE(at + 1);
}

/** The length that ends before `end`, written backwards. */
export function lengthBefore(bytes: Buffer, end: number): number {
  const last = bytes[end - 1];
  if (last < WIDE) return last;
  return last < WIDEST ? ((last - WIDE) << 8) | bytes[end - 2] : bytes.readUInt32LE(end - 5);
}

/** How many bytes the length itself takes. */
export function lengthSize(length: number): number {
  if (length < WIDE) return 1;
  return length <= MAX_WIDE ? 2 : 5;
}

/** Writes a length; returns where it ends. */
export function writeLength(bytes: Buffer, at: number, length: number): number {
  if (length < WIDE) {
    bytes[at] = length;
    return at + 1;
  }
  if (length <= MAX_WIDE) {
    bytes[at] = WIDE + (length >> 8);
    bytes[at + 1] = length & 255;
    return at + 2;
  }
  bytes[at] = WIDEST;
  return bytes.writeUInt32LE(length, at + 1);
}

/** Writes a length backwards; returns where it ends. */
export function writeLengthBackwards(bytes: Buffer, at: number, length: number): number {
  if (length < WIDE) {
    bytes[at] = length;
    return at + 1;
  }
  if (length <= MAX_WIDE) {
    bytes[at] = length & 255;
    bytes[at + 1] = WIDE + (length >> 8);
    return at + 2;
  }
  bytes.writeUInt32LE(length, at);
  bytes[at + 4] = WIDEST;
  return at + 5;
}
