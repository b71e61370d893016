import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Logger } from '../../lib/base/index.ts';
import { FileReplacement, replaceFileSync } from '../../lib/net/index.ts';
import type { ShardState } from '../cluster/shard-state.ts';
import type { Databases } from '../databases.ts';
import type { Settings } from '../settings.ts';
import { REDIS_VERSION } from '../version.ts';
import { SnapshotLoader } from './load.ts';
import { type LoadProgress, loadRdbFile, WRITE_SLICE_BYTES, writeRdbFile } from './rdb-file.ts';
import { type SnapshotFacts, SnapshotWriter } from './snapshot.ts';

/** After a save that failed, this long until save points count again. */
const RETRY_MS = 5000;

/** What writes are answered while snapshots fail. */
export const SAVE_FAILED =
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set " +
  'are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error ' +
  'option). Please check the Redis logs for details about the RDB error.';

/** What saves work on. */
export interface SavesParts {
  readonly databases: Databases;
  readonly settings: Settings;
  readonly shard: Pick<ShardState, 'complete'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The RDB file of a node: when it is written, how that went, and how it is loaded. */
export class Saves {
  readonly #parts: SavesParts;
  /** Changes of data up to the last save. */
  #savedDirty = 0;
  #lastTryMs = Number.NEGATIVE_INFINITY;
  #current: SnapshotWriter | null = null;
  #running: Promise<void> = Promise.resolve();
  #startedMs = 0;
  /** One is to begin as soon as may be. */
  isScheduled = false;
  /** When the file was last written, or the node started: unix milliseconds. */
  lastSaveMs: number;
  lastFailed = false;
  /** Seconds the last one in the background took; -1 before. */
  lastSeconds = -1;
  /** Saves begun. */
  count = 0;
  /** While the file is being loaded. */
  loading: LoadProgress | null = null;
  /** What the last file brought, and what of it had expired. */
  lastLoaded = 0;
  lastExpired = 0;

  constructor(parts: SavesParts) {
    this.#parts = parts;
    this.lastSaveMs = parts.clock.wallMs();
  }

  /** Where the file is; null when the node has no folder. */
  get path(): string | null {
    const { settings } = this.#parts;
    const dir = settings.fixed.get('dir') ?? '';
    return dir === '' ? null : join(dir, settings.fixed.get('dbfilename') ?? 'dump.rdb');
  }

  /** Whether there is a whole data set to save: neither while a file is loaded, nor while a leader's comes in. */
  get hasData(): boolean {
    return this.loading === null && this.#parts.shard.complete;
  }

  /** Whether a file is left when the node ends. */
  get savesAtEnd(): boolean {
    const isWanted = this.#parts.settings.savePoints.length > 0 && !this.isSettled;
    return isWanted && this.hasData && this.path !== null;
  }

  /** The snapshot that is being written in the background. */
  get current(): SnapshotWriter | null {
    return this.#current;
  }

  /** Seconds that it has taken so far; -1 when there is none. */
  get currentSeconds(): number {
    return this.#current === null ? -1 : this.#secondsSince(this.#startedMs);
  }

  #secondsSince(ms: number): number {
    return Math.floor((this.#parts.clock.monotonicMs() - ms) / 1000);
  }

  /** Changes since the last save. */
  get changes(): number {
    return this.#parts.databases.data.dirty - this.#savedDirty;
  }

  /** Whether writes are refused since what they do could not be saved. */
  get refusesWrites(): boolean {
    const { stopWritesOnSaveError, savePoints } = this.#parts.settings;
    return this.lastFailed && stopWritesOnSaveError && savePoints.length > 0;
  }

  #snapshot(): SnapshotWriter {
    const { databases, settings, clock } = this.#parts;
    const facts: SnapshotFacts = {
      redisVersion: REDIS_VERSION,
      wallMs: clock.wallMs(),
      compresses: settings.compressesSnapshots,
    };
    return new SnapshotWriter(databases, facts);
  }

  /** Writes the file before it returns; nobody is served meanwhile. False when that failed, and then the old file stays. */
  saveNow(path: string): boolean {
    const { databases, log } = this.#parts;
    this.count++;
    const snapshot = this.#snapshot();
    try {
      replaceFileSync(path, () => snapshot.next(WRITE_SLICE_BYTES));
      this.#succeeded(databases.data.dirty);
      return true;
    } catch (error) {
      log.error({ error, path }, 'the snapshot could not be written');
      return false;
    } finally {
      snapshot.close();
    }
  }

  #succeeded(dirty: number): void {
    this.#savedDirty = dirty;
    this.lastSaveMs = this.#parts.clock.wallMs();
    this.lastFailed = false;
  }

  /** Begins to write the file in the background; none may be under way. */
  begin(path: string): void {
    this.isScheduled = false;
    this.count++;
    this.#startedMs = this.#parts.clock.monotonicMs();
    this.#lastTryMs = this.#startedMs;
    this.#current = this.#snapshot();
    this.#running = this.#run(path);
  }

  async #run(path: string): Promise<void> {
    const { databases, log } = this.#parts;
    let { dirty } = databases.data;
    try {
      // A data set that was cleared is another one: its snapshot begins anew, later when a leader's takes its place.
      let isWhole = await writeRdbFile(path, this.#current!);
      while (!isWhole && !this.#isClosed && this.hasData) {
        dirty = databases.data.dirty;
        this.#current = this.#snapshot();
        isWhole = await writeRdbFile(path, this.#current);
      }
      if (isWhole) this.#succeeded(dirty);
      else this.isScheduled = true;
    } catch (error) {
      this.lastFailed = true;
      log.error({ error, path }, 'the snapshot could not be written');
    }
    this.lastSeconds = this.#secondsSince(this.#startedMs);
    this.#current = null;
  }

  /** Puts everything into a snapshot and loads it again, or loads what is there, before it returns; false when that failed. */
  reload({ saves, flushes, merges }: { saves: boolean; flushes: boolean; merges: boolean }): boolean {
    const { databases, clock, log } = this.#parts;
    const { path } = this;
    try {
      const bytes = path === null ? this.#inMemory() : this.#onDisk(path, saves);
      const { dirty } = databases.data;
      if (flushes) databases.reset();
      const loader = new SnapshotLoader(databases, {
        skipsExpired: databases.data.removesExpired,
        nowMs: clock.wallMs(),
        replaces: merges,
      });
      loader.push(bytes);
      databases.data.dirty = dirty;
      return loader.isDone;
    } catch (error) {
      log.error({ error, path }, 'the dataset could not be loaded again');
      return false;
    }
  }

  #inMemory(): Buffer {
    const parts: Buffer[] = [];
    const snapshot = this.#snapshot();
    for (
      let part = snapshot.next(WRITE_SLICE_BYTES);
      part !== null;
      part = snapshot.next(WRITE_SLICE_BYTES)
    ) {
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  #onDisk(path: string, saves: boolean): Buffer {
    if (saves && !this.saveNow(path)) throw new Error('the snapshot could not be written');
    return readFileSync(path);
  }

  #isClosed = false;
  /** Nothing is to be saved at the end. */
  isSettled = false;

  /** Saves once more when there are save points: the node ends. */
  async finish(): Promise<void> {
    await this.close();
    if (this.savesAtEnd) this.saveNow(this.path!);
  }

  /** Ends what is under way; the old file stays. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#current?.close();
    await this.#running;
  }

  /** Begins a save when one is scheduled or a save point is reached. To be called about once a second. */
  tick(): void {
    const { path } = this;
    if (path === null || this.#current !== null || !this.hasData || this.#isClosed) return;
    if (this.isScheduled || this.#isDue) this.begin(path);
  }

  get #isDue(): boolean {
    const { clock, settings } = this.#parts;
    if (this.lastFailed && clock.monotonicMs() - this.#lastTryMs < RETRY_MS) return false;
    const quietMs = clock.wallMs() - this.lastSaveMs;
    return settings.savePoints.some(
      ({ seconds, changes }) => this.changes >= changes && quietMs > seconds * 1000,
    );
  }

  /** Loads the file; false when there is none. Rejects with RingsideError `config_invalid` when it cannot be loaded. */
  load(path: string, { skipsExpired }: { skipsExpired: boolean }): Promise<boolean> {
    const { databases, clock, log } = this.#parts;
    return this.whileLoading(async (onBegin) => {
      await FileReplacement.removeLeftovers(path);
      const loader = await loadRdbFile(path, databases, { clock, log, skipsExpired, onBegin });
      if (loader === null) return false;
      this.lastLoaded = loader.loaded;
      this.lastExpired = loader.expired;
      return true;
    });
  }

  /** Loads what `action` loads, which says when it begins: that counts as no change, and nothing is saved meanwhile or when it fails. */
  async whileLoading<T>(action: (onBegin: (progress: LoadProgress) => void) => Promise<T>): Promise<T> {
    const { data } = this.#parts.databases;
    const { dirty } = data;
    // What is loaded in part must not take the place of the file.
    this.isSettled = true;
    try {
      const loaded = await action((progress) => {
        this.loading = progress;
      });
      this.isSettled = false;
      return loaded;
    } finally {
      this.loading = null;
      data.dirty = dirty;
    }
  }
}
