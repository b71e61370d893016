import type { Durations } from './durations.ts';
import { Histogram } from './instruments.ts';

const NS_PER_S = 1e9;

/** The same durations in the buckets of Prometheus, in seconds; `bounds` ascend. */
export function secondsHistogram(durations: Durations, bounds: readonly number[]): Histogram {
  const histogram = new Histogram(bounds);
  const counts = durations.cumulative(bounds.map((bound) => bound * NS_PER_S));
  for (const [i, count] of counts.entries()) histogram.counts[i] = count - (counts[i - 1] ?? 0);
  histogram.counts[bounds.length] = durations.total - counts[counts.length - 1];
  histogram.sum = durations.sum / NS_PER_S;
  return histogram;
}
