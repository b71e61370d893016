import type { RingsideError } from '../../lib/base/index.ts';
import type { Request } from './request.ts';

/** Whoever waits for requests no longer than until a moment of its own. */
export interface HurriedCall {
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** Its requests that were submitted and are not answered. */
  readonly underWay: readonly Request[];
  /** This one of them is in hands that cannot let go of it: its answer is to find nobody. */
  leave(request: Request, error: RingsideError): void;
}

/**
 * The deadlines of callers that wait for a shorter time than `operationTimeoutMs`. What is due before the next look is due now, so that nobody waits
 * longer than promised.
 *
 * Pure: times are arguments, in monotonic milliseconds.
 */
export class CallDeadlines {
  readonly #lookMs: number;
  readonly #dueMs = new Map<HurriedCall, number>();

  readonly #added: () => void;

  /** From when `added` was called until there are none, they are looked at every `lookMs`. */
  constructor(lookMs: number, added: () => void) {
    this.#lookMs = lookMs;
    this.#added = added;
  }

  get size(): number {
    return this.#dueMs.size;
  }

  /** Requests of the call are about to be submitted. */
  add(call: HurriedCall, nowMs: number): void {
    const { deadlineMs } = call;
    this.#dueMs.set(call, Math.max(deadlineMs - this.#lookMs, (nowMs + deadlineMs) / 2));
    this.#added();
  }

  /** Without effect when it is not there any more. */
  delete(call: HurriedCall): void {
    this.#dueMs.delete(call);
  }

  /** Takes out those whose time is over. */
  takeDue(nowMs: number): HurriedCall[] {
    const due: HurriedCall[] = [];
    for (const [call, dueMs] of this.#dueMs) if (dueMs <= nowMs) due.push(call);
    for (const call of due) this.#dueMs.delete(call);
    return due;
  }
}
