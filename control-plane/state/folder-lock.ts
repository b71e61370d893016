import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RingsideError, systemRandom } from '../../lib/base/index.ts';
import { errorCode } from '../../lib/net/index.ts';

interface Owner {
  pid: number;
  /** Tells two processes with one pid apart (in a container every process is pid 1); empty where unknown. */
  started: string;
}

/**
 * Keeps a second process out of a folder by the file `lock`, which names its owner. The lock of a process that
 * has ended, however it ended, is taken over.
 */
export class FolderLock {
  readonly #path: string;
  readonly #text: string;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /** Rejects with RingsideError `conflict`, naming the owner, when a live process holds the lock. */
  static async take(dir: string): Promise<FolderLock> {
    const path = join(dir, 'lock');
    const text = JSON.stringify({ pid: process.pid, started: await startOf(process.pid) } satisfies Owner);
    const own = join(dir, `.lock.${systemRandom.hex(8)}`);
    await writeFile(own, text, { flag: 'wx' });
    try {
      while (!(await tryLink(own, path))) await removeStale(dir, path);
    } finally {
      await rm(own, { force: true });
    }
    return new FolderLock(path, text);
  }

  /** Gives the folder free. */
  async release(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    if (text === this.#text) await rm(this.#path, { force: true });
  }
}

/** A link appears whole or not at all, and never over another: of two processes one wins. */
async function tryLink(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function removeStale(dir: string, path: string): Promise<void> {
  const seen = await readFile(path, 'utf8').catch(() => null);
  if (seen === null) return;
  const owner = parseOwner(seen);
  if (owner !== null && (await isAlive(owner))) {
    throw new RingsideError('conflict', `the folder ${dir} is in use by process ${owner.pid}`);
  }
  // Moved away under a name of our own, so that of two who saw the stale lock only one removes it, and
  // put back if it was no longer the one seen.
  const aside = join(dir, `.lock.${systemRandom.hex(8)}`);
  await rename(path, aside).catch(() => {});
  const moved = await readFile(aside, 'utf8').catch(() => seen);
  if (moved !== seen) await tryLink(aside, path);
  await rm(aside, { force: true });
}

function parseOwner(text: string): Owner | null {
  try {
    const owner = JSON.parse(text) as Owner;
    return Number.isInteger(owner.pid) && owner.pid > 0 ? owner : null;
  } catch {
    return null;
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false;
  }
  const started = await startOf(owner.pid);
  return started === '' || owner.started === '' || started === owner.started;
}

/** Boot and start time of a process as Linux tells them (proc(5): field 22 of stat); empty elsewhere. */
async function startOf(pid: number): Promise<string> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${boot.trim()} ${fields[19]}`;
  } catch {
    return '';
  }
}
