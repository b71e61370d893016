import type { Clock } from '../../lib/base/index.ts';

/** Something that collects output during a turn of the event loop. */
export interface Flushable {
  /** Writes what was collected. Called once per `schedule`. */
  flush(): void;
}

/**
 * Ends a turn: everything scheduled while sockets were read is flushed once, after all of them were read (the check phase
 * follows the poll phase), so that each socket gets one write per turn.
 */
export class Turn {
  #scheduled: Flushable[] = [];
  #flushing: Flushable[] = [];
  readonly #end = () => this.#flush();
  readonly #clock: Clock;
  /** Monotonic milliseconds when the present or last turn ended: for whoever flushes, and need not be exact. */
  nowMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For output that leaves outside of the end of a turn. */
  readClock(): void {
    this.nowMs = this.#clock.monotonicMs();
  }

  /** The caller keeps track that it is scheduled only once. */
  schedule(item: Flushable): void {
    if (this.#scheduled.push(item) === 1) setImmediate(this.#end);
  }

  #flush(): void {
    this.readClock();
    const items = this.#scheduled;
    this.#scheduled = this.#flushing;
    this.#flushing = items;
    for (let i = 0; i < items.length; i++) items[i].flush();
    items.length = 0;
  }
}
