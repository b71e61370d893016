import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How the mount namespace is made and entered: as root, or as anybody where the kernel lets them. */
const ways = [
  { make: ['unshare', '--mount'], enter: ['nsenter', '--mount'] },
  {
    make: ['unshare', '--map-root-user', '--mount'],
    enter: ['nsenter', '--user', '--preserve-credentials', '--mount'],
  },
] as const;

/** A small tmpfs that only the processes started through `wrapper` see; gone with `close`. */
export class SmallDisk {
  /** Path of the folder in there. */
  readonly dir: string;
  /** What goes before a command, so that it runs in there. */
  readonly wrapper: readonly string[];
  readonly #keeper: ChildProcess;

  private constructor(dir: string, keeper: ChildProcess, enter: readonly string[]) {
    this.dir = dir;
    this.#keeper = keeper;
    this.wrapper = [...enter, '--target', `${keeper.pid}`, '--'];
  }

  /** Whether mounting is allowed here. */
  static async isPossible(): Promise<boolean> {
    const disk = await SmallDisk.create('64k').catch(() => null);
    await disk?.close();
    return disk !== null;
  }

  /** Rejects where mounting is not allowed. */
  static async create(size: string): Promise<SmallDisk> {
    const dir = mkdtempSync(join(tmpdir(), 'ringside-disk-'));
    for (const { make, enter } of ways) {
      const script = `mount -t tmpfs -o size=${size} none ${dir} && echo mounted && exec sleep infinity`;
      const [program, ...args] = [...make, 'sh', '-c', script];
      const keeper = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      const kill = () => void keeper.kill('SIGKILL');
      process.once('exit', kill);
      const isMounted = await Promise.race([
        once(keeper.stdout!, 'data').then(() => true),
        once(keeper, 'error').then(() => false),
        once(keeper, 'close').then(() => false),
      ]).catch(() => false);
      if (isMounted) return new SmallDisk(dir, keeper, enter);
      process.off('exit', kill);
    }
    rmSync(dir, { recursive: true });
    throw new Error('no tmpfs can be mounted');
  }

  /** Where a file of the disk is to be found from outside. */
  pathOf(name: string): string {
    return join(`/proc/${this.#keeper.pid}/root`, this.dir, name);
  }

  /** Takes so many bytes, until `free`. */
  occupy(bytes: number): void {
    writeFileSync(this.pathOf('ballast'), Buffer.alloc(bytes, 1));
  }

  /** Bytes that have room. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.pathOf(''));
    return bavail * bsize;
  }

  free(): void {
    rmSync(this.pathOf('ballast'));
  }

  async close(): Promise<void> {
    const ended = once(this.#keeper, 'close');
    this.#keeper.kill('SIGKILL');
    await ended;
    rmSync(this.dir, { recursive: true });
  }
}
