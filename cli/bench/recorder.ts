import { build, type Histogram, initWebAssembly } from 'hdr-histogram-js';

const MAX_MICROSECONDS = 3_600_000_000;
const MAX_ERROR_TEXTS = 8;
const MAX_ERROR_CHARS = 160;

/** Latencies in milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What a run came to; printed as one line of JSON. */
export interface Result {
  /** Commands that were answered, with an error or without, or whose connection broke. */
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  /** Commands per second. */
  readonly throughput: number;
  /** Share of the keys read that were there, 0 to 1; 0 when none was read. */
  readonly hitRatio: number;
  /** Of answered commands: from sending, or from the intended time when there is a rate. */
  readonly latencyMs: Percentiles;
  /** Keys asked for, where one command asks for many. */
  readonly keys?: number;
  /** The first error texts and how often each came. */
  readonly errorTexts?: Readonly<Record<string, number>>;
}

/** Must settle before the first `Recorder`: the histogram is WebAssembly, 66 ns a record instead of 361. */
export function prepareRecorders(): Promise<void> {
  return initWebAssembly();
}

/** Counts and latencies of a run. */
export class Recorder {
  requests = 0;
  errors = 0;
  keysRead = 0;
  hits = 0;
  readonly #total = newHistogram();
  #interval = newHistogram();
  readonly #errorTexts = new Map<string, number>();

  /** An answer that took `latencyMs`: `hits` of the `keys` read were there (0 of 0 for a write). */
  answered(latencyMs: number, keys: number, hits: number): void {
    this.requests++;
    this.keysRead += keys;
    this.hits += hits;
    const microseconds = Math.min(Math.max(Math.round(latencyMs * 1000), 1), MAX_MICROSECONDS);
    this.#total.recordValue(microseconds);
    this.#interval.recordValue(microseconds);
  }

  /** An error as the answer, or none because the connection broke. Only the first few texts are kept. */
  failed(text: string): void {
    this.requests++;
    this.errors++;
    const key = text.slice(0, MAX_ERROR_CHARS);
    const seen = this.#errorTexts.get(key);
    if (seen !== undefined) this.#errorTexts.set(key, seen + 1);
    else if (this.#errorTexts.size < MAX_ERROR_TEXTS) this.#errorTexts.set(key, 1);
  }

  get hitRatio(): number {
    return this.keysRead === 0 ? 0 : this.hits / this.keysRead;
  }

  /** Percentiles since the last call. */
  takeInterval(): Percentiles {
    const percentiles = percentilesOf(this.#interval);
    this.#interval.reset();
    return percentiles;
  }

  /** The result of a run of `seconds`. `countsKeys`: commands read many keys each. */
  result(seconds: number, countsKeys: boolean): Result {
    return {
      requests: this.requests,
      errors: this.errors,
      seconds: round(seconds, 3),
      throughput: round(seconds > 0 ? this.requests / seconds : 0, 1),
      hitRatio: round(this.hitRatio, 6),
      latencyMs: percentilesOf(this.#total),
      ...(countsKeys && { keys: this.keysRead }),
      ...(this.#errorTexts.size > 0 && { errorTexts: Object.fromEntries(this.#errorTexts) }),
    };
  }

  /** Gives the histograms' memory back; nothing may be recorded or asked any more. */
  dispose(): void {
    this.#total.destroy();
    this.#interval.destroy();
  }
}

function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_MICROSECONDS,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: true,
  });
}

function percentilesOf(histogram: Histogram): Percentiles {
  const { maxValue } = histogram;
  // A percentile is the upper end of a bucket, which may lie beyond the largest value in it.
  const at = (percentile: number) =>
    round(Math.min(histogram.getValueAtPercentile(percentile), maxValue) / 1000, 3);
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: round(maxValue / 1000, 3) };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
