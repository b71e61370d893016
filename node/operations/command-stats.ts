import { commandIdCount } from '../../lib/commands/index.ts';
import { Durations } from '../../lib/metrics/index.ts';

/** Durations that wait for their histograms, so that a node with little to do need not load what makes them. */
const WAITING = 128;

/** Counters by command id, since the start or CONFIG RESETSTAT. Plain arrays: they are incremented on the hot path. */
export class CommandStats {
  readonly calls = new Float64Array(commandIdCount);
  /** Milliseconds. */
  readonly elapsedMs = new Float64Array(commandIdCount);
  /** Refused before they ran. */
  readonly rejected = new Float64Array(commandIdCount);
  /** Ran and answered an error. */
  readonly failed = new Float64Array(commandIdCount);
  readonly #durations: (Durations | null)[] = new Array(commandIdCount).fill(null);
  /** What waits: command id, how many runs, and the nanoseconds of each. */
  readonly #ids = new Uint16Array(WAITING);
  readonly #times = new Uint16Array(WAITING);
  readonly #eachNs = new Float64Array(WAITING);
  #waiting = 0;

  /** Counts `times` (below 65536) runs that took `eachMs` each; in a histogram too when durations are tracked. */
  took(id: number, times: number, eachMs: number, isTracked: boolean): void {
    this.elapsedMs[id] += eachMs * times;
    if (!isTracked) return;
    const i = this.#waiting++;
    this.#ids[i] = id;
    this.#times[i] = times;
    this.#eachNs[i] = Math.max(1, eachMs * 1e6);
    if (this.#waiting === WAITING) this.#settle();
  }

  /** How long runs took; null when none was tracked. */
  durationsOf(id: number): Durations | null {
    this.#settle();
    return this.#durations[id];
  }

  reset(): void {
    for (const counts of [this.calls, this.elapsedMs, this.rejected, this.failed]) counts.fill(0);
    this.#durations.fill(null);
    this.#waiting = 0;
  }

  #settle(): void {
    for (let i = 0; i < this.#waiting; i++) {
      const id = this.#ids[i];
      let durations = this.#durations[id];
      if (durations === null) {
        durations = new Durations();
        this.#durations[id] = durations;
      }
      durations.record(this.#eachNs[i], this.#times[i]);
    }
    this.#waiting = 0;
  }
}
