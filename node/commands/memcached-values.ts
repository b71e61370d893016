import type { Args } from '../../lib/codec/resp/index.ts';

const U64 = 2n ** 64n;
const DIGITS = /^\d{1,20}$/;
/** What memcached takes for white space, around a number. */
const NUMBER = /^[ \t-\r]*\+?(\d+)(?:$|[ \t-\r\0])/;
/** More characters than a number of 64 bits has, with what may stand around it. */
const MOST_NUMBER_BYTES = 256;
/** Numbers of up to so many digits are added without a bigint. */
const SMALL_DIGITS = 15;

/** Argument `i`, milliseconds to live (0: for ever; below: it is over), as unix milliseconds (0: never); null when it is no number. */
export function expiryOf(args: Args, i: number, nowMs: number): number | null {
  const ttlMs = args.integer(i);
  if (ttlMs === null) return null;
  if (ttlMs === 0) return 0;
  return ttlMs < 0 ? nowMs : nowMs + ttlMs;
}

/** Argument `i` as a number of 64 bits without sign; null when it is none. */
export function unsignedOf(args: Args, i: number): bigint | null {
  const text = args.latin1(i);
  if (!DIGITS.test(text)) return null;
  const value = BigInt(text);
  return value < U64 ? value : null;
}

/**
 * What memcached makes of a number that is written as `text`: increments wrap at 64 bits, decrements end at 0. Null when it is no number of 64
 * bits.
 */
export function counted(text: string, delta: bigint, isDecrement: boolean): string | null {
  if (text.length > MOST_NUMBER_BYTES) return null;
  const digits = NUMBER.exec(text)?.[1];
  if (digits === undefined) return null;
  if (digits.length <= SMALL_DIGITS && delta < 10n ** BigInt(SMALL_DIGITS)) {
    const sum = isDecrement ? Number(digits) - Number(delta) : Number(digits) + Number(delta);
    return String(Math.max(0, sum));
  }
  const value = BigInt(digits);
  if (value >= U64) return null;
  if (!isDecrement) return ((value + delta) % U64).toString();
  return (value > delta ? value - delta : 0n).toString();
}
