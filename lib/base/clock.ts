/** The only source of time. Everything that decides by time takes one as an argument. */
export interface Clock {
  /** Milliseconds (with fraction) since an arbitrary start. Never goes back, and runs on while the process is stopped. */
  monotonicMs(): number;
  /** Unix time in whole milliseconds. May jump when somebody sets the host's clock. */
  wallMs(): number;
}

/** The clock of this host. */
export const systemClock: Clock = Object.freeze({
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
});

/** A clock that stands still until it is told to move: for tests and simulations. */
export class ManualClock implements Clock {
  #monotonicMs: number;
  #wallMs: number;

  constructor({ monotonicMs = 0, wallMs = 0 } = {}) {
    this.#monotonicMs = monotonicMs;
    this.#wallMs = wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  wallMs(): number {
    return Math.floor(this.#wallMs);
  }

  /** Moves both clocks forward by `ms`. Throws RangeError on a negative amount. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`a clock cannot advance by ${ms} ms`);
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }

  /** Sets the wall clock alone, as an operator would; it may go back. */
  setWallMs(wallMs: number): void {
    this.#wallMs = wallMs;
  }
}
