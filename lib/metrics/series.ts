import { Histogram } from './instruments.ts';

/** One line of a scrape: the name may carry a suffix such as `_bucket`. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The present figures of one metric. Plain data: may be posted between threads. */
export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

/** The samples of a counter, a gauge or a histogram. */
export function samplesOf(
  name: string,
  labels: Readonly<Record<string, string>>,
  instrument: { readonly value: number } | Histogram,
): Sample[] {
  if (!(instrument instanceof Histogram)) return [{ name, labels, value: instrument.value }];
  const samples: Sample[] = [];
  let count = 0;
  for (const [i, inBucket] of instrument.counts.entries()) {
    count += inBucket;
    const le = i < instrument.bounds.length ? String(instrument.bounds[i]) : '+Inf';
    samples.push({ name: `${name}_bucket`, labels: { ...labels, le }, value: count });
  }
  samples.push({ name: `${name}_sum`, labels, value: instrument.sum });
  samples.push({ name: `${name}_count`, labels, value: count });
  return samples;
}

/** One metric per name: samples of equal name and labels are added up, as the workers of one process need it. */
export function mergeSnapshots(snapshots: Iterable<MetricSnapshot>): MetricSnapshot[] {
  const merged = new Map<string, { metric: MetricSnapshot; samples: Map<string, Sample> }>();
  for (const metric of snapshots) {
    const entry = merged.get(metric.name) ?? { metric, samples: new Map<string, Sample>() };
    merged.set(metric.name, entry);
    for (const sample of metric.samples) {
      const key = `${sample.name} ${JSON.stringify(sample.labels)}`;
      const value = sample.value + (entry.samples.get(key)?.value ?? 0);
      entry.samples.set(key, { ...sample, value });
    }
  }
  return [...merged.values()].map(({ metric, samples }) => ({ ...metric, samples: [...samples.values()] }));
}
