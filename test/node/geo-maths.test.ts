import t from 'tap';
import { cellsOf, distanceWithin } from '../../node/commands/geo/area.ts';
import { distance, exactDistance } from '../../node/commands/geo/distance.ts';
import { arcSine, cosine, sine } from '../../node/commands/geo/exact-trigonometry.ts';
import {
  MAX_LATITUDE,
  type Position,
  positionOf,
  scoreOf,
  scoresOf,
} from '../../node/commands/geo/position.ts';
import { fc } from '../support/fast-check.ts';

/* What geo commands reckon with, beside an obvious form of the same. */

const positions = fc.record({
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
  latitude: fc.double({ min: -MAX_LATITUDE, max: MAX_LATITUDE, noNaN: true }),
});

/** Bit by bit. */
function obviousScore({ longitude, latitude }: Position): bigint {
  const column = BigInt(Math.floor(((longitude + 180) / 360) * 2 ** 26));
  const row = BigInt(Math.floor(((latitude + MAX_LATITUDE) / (2 * MAX_LATITUDE)) * 2 ** 26));
  let score = 0n;
  for (let bit = 0n; bit < 27n; bit++) {
    score |= ((row >> bit) & 1n) << (2n * bit);
    score |= ((column >> bit) & 1n) << (2n * bit + 1n);
  }
  return score;
}

t.test('a position and its score', async () => {
  fc.assert(
    fc.property(positions, (position) => {
      const score = scoreOf(position);
      const back = positionOf(score);
      return (
        score === Number(obviousScore(position)) &&
        Math.abs(back.longitude - position.longitude) < 1e-5 &&
        Math.abs(back.latitude - position.latitude) < 1e-5
      );
    }),
    { numRuns: 2000 },
  );
});

const DIGITS = 60n;
const ONE = 10n ** DIGITS;

/** The double as a whole number of 10^-60. */
function fixed(value: number): bigint {
  const exponent = value === 0 ? 0 : Math.floor(Math.log2(Math.abs(value))) - 52;
  const mantissa = BigInt(value / 2 ** exponent);
  return exponent < 0 ? (mantissa * ONE) / 2n ** BigInt(-exponent) : mantissa * 2n ** BigInt(exponent) * ONE;
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** The sine, or with `from` 0 the cosine, by as many terms of the series as sixty digits need. */
function obviousSeries(angle: number, from: 0 | 1): bigint {
  const x = fixed(angle);
  let term = from === 0 ? ONE : x;
  let total = term;
  for (let n = BigInt(from) + 1n; term !== 0n; n += 2n) {
    term = (-term * x * x) / (ONE * ONE * n * (n + 1n));
    total += term;
  }
  return total;
}

/** Whether no double is nearer to the exact value. */
function isNearest(found: number, exact: bigint): boolean {
  const error = magnitude(fixed(found) - exact);
  const step = fixed(2 ** (Math.floor(Math.log2(Math.abs(found))) - 52));
  return 2n * error <= step + 1n;
}

t.test('sine, cosine and arc sine are the nearest doubles', async (t) => {
  const angles = fc.double({ min: 1e-6, max: Math.PI, noNaN: true });
  fc.assert(
    fc.property(angles, fc.boolean(), (magnitude, isNegative) => {
      const angle = isNegative ? -magnitude : magnitude;
      return (
        isNearest(sine(angle), obviousSeries(angle, 1)) && isNearest(cosine(angle), obviousSeries(angle, 0))
      );
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 0.99, noNaN: true }), (value) => {
      const angle = arcSine(value);
      // The sine of the angles half a step below and above lie on both sides of the value.
      const half = fixed(2 ** (Math.floor(Math.log2(angle)) - 53));
      const slope = obviousSeries(angle, 0);
      const missed = magnitude(obviousSeries(angle, 1) - fixed(value));
      return missed <= (half * slope) / ONE + 10n ** 25n;
    }),
    { numRuns: 500 },
  );
  t.equal(sine(0), 0);
  t.equal(cosine(0), 1);
});

t.test('the quick distance is the exact one but for its last bits', async () => {
  fc.assert(
    fc.property(positions, positions, (a, b) => {
      const exact = exactDistance(a, b);
      return Math.abs(distance(a, b) - exact) <= exact * 1e-9 + 1e-6;
    }),
  );
});

t.test('the cells of an area hold whatever is within it', async () => {
  const near = fc.record({
    longitude: fc.double({ min: -60, max: 60, noNaN: true }),
    latitude: fc.double({ min: -60, max: 60, noNaN: true }),
  });
  const areas = fc.oneof(
    fc.record({
      kind: fc.constant('circle' as const),
      centre: near,
      radiusM: fc.double({ min: 1, max: 1e6, noNaN: true }),
    }),
    fc.record({
      kind: fc.constant('box' as const),
      centre: near,
      widthM: fc.double({ min: 1, max: 1e6, noNaN: true }),
      heightM: fc.double({ min: 1, max: 1e6, noNaN: true }),
    }),
  );
  const offsets = fc.double({ min: -1, max: 1, noNaN: true });
  fc.assert(
    fc.property(areas, offsets, offsets, (area, x, y) => {
      const degrees = (area.kind === 'circle' ? area.radiusM : Math.max(area.widthM, area.heightM)) / 50_000;
      const score = scoreOf({
        longitude: area.centre.longitude + x * degrees,
        latitude: area.centre.latitude + y * degrees,
      });
      if (distanceWithin(area, positionOf(score)) < 0) return true;
      return cellsOf(area).some((cell) => {
        const { first, end } = scoresOf(cell);
        return score >= first && score < end;
      });
    }),
    { numRuns: 3000 },
  );
});
