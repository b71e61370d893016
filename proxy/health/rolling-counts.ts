const STEPS = 10;

/** Successes and failures of the last `windowMs` milliseconds. The oldest tenth is forgotten at a time; adding is O(1). */
export class RollingCounts {
  readonly #stepMs: number;
  readonly #good = new Float64Array(STEPS);
  readonly #bad = new Float64Array(STEPS);
  #step = 0;
  #goodSum = 0;
  #badSum = 0;

  /** Throws RangeError unless `windowMs` > 0. */
  constructor(windowMs: number) {
    if (!(windowMs > 0)) throw new RangeError(`no window of ${windowMs} ms`);
    this.#stepMs = windowMs / STEPS;
  }

  /** Counts successes and failures that happened at `nowMs`, which never goes back. */
  add(nowMs: number, good: number, bad: number): void {
    this.#advance(nowMs);
    const slot = this.#step % STEPS;
    this.#good[slot] += good;
    this.#bad[slot] += bad;
    this.#goodSum += good;
    this.#badSum += bad;
  }

  /** Failures in the window that ends at `nowMs`. */
  failures(nowMs: number): number {
    this.#advance(nowMs);
    return this.#badSum;
  }

  /** Successes in the window that ends at `nowMs`. */
  successes(nowMs: number): number {
    this.#advance(nowMs);
    return this.#goodSum;
  }

  /** Forgets everything. */
  clear(): void {
    this.#good.fill(0);
    this.#bad.fill(0);
    this.#goodSum = 0;
    this.#badSum = 0;
  }

  #advance(nowMs: number): void {
    const step = Math.floor(nowMs / this.#stepMs);
    if (step - this.#step >= STEPS) {
      this.clear();
      this.#step = step;
    }
    while (this.#step < step) {
      this.#step++;
      const slot = this.#step % STEPS;
      this.#goodSum -= this.#good[slot];
      this.#badSum -= this.#bad[slot];
      this.#good[slot] = 0;
      this.#bad[slot] = 0;
    }
  }
}
