import { RdbFileWriter, type RdbWriterOptions } from '../../lib/codec/rdb/index.ts';
import type { Answer, Version } from '../cache/index.ts';
import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Slot, Store } from '../store/index.ts';
import { writeEntry } from '../values/serialize.ts';
import { ANSWER_FIELD, FENCE_FIELD, VERSION_FIELD, writeFacts } from './entry-facts.ts';
import { type ChangeGuard, ChangeGuards } from './guards.ts';
import type { LargeString } from './large-string.ts';
import { isLarge, LargeValue } from './large-value.ts';
import { writeStreamFacts } from './stream-facts.ts';

/** A database of at most so much is written off at once when it is cleared. */
const CLEARED_ENTRIES = 1000;
const CLEARED_BYTES = 1 << 20;
/** Steps of the index for each look at how much has been written, and looks for one call of `next`: it may be that there is little to write. */
const STEPS = 16;
const MOST_LOOKS = 32;

/** What a snapshot says of itself. */
export interface SnapshotFacts {
  readonly redisVersion: string;
  /** Unix milliseconds. */
  readonly wallMs: number;
  /** Compress strings. */
  readonly compresses: boolean;
}

/** A database as it was called when the snapshot began. */
interface Part {
  readonly index: number;
  /** Where the scan goes on; 0 before it. */
  cursor: number;
  isDone: boolean;
  /** Keys of entries that are written though the scan has not come to them, and that still have their version. */
  readonly early: Set<string>;
  /** Long strings that are being written, or wait for it, by their keys; those that have changed since are gone from here. */
  readonly strings: Map<string, LargeString>;
}

/**
 * A point-in-time RDB of all databases, written in slices over many turns while commands go on: it holds what was there when it was made,
 * and nothing of what came later. An entry that changes before the scan has come to it is written then, as it was; one that is newer than the
 * snapshot (which its version says) is left out.
 *
 * What a purge is about that began before the snapshot is as good as gone, and left out. What one is about that began later is written: between the
 * two, a command in the stream may have read it (COPY, SUNIONSTORE), which whoever loads the snapshot replays.
 *
 * Whoever makes one calls `next` until it gives null, or `close`. A data set that is cleared in between aborts it.
 */
export class SnapshotWriter implements ChangeGuard {
  readonly #databases: Databases;
  readonly #file: RdbFileWriter;
  /** The highest version when it was made. */
  readonly #began: Version;
  readonly #parts = new Map<Store, Part>();
  readonly #fences: Iterator<[string, bigint]>;
  #hasFences = true;
  readonly #answers: Iterator<Answer>;
  #hasAnswers = true;
  #current: Store | null = null;
  readonly #options: RdbWriterOptions;
  /** What is being written in parts, and what waits for that. */
  #open: LargeValue | null = null;
  readonly #large: LargeValue[] = [];
  readonly #slots: Slot[] = [];
  readonly #visit = (slot: Slot): void => {
    this.#slots.push(slot);
  };
  /** The end has been handed out. */
  isDone = false;
  /** The data set was cleared under it: what has been handed out is worth nothing. */
  isAborted = false;
  /** Entries written so far, and how many there were at the beginning. */
  written = 0;
  readonly total: number;

  constructor(databases: Databases, facts: SnapshotFacts) {
    const { data } = databases;
    this.#databases = databases;
    this.#options = { compresses: facts.compresses };
    this.#file = new RdbFileWriter(this.#options);
    this.#began = { high: data.versions.high, low: data.versions.low };
    this.total = databases.size;
    this.#fences = data.cache.fences.entries();
    this.#answers = data.cache.answers.entries();
    this.#writeFacts(facts);
    for (const { store, index } of databases.all()) {
      if (store.size === 0) continue;
      this.#parts.set(store, { index, cursor: 0, isDone: false, early: new Set(), strings: new Map() });
      this.#file.select(index);
      this.#file.size(store.size, store.expiringCount);
    }
    data.snapshots ??= new ChangeGuards();
    data.snapshots.add(this);
  }

  #writeFacts(facts: SnapshotFacts): void {
    const file = this.#file;
    file.aux('redis-ver', facts.redisVersion);
    file.aux('redis-bits', '64');
    file.aux('ctime', String(Math.floor(facts.wallMs / 1000)));
    file.aux('used-mem', String(this.#databases.usedBytes));
    writeStreamFacts(file, this.#databases.data.log);
    file.aux(VERSION_FIELD, hexWord(this.#began.high) + hexWord(this.#began.low));
  }

  /** Ends it before its end. */
  close(): void {
    const { data } = this.#databases;
    data.snapshots?.delete(this);
    if (data.snapshots?.size === 0) data.snapshots = null;
    this.#parts.clear();
    this.#open?.close();
    this.#open = null;
    for (const value of this.#large.splice(0)) value.close();
  }

  /**
   * The next bytes of the file: about `maxBytes`, or less, perhaps none, when much has been looked at for them; null at the end. More only
   * where a single string is larger.
   */
  next(maxBytes: number): Buffer | null {
    if (this.isDone || this.isAborted) return null;
    const file = this.#file;
    for (let looks = 0; looks < MOST_LOOKS && file.ready < maxBytes; looks++) {
      if (this.#hasFences) this.#writeFence();
      else if (this.#hasAnswers) this.#writeAnswers();
      else if (this.#open !== null) this.#writeOpen(this.#open);
      else if (this.#openNext()) continue;
      else if (!this.#writeEntries(maxBytes)) {
        if (file.isLast) return this.#end();
        break;
      }
    }
    return file.take();
  }

  /** Bytes that wait for `next`, or are kept for what is written in parts. */
  get pendingBytes(): number {
    let bytes = this.#file.length + (this.#open?.keptBytes ?? 0);
    for (const { keptBytes } of this.#large) bytes += keptBytes;
    return bytes;
  }

  #end(): Buffer {
    this.close();
    this.isDone = true;
    return this.#file.finish();
  }

  /** A floor that has risen since the beginning is no worse. */
  #writeFence(): void {
    const { done, value } = this.#fences.next();
    if (done) this.#hasFences = false;
    else this.#file.aux(FENCE_FIELD, `${value[1]} ${value[0]}`);
  }

  #writeAnswers(): void {
    for (let i = 0; i < STEPS; i++) {
      const { done, value } = this.#answers.next();
      if (done) {
        this.#hasAnswers = false;
        return;
      }
      const { name, digest, reply, untilMs } = value;
      this.#file.aux(ANSWER_FIELD, `${untilMs} ${name.length} ${digest.length} ${name}${digest}${reply}`);
    }
  }

  /** Writes what the next steps of the scan find; false when all databases have been scanned. */
  #writeEntries(maxBytes: number): boolean {
    const keyspace = this.#nextKeyspace();
    if (keyspace === null) return false;
    const { store } = keyspace;
    const part = this.#parts.get(store)!;
    for (let i = 0; i < STEPS && this.#file.ready < maxBytes; i++) {
      part.cursor = store.scan(part.cursor, this.#visit);
      for (const slot of this.#slots) this.#scanned(keyspace, part, slot);
      this.#slots.length = 0;
      if (part.cursor === 0) {
        part.isDone = true;
        part.early.clear();
        this.#current = null;
        break;
      }
    }
    return true;
  }

  /** The database that is being scanned, whatever it is called by now. */
  #nextKeyspace(): Keyspace | null {
    if (this.#current === null) {
      for (const [store, { isDone }] of this.#parts) {
        if (isDone) continue;
        this.#current = store;
        break;
      }
    }
    return this.#current === null ? null : this.#keyspaceOf(this.#current);
  }

  #keyspaceOf(store: Store): Keyspace {
    for (const keyspace of this.#databases.all()) if (keyspace.store === store) return keyspace;
    throw new Error('a store without a database');
  }

  /** Writes the next part of the value that is written in parts. */
  #writeOpen(value: LargeValue): void {
    if (value.write(this.#file.front)) return;
    this.#file.join();
    this.#open = null;
    this.written++;
    for (const { strings } of this.#parts.values())
      if (strings.size > 0 && strings.get(value.key) === value.string) strings.delete(value.key);
  }

  /** Begins with a large value that waits; false when there is none. */
  #openNext(): boolean {
    const value = this.#large.shift();
    if (value === undefined) return false;
    value.open(this.#file);
    this.#open = value;
    return true;
  }

  #scanned(keyspace: Keyspace, part: Part, slot: Slot): void {
    if (this.#isNew(keyspace.store, slot)) return;
    if (part.early.size > 0 && part.early.delete(keyspace.store.keyOf(slot))) return;
    if (keyspace.isPurged(slot, this.#began)) return;
    this.#write(keyspace, part, slot);
  }

  /** Whether the entry is above the version of the snapshot, or so new that it has none. */
  #isNew(store: Store, slot: Slot): boolean {
    const high = store.versionHigh(slot);
    const low = store.versionLow(slot);
    const began = this.#began;
    if (high !== began.high) return high > began.high || (high === 0 && low === 0);
    return low > began.low || (high === 0 && low === 0);
  }

  /** Writes an entry, or takes it down to be written in parts. */
  #write(keyspace: Keyspace, part: Part, slot: Slot): void {
    if (isLarge(keyspace, slot)) {
      const value = new LargeValue(keyspace, slot, part.index, this.#options);
      if (value.string !== null) part.strings.set(value.key, value.string);
      this.#large.push(value);
      return;
    }
    this.#writeHead(keyspace, part, slot);
    writeEntry(this.#file.parts, keyspace, slot);
    this.written++;
  }

  /** Writes what stands before an entry. */
  #writeHead({ store, marks }: Keyspace, part: Part, slot: Slot): void {
    const file = this.#file;
    file.select(part.index);
    writeFacts(file.parts, store, slot, marks.isUsed ? marks.of(store, slot) : null);
    const expiresAt = store.expiresAt(slot);
    if (expiresAt !== 0) file.expiry(expiresAt);
  }

  before(keyspace: Keyspace, slot: Slot): void {
    const { store } = keyspace;
    const part = this.#parts.get(store);
    if (part === undefined) return;
    if (part.strings.size > 0) this.#keepString(part, store.keyOf(slot));
    if (part.isDone || this.#isNew(store, slot)) return;
    if (part.cursor !== 0 && store.isScanned(slot, part.cursor)) return;
    const key = store.keyOf(slot);
    if (part.early.has(key)) return;
    part.early.add(key);
    if (keyspace.isPurged(slot, this.#began)) return;
    this.#write(keyspace, part, slot);
    if (part.strings.size > 0) this.#keepString(part, key);
  }

  #keepString({ strings }: Part, key: string): void {
    strings.get(key)?.keep();
    strings.delete(key);
  }

  renewed({ store }: Keyspace, slot: Slot): void {
    const part = this.#parts.get(store);
    if (part !== undefined && part.early.size > 0) part.early.delete(store.keyOf(slot));
  }

  beforeClear(keyspace: Keyspace): void {
    const { store } = keyspace;
    const part = this.#parts.get(store);
    if (part === undefined || (part.isDone && part.strings.size === 0)) return;
    if (store.size > CLEARED_ENTRIES || store.usedBytes > CLEARED_BYTES) {
      this.isAborted = true;
      this.close();
      return;
    }
    this.#writeRest(keyspace, part);
    if (this.#current === store) this.#current = null;
  }

  /** Writes what the scan has not come to, and what waits. */
  #writeRest(keyspace: Keyspace, part: Part): void {
    const { store } = keyspace;
    while (!part.isDone) {
      part.cursor = store.scan(part.cursor, this.#visit);
      for (const slot of this.#slots) this.#scanned(keyspace, part, slot);
      this.#slots.length = 0;
      part.isDone = part.cursor === 0;
    }
    part.early.clear();
    for (const key of part.strings.keys()) this.#keepString(part, key);
  }
}

function hexWord(word: number): string {
  return word.toString(16).padStart(8, '0');
}
