import type { BreakerState, CircuitBreaker } from './circuit-breaker.ts';
import { REFUSED } from './circuit-breaker.ts';
import type { Candidate, OutlierDetector } from './outlier-detector.ts';

/** What is said of a node when something about it changes. */
export type Tell = (
  level: 'warn' | 'info' | 'debug',
  what: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/**
 * What one worker knows of how a node fares, of three kinds.
 *
 * Suspect: it is silent, or its connection failed; reads that may be a little old go to a follower until bytes arrive again.
 * Ejected: it fares worse than the others (`OutlierDetector`); what another node may answer is not asked of it, until a probe went well.
 * Its breaker is open: requests keep passing their deadline; nothing is sent to it but probes, and who has nobody else to ask is told at once.
 *
 * Does no I/O. `nowMs` is monotonic.
 */
export class NodeHealth {
  readonly breaker: CircuitBreaker;
  readonly #outliers: OutlierDetector;
  readonly #candidate: Candidate;
  readonly #tell: Tell;
  /** Replies that are not yet counted: the data path only adds here. */
  #replies = 0;
  /** Permits of probes under way for the breaker. */
  #permit = REFUSED;
  #isProbing = false;
  isSuspect = false;
  /** Any of the three. */
  isTroubled = false;
  /** Why it was suspect last, for error messages. */
  lastFailure = '';

  constructor(breaker: CircuitBreaker, outliers: OutlierDetector, tell: Tell) {
    this.breaker = breaker;
    this.#outliers = outliers;
    this.#candidate = outliers.add();
    this.#tell = tell;
  }

  get isEjected(): boolean {
    return this.#candidate.isEjected;
  }

  get breakerState(): BreakerState {
    return this.breaker.state;
  }

  /** So many replies have arrived, whatever they say. Costs two stores while nothing is wrong. */
  heard(replies: number): void {
    this.#replies += replies;
    this.#candidate.failuresInARow = 0;
    if (!this.isSuspect) return;
    this.isSuspect = false;
    this.#tell('info', 'the node answers again');
    this.#update();
  }

  /** A connection to it failed or broke. */
  lost(reason: string, nowMs: number): void {
    this.isSuspect = true;
    this.lastFailure = reason;
    this.#failed(1, nowMs);
  }

  /** Nothing has arrived from it for longer than a read waits. */
  silent(reason: string): void {
    this.isSuspect = true;
    this.lastFailure = reason;
    this.#tell('warn', 'the node does not answer: reads go to a follower');
    this.#update();
  }

  /** Reads waited too long for it, and were sent elsewhere or given up. */
  timedOut(count: number, nowMs: number): void {
    this.#failed(count, nowMs);
  }

  /** Requests passed their deadline while they were its to answer. */
  expired(count: number, nowMs: number): void {
    this.settle(nowMs);
    this.breaker.record(0, count, nowMs);
    this.#failed(count, nowMs);
  }

  /** Whether nothing may be sent to it now: its breaker is not closed. It is counted then. */
  refuses(nowMs: number): boolean {
    if (this.breaker.state === 'closed') return false;
    this.breaker.noteRefusal();
    this.settle(nowMs);
    return true;
  }

  /** Whether a probe is to be sent now; `probed` must be told how it went. */
  wantsProbe(nowMs: number): boolean {
    if (this.#isProbing) return false;
    const { breaker } = this;
    if (breaker.state !== 'closed' && breaker.retryAfterMs(nowMs) === 0) this.#permit = breaker.enter(nowMs);
    const isWanted = this.#permit !== REFUSED || this.#outliers.wantsProbe(this.#candidate, nowMs);
    this.#isProbing = isWanted;
    return isWanted;
  }

  /** A probe has ended. */
  probed(isGood: boolean, nowMs: number): void {
    this.#isProbing = false;
    const permit = this.#permit;
    this.#permit = REFUSED;
    if (permit !== REFUSED) {
      if (isGood) this.breaker.succeeded(permit, nowMs);
      else this.breaker.failed(permit, nowMs);
    } else if (this.#outliers.probed(this.#candidate, isGood, nowMs)) {
      this.#tell('info', 'the node is no longer ejected: a probe went well');
    }
    this.#update();
  }

  /** What was heard is counted. To be called about once a second at least. */
  settle(nowMs: number): void {
    const replies = this.#replies;
    if (replies === 0) return;
    this.#replies = 0;
    this.breaker.record(replies, 0, nowMs);
    this.#outliers.succeeded(this.#candidate, replies, nowMs);
  }

  /** It was ejected by a comparison with the others, if it is this one. */
  sweptOut(ejected: readonly Candidate[]): void {
    if (ejected.includes(this.#candidate)) this.#noteEjection();
  }

  /** It is no longer a node of the ring. */
  close(): void {
    this.#outliers.remove(this.#candidate);
  }

  #failed(count: number, nowMs: number): void {
    this.settle(nowMs);
    if (this.#outliers.failed(this.#candidate, count, nowMs)) this.#noteEjection();
    this.#update();
  }

  #noteEjection(): void {
    const { reason, ejections } = this.#candidate;
    this.#tell('warn', 'the node is ejected: reads that another node may answer do not go to it', {
      reason,
      ejections,
      setting: 'proxy.resilience.outlier',
    });
    this.#update();
  }

  #update(): void {
    this.isTroubled = this.isSuspect || this.isEjected || this.breaker.state !== 'closed';
  }
}
