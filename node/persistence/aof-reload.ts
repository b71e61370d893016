import { closeSync, openSync, readSync } from 'node:fs';
import { StreamError } from '../replication/stream-applier.ts';
import type { AofContent } from './aof.ts';
import { AofPart } from './aof-part.ts';
import type { ReplayOptions } from './aof-replay.ts';

const SLICE_BYTES = 1 << 20;

/**
 * Forgets everything and loads what an append-only file holds while it is written, before it returns. The node's stream and versions stay
 * where they are, and followers hear nothing. Throws where something is not sound, and then a part of the data is there.
 */
export function reloadAof({ paths, growing, unwritten }: AofContent, options: ReplayOptions): void {
  const { databases } = options;
  const { data } = databases;
  const { dirty, removesExpired, versions } = data;
  const { high: lastHigh, low: lastLow } = versions;
  const { position } = data.log;
  const { database, high, low, isVersionKnown, saysVersions } = position;
  let areOurs = true;
  databases.reset();
  data.removesExpired = false;
  try {
    for (const path of paths) {
      const part = new AofPart({ ...options, isReload: true });
      readInto(part, path, path === growing.path ? growing.bytes : Number.POSITIVE_INFINITY);
      if (path === paths.at(-1)) for (const bytes of unwritten) part.push(bytes);
      part.end();
      if (part.gaveVersions) areOurs = false;
      if (!part.replay.isWhole) throw new StreamError(`${path} ends in the middle of a command`);
    }
    // Every version that has been loaded is one that was handed out before; those of the loading itself are nobody's.
    if (areOurs) versions.forget();
    versions.observe(lastHigh, lastLow);
  } finally {
    data.removesExpired = removesExpired;
    data.dirty = dirty;
    position.moveTo(high, low);
    if (!isVersionKnown) position.announce();
    position.database = database;
    position.saysVersions = saysVersions;
  }
}

function readInto(part: AofPart, path: string, bytes: number): void {
  const file = openSync(path, 'r');
  const slice = Buffer.allocUnsafeSlow(SLICE_BYTES);
  try {
    for (let at = 0; at < bytes; ) {
      const read = readSync(file, slice, 0, Math.min(SLICE_BYTES, bytes - at), at);
      if (read === 0) return;
      part.push(slice.subarray(0, read));
      at += read;
    }
  } finally {
    closeSync(file);
  }
}
