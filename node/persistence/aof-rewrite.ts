import { rm } from 'node:fs/promises';
import type { Clock } from '../../lib/base/index.ts';
import type { Databases } from '../databases.ts';
import type { Settings } from '../settings.ts';
import { REDIS_VERSION } from '../version.ts';
import { annotationOf } from './aof-annotation.ts';
import type { AofFiles } from './aof-files.ts';
import type { AofWriter } from './aof-writer.ts';
import { writeRdbFile } from './rdb-file.ts';
import { SnapshotWriter } from './snapshot.ts';

/** What a rewrite works on. */
export interface AofRewriteParts {
  readonly databases: Databases;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly files: AofFiles;
  /** Where the stream goes from the rewrite on; null: nowhere. */
  readonly writer: AofWriter | null;
  /** The former parts and the stream behind them are a whole data set: both count until the new base is there. */
  readonly isContinued: boolean;
}

/**
 * Puts a snapshot in the place of the parts of an append-only file, while the stream from that very moment on goes into a new part. No fork, and
 * no pause.
 */
export class AofRewrite {
  readonly #parts: AofRewriteParts;
  #isCancelled = false;
  /** The base that is being written. */
  snapshot: SnapshotWriter | null = null;

  constructor(parts: AofRewriteParts) {
    this.#parts = parts;
  }

  /** Resolves when everything is in its place; false when it was cancelled. Rejects with the platform's error, and then the former parts count. */
  async run(): Promise<boolean> {
    // A data set that was cleared is another one: its snapshot begins anew.
    while (!this.#isCancelled) if (await this.#attempt()) return true;
    return false;
  }

  /** Ends it; the former parts count. */
  cancel(): void {
    this.#isCancelled = true;
    this.snapshot?.close();
  }

  async #attempt(): Promise<boolean> {
    const { databases, settings, clock, files, writer } = this.#parts;
    const part = writer === null ? null : files.nextPart();
    let changed: Promise<void> = Promise.resolve();
    if (part !== null) {
      const head = this.#head();
      const { isContinued: isListed } = this.#parts;
      changed = writer!.cut(() => files.create(part, head, { isListed }));
      changed.catch(() => {});
    }
    const snapshot = new SnapshotWriter(databases, {
      redisVersion: REDIS_VERSION,
      wallMs: clock.wallMs(),
      compresses: settings.compressesSnapshots,
    });
    this.snapshot = snapshot;
    try {
      const isWritten = await writeRdbFile(files.nextBasePath, snapshot);
      await changed;
      if (isWritten && this.#isCancelled) await rm(files.nextBasePath, { force: true });
      if (!isWritten || this.#isCancelled) return false;
      await files.replaceBase(part);
      return true;
    } finally {
      this.snapshot = null;
      await changed.catch(() => {});
    }
  }

  /** What stands before the stream in a new part: for Redis the database that it is in, for nodes where it is. */
  #head(): Buffer {
    const { log } = this.#parts.databases.data;
    const database = String(Math.max(0, log.position.database));
    const select = `*2\r\n$6\r\nSELECT\r\n$${database.length}\r\n${database}\r\n`;
    return Buffer.from(select + annotationOf(log));
  }
}
