import { type Args, parseSafeInteger } from '../../lib/codec/resp/index.ts';

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/i;
const HEXADECIMAL = /^([+-]?)0x([\da-f]*)\.?([\da-f]*)(?:p([+-]?\d+))?/i;
const INFINITE = /^[+-]?inf(?:inity)?/i;
const LEADING_SPACE = /^[ \t\n\v\f\r]*/;
/** A mantissa with a digit that is not zero. */
const NOT_ZERO = /^[^1-9e]*[1-9]/i;
const ZERO = 0x30;
const SAFE_DIGITS = 15;
const MANTISSA_BITS = 53;
const MIN_EXPONENT = -1022;
/** Any exponent beyond it makes infinity or zero of what fits a request. */
const MAX_POWER = 1e11;

/** What was read from the start of a text. */
interface Reading {
  readonly value: number;
  /** Characters read; 0 when there is no number. */
  readonly length: number;
  /** Too small: what is not zero has become zero. */
  readonly isUnderflow: boolean;
}

const NOTHING: Reading = { value: 0, length: 0, isUnderflow: false };

export const NOT_A_FLOAT = 'ERR value is not a valid float';

/**
 * Argument `i` as a double, as Redis reads scores, weights and coordinates: all that C's strtod knows (hexadecimal, `inf`, exponents)
 * without spaces; null when it is none, not a number, or beyond the range of a double.
 */
export function parseScore(args: Args, i: number): number | null {
  const { buffer } = args;
  const digits = digitsOf(buffer, args.start(i), args.end(i));
  const small = digits >= 0 ? digits : parseSafeInteger(buffer, args.start(i), args.end(i));
  if (small !== null) return small;
  const text = args.latin1(i);
  const { value, length, isUnderflow } = read(text);
  if (length === 0 || length !== text.length || isUnderflow) return null;
  return Number.isFinite(value) || INFINITE.test(text) ? value : null;
}

/** What nothing but digits says, zeros in front allowed; -1 when there is something else, or too much for a safe integer. */
function digitsOf(buffer: Buffer, start: number, end: number): number {
  if (end === start || end - start > SAFE_DIGITS) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = buffer[at] - ZERO;
    if (digit >>> 0 > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/**
 * The end of a range of scores in the bytes, as Redis reads it: as `parseScore`, but up to the first zero byte, spaces may lead, nothing
 * is zero, and what is out of range becomes infinite or zero. Null when it is none.
 */
export function parseBound(buffer: Buffer, start: number, end: number): number | null {
  const small = parseSafeInteger(buffer, start, end);
  if (small !== null) return small;
  return readWhole(buffer, start, end)?.value ?? null;
}

/** A weight to sort by in the bytes, as Redis reads it: as `parseBound`, but null when it is out of range. */
export function parseWeight(buffer: Buffer, start: number, end: number): number | null {
  const reading = readWhole(buffer, start, end);
  if (reading === null || reading.isUnderflow) return null;
  return Number.isFinite(reading.value) || INFINITE.test(reading.text) ? reading.value : null;
}

/** The number that a text of C says; null when it is none. */
function readWhole(buffer: Buffer, start: number, end: number): (Reading & { text: string }) | null {
  const [terminated] = buffer.latin1Slice(start, end).split('\0', 1);
  if (terminated === '') return { ...NOTHING, text: '' };
  const text = terminated.replace(LEADING_SPACE, '');
  const reading = read(text);
  return reading.length > 0 && reading.length === text.length ? { ...reading, text } : null;
}

function read(text: string): Reading {
  const hexadecimal = HEXADECIMAL.exec(text);
  if (hexadecimal && (hexadecimal[2] || hexadecimal[3])) return readHexadecimal(hexadecimal);
  const decimal = DECIMAL.exec(text);
  if (decimal) {
    const value = Number(decimal[0]);
    return { value, length: decimal[0].length, isUnderflow: value === 0 && NOT_ZERO.test(decimal[0]) };
  }
  const infinite = INFINITE.exec(text);
  if (!infinite) return NOTHING;
  return { value: text[0] === '-' ? -Infinity : Infinity, length: infinite[0].length, isUnderflow: false };
}

function readHexadecimal([all, sign, whole, fraction, power = '0']: RegExpExecArray): Reading {
  const mantissa = BigInt(`0x${whole}${fraction}`);
  const exponent = Math.min(Math.max(Number(power), -MAX_POWER), MAX_POWER) - 4 * fraction.length;
  const magnitude = scale(mantissa, exponent);
  return {
    value: sign === '-' ? -magnitude : magnitude,
    length: all.length,
    isUnderflow: magnitude === 0 && mantissa !== 0n,
  };
}

/** mantissa x 2^exponent to the nearest double, ties to even. */
function scale(mantissa: bigint, exponent: number): number {
  if (mantissa === 0n) return 0;
  const bits = mantissa.toString(2).length;
  const top = bits - 1 + exponent;
  // Below the smallest normal number there are fewer bits.
  const kept = Math.min(MANTISSA_BITS, MANTISSA_BITS + top - MIN_EXPONENT);
  const cut = bits - kept;
  if (cut <= 0) return Number(mantissa) * 2 ** exponent;
  if (cut > bits + 1) return 0;
  const quotient = mantissa >> BigInt(cut);
  const rest = mantissa - (quotient << BigInt(cut));
  const half = 1n << BigInt(cut - 1);
  const roundsUp = rest > half || (rest === half && (quotient & 1n) === 1n);
  return Number(roundsUp ? quotient + 1n : quotient) * 2 ** (exponent + cut);
}
