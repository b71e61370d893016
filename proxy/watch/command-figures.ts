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

/** Which commands are timed, and who hears of it. */
export interface TimingRules {
  /** Of a command that waits by its nature, how long it took says nothing. */
  isTimed(command: number): boolean;
  /** Commands took so many milliseconds each, which are counted when true is answered. */
  took(ms: number): boolean;
}

const ALWAYS: TimingRules = { isTimed: () => true, took: () => true };

/**
 * How often commands came by way of one listener, how long they took and how they ended. Commands are small numbers. Those that began and ended
 * in the same moments (a pipeline) are counted together.
 */
export class CommandFigures {
  readonly listener: string;
  readonly calls: Float64Array;
  readonly failed: Float64Array;
  readonly #names: readonly string[];
  readonly #durations: (DurationCounts | null)[];
  readonly #rules: TimingRules;
  /** Of commands that ended alike. */
  #command = 0;
  #startedMs = 0;
  #endedMs = 0;
  #times = 0;

  /** `names` by number. */
  constructor(listener: string, names: readonly string[], rules: TimingRules = ALWAYS) {
    this.listener = listener;
    this.#names = names;
    this.#rules = rules;
    this.calls = new Float64Array(names.length);
    this.failed = new Float64Array(names.length);
    this.#durations = new Array(names.length).fill(null);
  }

  /** Counts a command, or `times` alike: from the bytes of the client being read until the reply left, in monotonic milliseconds. */
  ended(command: number, startedMs: number, endedMs: number, hasFailed: boolean, times = 1): void {
    if (command === this.#command && startedMs === this.#startedMs && endedMs === this.#endedMs)
      this.#times += times;
    else {
      this.settle();
      this.#command = command;
      this.#startedMs = startedMs;
      this.#endedMs = endedMs;
      this.#times = times;
    }
    if (hasFailed) this.failed[command] += times;
  }

  /** Counts what has ended by now. */
  settle(): void {
    const times = this.#times;
    const command = this.#command;
    if (times === 0) return;
    this.#times = 0;
    this.calls[command] += times;
    if (!this.#rules.isTimed(command)) return;
    const ms = Math.max(0, this.#endedMs - this.#startedMs);
    if (this.#rules.took(ms)) this.#record(command, times, ms);
  }

  #record(command: number, times: number, ms: number): void {
    let durations = this.#durations[command];
    if (durations === null) {
      durations = new DurationCounts();
      this.#durations[command] = durations;
    }
    durations.record(ms, times);
  }

  /** Every command that came. */
  snapshot(): CommandFigure[] {
    this.settle();
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
    this.settle();
    this.calls.fill(0);
    this.failed.fill(0);
    for (const durations of this.#durations) durations?.reset();
  }
}
