import type { Keyspace } from './keyspace.ts';
import type { Settings } from './settings.ts';

/** Evicts until the entries are within the budget; false when they are not and nothing may be evicted. */
export function makeRoom(keyspace: Keyspace, settings: Settings): boolean {
  while (isOver(keyspace, settings)) {
    if (settings.maxMemoryPolicy === 'noeviction' || !keyspace.evictOne()) return false;
  }
  return true;
}

function isOver({ store }: Keyspace, { maxMemoryBytes }: Settings): boolean {
  return maxMemoryBytes > 0 && store.usedBytes > maxMemoryBytes;
}
