import { commandIdCount } from '../../lib/commands/index.ts';
import { LogHistogram } from '../../lib/metrics/index.ts';

/** Longest duration that histograms tell apart, in nanoseconds: about 2.1 s. */
export const MAX_NS = 2 ** 31 - 1;

/** Counters by command id, since the start or CONFIG RESETSTAT. Plain arrays: they are incremented on the hot path. */
export class CommandStats {
  readonly calls = new Float64Array(commandIdCount);
  /** Milliseconds. */
  readonly elapsedMs = new Float64Array(commandIdCount);
  /** Refused before they ran. */
  readonly rejected = new Float64Array(commandIdCount);
  /** Ran and answered an error. */
  readonly failed = new Float64Array(commandIdCount);
  readonly #histograms: (LogHistogram | null)[] = new Array(commandIdCount).fill(null);

  /** Counts `times` runs that took `eachMs` each; `histogram` when their durations are tracked. */
  took(id: number, times: number, eachMs: number, isTracked: boolean): void {
    this.elapsedMs[id] += eachMs * times;
    if (!isTracked) return;
    let histogram = this.#histograms[id];
    if (histogram === null) {
      histogram = new LogHistogram(MAX_NS);
      this.#histograms[id] = histogram;
    }
    histogram.record(Math.max(1, eachMs * 1e6), times);
  }

  /** Durations in nanoseconds; null when none was tracked. */
  histogramOf(id: number): LogHistogram | null {
    return this.#histograms[id];
  }

  reset(): void {
    for (const counts of [this.calls, this.elapsedMs, this.rejected, this.failed]) counts.fill(0);
    this.#histograms.fill(null);
  }
}
