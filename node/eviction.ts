import type { EvictionRule } from './store/index.ts';

/**
 * What is evicted when the memory budget is used up: Redis's names in its order, and `allkeys-s3-fifo`, which Redis does not have.
 * `allkeys` may evict any key, `volatile` only keys with an expiry.
 */
export const evictionPolicies = [
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'noeviction',
  'allkeys-s3-fifo',
] as const;
export type MemoryPolicy = (typeof evictionPolicies)[number];

const rules: Readonly<Record<MemoryPolicy, EvictionRule>> = {
  'volatile-lru': { policy: 'lru', volatileOnly: true },
  'volatile-lfu': { policy: 'lfu', volatileOnly: true },
  'volatile-random': { policy: 'random', volatileOnly: true },
  'volatile-ttl': { policy: 'ttl', volatileOnly: true },
  'allkeys-lru': { policy: 'lru', volatileOnly: false },
  'allkeys-lfu': { policy: 'lfu', volatileOnly: false },
  'allkeys-random': { policy: 'random', volatileOnly: false },
  noeviction: { policy: 'none', volatileOnly: false },
  'allkeys-s3-fifo': { policy: 's3-fifo', volatileOnly: false },
};

/** What a policy of `maxmemory-policy` means for a store. */
export function evictionRule(policy: MemoryPolicy): EvictionRule {
  return rules[policy];
}

/** What a namespace evicts when its own budget is used up; `ttl`: what expires next, and nothing that never expires. */
export type NamespacePolicy = 'lru' | 'lfu' | 'ttl' | 's3-fifo' | 'noeviction';

/** What a policy of a namespace means for its space. */
export function namespaceRule(policy: NamespacePolicy): EvictionRule {
  if (policy === 'noeviction') return rules.noeviction;
  return { policy, volatileOnly: policy === 'ttl' };
}
