import { closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemRandom } from '../base/index.ts';

/** What is written is handed to the disk in stretches, so that the last sync has little left to do. */
const SYNC_BYTES = 16 << 20;

function prefixOf(path: string): string {
  return `.${basename(path)}.tmp-`;
}

function temporaryOf(path: string): string {
  return join(dirname(path), `${prefixOf(path)}${systemRandom.hex(8)}`);
}

/**
 * A large file that takes another one's place once it is whole: after a crash at any point the path holds the old file or the new one. Written
 * beside it, fsynced, renamed over it, and then the folder is fsynced. All methods reject with the platform's error.
 */
export class FileReplacement {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  #unsynced = 0;
  /** Bytes written. */
  length = 0;

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.#path = path;
    this.#temporary = temporary;
    this.#file = file;
  }

  /** Begins a file that is to stand at `path`. */
  static async create(path: string): Promise<FileReplacement> {
    const temporary = temporaryOf(path);
    return new FileReplacement(path, temporary, await open(temporary, 'wx', 0o644));
  }

  /** Removes what replacements of this file left behind that were killed. Nobody else may be writing one. */
  static async removeLeftovers(path: string): Promise<void> {
    const folder = dirname(path);
    const names = await readdir(folder).catch(() => []);
    const leftovers = names.filter((name) => name.startsWith(prefixOf(path)));
    await Promise.all(leftovers.map((name) => rm(join(folder, name), { force: true })));
  }

  /** Appends all of the bytes. */
  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at)).bytesWritten;
    this.length += bytes.length;
    this.#unsynced += bytes.length;
    if (this.#unsynced < SYNC_BYTES) return;
    this.#unsynced = 0;
    await this.#file.datasync();
  }

  /** Puts the file in its place for good. */
  async commit(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    await rename(this.#temporary, this.#path);
    const folder = await open(dirname(this.#path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  /** Gives it up. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#temporary, { force: true });
  }
}

/** As a FileReplacement of the parts that `next` gives until null, done before it returns. Throws the platform's error, and then the old file stays. */
export function replaceFileSync(path: string, next: () => Buffer | null): void {
  const temporary = temporaryOf(path);
  const file = openSync(temporary, 'wx', 0o644);
  try {
    try {
      for (let part = next(); part !== null; part = next()) {
        for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  const folder = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
