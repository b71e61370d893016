/** Counts events since the start of the process. Incrementing is one addition: fit for the hot path. */
export class Counter {
  /** Events so far. */
  value = 0;

  /** Counts `by` more (at least 0; default 1). */
  inc(by = 1): void {
    this.value += by;
  }
}

/** A figure that goes up and down. */
export class Gauge {
  /** The figure now. */
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  inc(by = 1): void {
    this.value += by;
  }

  dec(by = 1): void {
    this.value -= by;
  }
}

/** Bounds for durations in seconds, from 50 µs to 10 s. */
export const durationBuckets: readonly number[] = Object.freeze([
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]);

/** Counts observations by size. */
export class Histogram {
  /** Upper bounds of the buckets, ascending; each holds what is at most its bound. */
  readonly bounds: readonly number[];
  /** Observations in each bucket alone, one more for what is above the last bound. */
  readonly counts: number[];
  /** Sum of all observations. */
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= this.bounds[middle]) high = middle;
      else low = middle + 1;
    }
    this.counts[low]++;
    this.sum += value;
  }
}
