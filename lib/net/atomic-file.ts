import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemRandom } from '../base/index.ts';
import { errorCode } from './node-error.ts';

/**
 * A small text file that is always whole: after a crash at any point it holds the old text or the new one.
 *
 * Each write goes to a temporary file beside it that is fsynced and renamed over it, and then the folder is fsynced. Writes are
 * done one after the other in the order of the calls. One process at a time may own the file.
 */
export class AtomicFile {
  readonly path: string;
  readonly #mode: number;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(path: string, { mode = 0o644 }: { mode?: number } = {}) {
    this.path = path;
    this.#mode = mode;
  }

  /** The text; null when there is no file. Removes what writes that crashed left behind. */
  read(): Promise<string | null> {
    return this.#enqueue(async () => {
      await this.#removeLeftovers();
      return readFile(this.path, 'utf8').catch((error: unknown) => {
        if (errorCode(error) === 'ENOENT') return null;
        throw error;
      });
    });
  }

  /** Resolves once `text` is on disk for good; creates missing folders. Rejects with the platform's error, and then the old text stays. */
  write(text: string): Promise<void> {
    return this.#enqueue(() => this.#write(text));
  }

  #enqueue<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(action);
    this.#tail = result.catch(() => {});
    return result;
  }

  async #write(text: string): Promise<void> {
    const folder = dirname(this.path);
    await mkdir(folder, { recursive: true });
    const temporary = join(folder, `${this.#prefix}${systemRandom.hex(8)}`);
    try {
      await writeDurably(temporary, text, this.#mode);
      await rename(temporary, this.path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(folder);
  }

  async #removeLeftovers(): Promise<void> {
    const folder = dirname(this.path);
    const names = await readdir(folder).catch(() => []);
    const leftovers = names.filter((name) => name.startsWith(this.#prefix));
    await Promise.all(leftovers.map((name) => rm(join(folder, name), { force: true })));
  }

  get #prefix(): string {
    return `.${basename(this.path)}.tmp-`;
  }
}

async function writeDurably(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(text, 'utf8');
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a rename inside `folder` survive a crash of the host. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
