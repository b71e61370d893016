import type { NodeParts } from './node.ts';
import { loadAof } from './persistence/aof-load.ts';
import { AofFolder } from './persistence/aof-manifest.ts';
import { reloadAof } from './persistence/aof-reload.ts';
import { upgradeAof } from './persistence/aof-upgrade.ts';
import { Replayer } from './replication/replayer.ts';

/**
 * Loads what is on disk. False when there is nothing. Rejects with RingsideError `config_invalid` when it is
 * damaged. `skipsExpired`: leave out of a snapshot what has expired, when nobody can go on in its stream.
 */
export async function loadFiles(parts: NodeParts, how: { skipsExpired: boolean }): Promise<boolean> {
  const { services, databases, config } = parts;
  const { saves, aof } = services;
  aof.reload = () => reloadAppendOnly(parts);
  if (saves.path === null) return false;
  // What has expired goes when this node leads, and then its followers hear of it.
  databases.data.removesExpired = false;
  if (config.node.appendOnly && (await loadAppendOnly(parts, config.node.dir!))) return true;
  // A node that shall begin to append has its data in the snapshot still.
  return saves.load(saves.path, how);
}

/** Loads the append-only file; false when there is none. */
async function loadAppendOnly(parts: NodeParts, dir: string): Promise<boolean> {
  const { services, databases, config, linkLimits } = parts;
  const { saves, clock, random, log } = services;
  const { appendDirname, appendFilename, aofLoadTruncated, standalone } = config.node;
  const folder = await AofFolder.open(dir, appendDirname, appendFilename);
  await upgradeAof(folder, dir, log);
  if (folder.isEmpty) return false;
  const replayer = new Replayer(databases, services);
  await saves.whileLoading(async (onBegin) => {
    const { keys } = await loadAof(folder, {
      databases,
      replayer,
      limits: linkLimits,
      isSharded: !standalone,
      clock,
      random,
      log,
      cutsTornTail: aofLoadTruncated,
      onBegin,
    });
    saves.lastLoaded = keys;
    saves.lastExpired = 0;
  });
  return true;
}

/** Forgets everything and loads it from the append-only file, before it returns; false when that is not whole or cannot be read. */
function reloadAppendOnly({ services, databases, config, linkLimits }: NodeParts): boolean {
  const { aof, clock, log } = services;
  const { content } = aof;
  if (content === null) return false;
  try {
    reloadAof(content, {
      databases,
      replayer: new Replayer(databases, services),
      limits: linkLimits,
      isSharded: !config.node.standalone,
      nowMs: clock.wallMs(),
    });
    return true;
  } catch (error) {
    log.error({ error }, 'the dataset could not be loaded again');
    return false;
  }
}
