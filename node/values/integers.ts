const MINUS = 0x2d;
const ZERO = 0x30;
/** Digits of the largest 64-bit numbers: 9223372036854775807 and -9223372036854775808. */
const MAX_DIGITS = 19;
const LARGEST = Buffer.from('9223372036854775807');
const LOWEST = Buffer.from('9223372036854775808');

/** Whether the bytes are a signed 64-bit number as it is written: no plus sign, no leading zeros, no `-0`. */
export function isInteger(buffer: Buffer, start: number, end: number): boolean {
  const isNegative = start < end && buffer[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  const digits = end - first;
  if (digits < 1 || digits > MAX_DIGITS) return false;
  if (buffer[first] === ZERO) return digits === 1 && !isNegative;
  for (let at = first; at < end; at++) if ((buffer[at] - ZERO) >>> 0 > 9) return false;
  return digits < MAX_DIGITS || buffer.compare(isNegative ? LOWEST : LARGEST, 0, MAX_DIGITS, first, end) <= 0;
}

/** Order of two numbers that `isInteger` accepts: negative when the first is smaller, 0 when they are the same. */
export function compareIntegers(
  a: Buffer,
  aStart: number,
  aEnd: number,
  b: Buffer,
  bStart: number,
  bEnd: number,
): number {
  const isNegative = a[aStart] === MINUS;
  if (isNegative !== (b[bStart] === MINUS)) return isNegative ? -1 : 1;
  const order = aEnd - aStart - (bEnd - bStart) || compareDigits(a, aStart, aEnd, b, bStart);
  return isNegative ? -order : order;
}

function compareDigits(a: Buffer, aStart: number, aEnd: number, b: Buffer, bStart: number): number {
  for (let i = aStart, j = bStart; i < aEnd; i++, j++) {
    if (a[i] !== b[j]) return a[i] - b[j];
  }
  return 0;
}
