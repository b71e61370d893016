const MINUS = 0x2d;
const ZERO = 0x30;
const MAX_DIGITS = 20;
const SAFE_DIGITS = 15;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/**
 * The signed 64-bit number whose only decimal text these bytes are (no plus sign, no leading zeros, no `-0`): a number when it has at most
 * 15 digits, else a bigint; null when they are no such text.
 */
export function integerOf(buffer: Buffer, start: number, end: number): number | bigint | null {
  const negative = buffer[start] === MINUS;
  const first = negative ? start + 1 : start;
  const digits = end - first;
  if (digits < 1 || end - start > MAX_DIGITS) return null;
  if (buffer[first] === ZERO) return digits === 1 && !negative ? 0 : null;
  let value = 0;
  for (let i = first; i < end; i++) {
    const digit = buffer[i] - ZERO;
    if (digit >>> 0 > 9) return null;
    value = value * 10 + digit;
  }
  if (digits <= SAFE_DIGITS) return negative ? -value : value;
  const exact = BigInt(buffer.latin1Slice(start, end));
  return exact > INT64_MAX || exact < INT64_MIN ? null : exact;
}
