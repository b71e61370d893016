/** In which order entries go when their space has to give up some. `none`: never. */
export type EvictionPolicy = 'lru' | 'lfu' | 'ttl' | 's3-fifo' | 'random' | 'none';

/** What a space of a store evicts. */
export interface EvictionRule {
  readonly policy: EvictionPolicy;
  /** Only entries with an expiry may go. */
  readonly volatileOnly: boolean;
}
