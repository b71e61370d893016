const MINUS = 0x2d;
const ZERO = 0x30;

/** Digits that always fit a safe integer. */
const SAFE_DIGITS = 15;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const FLOAT = /^[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf(?:inity)?)$/i;

/** Whether the bytes are a whole number as Redis writes it: no plus sign, no leading zeros, no `-0`, no spaces. */
function isCanonicalInteger(buffer: Uint8Array, start: number, end: number): boolean {
  let at = start;
  if (end - at > 20 || at >= end) return false;
  if (buffer[at] === MINUS) {
    at++;
    if (at === end || buffer[at] === ZERO) return false;
  }
  if (buffer[at] === ZERO) return at + 1 === end;
  for (; at < end; at++) if ((buffer[at] - ZERO) >>> 0 > 9) return false;
  return true;
}

/**
 * The whole number in these bytes, strictly in Redis's syntax; null when it is none or not a safe integer.
 * Source of the syntax: string2ll of Redis.
 */
export function parseSafeInteger(buffer: Uint8Array, start: number, end: number): number | null {
  const negative = start < end && buffer[start] === MINUS;
  let at = negative ? start + 1 : start;
  const digits = end - at;
  if (digits < 1 || digits > SAFE_DIGITS) return parseWideInteger(buffer, start, end);
  if (buffer[at] === ZERO) return digits === 1 && !negative ? 0 : null;
  let value = 0;
  for (; at < end; at++) {
    const digit = buffer[at] - ZERO;
    if (digit >>> 0 > 9) return null;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

function parseWideInteger(buffer: Uint8Array, start: number, end: number): number | null {
  if (!isCanonicalInteger(buffer, start, end)) return null;
  const value = Number(text(buffer, start, end));
  return Number.isSafeInteger(value) ? value : null;
}

/** The signed 64-bit number in these bytes, strictly in Redis's syntax; null when it is none. */
export function parseInt64(buffer: Uint8Array, start: number, end: number): bigint | null {
  if (!isCanonicalInteger(buffer, start, end)) return null;
  const value = BigInt(text(buffer, start, end));
  return value < INT64_MIN || value > INT64_MAX ? null : value;
}

/** The decimal number in these bytes (`1`, `-2.5`, `1e3`, `inf`); null when it is none. Never NaN. */
export function parseDouble(buffer: Uint8Array, start: number, end: number): number | null {
  if (end - start > 256) return null;
  const source = text(buffer, start, end);
  if (!FLOAT.test(source)) return null;
  if (!/inf/i.test(source)) return Number(source);
  return source.startsWith('-') ? -Infinity : Infinity;
}

function text(buffer: Uint8Array, start: number, end: number): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).latin1Slice();
}
