import type { Clock } from '../lib/base/index.ts';
import { pieceMemory } from '../lib/store/index.ts';
import type { Keyspace } from './keyspace.ts';

/** How often a slice runs, and how long it may take: at most a quarter of the time, as Redis's, and no pause worth the name. */
export const EXPIRY_CYCLE_MS = 8;
const BUDGET_MS = 2;
/** Entries that are removed, or moved to win memory back, between two looks at the clock. */
const STEP = 64;

/**
 * Removes expired entries nobody asks for, so that they do not keep memory, and gives back what lies idle in the store; until `endMs`.
 * Returns how many it removed.
 */
export function runExpiryCycle(
  keyspace: Keyspace,
  clock: Clock,
  endMs = clock.monotonicMs() + BUDGET_MS,
): number {
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

/** Gives each database its turn, however much there is to do in another. */
export class ActiveExpiry {
  #next = 0;

  /** One slice, for all databases together, to be run every `EXPIRY_CYCLE_MS`. Returns how many entries went. */
  run(keyspaces: readonly Keyspace[], clock: Clock): number {
    pieceMemory.tend();
    const endMs = clock.monotonicMs() + BUDGET_MS;
    let removed = 0;
    for (let i = 0; i < keyspaces.length; i++) {
      const at = this.#next++ % keyspaces.length;
      removed += runExpiryCycle(keyspaces[at], clock, endMs);
      if (clock.monotonicMs() >= endMs) break;
    }
    return removed;
  }
}
