/** How much of the expected size each new reply that is smaller makes up; a larger one is believed at once. */
const WEIGHT = 0.2;
/** Expected of a key before anything is known. */
const FIRST_BYTES_PER_KEY = 128;

/** What one command may ask one shard for at once. */
export interface FanOutOptions {
  /** Bytes of replies expected from one shard at once. */
  readonly maxBytes: number;
  /** Keys asked of one shard at once. */
  readonly maxKeys: number;
}

/** At least so many keys are asked for at once, however large their values are. */
const MINIMUM_KEYS = 64;

/**
 * How wide a read of many keys fans out: each shard is asked for so many keys that its reply is expected to have `maxBytes`, and for the next
 * ones when those have come. The replies that all shards send at the same moment then stay within shards x `maxBytes`, which the
 * buffers on their way can hold (incast). Sizes are expected to be what they were lately.
 *
 * Source: the sliding window of R. Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013, section 3.1.
 */
export class FanOutWindow {
  readonly #options: FanOutOptions;
  readonly #bytesPerKey = new Map<string, number>();

  constructor(options: FanOutOptions) {
    this.#options = options;
  }

  /** Keys to ask this shard for at once, at least 64. */
  keysFor(shard: string): number {
    const { maxBytes, maxKeys } = this.#options;
    const expected = this.#bytesPerKey.get(shard) ?? FIRST_BYTES_PER_KEY;
    return Math.max(MINIMUM_KEYS, Math.min(maxKeys, Math.floor(maxBytes / expected)));
  }

  /** A shard answered `keys` keys with so many bytes. */
  answered(shard: string, keys: number, bytes: number): void {
    if (keys === 0) return;
    const before = this.#bytesPerKey.get(shard) ?? FIRST_BYTES_PER_KEY;
    const now = bytes / keys;
    this.#bytesPerKey.set(shard, Math.max(1, now, before + WEIGHT * (now - before)));
  }

  /** Forgets shards that are not among these. */
  keep(shards: ReadonlySet<string>): void {
    for (const shard of this.#bytesPerKey.keys()) if (!shards.has(shard)) this.#bytesPerKey.delete(shard);
  }
}
