import { RollingCounts } from './rolling-counts.ts';

/** Milliseconds over which requests and retries are compared. */
const WINDOW_MS = 10_000;

/** How much may be tried again. */
export interface RetryBudgetOptions {
  /** Retries of the last ten seconds may be this part of the requests of that time. */
  readonly ratio: number;
  /** So many a second may be tried again however little there is to do. */
  readonly minimumPerSecond: number;
}

/**
 * Keeps retries from making an overload worse: at most max(ratio x requests, minimum) within ten seconds. Pure: `nowMs` is monotonic.
 *
 * Source: the retry budget of Finagle (Twitter); the case for it is chapter 22 of "Site Reliability Engineering" (Google, 2016).
 */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  /** Requests as successes, retries as failures. */
  readonly #counts = new RollingCounts(WINDOW_MS);
  #unread = 0;
  #refused = 0;

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
  }

  /** Retries that were refused. */
  get refused(): number {
    return this.#refused;
  }

  /** A request that is no retry. Costs an addition: it is counted when somebody asks. */
  requested(times = 1): void {
    this.#unread += times;
  }

  /** To be called now and then, so that requests are counted in the time in which they came. */
  settle(nowMs: number): void {
    if (this.#unread === 0) return;
    this.#counts.add(nowMs, this.#unread, 0);
    this.#unread = 0;
  }

  /** Whether one more retry may be made, of a request that stands for so many; it is counted then. */
  take(nowMs: number, times = 1): boolean {
    this.settle(nowMs);
    const { ratio, minimumPerSecond } = this.#options;
    const floor = (minimumPerSecond * WINDOW_MS) / 1000;
    const allowed = Math.max(ratio * this.#counts.successes(nowMs), floor);
    if (this.#counts.failures(nowMs) + times > allowed) {
      this.#refused += times;
      return false;
    }
    this.#counts.add(nowMs, 0, times);
    return true;
  }
}
