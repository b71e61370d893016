import { createRequire } from 'node:module';

/** Longest duration that is told apart, in nanoseconds; what takes longer counts as this. */
export const MAX_NS = 60e9;

const SIGNIFICANT_DIGITS = 2;

const require = createRequire(import.meta.url);

/** How long runs of one command took, in nanoseconds, to two significant digits: 30 KB. */
export class Durations {
  readonly #histogram = createHistogram();
  /** Sum of the durations as they were given. */
  sum = 0;

  /** Runs counted. */
  get total(): number {
    return this.#histogram.totalCount;
  }

  /** Counts `times` runs that took `eachNs` (at least 0) each. */
  record(eachNs: number, times: number): void {
    this.#histogram.recordValueWithCount(Math.min(Math.floor(eachNs), MAX_NS), times);
    this.sum += eachNs * times;
  }

  /** The longest duration that shares a bucket with the one that `percent` of all are at or below. */
  percentile(percent: number): number {
    return this.#histogram.getValueAtPercentile(percent);
  }

  /** How many runs are in the buckets up to that of each bound; `bounds` ascend and are at most `MAX_NS`. */
  cumulative(bounds: readonly number[]): number[] {
    const histogram = this.#histogram;
    let seen = 0;
    let i = 0;
    return bounds.map((bound) => {
      for (const last = histogram.countsArrayIndex(bound); i <= last; i++)
        seen += histogram.getCountAtIndex(i);
      return seen;
    });
  }

  /** The longest duration that is counted together with `ns`. */
  highestEquivalent(ns: number): number {
    return this.#histogram.highestEquivalentValue(ns);
  }
}

/**
 * Loaded at the first histogram, not at the start, and at once, because INFO cannot wait. This module of the library alone stops commands for 3 ms
 * and takes 0.3 MB; all of it, with its WebAssembly, takes 60 ms and 6 MB for records that are 40 ns shorter. Counts are doubles, since
 * 32 bits may be full within hours.
 */
function createHistogram() {
  const { default: Float64Histogram } =
    require('hdr-histogram-js/dist/Float64Histogram.js') as typeof import('hdr-histogram-js/dist/Float64Histogram.js');
  return new Float64Histogram(1, MAX_NS, SIGNIFICANT_DIGITS);
}
