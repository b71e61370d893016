import type { RingsideError } from '../../lib/base/index.ts';
import type { Pieces } from '../core/api.ts';
import type { ArrivingValue } from './arriving-value.ts';

/** What became of a key that was not there. */
export type FillOutcome =
  | {
      readonly kind: 'value';
      readonly value: Pieces;
      readonly bytes: number;
      /** Milliseconds that the value lives; null: for ever, or nobody knows. */
      readonly ttlMs: number | null;
    }
  /** There is nothing to fill it with. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly error: RingsideError };

/** Whoever wants the value. */
export interface FillWaiter {
  /** Called once. The pieces are shared with others: they must not be changed. */
  filled(outcome: FillOutcome): void;
  /** Called instead, once a long value begins to come, of who may take it in parts. */
  began?(value: ArrivingValue): void;
}

interface Waiting {
  readonly waiter: FillWaiter;
  readonly deadlineMs: number;
}

/**
 * One key on its way into the cache, and those who wait for it. None waits for another: the value is fetched by nobody's connection, and each takes the
 * same pieces at its own pace. Pure; times are monotonic milliseconds.
 */
export class Fill {
  #waiting: Waiting[] = [];
  #outcome: FillOutcome | null = null;
  #arriving: ArrivingValue | null = null;

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** From now on `waiter` hears of the outcome; at once when it is known already. */
  join(waiter: FillWaiter, deadlineMs: number): void {
    if (this.#outcome !== null) waiter.filled(this.#outcome);
    else if (this.#arriving !== null && waiter.began) waiter.began(this.#arriving);
    else this.#waiting.push({ waiter, deadlineMs });
  }

  /** The value begins to come: those who may take it in parts need not wait for the outcome. */
  begin(value: ArrivingValue): void {
    this.#arriving = value;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ waiter }) => waiter.began === undefined);
    for (const { waiter } of waiting) waiter.began?.(value);
  }

  /** Tells everybody. Later ones are told the same. */
  settle(outcome: FillOutcome): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { waiter } of waiting) waiter.filled(outcome);
  }

  /** Tells those who may not wait any longer; returns how many these were. */
  expire(nowMs: number, outcome: FillOutcome): number {
    const due = this.#waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    if (due.length === 0) return 0;
    this.#waiting = this.#waiting.filter(({ deadlineMs }) => deadlineMs > nowMs);
    for (const { waiter } of due) waiter.filled(outcome);
    return due.length;
  }
}
