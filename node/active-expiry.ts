import type { Clock } from '../lib/base/index.ts';
import type { Keyspace } from './keyspace.ts';

/** How often a cycle runs, and how long it may take: at most 5 % of the time. */
export const EXPIRY_CYCLE_MS = 100;
const BUDGET_MS = 5;
const SAMPLES = 100;
/** While more than this part of a sample had expired, the cycle goes on. */
const WORTHWHILE_FRACTION = 0.1;

/**
 * Removes expired entries nobody asks for, so that they do not keep memory: looks at entries with an expiry round robin, and goes on
 * as long as that finds many, within its time. Returns how many it removed.
 */
export function runExpiryCycle(keyspace: Keyspace, clock: Clock): number {
  const endMs = clock.monotonicMs() + BUDGET_MS;
  keyspace.data.nowMs = clock.wallMs();
  let removed = 0;
  for (;;) {
    const samples = Math.min(SAMPLES, keyspace.store.expiringCount);
    const expired = keyspace.expireSome(samples);
    removed += expired;
    if (expired <= samples * WORTHWHILE_FRACTION || clock.monotonicMs() >= endMs) return removed;
  }
}
