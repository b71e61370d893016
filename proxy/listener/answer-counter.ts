import type { Counter, Family, MetricOptions, Metrics } from '../../lib/metrics/index.ts';

/** Counts the answers of one listener by what they said (a status, a code: one of few). */
export class AnswerCounter {
  readonly #family: Family<Counter> | undefined;
  readonly #counters = new Map<string | number, Counter>();

  /** Without `metrics` nobody reads it. Throws Error when the name is taken. */
  constructor(metrics: Metrics | undefined, options: MetricOptions) {
    this.#family = metrics?.counter({ ...options, labels: ['answer'] });
  }

  count(answer: string | number): void {
    if (!this.#family) return;
    let counter = this.#counters.get(answer);
    if (!counter) {
      counter = this.#family.labels(String(answer));
      this.#counters.set(answer, counter);
    }
    counter.inc();
  }
}
