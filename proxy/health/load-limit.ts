const INTERVAL_MS = 50;
/** A node is let at least so much, however slow it seems. */
const FEWEST = 64;
/** Intervals in a row at whose end something has waited for too long: after fewer, it may be that all stood still for a moment. */
const SLOW_INTERVALS = 4;
/** How much of the last interval's rate is taken for the rate. */
const WEIGHT = 0.3;
/** So long after it was last needed a limit is over. */
const KEPT_MS = 10_000;

/**
 * How many commands may be under way at a node for each to be answered in time. Without such a limit a node that is asked for more than it can do answers
 * nothing in time: everything waits behind commands that nobody waits for any more, and stays so after the cause has ended.
 *
 * There is none until commands have waited for `patienceMs`. Then as many may be under way as the node answers in half of that (Little's law), and twice
 * as many after each interval in which the limit was reached and nothing waited for a quarter of it. Does no I/O.
 */
export class LoadLimit {
  readonly #most: number;
  readonly #patienceMs: number;
  /** Commands that may be under way. */
  allowed: number;
  #sinceMs = 0;
  #answered = 0;
  /** Answers a millisecond. */
  #rate = 0;
  #neededMs = Number.NEGATIVE_INFINITY;
  #wasReached = false;
  #slowIntervals = 0;

  /** `most`: the limit while nothing waits for long. */
  constructor(most: number, patienceMs: number) {
    this.#most = most;
    this.#patienceMs = patienceMs;
    this.allowed = most;
  }

  /** Whether it is lower than it may be. */
  get isLowered(): boolean {
    return this.allowed < this.#most;
  }

  /** `underWay` are as many as are allowed: whether one more may be all the same, since the limit is out of date. */
  admits(underWay: number, nowMs: number): boolean {
    this.#wasReached = true;
    if (this.isLowered && nowMs - this.#neededMs > KEPT_MS) this.allowed = this.#most;
    return underWay < this.allowed;
  }

  /** To be called often while commands are under way. `answered`: since the beginning, modulo 2^32. `longestMs`: for which the oldest of them has waited. */
  look(nowMs: number, answered: number, longestMs: number): void {
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < INTERVAL_MS) return;
    const rate = ((answered - this.#answered) >>> 0) / elapsedMs;
    // After a rest nothing is known of the rate.
    this.#rate = elapsedMs > 5 * INTERVAL_MS ? rate : WEIGHT * rate + (1 - WEIGHT) * this.#rate;
    this.#sinceMs = nowMs;
    this.#answered = answered;
    this.#adjust(nowMs, longestMs);
    this.#wasReached = false;
  }

  #adjust(nowMs: number, longestMs: number): void {
    const inTime = Math.max(FEWEST, Math.floor((this.#rate * this.#patienceMs) / 2));
    this.#slowIntervals = longestMs < this.#patienceMs ? 0 : this.#slowIntervals + 1;
    if (this.#slowIntervals >= SLOW_INTERVALS) this.allowed = Math.min(this.allowed, inTime);
    else if (this.isLowered && this.#wasReached && longestMs < this.#patienceMs / 4)
      this.allowed = Math.min(this.#most, 2 * this.allowed);
    if (longestMs >= this.#patienceMs / 4) this.#neededMs = nowMs;
  }
}
