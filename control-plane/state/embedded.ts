import { createHash } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, RingsideError } from '../../lib/base/index.ts';
import { AtomicFile } from '../../lib/net/index.ts';
import { FolderLock } from './folder-lock.ts';
import type { StateStore, StoredState } from './store.ts';

const FORMAT = 1;

/**
 * Keeps the state in the file `state.json` of a folder that one process at a time may use. Each save is written
 * beside it, fsynced and renamed over it: a crash at any point leaves the old state or the new one.
 *
 * A file that is damaged all the same (checked by its sha256) is the same to Ringside as a lost one: it is set aside as
 * `state.json.damaged`, and the ring is collected from the fleet.
 */
export class EmbeddedStateStore implements StateStore {
  readonly #file: AtomicFile;
  readonly #lock: FolderLock;
  readonly #log: Logger;
  #version = 0n;

  private constructor(dir: string, lock: FolderLock, log: Logger) {
    this.#file = new AtomicFile(join(dir, 'state.json'), { mode: 0o600 });
    this.#lock = lock;
    this.#log = log;
  }

  /**
   * Opens (and makes) the folder. Rejects with RingsideError `conflict` when another process uses it, with
   * `config_invalid` when it cannot be written.
   */
  static async open(dir: string, log: Logger): Promise<EmbeddedStateStore> {
    try {
      await mkdir(dir, { recursive: true });
      return new EmbeddedStateStore(dir, await FolderLock.take(dir), log);
    } catch (error) {
      if (error instanceof RingsideError) throw error;
      const why = `the state folder ${dir} (controlPlane.dir) cannot be used: ${(error as Error).message}`;
      throw new RingsideError('config_invalid', why, { cause: error });
    }
  }

  async load(): Promise<StoredState | null> {
    const content = await this.#file.read();
    if (content === null) return null;
    const stored = decode(content);
    if (stored !== null) {
      this.#version = stored.version;
      return stored;
    }
    const aside = `${this.#file.path}.damaged`;
    await rename(this.#file.path, aside);
    this.#log.error(
      { file: this.#file.path, aside },
      'the state file is damaged; going on as with lost state',
    );
    return null;
  }

  async save(text: string, expected: bigint): Promise<bigint> {
    if (expected !== this.#version) {
      throw new RingsideError('conflict', `the state is at version ${this.#version}, not ${expected}`);
    }
    await this.#file.write(encode(text, expected + 1n));
    this.#version = expected + 1n;
    return this.#version;
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }
}

function encode(text: string, version: bigint): string {
  return `${JSON.stringify({ format: FORMAT, version: String(version), sha256: sha256(text), text })}\n`;
}

/** Null when the content is damaged; throws RingsideError when it is whole but of a later release. */
function decode(content: string): StoredState | null {
  let parsed: { format?: unknown; version?: unknown; sha256?: unknown; text?: unknown };
  try {
    parsed = JSON.parse(content);
  } catch {
    return null;
  }
  if (typeof parsed?.format === 'number' && parsed.format > FORMAT) {
    const message = `state.json is of format ${parsed.format}, made by a later release; this one reads up to ${FORMAT}`;
    throw new RingsideError('config_invalid', message);
  }
  const { version, text } = parsed ?? {};
  if (typeof text !== 'string' || typeof version !== 'string' || !/^\d{1,20}$/.test(version)) return null;
  return parsed.sha256 === sha256(text) ? { text, version: BigInt(version) } : null;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
