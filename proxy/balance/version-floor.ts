/**
 * What one thread knows of the versions of one key: no read that it places elsewhere may bring an older one than any that it has brought before, nor one
 * that the leader had replaced longer ago than the namespace allows.
 *
 * The leader's answers teach the floor, and when it held. A value at or above the floor is at most as old as the floor is. A command whose effect on the
 * version cannot be told (a write, a read of another kind) voids the floor, and only what was asked of the leader after that teaches it again. Does no
 * I/O; `nowMs` is monotonic.
 */
export class VersionFloor {
  readonly #stalenessMs: number;
  /** The floor, 64 bits. */
  #high = 0;
  #low = 0;
  #isKnown = false;
  /** When the leader was asked that said so last. */
  #asOfMs = 0;
  #lastSeq = 0;
  /** Reads with lower numbers do not teach. */
  #teachFrom = 0;

  /** `stalenessMs`: how old a value may be. */
  constructor(stalenessMs: number) {
    this.#stalenessMs = stalenessMs;
  }

  /** Number of a read that is being sent to the leader. */
  nextSeq(): number {
    return ++this.#lastSeq;
  }

  /** Nothing is known any more. */
  void(): void {
    this.#isKnown = false;
    this.#teachFrom = this.#lastSeq + 1;
  }

  /** Whether values from elsewhere can be judged. */
  isGood(nowMs: number): boolean {
    return this.#isKnown && nowMs - this.#asOfMs <= this.#stalenessMs;
  }

  /** Whether the leader should be asked again before the floor is too old. */
  isAging(nowMs: number): boolean {
    return nowMs - this.#asOfMs > this.#stalenessMs / 2;
  }

  /** The leader has answered read `seq`, which was sent at `sentMs`, with this version. */
  teach(seq: number, sentMs: number, high: number, low: number): void {
    const isLower = this.#isKnown && this.#isBelow(high, low);
    // Two connections answer out of order, or the data set is another one now.
    if (isLower) this.void();
    if (isLower || (seq < this.#teachFrom && !this.#isKnown)) return;
    this.#raise(high, low);
    if (seq < this.#teachFrom) return;
    this.#isKnown = true;
    this.#asOfMs = Math.max(this.#asOfMs, sentMs);
  }

  /** Whether a value of this version that came from elsewhere may be answered. It is the new floor then. */
  accepts(high: number, low: number, nowMs: number): boolean {
    if (!this.isGood(nowMs) || this.#isBelow(high, low)) return false;
    this.#raise(high, low);
    return true;
  }

  #isBelow(high: number, low: number): boolean {
    return high >>> 0 < this.#high >>> 0 || (high === this.#high && low >>> 0 < this.#low >>> 0);
  }

  #raise(high: number, low: number): void {
    this.#high = high | 0;
    this.#low = low | 0;
  }
}
