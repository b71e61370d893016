import type { DueQueue, SegmentQueue } from '../../lib/store/index.ts';
import type { EvictionRule } from './eviction-rule.ts';
import type { Policy } from './policy.ts';

/** A part of the entries that has its own budget, policy and counters. */
export class Space {
  readonly index: number;
  readonly wheel: DueQueue;
  /** Where new entries go under s3-fifo; otherwise empty, or what an earlier policy left. */
  small!: SegmentQueue<Space>;
  main!: SegmentQueue<Space>;
  policy!: Policy;
  rule: EvictionRule = { policy: 'none', volatileOnly: false };
  entries = 0;
  /** Bytes of the objects of its entries. */
  objectBytes = 0;
  /** Segments of an earlier generation may hold entries the policy does not know. */
  isConverting = false;

  constructor(index: number, wheel: DueQueue) {
    this.index = index;
    this.wheel = wheel;
  }
}
