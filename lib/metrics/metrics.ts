import type { Metric, Registry } from 'prom-client';
import { Counter, durationBuckets, Gauge, Histogram } from './instruments.ts';
import { type MetricSnapshot, mergeSnapshots, type Sample, samplesOf } from './series.ts';

/** What a metric is called (`ringside_<role>_…`, counters end in `_total`, units in the name) and what it says. */
export interface MetricOptions {
  readonly name: string;
  readonly help: string;
}

/** A metric with labels: one instrument for each combination of their values. Keep what `labels` gives on a hot path. */
export interface Family<T> {
  /** The instrument for these values, in the order in which the labels were declared. */
  labels(...values: string[]): T;
  /** Forgets the instrument for these values, as when a shard has left. */
  remove(...values: string[]): void;
}

/** A figure, or one per combination of labels, read when somebody asks. */
export type Reading =
  | number
  | Iterable<{ readonly labels: Readonly<Record<string, string>>; readonly value: number }>;

/** The histogram for these labels. */
export interface ObservedHistogram {
  readonly labels: Readonly<Record<string, string>>;
  readonly histogram: Histogram;
}

type Labelled = MetricOptions & { readonly labels: readonly string[] };

/** The metrics of one role in one thread. All functions that add a metric throw Error on a bad or a duplicate name. */
export interface Metrics {
  counter(options: Labelled): Family<Counter>;
  counter(options: MetricOptions): Counter;
  gauge(options: Labelled): Family<Gauge>;
  gauge(options: MetricOptions): Gauge;
  /** `buckets`: ascending upper bounds, by default those for seconds from 50 µs to 10 s. */
  histogram(options: Labelled & { readonly buckets?: readonly number[] }): Family<Histogram>;
  histogram(options: MetricOptions & { readonly buckets?: readonly number[] }): Histogram;
  /** A counter that is kept elsewhere as a plain number: `read` runs at each scrape. */
  observedCounter(name: string, help: string, read: () => Reading): void;
  /** A gauge that is known elsewhere: `read` runs at each scrape. */
  observedGauge(name: string, help: string, read: () => Reading): void;
  /** A histogram that is kept elsewhere, one per combination of labels: `read` runs at each scrape. */
  observedHistogram(name: string, help: string, read: () => Iterable<ObservedHistogram>): void;
  /** The present figures, to be added up in another thread. */
  snapshot(): MetricSnapshot[];
  /** The Prometheus text of this process: these metrics, those of `others` (worker threads) added, and Node's own. */
  text(others?: readonly MetricSnapshot[]): Promise<string>;
  /** The Content-Type of that text. */
  readonly contentType: string;
}

/** A new, empty set of metrics. */
export function createMetrics(): Metrics {
  return new OwnMetrics();
}

const NAME = /^ringside_[a-z][a-z0-9_]*$/;

interface Entry extends MetricOptions {
  readonly type: MetricSnapshot['type'];
  readonly collect: () => Sample[];
}

/** Instruments are plain numbers of ours, for the hot path; prom-client only writes the text, loaded at the first scrape. */
class OwnMetrics implements Metrics {
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';
  readonly #entries = new Map<string, Entry>();
  /** prom-client's own metrics of the process: memory, CPU, event loop, garbage collection. */
  #ofNode: Registry | undefined;

  counter(options: Labelled): Family<Counter>;
  counter(options: MetricOptions): Counter;
  counter(options: MetricOptions & { labels?: readonly string[] }): Counter | Family<Counter> {
    return this.#add('counter', options, () => new Counter());
  }

  gauge(options: Labelled): Family<Gauge>;
  gauge(options: MetricOptions): Gauge;
  gauge(options: MetricOptions & { labels?: readonly string[] }): Gauge | Family<Gauge> {
    return this.#add('gauge', options, () => new Gauge());
  }

  histogram(options: Labelled & { buckets?: readonly number[] }): Family<Histogram>;
  histogram(options: MetricOptions & { buckets?: readonly number[] }): Histogram;
  histogram(
    options: MetricOptions & { labels?: readonly string[]; buckets?: readonly number[] },
  ): Histogram | Family<Histogram> {
    return this.#add('histogram', options, () => new Histogram(options.buckets ?? durationBuckets));
  }

  observedCounter(name: string, help: string, read: () => Reading): void {
    this.#register({ name, help, type: 'counter', collect: () => samplesOfReading(name, read()) });
  }

  observedGauge(name: string, help: string, read: () => Reading): void {
    this.#register({ name, help, type: 'gauge', collect: () => samplesOfReading(name, read()) });
  }

  observedHistogram(name: string, help: string, read: () => Iterable<ObservedHistogram>): void {
    const collect = () =>
      Array.from(read(), ({ labels, histogram }) => samplesOf(name, labels, histogram)).flat();
    this.#register({ name, help, type: 'histogram', collect });
  }

  snapshot(): MetricSnapshot[] {
    return [...this.#entries.values()].map(({ name, help, type, collect }) => ({
      name,
      help,
      type,
      samples: collect(),
    }));
  }

  async text(others: readonly MetricSnapshot[] = []): Promise<string> {
    const { Registry, collectDefaultMetrics } = await import('prom-client');
    if (!this.#ofNode) {
      this.#ofNode = new Registry();
      collectDefaultMetrics({ register: this.#ofNode });
    }
    const own = new Registry();
    for (const metric of mergeSnapshots([...this.snapshot(), ...others]))
      own.registerMetric(forPrometheus(metric));
    return (await own.metrics()) + (await this.#ofNode.metrics());
  }

  #add<T extends Counter | Gauge | Histogram>(
    type: Entry['type'],
    { name, help, labels }: MetricOptions & { labels?: readonly string[] },
    create: () => T,
  ): T | Family<T> {
    if (!labels) {
      const instrument = create();
      this.#register({ name, help, type, collect: () => samplesOf(name, {}, instrument) });
      return instrument;
    }
    const family = new OwnFamily(labels, create);
    const collect = () => family.all().flatMap(([held, instrument]) => samplesOf(name, held, instrument));
    this.#register({ name, help, type, collect });
    return family;
  }

  #register(entry: Entry): void {
    const { name, type } = entry;
    if (!NAME.test(name)) throw new Error(`metric name ${name}: want ringside_<role>_<what>, lower case`);
    if ((type === 'counter') !== name.endsWith('_total'))
      throw new Error(`metric ${name}: _total is for counters, and all of them`);
    if (this.#entries.has(name)) throw new Error(`metric ${name} is there already`);
    this.#entries.set(name, entry);
  }
}

class OwnFamily<T> implements Family<T> {
  readonly #names: readonly string[];
  readonly #create: () => T;
  readonly #instruments = new Map<string, [Record<string, string>, T]>();

  constructor(names: readonly string[], create: () => T) {
    this.#names = names;
    this.#create = create;
  }

  labels(...values: string[]): T {
    const key = this.#keyOf(values);
    let entry = this.#instruments.get(key);
    if (!entry) {
      const labels = Object.fromEntries(this.#names.map((name, i) => [name, values[i]]));
      entry = [labels, this.#create()];
      this.#instruments.set(key, entry);
    }
    return entry[1];
  }

  remove(...values: string[]): void {
    this.#instruments.delete(this.#keyOf(values));
  }

  all(): [Record<string, string>, T][] {
    return [...this.#instruments.values()];
  }

  #keyOf(values: string[]): string {
    if (values.length !== this.#names.length)
      throw new Error(`want values of the labels ${this.#names.join(', ')}`);
    return JSON.stringify(values);
  }
}

function samplesOfReading(name: string, reading: Reading): Sample[] {
  if (typeof reading === 'number') return [{ name, labels: {}, value: reading }];
  return Array.from(reading, ({ labels, value }) => ({ name, labels, value }));
}

/** What prom-client's registry asks of a metric: its figures, by `get`. */
function forPrometheus(metric: MetricSnapshot): Metric {
  const { name, help, type, samples } = metric;
  const values = samples.map(({ name: metricName, labels, value }) => ({ metricName, labels, value }));
  return { name, get: async () => ({ name, help, type, values, aggregator: 'sum' }) } as unknown as Metric;
}
