import type { Databases } from './databases.ts';
import type { Keyspace } from './keyspace.ts';
import type { Settings } from './settings.ts';

/** Evicts until the entries are within the budget; false when they are not and nothing may be evicted. */
export function makeRoom(databases: Databases, settings: Settings): boolean {
  while (isOver(databases, settings)) {
    if (settings.maxMemoryPolicy === 'noeviction' || !largest(databases)?.evictOne()) return false;
  }
  return true;
}

function isOver(databases: Databases, { maxMemoryBytes }: Settings): boolean {
  return maxMemoryBytes > 0 && databases.usedBytes > maxMemoryBytes;
}

/** The database that takes most. */
function largest(databases: Databases): Keyspace | undefined {
  let found: Keyspace | undefined;
  for (const keyspace of databases.all()) {
    if (!found || keyspace.store.usedBytes > found.store.usedBytes) found = keyspace;
  }
  return found;
}
