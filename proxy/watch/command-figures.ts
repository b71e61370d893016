import { type CountedDurations, DurationCounts } from '../../lib/metrics/index.ts';

/** What is known of one command by way of one listener. Plain data: may be posted between threads. */
export interface CommandFigure {
  readonly listener: string;
  readonly command: string;
  readonly calls: number;
  /** Answered with an error. */
  readonly failed: number;
  readonly durations: CountedDurations;
}

/** How often commands came by way of one listener, how long they took and how they ended. Commands are small numbers. */
export class CommandFigures {
  readonly listener: string;
  readonly calls: Float64Array;
  readonly failed: Float64Array;
  readonly #names: readonly string[];
  readonly #durations: (DurationCounts | null)[];

  /** `names` by number. */
  constructor(listener: string, names: readonly string[]) {
    this.listener = listener;
    this.#names = names;
    this.calls = new Float64Array(names.length);
    this.failed = new Float64Array(names.length);
    this.#durations = new Array(names.length).fill(null);
  }

  /** Counts `times` commands that took `ms` each, from the bytes of the client being read until the reply left. */
  took(command: number, times: number, ms: number): void {
    let durations = this.#durations[command];
    if (durations === null) {
      durations = new DurationCounts();
      this.#durations[command] = durations;
    }
    durations.record(ms, times);
  }

  /** Every command that came. */
  snapshot(): CommandFigure[] {
    const { listener } = this;
    const figures: CommandFigure[] = [];
    for (const [i, command] of this.#names.entries()) {
      if (this.calls[i] === 0) continue;
      const durations = this.#durations[i]?.counted() ?? { slots: [], elapsedMs: 0 };
      figures.push({ listener, command, calls: this.calls[i], failed: this.failed[i], durations });
    }
    return figures;
  }

  reset(): void {
    this.calls.fill(0);
    this.failed.fill(0);
    for (const durations of this.#durations) durations?.reset();
  }
}
