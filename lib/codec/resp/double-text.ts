/** Digits that tell any two doubles apart, and what Redis 7.0 prints (`%.17g`). */
const SIGNIFICANT_DIGITS = 17;
/** `%g` changes to an exponent from this one on. */
const FIRST_LARGE_EXPONENT = 17;
const LAST_SMALL_EXPONENT = -4;
/** The most digits that the platform prints; beyond them a difference from a tie is not looked for. */
const MAX_DIGITS = 100;
/** From here on a double is a whole number, and the platform prints it with an exponent. */
const FIRST_LARGE = 1e21;

/** A finite or infinite number as Redis 7.0 prints a score: C's `%.17g`, ties to even; `inf`, `-inf`, `nan`. */
export function formatDouble(value: number): string {
  if ((value | 0) === value) return value === 0 && 1 / value < 0 ? '-0' : String(value);
  if (!Number.isFinite(value)) return nameOf(value);
  const [digits, exponent] = significant(value);
  const sign = value < 0 ? '-' : '';
  if (exponent < LAST_SMALL_EXPONENT || exponent >= FIRST_LARGE_EXPONENT) {
    const power = `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
    return `${sign}${withPoint(digits, 1)}e${power}`;
  }
  if (exponent < 0) return `${sign}${withPoint('0'.repeat(-exponent) + digits, 1)}`;
  return `${sign}${withPoint(digits, exponent + 1)}`;
}

/** The number with `decimals` digits behind the point: C's `%.Nf`, ties to even. */
export function formatFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return nameOf(value);
  if (Math.abs(value) >= FIRST_LARGE) return `${BigInt(value)}.${'0'.repeat(decimals)}`;
  const text = toEven(Math.abs(value).toFixed(decimals), () => Math.abs(value).toFixed(MAX_DIGITS));
  return (value < 0 || Object.is(value, -0) ? '-' : '') + text;
}

function nameOf(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}

/** The 17 significant digits of a number, and the exponent of the first of them. */
function significant(value: number): [digits: string, exponent: number] {
  const magnitude = Math.abs(value);
  const rounded = magnitude.toExponential(SIGNIFICANT_DIGITS - 1);
  const at = rounded.indexOf('e');
  const digits = toEven(rounded.slice(0, at), () => {
    const all = magnitude.toExponential(MAX_DIGITS);
    return all.slice(0, all.indexOf('e'));
  });
  return [digits[0] + digits.slice(2), Number(rounded.slice(at + 1))];
}

/**
 * The platform rounds a tie up, C to even: a text that ends in an odd digit goes one down when the digits cut off were exactly a half.
 * The last digit being odd, nothing has to be borrowed.
 */
function toEven(rounded: string, allDigits: () => string): string {
  const last = rounded.charCodeAt(rounded.length - 1);
  if ((last & 1) === 0) return rounded;
  const down = rounded.slice(0, -1) + String.fromCharCode(last - 1);
  const all = allDigits();
  return all.startsWith(down) && /^50*$/.test(all.slice(down.length)) ? down : rounded;
}

/** The digits with a point behind the first `whole` of them, without the zeros that end it. */
function withPoint(digits: string, whole: number): string {
  let end = digits.length;
  while (end > whole && digits.charCodeAt(end - 1) === 0x30) end--;
  return end === whole ? digits.slice(0, whole) : `${digits.slice(0, whole)}.${digits.slice(whole, end)}`;
}
