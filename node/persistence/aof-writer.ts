import type { Clock, Logger, Random } from '../../lib/base/index.ts';
import type { ReplicationLog, Segment } from '../replication/replication-log.ts';
import type { Settings } from '../settings.ts';
import { annotationOf } from './aof-annotation.ts';
import { AofRoom } from './aof-room.ts';
import { type GrowingFile, reasonOf } from './append-file.ts';

/** What one write holds at most. */
const BATCH_BYTES = 4 << 20;
/** Writes that one sync is for, at most, while something comes. */
const GATHERED_WRITES = 8;
/** A disk whose syncs take less than this, on the average, is synced within the turn: handing each to a thread and back takes as long. */
const QUICK_SYNC_MS = 1;
/** What a turn writes by itself; more takes its time. */
const QUICK_BYTES = 1 << 20;
/** How much the last sync counts in the average, and as what at most: one that others hold up for long says nothing of the next ten. */
const SYNC_WEIGHT = 1 / 8;
const MOST_SYNC_MS = 2 * QUICK_SYNC_MS;
/** Polls of the event loop that a sync within the turn waits for at most, while each brings more that it is for. */
const GATHERED_POLLS = 4;
/** What nobody waits for is collected for so long, or until there is so much of it: handing every turn's bytes to a thread costs more. */
const COLLECTING_MS = 10;
const COLLECTED_BYTES = 256 * 1024;
/** After an error, this long until it is tried again. */
const RETRY_MS = 1000;
/** Under `everysec`, how long after one sync the next begins: what may be lost is this and the time that a sync takes, together a second. */
export const SYNC_MS = 500;
/** A sync that takes longer holds up those who write. */
const SLOW_SYNC_MS = 2000;
/** Who writes waits for the disk while more than this waits for it; beyond `MAX_PENDING_BYTES` nobody may write. */
const LAGGING_BYTES = 32 << 20;
const MAX_PENDING_BYTES = 256 << 20;
/** What is written and not synced is remembered up to here, so that it can be written again when a sync fails. */
const MAX_UNSYNCED_BYTES = 32 << 20;

const ABANDONED = 'the stream of the AOF has ended';

/** A place in the stream. */
interface Cursor {
  readonly segment: Segment;
  /** Bytes of the segment before it. */
  readonly at: number;
  readonly offset: number;
}

/** From `offset` of the stream on, what comes goes to another file. */
interface Cut {
  readonly offset: number;
  readonly open: () => Promise<GrowingFile>;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** A line that goes into the file before the bytes from `offset` on. */
interface Note {
  readonly offset: number;
  readonly bytes: Buffer;
  isWritten: boolean;
}

/** What a writer works on. */
export interface AofWriterParts {
  readonly log: ReplicationLog;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Whether the disk has enough to do with a snapshot. */
  readonly isBusy: () => boolean;
  /** More of the stream is on disk, or something went wrong, or is well again: who waits may look. */
  readonly onProgress: () => void;
  /** A write or a sync took so many milliseconds; the event as Redis's latency monitor calls it. */
  readonly onTook: (event: string, ms: number) => void;
}

/**
 * Appends the stream to a file, as `appendfsync` says, outside the event loop: one write for all that has come in the turns since the last
 * one, and one sync for all of that. Reads the log as a follower's link does, and holds on to what is not written.
 *
 * An error is tried again every second; until that succeeds nobody may write. Nothing of the stream is left out: what was torn by an error
 * is cut off and written again.
 */
export class AofWriter {
  readonly #parts: AofWriterParts;
  #room: AofRoom | null = null;
  #file: GrowingFile | null = null;
  /** Up to where the stream has been written, and been put on disk; null where that is not remembered. */
  #written: Cursor;
  #unsynced: Cursor | null;
  /** Where a file that is being opened begins. */
  #next: Cursor | null = null;
  #syncedSize = 0;
  #syncedOffset = 0;
  /** What is under way, in order to wait for it. */
  #running: Promise<void> | null = null;
  #syncing: Promise<void> | null = null;
  #syncStartedMs = 0;
  /** The sync under way has taken so long, when that was looked at last, that who writes waits. */
  #isSyncSlow = false;
  #slowTimer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #collecting: NodeJS.Timeout | undefined;
  /** Up to there what comes is collected: whoever wakes need not ask for more. */
  #collectsUpTo = 0;
  #cut: Cut | null = null;
  /** What is not on disk of them; by offset. */
  #notes: Note[] = [];
  #restarts: number;
  /** Counts files given up: what was begun for one of them is of no use any more. */
  #abandoned = 0;
  /** The end: what comes behind this offset is of no interest any more. */
  #endsAt = Number.POSITIVE_INFINITY;
  #isTold = false;
  /** What a sync takes, in the running average. */
  #syncMs = 0;
  /** Polls that the next sync has waited for, and where the stream ended at the last one. */
  #polls = 0;
  #polledOffset = 0;
  /** The last sync failed: what it was for has to be written again. */
  #mustRewind = false;
  /** Nothing is well before a sync succeeds. */
  #owesSync = false;
  /** What is under way gives way to a sync: else writes that never end would put it off for ever. */
  #isSyncDue = false;
  /** Why the last write or sync failed; null when it did not. */
  problem: string | null = null;
  /** Part of the stream is not in the file and will never be: only a new base makes it whole. */
  isBroken = false;
  /** Writes that did not wait any longer for a sync. */
  delayedSyncs = 0;

  constructor(parts: AofWriterParts) {
    this.#parts = parts;
    this.#restarts = parts.log.restarts;
    this.#written = this.#end();
    this.#unsynced = this.#written;
  }

  #end(): Cursor {
    const { log } = this.#parts;
    return { segment: log.last, at: log.last.length, offset: log.end };
  }

  /** Bytes of the file. */
  get fileBytes(): number {
    return this.#file?.size ?? 0;
  }

  /** What the stream has behind the file's first `fileBytes`. */
  get unwritten(): Buffer[] {
    this.#parts.log.settle();
    const parts: Buffer[] = [];
    let at = this.#written.at;
    for (let segment: Segment | null = this.#written.segment; segment !== null; segment = segment.next) {
      parts.push(segment.buffer.subarray(at, segment.length));
      at = 0;
    }
    return parts;
  }

  /** Where the file is; null without one. */
  get path(): string | null {
    return this.#file?.path ?? null;
  }

  /** Whether there is a file to write to. */
  get isOpen(): boolean {
    return this.#file !== null;
  }

  /** Whether the stream that the file is of has ended, and another one begun. */
  get isOutdated(): boolean {
    return this.#restarts !== this.#parts.log.restarts;
  }

  /** Bytes that have not been written. */
  get pendingBytes(): number {
    return this.#file === null || this.isOutdated ? 0 : this.#parts.log.end - this.#written.offset;
  }

  /** Bytes of the stream that are kept for it. */
  get heldBytes(): number {
    const { end } = this.#parts.log;
    if (this.#next !== null) return end - this.#next.offset;
    if (this.#file === null || this.isOutdated) return 0;
    return end - (this.#unsynced ?? this.#written).offset;
  }

  get isSyncing(): boolean {
    return this.#syncing !== null;
  }

  #isAlways(): boolean {
    return this.#parts.settings.appendFsync === 'always';
  }

  /** Whether replies of writes wait until what they did is on disk, or at least on its way. */
  get holdsReplies(): boolean {
    return this.#file !== null && (this.#isAlways() || this.#isLagging());
  }

  /** Offset of the stream up to which replies may go. */
  get settledOffset(): number {
    if (this.#file === null) return Number.POSITIVE_INFINITY;
    if (this.#isAlways() && !this.#skipsSync()) return this.#syncedOffset;
    return this.holdsReplies ? this.#written.offset : Number.POSITIVE_INFINITY;
  }

  #isLagging(): boolean {
    return this.#isSyncSlow || this.pendingBytes > LAGGING_BYTES;
  }

  /** Why nothing may be written now; null when it may. */
  get refusal(): string | null {
    if (this.problem !== null) return this.problem;
    return this.pendingBytes > MAX_PENDING_BYTES ? 'the disk does not keep up' : null;
  }

  /** From the end of the stream on, everything goes to this file. There must be none. */
  begin(file: GrowingFile): void {
    this.#file = file;
    this.#startAt(this.#end(), file.size);
  }

  #startAt(cursor: Cursor, size: number): void {
    this.#written = cursor;
    this.#unsynced = cursor;
    this.#syncedOffset = cursor.offset;
    this.#syncedSize = size;
    this.isBroken = false;
    this.#notes = this.#notes.filter(({ offset }) => offset > cursor.offset);
    this.#restarts = this.#parts.log.restarts;
  }

  /**
   * From the end that the stream has now on, everything goes to the file that `open` gives: it is called when all before that is on disk. Rejects
   * with its error, and then the former file goes on. Only one at a time.
   */
  async cut(open: () => Promise<GrowingFile>): Promise<void> {
    const start = this.#end();
    if (this.#file !== null && !this.isBroken) {
      return new Promise((done, failed) => {
        this.#cut = { offset: start.offset, open, done, failed };
        this.wake();
      });
    }
    const abandoned = this.#abandoned;
    const { restarts } = this.#parts.log;
    const former = this.#file;
    this.#next = start;
    const file = await open().finally(() => {
      this.#next = null;
    });
    if (abandoned !== this.#abandoned) {
      await file.close();
      throw new Error(ABANDONED);
    }
    this.#file = file;
    this.#startAt(start, file.size);
    this.#restarts = restarts;
    await former?.close();
    this.wake();
  }

  /** What the file says of the stream is no longer true from its end on: it says so there. */
  note(): void {
    const { log } = this.#parts;
    if (this.#file === null || this.isOutdated) return;
    this.#notes.push({ offset: log.end, bytes: Buffer.from(annotationOf(log)), isWritten: false });
    this.wake();
  }

  /** Gives the file up as it is: what comes now is another stream, or nobody wants it. */
  async abandon(): Promise<void> {
    const file = this.#file;
    this.#abandoned++;
    this.#file = null;
    this.problem = null;
    this.#owesSync = this.#mustRewind = false;
    this.#endsAt = Number.POSITIVE_INFINITY;
    this.#stopRetry();
    this.#cut?.failed(new Error(ABANDONED));
    this.#cut = null;
    this.#notes = [];
    await this.#running;
    await this.#syncing;
    await file?.close();
    this.#parts.onProgress();
  }

  /** Writes and syncs what there is by now, and closes the file. False when that failed. */
  async close(): Promise<boolean> {
    if (this.#file === null) return true;
    this.#endsAt = this.#parts.log.end;
    await this.#settled();
    // What failed before is tried once more.
    this.#stopRetry();
    for (this.#begin(); this.#running !== null; this.#begin()) await this.#settled();
    let isWhole = this.#written.offset === this.#endsAt;
    await this.#sync().catch(() => {
      isWhole = false;
    });
    await this.abandon();
    return isWhole;
  }

  async #settled(): Promise<void> {
    await this.#running;
    await this.#syncing;
  }

  #stopRetry(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  /** There may be something to write: does so behind this turn, or with what else comes soon when no reply waits for it. */
  wake(): void {
    if (this.#parts.log.end < this.#collectsUpTo) return;
    if (this.#syncing !== null) this.#isSyncSlow = this.#isSyncLate();
    if (this.#isTold || this.#running !== null) return;
    const isCollected = !this.holdsReplies && this.pendingBytes < COLLECTED_BYTES;
    if ((isCollected && this.#collecting !== undefined) || !this.#hasWork()) return;
    if (isCollected) {
      this.#collectsUpTo = this.#written.offset + COLLECTED_BYTES;
      this.#collecting = setTimeout(() => {
        this.#collecting = undefined;
        this.#collectsUpTo = 0;
        this.#begin();
      }, COLLECTING_MS);
      return;
    }
    this.#isTold = true;
    setImmediate(() => {
      this.#isTold = false;
      if (this.#gathers()) this.wake();
      else this.#begin();
      if (!this.#isTold && this.#running === null) this.#parts.onProgress();
    });
  }

  #isSyncLate(): boolean {
    return this.#parts.clock.monotonicMs() - this.#syncStartedMs >= SLOW_SYNC_MS;
  }

  /** Whether what there is will be on disk within this turn of the event loop or a few polls, and `onProgress` called. */
  get settlesSoon(): boolean {
    return this.#isTold && this.#running === null && this.#isQuick();
  }

  /** Whether a sync within the turn had better wait for one more poll: it takes as long for fifty writes as for one. */
  #gathers(): boolean {
    const { end } = this.#parts.log;
    const grows = end !== this.#polledOffset && this.#polls < GATHERED_POLLS && this.#isQuick();
    this.#polledOffset = end;
    this.#polls = grows ? this.#polls + 1 : 0;
    return grows;
  }

  /** Whether what there is can be written and synced within this turn. */
  #isQuick(): boolean {
    if (!this.#isAlways() || this.#skipsSync() || this.#syncMs >= QUICK_SYNC_MS) return false;
    const isPlain = this.#nextNote() === null && this.#cut === null && !this.#mustRewind && !this.#owesSync;
    return isPlain && this.#syncing === null && this.pendingBytes <= QUICK_BYTES;
  }

  #begin(): void {
    if (this.#running !== null || !this.#hasWork()) return;
    if (this.#isQuick()) {
      this.#settle(this.#file!);
      return;
    }
    this.#running = this.#run().finally(() => {
      this.#running = null;
      if (this.#isSyncDue) this.syncSoon();
      this.wake();
    });
  }

  #hasWork(): boolean {
    if (this.#file === null || this.isBroken || this.isOutdated || this.#retry !== undefined) return false;
    const isDone = this.#cut === null && this.#nextNote() === null && this.#target() === this.#written.offset;
    if (isDone && !this.#mustRewind && !this.#owesSync) return false;
    // Beside a sync, a write would wait for it inside the kernel.
    return this.#syncing === null || this.#isAlways() || this.#isSyncSlow;
  }

  /** The next line that is to be written. */
  #nextNote(): Note | null {
    return this.#notes.find(({ isWritten, offset }) => !isWritten && offset <= this.#endsAt) ?? null;
  }

  /** Where the next writes end. */
  #target(): number {
    const end = this.#cut?.offset ?? this.#nextNote()?.offset ?? this.#parts.log.end;
    return Math.min(end, this.#nextNote()?.offset ?? end, this.#endsAt);
  }

  async #run(): Promise<void> {
    try {
      if (this.#mustRewind) await this.#rewind(this.#file!);
      while (this.#hasWork() && !this.#isSyncDue) await this.#step(this.#file!);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #step(file: GrowingFile): Promise<void> {
    const cut = this.#cut;
    if (cut !== null && this.#written.offset === cut.offset) return this.#change(file, cut);
    const note = this.#nextNote();
    if (note !== null && this.#written.offset === note.offset) {
      await file.write([note.bytes]);
      note.isWritten = true;
      return;
    }
    if (this.#syncing !== null) this.delayedSyncs++;
    const isAwaited = this.holdsReplies;
    await this.#append(file);
    if (file !== this.#file) return;
    if (this.#owesSync || (this.#isAlways() && !this.#skipsSync())) await this.#sync();
    else this.#forgetLongTail();
    this.#recovered();
    if (isAwaited) this.#parts.onProgress();
  }

  /** Writes what there is, and under `always` what comes meanwhile: the sync behind it takes as long for one reply as for fifty. */
  async #append(file: GrowingFile): Promise<void> {
    file.room = this.#roomFor();
    const writes = this.#isAlways() ? GATHERED_WRITES : 1;
    for (let i = 0; i < writes && (i === 0 || this.#target() > this.#written.offset); i++) {
      const { parts, end } = this.#batch(this.#target());
      const startedMs = this.#parts.clock.monotonicMs();
      await file.write(parts);
      this.#tookWriting(startedMs);
      if (file !== this.#file) return;
      this.#written = end;
    }
  }

  /** Room is for files that are synced with each write. */
  #roomFor(): AofRoom | null {
    if (!this.#isAlways() || this.#skipsSync()) return null;
    this.#room ??= new AofRoom(this.#parts.random);
    return this.#room;
  }

  /** What comes next of the stream, up to `offset` at most. */
  #batch(offset: number): { parts: Buffer[]; end: Cursor } {
    const parts: Buffer[] = [];
    let { segment, at } = this.#written;
    let bytes = 0;
    let start = this.#written.offset;
    for (;;) {
      while (at === segment.length && segment.next) {
        segment = segment.next;
        at = 0;
      }
      const upTo = Math.min(segment.length, at + offset - start);
      if (upTo === at) break;
      parts.push(segment.buffer.subarray(at, upTo));
      bytes += upTo - at;
      start += upTo - at;
      at = upTo;
      if (bytes >= BATCH_BYTES) break;
    }
    return { parts, end: { segment, at, offset: start } };
  }

  /** Writes and syncs within this turn. */
  #settle(file: GrowingFile): void {
    file.room = this.#roomFor();
    const { parts, end } = this.#batch(this.#target());
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    try {
      file.writeNow(parts);
      this.#written = end;
      this.#tookWriting(startedMs);
      const writtenMs = clock.monotonicMs();
      file.syncNow();
      this.#synced(file.size, end, writtenMs);
    } catch (error) {
      if (this.#written === end) this.#mustRewind = this.#owesSync = true;
      this.#failed(error);
      return;
    }
    this.#recovered();
    this.wake();
  }

  /** By Redis's names: one for all writes, and another that says what else the disk had to do. */
  #tookWriting(startedMs: number): void {
    const { clock, isBusy, onTook } = this.#parts;
    const ms = clock.monotonicMs() - startedMs;
    onTook('aof-write', ms);
    if (this.#syncing !== null) onTook('aof-write-pending-fsync', ms);
    else onTook(isBusy() ? 'aof-write-active-child' : 'aof-write-alone', ms);
  }

  #forgetLongTail(): void {
    if (this.#written.offset - this.#syncedOffset > MAX_UNSYNCED_BYTES) this.#unsynced = null;
  }

  #skipsSync(): boolean {
    return this.#parts.settings.skipsFsyncOnRewrite && this.#parts.isBusy();
  }

  /** Syncs what has been written, beside what goes on: at once, or behind the write that is under way. To be called `SYNC_MS` apart. */
  syncSoon(): void {
    this.#isSyncDue = false;
    if (this.#parts.settings.appendFsync === 'no' || this.#skipsSync()) return;
    if (this.#file === null || this.isBroken || this.#mustRewind || this.#retry !== undefined) return;
    if (this.#syncing !== null) return;
    if (this.#running !== null) {
      this.#isSyncDue = true;
      return;
    }
    if (this.#written.offset === this.#syncedOffset) return;
    this.#syncStartedMs = this.#parts.clock.monotonicMs();
    this.#slowTimer = setTimeout(() => this.wake(), SLOW_SYNC_MS + 1);
    this.#syncing = this.#syncBeside().finally(() => {
      this.#syncing = null;
      this.#isSyncSlow = false;
      clearTimeout(this.#slowTimer);
      this.#parts.onProgress();
      this.wake();
    });
  }

  async #syncBeside(): Promise<void> {
    try {
      await this.#sync();
      this.#recovered();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #sync(): Promise<void> {
    const file = this.#file!;
    const { size } = file;
    const written = this.#written;
    const startedMs = this.#parts.clock.monotonicMs();
    try {
      await file.sync();
    } catch (error) {
      if (file === this.#file) this.#mustRewind = this.#owesSync = true;
      throw error;
    }
    if (file !== this.#file || written.offset < this.#syncedOffset) return;
    this.#synced(size, written, startedMs);
  }

  /** What was written when the file had this size is on disk. */
  #synced(size: number, written: Cursor, startedMs: number): void {
    const ms = this.#parts.clock.monotonicMs() - startedMs;
    this.#syncMs += (Math.min(ms, MOST_SYNC_MS) - this.#syncMs) * SYNC_WEIGHT;
    if (this.#isAlways()) this.#parts.onTook('aof-fsync-always', ms);
    this.#owesSync = false;
    this.#unsynced = written;
    this.#syncedOffset = written.offset;
    this.#syncedSize = size;
    this.#notes = this.#notes.filter(({ isWritten, offset }) => !isWritten || offset > written.offset);
    this.#forgetLongTail();
  }

  /** The platform may have thrown away what it could not sync, and say nothing of it the next time: all of it is written again. */
  async #rewind(file: GrowingFile): Promise<void> {
    this.#mustRewind = false;
    if (this.#unsynced === null) {
      this.isBroken = true;
      return;
    }
    this.#written = this.#unsynced;
    for (const note of this.#notes) note.isWritten = false;
    await file.cutTo(this.#syncedSize);
  }

  async #change(file: GrowingFile, cut: Cut): Promise<void> {
    await this.#sync();
    try {
      const next = await cut.open();
      if (this.#cut !== cut) {
        await next.close();
        return;
      }
      this.#file = next;
      this.#startAt(this.#written, next.size);
      cut.done();
      await file.close();
    } catch (error) {
      cut.failed(error);
    }
    this.#cut = null;
    this.#recovered();
  }

  #failed(error: unknown): void {
    const { logger, onProgress } = this.#parts;
    if (this.#file === null) return;
    if (this.problem === null) logger.error({ error, path: this.#file.path }, 'the AOF cannot be written');
    this.problem = reasonOf(error);
    onProgress();
    this.#stopRetry();
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#begin();
    }, RETRY_MS);
  }

  #recovered(): void {
    if (this.problem === null || this.#owesSync) return;
    this.problem = null;
    this.#parts.logger.warn({}, 'the AOF can be written again');
    this.#parts.onProgress();
  }
}
