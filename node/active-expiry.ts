import type { Clock } from '../lib/base/index.ts';
import type { Keyspace } from './keyspace.ts';

/** How often a cycle runs, and how long it may take: at most a quarter of the time, as Redis's. */
export const EXPIRY_CYCLE_MS = 20;
const BUDGET_MS = 5;
/** Entries that are removed, or moved to win memory back, between two looks at the clock. */
const STEP = 64;

/**
 * Removes expired entries nobody asks for, so that they do not keep memory, and gives back what lies idle in the store; within its time.
 * Returns how many it removed.
 */
export function runExpiryCycle(keyspace: Keyspace, clock: Clock): number {
  const endMs = clock.monotonicMs() + BUDGET_MS;
  keyspace.data.nowMs = clock.wallMs();
  keyspace.store.nowSeconds = Math.floor(clock.monotonicMs() / 1000);
  let removed = 0;
  for (;;) {
    const { store } = keyspace;
    const expired = keyspace.expireSome(STEP);
    removed += expired;
    const isMoving = store.maintain(STEP);
    const isSearching = keyspace.data.removesExpired && store.isSearchingExpired;
    const isDone = expired < STEP && !isMoving && !isSearching;
    if (isDone || clock.monotonicMs() >= endMs) return removed;
  }
}
