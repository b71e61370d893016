/** What the newest fetch counts for in the expected duration of the next. */
const NEWEST_PART = 0.2;

/**
 * Decides how long before its end a value is to be refreshed, so that it is most likely refreshed once before it ends however many read it.
 *
 * Source: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (VLDB 2015), XFetch. The duration of a fetch is
 * that of the origin, not of the key.
 */
export class EarlyRefresh {
  readonly #beta: number;
  #fetchMs = 0;

  /** `beta`: 1 refreshes about one duration of a fetch ahead, more is earlier, 0 never. */
  constructor(beta: number) {
    this.#beta = beta;
  }

  /** A fetch has taken so long. */
  learn(durationMs: number): void {
    this.#fetchMs =
      this.#fetchMs === 0 ? durationMs : this.#fetchMs + NEWEST_PART * (durationMs - this.#fetchMs);
  }

  /** A value with fewer milliseconds left is to be refreshed by whoever rolled `dice` in [0, 1); 0: none is. */
  windowMs(dice: number): number {
    return Math.ceil(this.#fetchMs * this.#beta * -Math.log(1 - dice));
  }
}
