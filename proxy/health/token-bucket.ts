/**
 * Lets `perSecond` things pass each second, and after a rest as many at once as it has saved up: one second's worth. Pure: `nowMs` is
 * monotonic milliseconds.
 */
export class TokenBucket {
  readonly perSecond: number;
  #tokens: number;
  #filledMs: number;

  /** Full at first. */
  constructor(perSecond: number, nowMs: number) {
    this.perSecond = perSecond;
    this.#tokens = this.#size;
    this.#filledMs = nowMs;
  }

  /** Takes `count` tokens; false, and none is taken, when there are fewer. More than it can ever hold may be taken from a full one, which is then in debt. */
  take(count: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < Math.min(count, this.#size)) return false;
    this.#tokens -= count;
    return true;
  }

  /** Puts back what was taken and is not needed. */
  giveBack(count: number): void {
    this.#tokens = Math.min(this.#size, this.#tokens + count);
  }

  /** Whether it is as it was at first. */
  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens >= this.#size;
  }

  get #size(): number {
    return Math.max(1, this.perSecond);
  }

  #fill(nowMs: number): void {
    this.#tokens = Math.min(this.#size, this.#tokens + ((nowMs - this.#filledMs) / 1000) * this.perSecond);
    this.#filledMs = nowMs;
  }
}
