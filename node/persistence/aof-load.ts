import { type FileHandle, open, stat } from 'node:fs/promises';
import { type Clock, type Logger, type Random, RingsideError } from '../../lib/base/index.ts';
import { RdbFormatError } from '../../lib/codec/rdb/index.ts';
import { RespProtocolError } from '../../lib/codec/resp/index.ts';
import { errorCode } from '../../lib/net/index.ts';
import { StreamError } from '../replication/stream-applier.ts';
import type { Store } from '../store/index.ts';
import type { AofFile, AofFolder } from './aof-manifest.ts';
import { AofPart } from './aof-part.ts';
import { type AofReplay, MissingPart, type ReplayOptions } from './aof-replay.ts';
import { cutRoom } from './aof-room.ts';
import type { LoadProgress } from './rdb-file.ts';
import { readSlices } from './slices.ts';

/** How often progress is logged. */
const PROGRESS_MS = 2000;
/** With so many entries there is an idea of how many there will be; and room is made for so many at most, which takes 24 MB. */
const FORESEEN_FROM = 2 ** 15;
const MOST_FORESEEN = 2 ** 22;

/** What loading goes by. */
export interface AofLoadOptions extends Omit<ReplayOptions, 'nowMs'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Whether an unfinished end of the last part is cut off; else it stops the start. */
  readonly cutsTornTail: boolean;
  /** Called before anything is loaded. */
  onBegin(progress: LoadProgress): void;
}

/** What has been loaded. */
export interface AofLoaded {
  /** Entries that were in a snapshot. */
  readonly keys: number;
  readonly commands: number;
}

/**
 * Loads all parts that the manifest names, in slices between which others have their turn: snapshots, and commands, which are applied as a
 * follower applies the stream. Afterwards the node's stream stands where the last part ends, when that says so.
 *
 * What a crash has left unfinished at the end of the last part (a command, a transaction without its EXEC) is cut off in the file. Rejects
 * with RingsideError `config_invalid` for any other damage: with the file, the offset and what to do; what has been loaded is there then.
 */
export async function loadAof(folder: AofFolder, options: AofLoadOptions): Promise<AofLoaded> {
  return new AofLoader(folder, options).load();
}

class AofLoader {
  readonly #folder: AofFolder;
  readonly #options: AofLoadOptions;
  readonly #nowMs: number;
  #progress: { startedMs: number; totalBytes: number; loadedBytes: number };
  #toldMs: number;
  /** Stores that room was made in. */
  readonly #foreseen = new Set<Store>();
  /** The node is in the stream of somebody whose commands have been applied. */
  #isPlaced = false;
  #keys = 0;
  #commands = 0;

  constructor(folder: AofFolder, options: AofLoadOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#nowMs = options.clock.wallMs();
    this.#progress = { startedMs: this.#nowMs, totalBytes: 0, loadedBytes: 0 };
    this.#toldMs = options.clock.monotonicMs();
  }

  async load(): Promise<AofLoaded> {
    const { onBegin, clock, log } = this.#options;
    const { base, incrs } = this.#folder.manifest;
    const files = base === null ? incrs : [base, ...incrs];
    for (const file of incrs) await this.#cutRoom(this.#folder.pathOf(file));
    for (const file of files) this.#progress.totalBytes += await this.#sizeOf(file);
    onBegin(this.#progress);
    const startedMs = clock.monotonicMs();
    for (const file of files) await this.#loadFile(file, file === files.at(-1));
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    const keys = this.#options.databases.size;
    log.info({ path: this.#folder.path, keys, commands: this.#commands, tookMs }, 'append-only file loaded');
    return { keys: this.#keys, commands: this.#commands };
  }

  /** A file that was not closed may end with room; what cannot be done about it does no harm, and what cannot be read is told later. */
  async #cutRoom(path: string): Promise<void> {
    const bytes = await cutRoom(path).catch(() => 0);
    if (bytes === 0) return;
    const text = 'the end of the append-only file had not reached the disk whole, and has been cut off';
    this.#options.log.warn({ path, bytes }, text);
  }

  async #sizeOf(file: AofFile): Promise<number> {
    const path = this.#folder.pathOf(file);
    try {
      return (await stat(path)).size;
    } catch (error) {
      const reason = errorCode(error) === 'ENOENT' ? 'is not there' : `cannot be read: ${error}`;
      const text = `${path} ${reason}, and ${this.#folder.manifestPath} names it`;
      throw new RingsideError('config_invalid', `${text}: put a copy of the folder back`, { cause: error });
    }
  }

  async #loadFile(file: AofFile, isLast: boolean): Promise<void> {
    const path = this.#folder.pathOf(file);
    const part = new AofPart({ ...this.#options, nowMs: this.#nowMs });
    const handle = await this.#open(path);
    try {
      await readSlices(handle, (slice) => {
        part.push(slice);
        this.#advance(path, slice.length);
        if (!part.isSnapshot) this.#foresee();
      });
      part.end();
      if (!part.replay.isWhole) await this.#cut(path, part.replay, isLast);
    } catch (error) {
      throw isDamage(error) ? this.#damaged(path, part, error, isLast) : error;
    } finally {
      await handle.close();
    }
    this.#keys += part.keys;
    this.#commands += part.replay.commands;
    if (part.isPlaced !== null) this.#isPlaced = part.isPlaced;
    this.#leaveStrangeStream();
  }

  async #open(path: string): Promise<FileHandle> {
    try {
      return await open(path, 'r');
    } catch (error) {
      throw new RingsideError('config_invalid', `${path} cannot be read: ${error}`, { cause: error });
    }
  }

  #advance(path: string, bytes: number): void {
    const { clock, log, databases } = this.#options;
    const progress = this.#progress;
    progress.loadedBytes += bytes;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#toldMs < PROGRESS_MS) return;
    this.#toldMs = nowMs;
    const percent = Math.floor((100 * progress.loadedBytes) / progress.totalBytes);
    log.info({ path, percent, keys: databases.size }, 'loading the append-only file');
  }

  /** Once there is an idea of how many entries the commands will make, makes room for them: nothing says it before. */
  #foresee(): void {
    const { totalBytes, loadedBytes } = this.#progress;
    for (const { store } of this.#options.databases.all()) {
      if (store.size < FORESEEN_FROM || store.size >= 2 * FORESEEN_FROM || this.#foreseen.has(store))
        continue;
      this.#foreseen.add(store);
      const entries = Math.floor((store.size * totalBytes) / loadedBytes);
      store.reserve(Math.min(entries, MOST_FORESEEN));
    }
  }

  /** The file ends in the middle of a command or of a transaction. */
  async #cut(path: string, replay: AofReplay, isLast: boolean): Promise<void> {
    const { cutsTornTail, log } = this.#options;
    const what = replay.isInUnit ? 'a transaction without its EXEC' : 'an unfinished command';
    if (!isLast || !cutsTornTail) throw new StreamError(`the file ends with ${what}`);
    const to = replay.wholeTo;
    const file = await open(path, 'r+');
    try {
      const { size } = await file.stat();
      await file.truncate(to);
      await file.sync();
      log.warn(
        { path, offset: to, bytes: size - to },
        `the append-only file ended with ${what}, which has been cut off`,
      );
    } finally {
      await file.close();
    }
  }

  #damaged(path: string, part: AofPart, error: Error, isLast: boolean): RingsideError {
    const { manifestPath } = this.#folder;
    const reason = error.message.replace(/^Protocol error: /, '');
    const where = part.isSnapshot ? reason : `offset ${part.replay.stoppedAt}: ${reason}`;
    const how = part.isSnapshot ? checkOf(path) : repairOf(manifestPath, isLast, error);
    const text = `${path} is damaged at ${where}: ${how}`;
    return new RingsideError('config_invalid', text, { cause: error });
  }

  /** Who has applied what is in no stream is in none itself: nobody may take it for one. */
  #leaveStrangeStream(): void {
    const { random, databases } = this.#options;
    const { log } = databases.data;
    if (log.active && !this.#isPlaced) log.restart(random.hex(20), log.end);
  }
}

function checkOf(path: string): string {
  return `\`redis-check-rdb ${path}\` says more, and no tool repairs it: put a copy back`;
}

function repairOf(manifestPath: string, isLast: boolean, error: Error): string {
  if (error instanceof MissingPart) {
    return `put a copy of the folder back, or take this file and those behind it out of ${manifestPath}: what they have is lost then`;
  }
  const repair = `\`redis-check-aof --fix ${manifestPath}\``;
  return isLast
    ? `copy the folder, and then ${repair} cuts the file off there`
    : `${repair} repairs only the last file, and this one has others behind it: put a copy back`;
}

function isDamage(error: unknown): error is Error {
  return (
    error instanceof RdbFormatError || error instanceof RespProtocolError || error instanceof StreamError
  );
}
