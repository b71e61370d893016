const ZERO = 0x30;
const PLUS = 0x2b;
const MINUS = 0x2d;
const U32 = 2 ** 32;
const U64 = 2n ** 64n;
/** More digits than any number that is taken has. */
const MOST_DIGITS = 20;
const SAFE_DIGITS = 15;

/** The words of a command line. `MetaFlags` and the commands read numbers by it as memcached does (strtol, strtoul, strtoull of base 10). */
export interface Words {
  /** Holds the line; changes with each command. */
  readonly buffer: Buffer;
  /** Words of the line, the command's name included. */
  readonly count: number;
  start(i: number): number;
  end(i: number): number;
}

/** Word `i` as text, one character a byte. */
export function wordText(words: Words, i: number): string {
  return words.buffer.latin1Slice(words.start(i), words.end(i));
}

/** Whether word `i` is this one, of ASCII. */
export function wordIs(words: Words, i: number, text: string): boolean {
  const start = words.start(i);
  if (words.end(i) - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) if (words.buffer[start + at] !== text.charCodeAt(at)) return false;
  return true;
}

/** The whole number in `buffer[start, end)`, of up to 15 digits and with a sign; null when it is none. */
export function signedNumber(buffer: Buffer, start: number, end: number): number | null {
  let at = start;
  const isNegative = buffer[at] === MINUS;
  if (isNegative || buffer[at] === PLUS) at++;
  if (at >= end || end - at > SAFE_DIGITS) return null;
  let value = 0;
  for (; at < end; at++) {
    const digit = buffer[at] - ZERO;
    if (digit >>> 0 > 9) return null;
    value = value * 10 + digit;
  }
  return isNegative ? -value : value;
}

/** As `signedNumber`, of 32 bits without sign. */
export function unsigned32(buffer: Buffer, start: number, end: number): number | null {
  const value = signedNumber(buffer, start, end);
  return value === null || value < 0 || value >= U32 ? null : value;
}

/** The digits of a number of 64 bits without sign, as they are to be sent on; null when it is none. */
export function unsigned64(buffer: Buffer, start: number, end: number): string | null {
  const from = buffer[start] === PLUS ? start + 1 : start;
  if (from >= end || end - from > MOST_DIGITS) return null;
  for (let at = from; at < end; at++) if ((buffer[at] - ZERO) >>> 0 > 9) return null;
  const digits = buffer.latin1Slice(from, end);
  return digits.length === MOST_DIGITS && BigInt(digits) >= U64 ? null : digits;
}
