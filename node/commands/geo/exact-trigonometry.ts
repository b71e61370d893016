/*
 * Sine, cosine and arc sine rounded correctly, but for about one argument in a million. The platform's own are off by a last bit now and
 * then, and differently from C's; a distance that is stored as a score shows that.
 *
 * They work on pairs of doubles, the unevaluated sum of a number and what its rounding lost. Sources: T. J. Dekker, "A floating-point
 * technique for extending the available precision" (1971), for sum and product; Taylor's series.
 */

/** 2^27 + 1: cuts a double into two halves. */
const SPLITTER = 134217729;
/** A half of pi in three parts, each the rounding error of those before. */
const HALF_PI = 1.5707963267948966;
const HALF_PI_2 = 6.123233995736766e-17;
const HALF_PI_3 = -1.4973849048591833e-33;
/** Terms of the series that still count, for angles up to a quarter of pi. */
const TERMS = 14;

/** The sum `high + low`. */
interface Pair {
  readonly high: number;
  readonly low: number;
}

function sum(a: number, b: number): Pair {
  const high = a + b;
  const other = high - a;
  return { high, low: a - (high - other) + (b - other) };
}

function product(a: number, b: number): Pair {
  const high = a * b;
  const aScaled = a * SPLITTER;
  const aHigh = aScaled - (aScaled - a);
  const aLow = a - aHigh;
  const bScaled = b * SPLITTER;
  const bHigh = bScaled - (bScaled - b);
  const bLow = b - bHigh;
  return { high, low: aLow * bLow - (high - aHigh * bHigh - aLow * bHigh - aHigh * bLow) };
}

function add(a: Pair, b: Pair): Pair {
  const high = sum(a.high, b.high);
  return sum(high.high, high.low + a.low + b.low);
}

function multiply(a: Pair, b: Pair): Pair {
  const high = product(a.high, b.high);
  return sum(high.high, high.low + a.high * b.low + a.low * b.high);
}

function divide(a: Pair, by: number): Pair {
  const quotient = a.high / by;
  const back = product(quotient, by);
  return sum(quotient, (a.high - back.high - back.low + a.low) / by);
}

/** The sum of a series whose terms are each the one before times -x^2 / (n (n + 1)), from `first` on, which has the degree `degree`. */
function series(x: Pair, first: Pair, degree: number): Pair {
  const square = multiply(x, x);
  let total = first;
  let term = first;
  for (let n = degree + 1; n < degree + 2 * TERMS; n += 2) {
    term = divide(multiply(term, square), -n * (n + 1));
    total = add(total, term);
  }
  return total;
}

/** The sine of `angle + quarters` quarter turns, for an angle of at most two quarter turns. */
function sinePair(angle: number, quarters: number): Pair {
  const turns = Math.round(angle / HALF_PI);
  const near = sum(angle, -turns * HALF_PI);
  const rest = add(near, sum(-turns * HALF_PI_2, -turns * HALF_PI_3));
  const quadrant = (turns + quarters) & 3;
  const result = quadrant & 1 ? series(rest, { high: 1, low: 0 }, 0) : series(rest, rest, 1);
  return quadrant & 2 ? { high: -result.high, low: -result.low } : result;
}

/** The sine of an angle in radians, at most pi in magnitude. */
export function sine(angle: number): number {
  return sinePair(angle, 0).high;
}

/** The cosine of an angle in radians, at most pi in magnitude. */
export function cosine(angle: number): number {
  return sinePair(angle, 1).high;
}

/** The angle in radians whose sine this is: the platform's, corrected by one step of Newton's. */
export function arcSine(value: number): number {
  const near = Math.asin(value);
  const { high, low } = sinePair(near, 0);
  const slope = Math.cos(near);
  const correction = (value - high - low) / slope;
  return Number.isFinite(correction) && slope > 1e-6 ? near + correction : near;
}
