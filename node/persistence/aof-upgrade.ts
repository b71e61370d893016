import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, RingsideError } from '../../lib/base/index.ts';
import type { AofFile, AofFolder } from './aof-manifest.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * Makes an append-only file of one part, as redis-server wrote it before 7.0 and beside the folder, the base of the folder. Does so again
 * where a crash has come in between. Rejects with RingsideError `config_invalid` when that fails; the file is in one place or the other.
 */
export async function upgradeAof(folder: AofFolder, dir: string, log: Logger): Promise<void> {
  const former = join(dir, folder.filename);
  const base: AofFile = { name: folder.filename, seq: 1 };
  if (!(await isFile(former)) || !(await isDue(folder, base))) return;
  try {
    await folder.create();
    await folder.save({ base, histories: [], incrs: [] });
    await rename(former, folder.pathOf(base));
    await syncFolder(folder.path);
    await syncFolder(dir);
  } catch (error) {
    const text = `${former} cannot be moved to ${folder.path}: ${error}`;
    throw new RingsideError('config_invalid', text, { cause: error });
  }
  log.info(
    { path: folder.path, file: former },
    'an append-only file of one part is the base of the folder now',
  );
}

/** Whether the folder has nothing, or has been told of the file and not got it. */
async function isDue(folder: AofFolder, { name }: AofFile): Promise<boolean> {
  if (folder.isEmpty) return true;
  const { base, incrs } = folder.manifest;
  return base?.name === name && incrs.length === 0 && !(await isFile(folder.pathOf(base)));
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
