/** Registers of a HyperLogLog. */
export const REGISTERS = 16384;
/** Bits of the hash that are looked at for zeros. */
const Q = 50;
/** 0.5 / ln 2 */
const ALPHA = 0.7213475204444817;
const INT64_LIMIT = 2 ** 63;
/** What C makes of a number from there on. */
const OVERFLOWN = -(2n ** 63n);

function sigma(fraction: number): number {
  if (fraction === 1) return Infinity;
  let x = fraction;
  let y = 1;
  let z = x;
  for (let before = Number.NaN; before !== z; ) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(fraction: number): number {
  if (fraction === 0 || fraction === 1) return 0;
  let x = fraction;
  let y = 1;
  let z = 1 - x;
  for (let before = Number.NaN; before !== z; ) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}

/**
 * About how many different elements were noted, from how many registers have each value. Source: Otmar Ertl, "New cardinality
 * estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284).
 */
export function estimate(histogram: ArrayLike<number>): number | bigint {
  let z = REGISTERS * tau((REGISTERS - histogram[Q + 1]) / REGISTERS);
  for (let value = Q; value >= 1; value--) z = 0.5 * (z + histogram[value]);
  z += REGISTERS * sigma(histogram[0] / REGISTERS);
  const count = Math.round((ALPHA * REGISTERS * REGISTERS) / z);
  if (Number.isSafeInteger(count)) return count;
  return count < INT64_LIMIT ? BigInt(count) : OVERFLOWN;
}
