import type { Clock } from '../../lib/base/index.ts';
import type { PauseOrder } from '../workers/questions.ts';

/** The longest that a timer of the platform can be set to. */
const MAX_TIMER_MS = 0x7fffffff;

/** CLIENT PAUSE in one thread: commands wait, and are executed when it is over. */
export class Pause {
  readonly #clock: Clock;
  /** Told when a pause begins or ends. */
  readonly #onChange: (isPaused: boolean) => void;
  readonly #waiting: (() => void)[] = [];
  #mode: 'none' | 'write' | 'all' = 'none';
  #untilMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, onChange: (isPaused: boolean) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Begins a pause, makes the one under way longer and stricter, or ends it. */
  order({ ms, mode }: PauseOrder): void {
    if (ms === 0) {
      this.#end();
      return;
    }
    this.#untilMs = Math.max(this.#mode === 'none' ? 0 : this.#untilMs, this.#clock.monotonicMs() + ms);
    this.#mode = this.#mode === 'all' ? 'all' : mode;
    this.#onChange(true);
    this.#setTimer();
  }

  /** Whether a command has to wait; `mayChange` says that it may change data, or what others hear of it. */
  holds(mayChange: boolean): boolean {
    return this.#mode === 'all' || (this.#mode === 'write' && mayChange);
  }

  /** Calls `run` when the pause is over. */
  wait(run: () => void): void {
    this.#waiting.push(run);
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    const inMs = this.#untilMs - this.#clock.monotonicMs();
    if (inMs <= 0) {
      this.#end();
      return;
    }
    this.#timer = setTimeout(() => this.#setTimer(), Math.min(Math.ceil(inMs), MAX_TIMER_MS));
    this.#timer.unref();
  }

  #end(): void {
    clearTimeout(this.#timer);
    if (this.#mode === 'none') return;
    this.#mode = 'none';
    this.#onChange(false);
    for (const run of this.#waiting.splice(0)) run();
  }
}
