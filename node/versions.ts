const LOW_RANGE = 2 ** 32;
/** Bits of the upper word below the shard epoch: the counter has 44 bits, 32 of them in the lower word. */
const COUNTER_HIGH_BITS = 12;

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

  /** Goes on at a shard epoch (below 2^20); an older one than observed changes nothing. */
  startEpoch(epoch: number): void {
    this.observe((epoch << COUNTER_HIGH_BITS) >>> 0, 0);
  }

  /** The highest version, in decimal. */
  toString(): string {
    return ((BigInt(this.high) << 32n) | BigInt(this.low)).toString();
  }
}
