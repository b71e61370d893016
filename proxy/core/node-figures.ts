import { type CountedDurations, DurationCounts } from '../../lib/metrics/index.ts';
import type { BreakerState, RecentLatencies } from '../health/index.ts';

/** What one thread knows of a node. Plain data: may be posted. */
export interface NodeFigure {
  readonly shard: string;
  readonly node: string;
  readonly role: 'leader' | 'follower';
  /** suspect: it is silent, or not reachable. ejected: it fares worse than the others. */
  readonly state: 'connecting' | 'connected' | 'ejected' | 'suspect';
  readonly breaker: BreakerState;
  /** How often the breaker has opened, and commands that were answered at once because it was. */
  readonly breakerOpened: number;
  readonly breakerRefused: number;
  /** For bounded load: commands of the last second and in flight, and how many it may have; 0 where that is off. */
  readonly load: number;
  readonly loadCap: number;
  /** Commands queued or sent. */
  readonly inFlight: number;
  /** Bytes of commands that have not left. */
  readonly queuedBytes: number;
  /** Connections that all clients share, and those that one has for itself. */
  readonly shared: number;
  readonly private: number;
  /** Commands tried again because of it, error replies of it, and connections to it that failed or broke. */
  readonly retries: number;
  readonly errors: number;
  readonly failures: number;
  /** Reads that were sent to a follower as well because this leader was slow, and those that the follower answered. */
  readonly hedges: number;
  readonly hedgesWon: number;
  /** Those of them that were multi-gets, or what one shard is asked for of one. */
  readonly multiGetHedges: number;
  readonly multiGetHedgesWon: number;
  /** From a command joining its queue until its reply was there. */
  readonly durations: CountedDurations;
}

/** What is counted of one node. */
export class NodeFigures {
  readonly #durations = new DurationCounts();
  /** Replies that waited since the same moment: recorded together. */
  #sinceMs = 0;
  #replies = 0;
  retries = 0;
  errors = 0;
  failures = 0;
  hedges = 0;
  hedgesWon = 0;
  multiGetHedges = 0;
  multiGetHedgesWon = 0;
  /** Hears of everything that is recorded; null: nobody wants to know. */
  recent: RecentLatencies | null = null;

  /** A reply came to a command that joined the queue at `queuedMs`; `settle` follows in the same turn. */
  replied(queuedMs: number, nowMs: number, times = 1): void {
    if (queuedMs === this.#sinceMs) this.#replies += times;
    else {
      this.settle(nowMs);
      this.#sinceMs = queuedMs;
      this.#replies = times;
    }
  }

  /** Everything that has come by now is recorded. */
  settle(nowMs: number): void {
    if (this.#replies === 0) return;
    const ms = Math.max(0, nowMs - this.#sinceMs);
    this.#durations.record(ms, this.#replies);
    if (this.recent !== null) this.recent.record(ms, this.#replies);
    this.#replies = 0;
  }

  counted(): CountedDurations {
    return this.#durations.counted();
  }

  reset(): void {
    this.#durations.reset();
    this.retries = this.errors = this.failures = 0;
    this.hedges = this.hedgesWon = this.multiGetHedges = this.multiGetHedgesWon = 0;
  }
}
