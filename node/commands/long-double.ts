/** Digits behind the point that Redis prints of a long double. */
const DECIMALS = 17n;
const SCALE = 10n ** DECIMALS;
/** Bits of the mantissa of x86's 80-bit long double. */
const MANTISSA_BITS = 64;
const MAX_EXPONENT = 16384;
/** Digits beyond this exponent of ten are infinite or zero for a long double. */
const MAX_DECIMAL_EXPONENT = 5000;
/** Redis's MAX_LONG_DOUBLE_CHARS, with the zero byte at the end. */
const MAX_CHARACTERS = 5 * 1024;
const SYNTAX = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d{1,9}))?$/;
const INFINITE = /^[+-]?inf(?:inity)?$/i;

/** mantissa x 2^exponent */
interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** What became of an addition. */
export type Sum = { readonly text: string } | { readonly error: 'not a float' | 'infinite' };

/**
 * Adds two decimal numbers as Redis's INCRBYFLOAT does on x86-64: both rounded to 64 bits of mantissa, the sum too, printed with 17
 * decimals without trailing zeros. Not in the syntax: hexadecimal floats.
 */
export function addLongDoubles(a: string, b: string): Sum {
  const left = parse(a);
  const right = parse(b);
  if (left === null || right === null) return { error: 'not a float' };
  if (left === 'infinite' || right === 'infinite') return { error: 'infinite' };
  const exponent = Math.min(left.exponent, right.exponent);
  const sum = round(shifted(left, exponent) + shifted(right, exponent), 1n, exponent);
  if (sum === 'infinite') return { error: 'infinite' };
  return { text: print(sum) };
}

function shifted(value: LongDouble, exponent: number): bigint {
  return value.mantissa << BigInt(value.exponent - exponent);
}

function parse(text: string): LongDouble | 'infinite' | null {
  if (text.length >= MAX_CHARACTERS) return null;
  if (INFINITE.test(text)) return 'infinite';
  const found = SYNTAX.exec(text);
  if (!found) return null;
  const [, sign, whole = '', behind = '', onlyBehind = '', power = '0'] = found;
  const fraction = behind + onlyBehind;
  const digits = BigInt(whole + fraction);
  const exponent = Number(power) - fraction.length;
  if (digits === 0n || exponent < -MAX_DECIMAL_EXPONENT) return { mantissa: 0n, exponent: 0 };
  if (exponent > MAX_DECIMAL_EXPONENT) return null;
  const scale = 10n ** BigInt(Math.abs(exponent));
  const signed = sign === '-' ? -digits : digits;
  const value = exponent >= 0 ? round(signed * scale, 1n, 0) : round(signed, scale, 0);
  // Too large to be read; only the word itself is read as infinity.
  return value === 'infinite' ? null : value;
}

/** numerator / denominator x 2^exponent to the nearest long double, ties to even. */
function round(numerator: bigint, denominator: bigint, exponent: number): LongDouble | 'infinite' {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 };
  const magnitude = numerator < 0n ? -numerator : numerator;
  let shift = bitLength(magnitude) - bitLength(denominator) - MANTISSA_BITS;
  let mantissa = divide(magnitude, denominator, shift);
  if (bitLength(mantissa) > MANTISSA_BITS) mantissa = divide(magnitude, denominator, ++shift);
  if (shift + exponent + MANTISSA_BITS > MAX_EXPONENT) return 'infinite';
  return { mantissa: numerator < 0n ? -mantissa : mantissa, exponent: shift + exponent };
}

/** numerator / denominator / 2^shift to the nearest whole number, ties to even. */
function divide(numerator: bigint, denominator: bigint, shift: number): bigint {
  const n = shift < 0 ? numerator << BigInt(-shift) : numerator;
  const d = shift > 0 ? denominator << BigInt(shift) : denominator;
  const quotient = n / d;
  const twice = (n % d) * 2n;
  return twice > d || (twice === d && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

function print({ mantissa, exponent }: LongDouble): string {
  const magnitude = mantissa < 0n ? -mantissa : mantissa;
  const scaled = divide(magnitude * SCALE, 1n, -exponent);
  const whole = scaled / SCALE;
  const fraction = (scaled % SCALE).toString().padStart(Number(DECIMALS), '0').replace(/0+$/, '');
  const text = whole + (fraction && `.${fraction}`);
  return mantissa < 0n && text !== '0' ? `-${text}` : text;
}
