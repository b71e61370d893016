import type { Keyspace } from './keyspace.ts';
import type { Settings } from './settings.ts';

/**
 * Evicts until the entries are within the budget; false when they are not and nothing may be evicted.
 *
 * The JavaScript heap has a limit of its own, at which the process would end, so what lies in it has a budget too.
 */
export function makeRoom(keyspace: Keyspace, settings: Settings): boolean {
  while (isOver(keyspace, settings)) {
    if (settings.maxMemoryPolicy === 'noeviction' || !keyspace.evictOne()) return false;
  }
  return true;
}

function isOver({ store }: Keyspace, { maxMemoryBytes, maxHeapBytes }: Settings): boolean {
  return store.heapBytes > maxHeapBytes || (maxMemoryBytes > 0 && store.usedBytes > maxMemoryBytes);
}
