import type { Databases } from '../../databases.ts';
import type { Keyspace } from '../../keyspace.ts';
import { dumpEntry, restoreEntry } from '../../values/serialize.ts';

/** Turns every value into bytes and makes the entry anew from them, with all that it has beside the value. Nothing changes by it. */
export function reloadAll(databases: Databases): void {
  for (const keyspace of databases.all()) {
    for (const key of keysOf(keyspace)) reload(keyspace, Buffer.from(key, 'latin1'));
  }
}

function keysOf({ store }: Keyspace): Set<string> {
  const keys = new Set<string>();
  let cursor = 0;
  do {
    cursor = store.scan(cursor, (slot) => {
      keys.add(store.keyOf(slot));
    });
  } while (cursor !== 0);
  return keys;
}

function reload(keyspace: Keyspace, key: Buffer): void {
  const { store } = keyspace;
  const find = () => store.find(key, 0, key.length);
  const slot = find();
  const payload = dumpEntry(keyspace, slot, { compresses: true });
  const expiresAt = store.expiresAt(slot);
  const high = store.versionHigh(slot);
  const low = store.versionLow(slot);
  const clientFlags = store.clientFlags(slot);
  const softExpiresAt = store.softExpiresAt(slot);
  const hasTags = store.hasTags(slot);
  store.remove(slot);
  restoreEntry(keyspace, key, 0, key.length, payload);
  store.setExpiry(find(), expiresAt);
  if (clientFlags !== 0) store.setClientFlags(find(), clientFlags);
  if (softExpiresAt !== 0) store.setSoftExpiry(find(), softExpiresAt);
  if (hasTags) store.setHasTags(find(), true);
  store.setVersion(find(), high, low);
}
