/** A read that waits for its node. */
export interface PendingRead {
  /** It is answered, or given up. */
  readonly isOver: boolean;
  /** Since when it waits, monotonic milliseconds. */
  readonly sinceMs: number;
}

/** Those in front are let go of when they are so many, and half of all. */
const COMPACT = 1024;

/** The reads of one node in the order in which they were sent. Each is looked at once, when it has waited long enough. Does no I/O. */
export class PendingReads<Read extends PendingRead> {
  #reads: Read[] = [];
  #head = 0;

  get length(): number {
    return this.#reads.length - this.#head;
  }

  /** The oldest that is not over; null: there is none. */
  get oldest(): Read | null {
    this.#skip();
    return this.#reads[this.#head] ?? null;
  }

  /** `read` has waited for a shorter time than those that are here. */
  add(read: Read): void {
    this.#skip();
    this.#reads.push(read);
  }

  /** Takes out the oldest one when it has waited for `delayMs`; null: none has. */
  takeDue(nowMs: number, delayMs: number): Read | null {
    const { oldest } = this;
    if (oldest === null || nowMs - oldest.sinceMs < delayMs) return null;
    this.#head++;
    return oldest;
  }

  #skip(): void {
    const reads = this.#reads;
    while (this.#head < reads.length && reads[this.#head].isOver) this.#head++;
    if (this.#head < COMPACT || 2 * this.#head < reads.length) return;
    this.#reads = reads.slice(this.#head);
    this.#head = 0;
  }
}
