/** Values below this have a bucket of their own; above, buckets widen so that two significant digits stay. */
const EXACT = 256;
const HALF = EXACT / 2;
const HALF_BITS = 7;

/**
 * Counts whole numbers by size to two significant digits, in little memory and constant time: the bucket layout of HdrHistogram
 * (Gil Tene, 2012) with fixed precision. The last bucket is for everything from that of `max` on.
 */
export class LogHistogram {
  readonly #max: number;
  readonly #counts: Uint32Array;
  /** Values counted. */
  total = 0;
  /** Sum of the values as they were given. */
  sum = 0;

  /** `max`: below 2^31. */
  constructor(max: number) {
    this.#max = max;
    this.#counts = new Uint32Array(indexOf(max) + 1);
  }

  /** Counts `value` (at least 0) `times` times. */
  record(value: number, times = 1): void {
    const whole = value >= this.#max ? this.#max : value | 0;
    this.#counts[indexOf(whole)] += times;
    this.total += times;
    this.sum += value * times;
  }

  /** The largest value that shares a bucket with the one that `percent` of all are at or below; 0 when nothing was counted. */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.floor((Math.min(percent, 100) / 100) * this.total + 0.5));
    let seen = 0;
    for (let i = 0; i < this.#counts.length; i++) {
      seen += this.#counts[i];
      if (seen >= wanted) return highestOf(i);
    }
    return 0;
  }

  /** How many are in the buckets up to that of each bound; `bounds` ascend. The last bucket is below none of them. */
  cumulative(bounds: readonly number[]): number[] {
    const counts: number[] = [];
    let seen = 0;
    let i = 0;
    for (const bound of bounds) {
      const last = Math.min(indexOf(Math.min(bound, this.#max)), this.#counts.length - 2);
      for (; i <= last; i++) seen += this.#counts[i];
      counts.push(seen);
    }
    return counts;
  }

  reset(): void {
    this.#counts.fill(0);
    this.total = 0;
    this.sum = 0;
  }
}

/** The largest value that is counted together with `value`. */
export function highestEquivalent(value: number): number {
  return highestOf(indexOf(value));
}

function indexOf(value: number): number {
  if (value < EXACT) return value;
  const shift = 31 - HALF_BITS - Math.clz32(value);
  return shift * HALF + (value >>> shift);
}

function highestOf(index: number): number {
  if (index < EXACT) return index;
  const shift = Math.floor(index / HALF) - 1;
  return (index - shift * HALF + 1) * 2 ** shift - 1;
}
