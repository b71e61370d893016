import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Logger, Random } from '../../lib/base/index.ts';
import type { Databases } from '../databases.ts';
import type { Settings } from '../settings.ts';
import { annotationOf } from './aof-annotation.ts';
import { AofFiles } from './aof-files.ts';
import { AofRewrite } from './aof-rewrite.ts';
import { AofWriter } from './aof-writer.ts';
import type { SnapshotWriter } from './snapshot.ts';

/** After so many failures one after the other, rewrites wait: a minute at first, and then twice as long each time. */
const FAILURES_BEFORE_DELAY = 3;
const FIRST_DELAY_MS = 60_000;
const MAX_DELAY_MS = 3_600_000;

const MISCONF = 'MISCONF Errors writing to the AOF file: ';
const INCOMPLETE = 'a part of it was lost, and it has to be rewritten';

/** What an append-only file is of. */
export interface AofParts {
  readonly databases: Databases;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Whether this node leads: the stream is its own. */
  readonly leads: () => boolean;
  /** Whether there is a whole data set. */
  readonly isComplete: () => boolean;
  /** Whether an RDB file is being written. */
  readonly isSaving: () => boolean;
  /** More is on disk, or will not be: replies that wait for it may look. */
  readonly onProgress: () => void;
  /** A write or a sync took so many milliseconds; the event by Redis's name. */
  readonly onTook: (event: string, ms: number) => void;
}

/** What an append-only file consists of while it is written. */
export interface AofContent {
  /** The parts, in the order in which they are loaded. */
  readonly paths: readonly string[];
  /** The part that is being written, and how much of it is. */
  readonly growing: { readonly path: string | null; readonly bytes: number };
  /** What follows behind all parts. */
  readonly unwritten: readonly Buffer[];
}

/** `waiting`: it is on, and its first base is not there. */
export type AofState = 'off' | 'waiting' | 'on';

/**
 * The append-only file of a node: the stream goes into its last part, and a rewrite puts a snapshot in the place of all parts before.
 * Redis's format of several parts (aof.c of 7.0): after a crash at any point, what the manifest names is a whole data set.
 */
export class Aof {
  readonly #parts: AofParts;
  readonly #writer: AofWriter;
  #files: AofFiles | null = null;
  /** `start` is under way: it alone says what is done to the files. */
  #isStarting = false;
  #state: AofState = 'off';
  #rewrite: AofRewrite | null = null;
  #running: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;
  /** Counts when it began, or ended, to be of any use. */
  #era = 0;
  #startedMs = 0;
  #delayMs = 0;
  #notBeforeMs = 0;
  /** What is in the parts is not all of the stream. */
  #isIncomplete = false;
  #isClosed = false;
  isRewriting = false;
  /** A rewrite is to begin as soon as may be. */
  isScheduled = false;
  lastFailed = false;
  /** Failures since the last rewrite that did not fail. */
  failures = 0;
  /** Forgets everything and loads it again from here; false when that cannot be. Set by whoever can replay commands. */
  reload: () => boolean = () => false;
  /** Seconds that the last rewrite took; -1 before. */
  lastSeconds = -1;
  /** Rewrites begun. */
  count = 0;

  constructor(parts: AofParts) {
    const { databases, settings, clock, random, log, isSaving, onProgress, onTook } = parts;
    this.#parts = parts;
    databases.data.log.onRename = () => this.#writer.note();
    this.#writer = new AofWriter({
      log: databases.data.log,
      settings,
      clock,
      random,
      logger: log,
      isBusy: () => this.isRewriting || isSaving(),
      onProgress,
      onTook,
    });
  }

  get state(): AofState {
    return this.#state;
  }

  /** The base that is being written; null when there is none. */
  get snapshot(): SnapshotWriter | null {
    return this.#rewrite?.snapshot ?? null;
  }

  /** Seconds that the rewrite has taken so far; -1 when there is none. */
  get currentSeconds(): number {
    return this.isRewriting ? this.#secondsSince(this.#startedMs) : -1;
  }

  #secondsSince(ms: number): number {
    return Math.floor((this.#parts.clock.monotonicMs() - ms) / 1000);
  }

  /** Bytes of all parts. */
  get bytes(): number {
    return this.#files?.bytes ?? 0;
  }

  /** Bytes of all parts after the last rewrite. */
  get baseBytes(): number {
    return this.#files?.baseBytes ?? 0;
  }

  /** Where all that has been recorded is at this moment; null while no file holds all of it. */
  get content(): AofContent | null {
    if (this.#files === null || this.#files.isEmpty) return null;
    const { paths } = this.#files;
    // Without one being written, what the last rewrite has left is all there is.
    if (this.#state === 'off') return { paths, growing: { path: null, bytes: 0 }, unwritten: [] };
    if (this.#state === 'waiting' || this.#isIncomplete) return null;
    const { path, fileBytes, unwritten } = this.#writer;
    return { paths, growing: { path, bytes: fileBytes }, unwritten };
  }

  /** Bytes that have not been written. */
  get pendingBytes(): number {
    return this.#writer.pendingBytes;
  }

  /** Bytes of the stream that are kept until they are on disk. */
  get heldBytes(): number {
    return this.#writer.heldBytes;
  }

  /** Sets the counters to zero. */
  resetStatistics(): void {
    this.count = 0;
    this.#writer.delayedSyncs = 0;
  }

  /** Syncs under way beside writes. */
  get pendingSyncs(): number {
    return this.#writer.isSyncing ? 1 : 0;
  }

  /** Writes that did not wait any longer for a sync. */
  get delayedSyncs(): number {
    return this.#writer.delayedSyncs;
  }

  /** What writes are answered while the file cannot be written; null while it can. */
  get refusal(): string | null {
    if (this.#state === 'off') return null;
    const reason = this.#isIncomplete ? INCOMPLETE : this.#writer.refusal;
    return reason === null ? null : MISCONF + reason;
  }

  /** Whether replies of writes wait for `settledOffset`. */
  get holdsReplies(): boolean {
    return this.#state === 'on' && this.#writer.holdsReplies;
  }

  /** Offset of the stream up to which replies of writes may go. */
  get settledOffset(): number {
    return this.#state === 'on' ? this.#writer.settledOffset : Number.POSITIVE_INFINITY;
  }

  /** Whether replies had better wait for `onProgress`, which comes within a few polls of the event loop. */
  get settlesSoon(): boolean {
    return this.#state === 'on' && this.#writer.settlesSoon;
  }

  /** The stream has grown. */
  wake(): void {
    if (this.#state !== 'off') this.#writer.wake();
  }

  #record(): void {
    const { log } = this.#parts.databases.data;
    log.active = true;
    if (log.position.saysVersions || !this.#parts.leads()) return;
    log.position.saysVersions = true;
    this.#writer.note();
  }

  async #openFiles(): Promise<AofFiles> {
    const { fixed } = this.#parts.settings;
    this.#files ??= await AofFiles.open(
      fixed.get('dir')!,
      fixed.get('appenddirname')!,
      fixed.get('appendfilename')!,
    );
    return this.#files;
  }

  /**
   * Begins when the node starts and what the file holds has been loaded: goes on at its end, or makes one. Nothing may change meanwhile.
   * Rejects with the platform's error.
   */
  async start(): Promise<void> {
    this.#isStarting = true;
    try {
      await this.#begin();
    } finally {
      this.#isStarting = false;
    }
  }

  async #begin(): Promise<void> {
    this.#state = 'waiting';
    const { log } = this.#parts.databases.data;
    log.active = true;
    log.position.saysVersions = true;
    const files = await this.#openFiles();
    if (files.isEmpty) {
      await this.#newRewrite(files).run();
      this.#state = 'on';
      return;
    }
    const place = Buffer.from(annotationOf(log));
    const last = await files.openLast();
    const file = last ?? (await files.create(files.nextPart(), place, { isListed: true }));
    if (last !== null) await file.write([place]);
    this.#writer.begin(file);
    this.#state = 'on';
  }

  /** Whether there is a folder to begin in; makes it. */
  get canTurnOn(): boolean {
    const { settings, log } = this.#parts;
    const dir = settings.fixed.get('dir') ?? '';
    try {
      if (dir === '') throw new Error('this node has no folder for files: start it with --dir');
      mkdirSync(join(dir, settings.fixed.get('appenddirname')!), { recursive: true });
      return true;
    } catch (error) {
      log.error({ error }, 'the AOF cannot be turned on');
      return false;
    }
  }

  /** Begins while the node runs, with a rewrite; it must be possible. */
  turnOn(): void {
    if (this.#state !== 'off') return;
    this.#beginAnew();
    this.#beginDue();
  }

  /** What has been recorded so far is worth nothing: a base comes first. */
  #beginAnew(): void {
    this.#era++;
    this.#state = 'waiting';
    this.isScheduled = true;
    this.#rewrite?.cancel();
    this.#record();
  }

  /** Ends while the node runs; the parts stay as they are. */
  turnOff(): void {
    if (this.#state === 'off') return;
    this.#era++;
    this.#state = 'off';
    this.isScheduled = false;
    this.#isIncomplete = false;
    this.#rewrite?.cancel();
    this.#closing = this.#closeWriter();
  }

  async #closeWriter(): Promise<void> {
    const { log } = this.#parts;
    try {
      if (!(await this.#writer.close())) log.error({}, 'the end of the AOF could not be written');
    } catch (error) {
      log.error({ error }, 'the AOF could not be closed');
    }
    this.#closing = null;
  }

  /** Whether a rewrite can begin: what there is can be written, or is to be replaced. */
  get canRewrite(): boolean {
    return !this.isRewriting && !this.#isStarting && (this.#isIncomplete || this.refusal === null);
  }

  /** Begins a rewrite; `canRewrite` must be. */
  rewrite(): void {
    this.isScheduled = false;
    this.isRewriting = true;
    this.count++;
    this.#startedMs = this.#parts.clock.monotonicMs();
    this.#running = this.#rewriteAll();
  }

  async #rewriteAll(): Promise<void> {
    const { log } = this.#parts;
    try {
      // At once where that can be: the stream is cut here.
      if (this.#closing !== null) await this.#closing;
      const files = this.#files ?? (await this.#openFiles());
      const era = this.#era;
      const isDone = await this.#newRewrite(files).run();
      if (isDone) this.#succeeded(era);
    } catch (error) {
      this.lastFailed = true;
      this.failures++;
      log.error({ error }, 'the AOF could not be rewritten');
    }
    this.lastSeconds = this.#secondsSince(this.#startedMs);
    this.#rewrite = null;
    this.isRewriting = false;
    if (this.#state === 'waiting' || this.#isIncomplete) this.isScheduled = true;
    // What failed is not tried again before the next tick.
    if (!this.lastFailed) this.#beginDue();
  }

  #newRewrite(files: AofFiles): AofRewrite {
    const { databases, settings, clock } = this.#parts;
    this.#rewrite = new AofRewrite({
      ...{ databases, settings, clock, files },
      isContinued: this.#state === 'on' && !this.#isIncomplete,
      writer: this.#state === 'off' ? null : this.#writer,
    });
    return this.#rewrite;
  }

  #succeeded(era: number): void {
    this.lastFailed = false;
    this.failures = 0;
    if (era !== this.#era) return;
    this.#isIncomplete = false;
    if (this.#state === 'waiting') this.#state = 'on';
    this.#parts.onProgress();
  }

  /** Looks after what went wrong, and begins a rewrite that is due. To be called about once a second, and when another data set has been loaded. */
  tick(): void {
    if (this.#isStarting) return;
    if (this.#state !== 'off') this.#lookAfter();
    this.#beginDue();
    this.#parts.onProgress();
  }

  #lookAfter(): void {
    const writer = this.#writer;
    this.#record();
    if (writer.isOutdated && this.#closing === null) {
      // Another data set, with a stream of its own.
      this.#beginAnew();
      this.#closing = writer.abandon().finally(() => {
        this.#closing = null;
      });
    } else if (writer.isBroken && !this.#isIncomplete) {
      this.#isIncomplete = true;
      this.isScheduled = true;
    }
    writer.wake();
  }

  /** To be called every `SYNC_MS`. */
  syncSoon(): void {
    if (this.#state !== 'off') this.#writer.syncSoon();
  }

  #beginDue(): void {
    const { isSaving, isComplete, databases } = this.#parts;
    if (this.#isClosed || databases.data.log.isInUnit || !this.canRewrite) return;
    if (isSaving() || !isComplete() || !(this.isScheduled || this.#hasGrown)) return;
    if (!this.#isLimited()) this.rewrite();
  }

  get #hasGrown(): boolean {
    const { rewritePercentage, rewriteMinBytes } = this.#parts.settings;
    if (this.#state !== 'on' || rewritePercentage === 0 || this.bytes <= rewriteMinBytes) return false;
    return (this.bytes * 100) / Math.max(1, this.baseBytes) - 100 >= rewritePercentage;
  }

  /** Whether it has failed so often that it has to wait. */
  #isLimited(): boolean {
    // Nobody may write before it succeeds.
    if (this.failures < FAILURES_BEFORE_DELAY || this.#isIncomplete) {
      this.#delayMs = this.#notBeforeMs = 0;
      return false;
    }
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#notBeforeMs === 0) {
      this.#delayMs = this.#delayMs === 0 ? FIRST_DELAY_MS : Math.min(2 * this.#delayMs, MAX_DELAY_MS);
      this.#notBeforeMs = nowMs + this.#delayMs;
    }
    if (nowMs < this.#notBeforeMs) return true;
    this.#notBeforeMs = 0;
    return false;
  }

  /** Writes and syncs what there is; a rewrite that is under way ends, and the former parts count. */
  async finish(): Promise<void> {
    this.#isClosed = true;
    this.#rewrite?.cancel();
    await this.#closing;
    if (this.#state !== 'off') await this.#closeWriter();
    this.#state = 'off';
    await this.#running;
  }
}
