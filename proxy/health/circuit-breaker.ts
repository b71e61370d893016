import type { Random } from '../../lib/base/index.ts';
import { RollingCounts } from './rolling-counts.ts';

/** closed: everything may pass. open: nothing may. half-open: a few probes may, and decide. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** When a breaker opens, and for how long. */
export interface BreakerOptions {
  /** So many failures in a row open it. */
  readonly consecutiveFailures: number;
  /** It opens too when this part (0 to 1) of the outcomes of the last `windowMs` are failures, once there are `minimumOutcomes`. */
  readonly failureRatio: number;
  readonly minimumOutcomes: number;
  /** Milliseconds. */
  readonly windowMs: number;
  /**
   * Milliseconds that it stays open the first time; twice as long each time that a probe fails, or that it opens again within `windowMs` of
   * closing, up to `maxOpenMs`. Up to a fifth is added at random.
   */
  readonly openMs: number;
  readonly maxOpenMs: number;
  /** Probes that are let through when that time is over. When all succeed it closes; the first that fails opens it again. */
  readonly probes: number;
}

/** What `enter` answers when nothing may pass. */
export const REFUSED = 0;

const JITTER = 0.2;

/**
 * Decides whether another attempt at something that keeps failing is worth making. Does no I/O and knows no clock: `nowMs` (monotonic
 * milliseconds, never going back) comes with each call.
 *
 * Who is let in gets a permit and gives it back exactly once: `succeeded`, `failed` or, when the attempt told nothing, `abandoned`.
 * Outcomes of attempts that began before the last change of state are old news and change nothing.
 *
 * Source: Michael Nygard, "Release It!", chapter "Circuit Breaker"; permits by generation as in sony/gobreaker.
 */
export class CircuitBreaker {
  readonly #options: BreakerOptions;
  readonly #random: Random;
  readonly #onChange: (state: BreakerState, reason: string) => void;
  readonly #counts: RollingCounts;
  #state: BreakerState = 'closed';
  #reason = '';
  /** Counts the changes of state: the permit of what is let in meanwhile. */
  #generation = 1;
  #failuresInARow = 0;
  #openForMs: number;
  #openUntilMs = 0;
  #closedAtMs = Number.NEGATIVE_INFINITY;
  #probesOut = 0;
  #probesPassed = 0;
  #opened = 0;
  #refused = 0;

  /** `onChange` hears of each change of state and, in words, why; it must not call the breaker. */
  constructor(
    options: BreakerOptions,
    random: Random,
    onChange: (state: BreakerState, reason: string) => void = () => {},
  ) {
    this.#options = options;
    this.#random = random;
    this.#onChange = onChange;
    this.#counts = new RollingCounts(options.windowMs);
    this.#openForMs = options.openMs;
  }

  /** An open one becomes half-open only when somebody wants to enter. */
  get state(): BreakerState {
    return this.#state;
  }

  /** Why it is in this state; empty before the first change. */
  get reason(): string {
    return this.#reason;
  }

  /** How often it has opened. */
  get opened(): number {
    return this.#opened;
  }

  /** How many attempts it has refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Something was not even tried because it is not closed. */
  noteRefusal(): void {
    this.#refused++;
  }

  /** Milliseconds until an attempt may be let through again; 0 unless it is open. */
  retryAfterMs(nowMs: number): number {
    return this.#state === 'open' ? Math.max(0, this.#openUntilMs - nowMs) : 0;
  }

  /** A permit, or REFUSED. */
  enter(nowMs: number): number {
    if (this.#state === 'closed') return this.#generation;
    if (this.#state === 'open' && nowMs >= this.#openUntilMs)
      this.#become('half-open', 'it was open long enough');
    if (this.#state === 'half-open' && this.#probesOut + this.#probesPassed < this.#options.probes) {
      this.#probesOut++;
      return this.#generation;
    }
    this.noteRefusal();
    return REFUSED;
  }

  /** The attempt with this permit went well. */
  succeeded(permit: number, nowMs: number): void {
    if (permit !== this.#generation) return;
    if (this.#state === 'closed') {
      this.#failuresInARow = 0;
      this.#counts.add(nowMs, 1, 0);
      return;
    }
    this.#probesOut--;
    this.#probesPassed++;
    if (this.#probesPassed < this.#options.probes) return;
    this.#closedAtMs = nowMs;
    this.#become('closed', 'the probes succeeded');
  }

  /** Counts outcomes of attempts that asked for no permit, while it is closed; failures last. For owners to whom a permit each is too much. */
  record(successes: number, failures: number, nowMs: number): void {
    if (this.#state !== 'closed') return;
    if (successes > 0) this.#failuresInARow = 0;
    this.#failuresInARow += failures;
    this.#counts.add(nowMs, successes, failures);
    if (failures > 0) this.#openIfDue(nowMs);
  }

  /** The attempt with this permit failed, in a way that tells of what the breaker protects. */
  failed(permit: number, nowMs: number): void {
    if (permit !== this.#generation) return;
    if (this.#state === 'half-open') {
      this.#openFor(2 * this.#openForMs, 'a probe failed', nowMs);
      return;
    }
    this.#failuresInARow++;
    this.#counts.add(nowMs, 0, 1);
    this.#openIfDue(nowMs);
  }

  /** The attempt with this permit ended without telling anything, or was never made. */
  abandoned(permit: number): void {
    if (permit === this.#generation && this.#state === 'half-open') this.#probesOut--;
  }

  #whyOpen(nowMs: number): string | null {
    const { consecutiveFailures, failureRatio, minimumOutcomes, windowMs } = this.#options;
    if (this.#failuresInARow >= consecutiveFailures) return `${this.#failuresInARow} failures in a row`;
    const failures = this.#counts.failures(nowMs);
    const outcomes = failures + this.#counts.successes(nowMs);
    if (outcomes < minimumOutcomes || failures < failureRatio * outcomes) return null;
    return `${failures} of ${outcomes} attempts failed within ${windowMs} ms`;
  }

  #openIfDue(nowMs: number): void {
    const why = this.#whyOpen(nowMs);
    if (why === null) return;
    const isSoon = nowMs - this.#closedAtMs < this.#options.windowMs;
    this.#openFor(isSoon ? 2 * this.#openForMs : this.#options.openMs, why, nowMs);
  }

  #openFor(ms: number, reason: string, nowMs: number): void {
    this.#opened++;
    this.#openForMs = Math.min(ms, this.#options.maxOpenMs);
    this.#openUntilMs = nowMs + this.#openForMs * (1 + JITTER * this.#random.next());
    this.#become('open', reason);
  }

  #become(state: BreakerState, reason: string): void {
    this.#state = state;
    this.#reason = reason;
    this.#generation++;
    this.#failuresInARow = 0;
    this.#probesOut = 0;
    this.#probesPassed = 0;
    this.#counts.clear();
    this.#onChange(state, reason);
  }
}
