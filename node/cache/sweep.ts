import type { Clock } from '../../lib/base/index.ts';
import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Purge } from './purges.ts';
import type { KeySet } from './tag-index.ts';

/** How often purged keys are removed, and how long that may take each time. */
export const SWEEP_MS = 20;
const BUDGET_MS = 4;
const KEYS_PER_STEP = 64;

/** Removes what has been purged, within its time; returns whether there was anything to do. Does nothing on a follower: its leader says what goes. */
export function sweepPurges(databases: Databases, clock: Clock): boolean {
  const { data } = databases;
  if (!data.removesExpired) return false;
  let isBusy = false;
  let endMs = 0;
  for (const keyspace of databases.all()) {
    const { purges } = keyspace.marks;
    for (let purge = purges.first; purge !== undefined; purge = purges.first) {
      if (!isBusy) {
        endMs = clock.monotonicMs() + BUDGET_MS;
        data.nowMs = clock.wallMs();
      }
      isBusy = true;
      if (purge.keysByTag === null ? sweepPrefix(keyspace, purge) : sweepTags(keyspace, purge.keysByTag))
        keyspace.endPurge(purge.version);
      if (clock.monotonicMs() >= endMs) return true;
    }
  }
  return isBusy;
}

/** Returns whether all are gone. */
function sweepTags(keyspace: Keyspace, keysByTag: Map<string, KeySet>): boolean {
  let left = KEYS_PER_STEP;
  for (const keys of keysByTag.values()) {
    for (const key of keys.keys()) {
      if (left-- === 0) return false;
      // Whoever looks a purged key up removes it.
      touch(keyspace, key);
      keys.delete(key);
    }
  }
  return true;
}

function sweepPrefix(keyspace: Keyspace, purge: Purge): boolean {
  const { store } = keyspace;
  const found: string[] = [];
  purge.cursor = store.scan(purge.cursor, (slot) => {
    const key = store.keyOf(slot);
    if (key.startsWith(purge.prefix)) found.push(key);
  });
  for (const key of found) touch(keyspace, key);
  return purge.cursor === 0;
}

function touch(keyspace: Keyspace, key: string): void {
  keyspace.find(Buffer.from(key, 'latin1'), 0, key.length);
}
