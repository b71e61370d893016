import type { Random } from '../base/index.ts';

/** Bounds of the delays between attempts. */
export interface BackoffOptions {
  /** Upper bound of the first delay. */
  readonly initialMs: number;
  /** Upper bound of any delay. */
  readonly maxMs: number;
  /** Growth of the upper bound from attempt to attempt; 2 by default. */
  readonly factor?: number;
}

/**
 * Delays between attempts: exponential with full jitter, a random time below an upper bound that grows with each attempt.
 *
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export class BackoffPolicy {
  readonly #options: Required<BackoffOptions>;
  readonly #random: Random;
  #boundMs: number;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = { factor: 2, ...options };
    this.#random = random;
    this.#boundMs = options.initialMs;
  }

  /** Milliseconds to wait before the next attempt. */
  nextDelayMs(): number {
    const delayMs = this.#random.next() * this.#boundMs;
    this.#boundMs = Math.min(this.#boundMs * this.#options.factor, this.#options.maxMs);
    return delayMs;
  }

  /** To be called after a success: the next delay is a first one again. */
  reset(): void {
    this.#boundMs = this.#options.initialMs;
  }
}
