import type { SegmentQueue } from '../../lib/store/index.ts';
import type { Space } from './space.ts';

/**
 * Decides which entry of a space goes next. A policy that tracks entries by links has them in the `LINKS` block of each entry it
 * knows: all, or only those with an expiry.
 */
export interface Policy {
  /** Which entries have links: none, all, or those with an expiry. */
  readonly links: 'none' | 'all' | 'volatile';
  /** The queue for a new entry. */
  queueFor(hash: number): SegmentQueue<Space>;
  /** An entry that it is to know, with an unlinked block; `isOld` when it is older than all it knows. */
  added(ref: number, isOld: boolean): void;
  /** The entry, which is located, has been used. */
  touched(ref: number): void;
  /** An entry it knows goes, or loses its block. */
  removed(ref: number): void;
  moved(from: number, to: number): void;
  /** The entry to go next, or 0. May move entries: all slots become invalid. */
  victim(): number;
  /**
   * Entries will have to go before long: makes some of what that takes ready. To be called now and then while the entries
   * take `used` of their budget, below 1.
   */
  prepare(used: number): void;
  /** Forgets all entries. */
  clear(): void;
  /** Bytes it has taken beside the entries. */
  readonly reservedBytes: number;
}

/** What policies without links have in common. */
export abstract class PlainPolicy implements Policy {
  readonly links = 'none';
  protected readonly space: Space;

  constructor(space: Space) {
    this.space = space;
  }

  get reservedBytes(): number {
    return 0;
  }

  abstract victim(): number;

  queueFor(_hash: number): SegmentQueue<Space> {
    return this.space.main;
  }

  added(_ref: number, _isOld: boolean): void {}
  touched(_ref: number): void {}
  removed(_ref: number): void {}
  moved(_from: number, _to: number): void {}
  prepare(_used: number): void {}
  clear(): void {}
}

/** Nothing goes. */
export class NoEviction extends PlainPolicy {
  victim(): number {
    return 0;
  }
}

/** What is due next goes first; what is never due stays. */
export class NearestExpiry extends PlainPolicy {
  victim(): number {
    return this.space.wheel.nearest();
  }
}
