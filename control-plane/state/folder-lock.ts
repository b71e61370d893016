import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RingsideError, systemRandom } from '../../lib/base/index.ts';
import { errorCode } from '../../lib/net/index.ts';

interface Owner {
  pid: number;
  /** Tells two processes with one pid apart (in a container every process is pid 1); empty where unknown. */
  started: string;
}

/** Lock files are `lock.N`; a next owner makes the next one. */
const LOCK_FILE = /^lock\.(\d{1,15})$/;
const RELEASED = '';

/**
 * Keeps a second process out of a folder by the file `lock.N` with the highest N, which names its owner. The lock of a process that
 * has ended, however it ended, is taken over.
 *
 * Numbers only grow, and a file goes only once a higher one is there: so whoever makes `lock.N+1` from an outdated view, and looks again,
 * sees a higher one, and of several who see the same stale lock only one makes the next.
 */
export class FolderLock {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Rejects with RingsideError `conflict`, naming the owner, when a live process holds the lock. */
  static async take(dir: string): Promise<FolderLock> {
    const text = JSON.stringify({ pid: process.pid, started: await startOf(process.pid) } satisfies Owner);
    const own = join(dir, `.lock.${systemRandom.hex(8)}`);
    await writeFile(own, text, { flag: 'wx' });
    try {
      for (;;) {
        const highest = await highestLock(dir);
        await refuseIfHeld(dir, highest);
        const path = lockPath(dir, highest + 1);
        if (!(await tryLink(own, path))) continue;
        if ((await highestLock(dir)) === highest + 1) {
          await rm(lockPath(dir, highest), { force: true });
          return new FolderLock(path);
        }
        await rm(path, { force: true });
      }
    } finally {
      await rm(own, { force: true });
    }
  }

  /** Gives the folder free. */
  async release(): Promise<void> {
    await writeFile(this.#path, RELEASED).catch(() => {});
  }
}

function lockPath(dir: string, number: number): string {
  return join(dir, `lock.${number}`);
}

/** The highest number there is, 0 for none. */
async function highestLock(dir: string): Promise<number> {
  const numbers = (await readdir(dir)).map((name) => Number(LOCK_FILE.exec(name)?.[1] ?? 0));
  return Math.max(0, ...numbers);
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

async function refuseIfHeld(dir: string, number: number): Promise<void> {
  const owner = parseOwner(await readFile(lockPath(dir, number), 'utf8').catch(() => RELEASED));
  if (owner !== null && (await isAlive(owner))) {
    throw new RingsideError('conflict', `the folder ${dir} is in use by process ${owner.pid}`);
  }
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
