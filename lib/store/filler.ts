/*
 * What lies between the records of a segment: the room of removed ones. A filler says how long it is, so that a segment can be walked, and,
 * where a record has only moved, its new address. Byte 0 has bit 7, which no record has; byte 1 is the length in units, or 0 when the next
 * four bytes are; then comes the new address, if any.
 */

/** Set in the first byte of a filler, never in that of a record. */
export const FILLER_BIT = 0x80;
const FORWARDS = 0x01;
const MAX_SHORT_UNITS = 255;

/** Makes `size` bytes at `at` a filler; at least one unit, and with `to` (an address, 0 for none) at least 6 bytes. */
export function writeFiller(bytes: Uint8Array, at: number, size: number, unitShift: number, to = 0): void {
  const units = size >>> unitShift;
  let next = at + 2;
  bytes[at] = to === 0 ? FILLER_BIT : FILLER_BIT | FORWARDS;
  if (units <= MAX_SHORT_UNITS) {
    bytes[at + 1] = units;
  } else {
    bytes[at + 1] = 0;
    writeWord(bytes, next, units);
    next += 4;
  }
  if (to !== 0) writeWord(bytes, next, to);
}

/** Bytes of the filler at `at`. */
export function fillerSize(bytes: Uint8Array, at: number, unitShift: number): number {
  return (bytes[at + 1] || readWord(bytes, at + 2) >>> 0) * 2 ** unitShift;
}

/** Where the record went that was at `at`, or 0. */
export function forwardedTo(bytes: Uint8Array, at: number): number {
  if ((bytes[at] & FORWARDS) === 0) return 0;
  return readWord(bytes, bytes[at + 1] === 0 ? at + 6 : at + 2);
}

/** Four bytes, little-endian, as a signed number. */
export function readWord(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

export function writeWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
