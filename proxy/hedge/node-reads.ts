import type { UpstreamNode } from '../core/topology.ts';
import type { RecentLatencies } from '../health/index.ts';
import { PendingReads } from './pending-reads.ts';
import type { Mark } from './stream-place.ts';
import type { TrackedRead } from './tracked-read.ts';

/** What one thread keeps of a leader for whose reads others may be asked. */
export class NodeReads {
  readonly node: UpstreamNode;
  readonly pending = new PendingReads<TrackedRead>();
  /** How far it had come when it was asked last; null: that is not known. */
  mark: Mark | null = null;
  /** When it was asked last, monotonic milliseconds. */
  askedMs = Number.NEGATIVE_INFINITY;
  isAsking = false;
  readonly #recent: RecentLatencies;
  readonly #minimumMs: number;

  constructor(node: UpstreamNode, recent: RecentLatencies, minimumMs: number) {
    this.node = node;
    this.#recent = recent;
    this.#minimumMs = minimumMs;
  }

  /** So long a read waits for the node before another one is asked as well; Infinity: not known yet. */
  delayMs(nowMs: number): number {
    return Math.max(this.#minimumMs, this.#recent.limitMs(nowMs));
  }
}
