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

  /** The caller keeps track that it is scheduled only once. */
  schedule(item: Flushable): void {
    if (this.#scheduled.push(item) === 1) setImmediate(this.#end);
  }

  #flush(): void {
    const items = this.#scheduled;
    this.#scheduled = this.#flushing;
    this.#flushing = items;
    for (let i = 0; i < items.length; i++) items[i].flush();
    items.length = 0;
  }
}
