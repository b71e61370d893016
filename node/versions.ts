const LOW_RANGE = 2 ** 32;
/** Bits of the upper word below the shard epoch: the counter has 44 bits, 32 of them in the lower word. */
const COUNTER_HIGH_BITS = 12;
/** How versions go with the time: so many a millisecond, and so many milliseconds for each step of the upper word. */
const VERSIONS_PER_MS = 2 ** 22;
const TIME_HIGH_MS = LOW_RANGE / VERSIONS_PER_MS;

/**
 * Hands out versions of values: u64, the shard epoch in the upper 20 bits, a counter in the lower 44. Each is higher than all that were
 * handed out or observed before. Kept as two unsigned words, since the hot path must not allocate.
 */
export class VersionClock {
  high = 0;
  low = 0;

  /** Moves to the next version. */
  next(): void {
    this.low++;
    if (this.low < LOW_RANGE) return;
    this.low = 0;
    this.high++;
  }

  /** Goes on above a version that somebody else handed out. */
  observe(high: number, low: number): void {
    if (high < this.high || (high === this.high && low <= this.low)) return;
    this.high = high;
    this.low = low;
  }

  /** Begins anew: the data set of somebody else comes, with versions of its own, and what was here is gone. */
  forget(): void {
    this.high = 0;
    this.low = 0;
  }

  /**
   * Goes on at a new shard epoch (below 2^20). Above it already, since the data set comes from a node without shard epochs, it leaves a gap for
   * what the epoch's former leader may have handed out that nobody here has heard of.
   */
  startEpoch(epoch: number): void {
    const high = (epoch << COUNTER_HIGH_BITS) >>> 0;
    if (high > this.high) this.observe(high, 0);
    else this.observe(this.high + 1, 0);
  }

  /**
   * Goes on where no earlier process of a node without shard epochs can have been, by the wall clock (milliseconds): 2^22 versions for each
   * millisecond that there has been, far more than can be written in one. Good until the year 2109, and as long as the clock is not set
   * back by more than the node was down.
   */
  startAtTime(wallMs: number): void {
    this.observe(Math.floor(wallMs / TIME_HIGH_MS) >>> 0, ((wallMs % TIME_HIGH_MS) * VERSIONS_PER_MS) >>> 0);
  }

  /** The highest version, in decimal. */
  toString(): string {
    return ((BigInt(this.high) << 32n) | BigInt(this.low)).toString();
  }
}
