import type { Args } from '../lib/codec/resp/index.ts';
import { EntryMarks, type Marks, markCommand, type Version } from './cache/index.ts';
import {
  type DataSet,
  type KeyspaceStats,
  NOTIFY_EVICTED,
  NOTIFY_EXPIRED,
  NOTIFY_GENERIC,
  NOTIFY_KEY_MISS,
  NOTIFY_NEW,
} from './data-set.ts';
import type { ReplicationLog } from './replication/replication-log.ts';
import { isDumped, type StreamEncoder } from './replication/stream-encoder.ts';
import { type Slot, STRING, type Store } from './store/index.ts';
import { dumpEntry } from './values/serialize.ts';
import type { VersionClock } from './versions.ts';

const NO_TAGS: readonly string[] = [];

/**
 * One database as commands see it: entries that are alive, and mutations that go to the store and to the replication stream together.
 *
 * Commands take the key as a byte range and a slot they looked up in the same turn; any mutation makes slots stale. `data.nowMs` is set
 * by whoever runs commands.
 */
export class Keyspace {
  /** Number of the database. */
  readonly index: number;
  readonly data: DataSet;
  readonly log: ReplicationLog;
  readonly stream: StreamEncoder;
  readonly versions: VersionClock;
  readonly stats: KeyspaceStats;
  /** Replaced when databases are swapped. */
  store: Store;
  /** Goes with the store. */
  marks: EntryMarks;
  /** Expiry that a new key got from its namespace, until the stream knows it. */
  #unlogged: { readonly key: string; readonly atMs: number } | null = null;

  /** The entry to be inserted takes the place of one that has gone for it. */
  #isReplacing = false;

  constructor(store: Store, data: DataSet, index = 0) {
    this.store = store;
    this.marks = new EntryMarks(data.cache.tagBudget);
    this.data = data;
    this.log = data.log;
    this.stream = data.stream;
    this.versions = data.versions;
    this.stats = data.stats;
    this.index = index;
  }

  /** The time this turn runs at, unix milliseconds. */
  get nowMs(): number {
    return this.data.nowMs;
  }

  /** Looks up for reading: counts a hit or a miss and makes the entry the most recently used. 0 for none. */
  read(buffer: Buffer, start: number, end: number): Slot {
    const slot = this.peek(buffer, start, end);
    if (slot !== 0) this.store.touch(slot);
    return slot;
  }

  /** Looks up for reading about the entry, not its value: counts a hit or a miss, and is no use of the entry. 0 for none. */
  peek(buffer: Buffer, start: number, end: number): Slot {
    const slot = this.find(buffer, start, end);
    if (slot !== 0) {
      this.stats.hits++;
      return slot;
    }
    this.stats.misses++;
    this.notify(NOTIFY_KEY_MISS, 'keymiss', buffer, start, end);
    return 0;
  }

  /** Looks up for writing: makes the entry the most recently used. 0 for none. */
  write(buffer: Buffer, start: number, end: number): Slot {
    const slot = this.find(buffer, start, end);
    if (slot === 0) return 0;
    this.store.touch(slot);
    if (this.data.snapshots !== null) this.data.snapshots.before(this, slot);
    return slot;
  }

  /** Looks up and leaves no trace. 0 for none. */
  find(buffer: Buffer, start: number, end: number): Slot {
    const slot = this.store.find(buffer, start, end);
    // What a leader's command found is there, whatever the clock says here, until the leader says that it goes.
    if (slot === 0 || this.data.isReplaying) return slot;
    if (this.isPurged(slot)) {
      if (this.data.removesExpired) this.#purge(slot);
      return 0;
    }
    const expiresAt = this.store.expiresAt(slot);
    if (expiresAt === 0 || expiresAt > this.data.nowMs) return slot;
    if (this.data.removesExpired) this.#expire(slot);
    return 0;
  }

  /** Whether the entry has outlived its time, or has been purged, but is still there. */
  isExpired(slot: Slot): boolean {
    if (this.isPurged(slot)) return true;
    const expiresAt = this.store.expiresAt(slot);
    return expiresAt !== 0 && expiresAt <= this.data.nowMs;
  }

  /** Adds an entry for a key that is not there; a set must follow. */
  insert(buffer: Buffer, start: number, end: number): Slot {
    const { store, data } = this;
    const { namespaces } = data;
    if (this.#isReplacing) this.#isReplacing = false;
    else this.notify(NOTIFY_NEW, 'new', buffer, start, end);
    if (namespaces.count === 1) return store.insert(buffer, start, end);
    const namespace = namespaces.numberOf(buffer, start, end);
    const slot = store.insert(buffer, start, end, namespace);
    const ttlMs = namespaces.ttlMs(namespace);
    if (ttlMs === 0 || data.isReplaying) return slot;
    const atMs = data.nowMs + ttlMs;
    store.setExpiry(slot, atMs);
    if (data.records) this.#unlogged = { key: buffer.latin1Slice(start, end), atMs };
    return slot;
  }

  /** Expiry of a value that is written without one, by the rule of its namespace; 0 for none. */
  #defaultExpiry(slot: Slot): number {
    const key = Buffer.from(this.store.keyOf(slot), 'latin1');
    const { namespaces, nowMs } = this.data;
    const ttlMs = namespaces.ttlMs(namespaces.numberOf(key, 0, key.length));
    return ttlMs === 0 ? 0 : nowMs + ttlMs;
  }

  /**
   * Makes a string the value, whatever it was, sets its expiry (0: as the namespace says, else never), and clears its marks. `isAsked`: this is
   * what the command at hand says, and it goes into the stream as it came.
   */
  setBytes(slot: Slot, value: Buffer, start: number, end: number, expiresAt: number, isAsked = false): void {
    if (this.data.snapshots !== null) this.data.snapshots.before(this, slot);
    if (this.marks.isUsed) this.#clearMarks(slot);
    this.store.setBytes(slot, value, start, end);
    if (this.store.typeOf(slot) !== STRING) this.store.setType(slot, STRING);
    const atMs = this.#changed(slot, expiresAt);
    if (this.#unlogged !== null) this.#unlogged = null;
    if (isAsked && atMs === expiresAt && !this.marks.isUsed) return;
    this.data.logged = true;
    if (!this.data.records) return;
    this.stream.set(this.index, this.store, slot);
    if (this.marks.isUsed) this.#logAllMarks(slot);
  }

  /**
   * As `setBytes`, with the value as a string of one byte a character; marks stay. Goes into the stream as the command that did it, unless that
   * one says it otherwise (`logValue`).
   */
  setLatin1(slot: Slot, value: string, expiresAt: number): void {
    if (this.data.snapshots !== null) this.data.snapshots.before(this, slot);
    this.store.setLatin1(slot, value);
    if (this.store.typeOf(slot) !== STRING) this.store.setType(slot, STRING);
    this.#unlogged = null;
    const atMs = this.#changed(slot, expiresAt);
    if (atMs !== expiresAt && this.data.records) this.#unlogged = { key: this.store.keyOf(slot), atMs };
  }

  /** Returns when the entry expires now. */
  #changed(slot: Slot, expiresAt: number): number {
    const { store, versions, data } = this;
    const isTimeless = expiresAt === 0 && data.namespaces.givesTtl && !data.isReplaying;
    const atMs = isTimeless ? this.#defaultExpiry(slot) : expiresAt;
    store.setExpiry(slot, atMs);
    versions.next();
    store.setVersion(slot, versions.high, versions.low);
    if (data.snapshots !== null) data.snapshots.renewed(this, slot);
    data.dirty++;
    if (data.isWatched) this.#written(slot);
    return atMs;
  }

  /** Gives an entry back its marks on followers, from which a frame with its whole value has taken them. */
  #logAllMarks(slot: Slot): void {
    const marks = this.marks.of(this.store, slot);
    if (marks !== null) this.logMarks(slot, marks);
  }

  /** Puts marks that an entry has got into the stream; its version stays on followers as it stays here. */
  logMarks(slot: Slot, marks: Marks): void {
    const { store, data } = this;
    data.logged = true;
    if (data.records) this.stream.metadata(this.index, markCommand(store.keyOf(slot), marks));
  }

  /** A command has written the key: a fill that is under way comes too late. */
  #written(slot: Slot): void {
    const key = this.store.keyOf(slot);
    this.data.leases.void(this.index, key);
    this.data.observer?.touched(this.index, key);
  }

  #clearMarks(slot: Slot): void {
    const { store, marks } = this;
    if (marks.tags.size > 0 && store.hasTags(slot)) marks.tags.remove(store.keyOf(slot));
    store.clearMarks(slot);
  }

  /** Gives the entry these marks. Value, version and expiry stay. */
  mark(slot: Slot, { clientFlags, softExpiresAt, tags }: Marks): void {
    const { store, marks, data } = this;
    if (data.snapshots !== null) data.snapshots.before(this, slot);
    marks.isUsed = true;
    if (clientFlags !== undefined) store.setClientFlags(slot, clientFlags);
    if (softExpiresAt !== undefined) store.setSoftExpiry(slot, softExpiresAt);
    if (tags !== undefined) {
      const key = store.keyOf(slot);
      if (store.hasTags(slot)) marks.tags.remove(key);
      if (tags.length > 0) marks.tags.add(key, tags);
      store.setHasTags(slot, tags.length > 0);
    }
    data.dirty++;
    if (data.isWatched) this.#written(slot);
  }

  /**
   * A collection has changed its content: gives it a new version and tells who watches. What changed goes into the stream by itself when
   * the command named one key; a command of several keys says it with `logCommand`.
   */
  modified(slot: Slot): void {
    const { store, versions, data } = this;
    store.objectChanged(slot);
    versions.next();
    store.setVersion(slot, versions.high, versions.low);
    if (data.snapshots !== null) data.snapshots.renewed(this, slot);
    data.dirty++;
    if (data.isWatched) this.#written(slot);
  }

  /**
   * Puts a command into the stream that has on a follower, and on its first key, the effect just made here. To be called right behind the
   * mutation of that key.
   */
  logCommand(parts: readonly (string | Buffer)[]): void {
    const { data } = this;
    data.logged = true;
    if (!data.records) return;
    this.stream.command(this.index, parts);
    if (this.#unlogged !== null) this.#logDefaultExpiry(this.#unlogged);
  }

  /** As `logCommand`, of the command at hand as it came. */
  logSame(args: Args): void {
    const { data } = this;
    data.logged = true;
    if (!data.records) return;
    this.stream.same(this.index, args);
    if (this.#unlogged !== null) this.#logDefaultExpiry(this.#unlogged);
  }

  #logDefaultExpiry({ key, atMs }: { readonly key: string; readonly atMs: number }): void {
    this.#unlogged = null;
    this.stream.expiry(this.index, key, atMs);
  }

  /** Puts the whole value of an entry into the stream, for a value that was built at once. */
  logValue(slot: Slot): void {
    const { store, data } = this;
    data.logged = true;
    this.#unlogged = null;
    if (!data.records) return;
    this.stream.value(this.index, store, slot, isDumped(store, slot) ? dumpEntry(this, slot) : null);
    if (this.marks.isUsed) this.#logAllMarks(slot);
  }

  /** Tells who waits for the key that it has data: to be called when a list or a sorted set has come into being. */
  signalReady(buffer: Buffer, start: number, end: number): void {
    const { readiness } = this.data;
    if (readiness !== null) readiness.signal(this.index, buffer.latin1Slice(start, end));
  }

  /** Tells who listens of a keyspace event (`NOTIFY_…`); the key as a byte range. */
  notify(kind: number, event: string, buffer: Buffer, start: number, end: number): void {
    const { data } = this;
    if ((data.notifyMask & kind) !== 0) {
      data.observer?.event(this.index, kind, event, buffer.latin1Slice(start, end));
    }
  }

  /** Appends to the value; returns its new length. */
  append(slot: Slot, suffix: Buffer, start: number, end: number): number {
    const { store, versions, data } = this;
    if (data.snapshots !== null) data.snapshots.before(this, slot);
    const length = store.append(slot, suffix, start, end);
    versions.next();
    store.setVersion(slot, versions.high, versions.low);
    if (data.snapshots !== null) data.snapshots.renewed(this, slot);
    data.dirty++;
    data.logged = true;
    if (data.isWatched) this.#written(slot);
    if (data.records) this.stream.append(this.index, store.keyOf(slot), suffix, start, end);
    return length;
  }

  /** Sets when the entry expires, 0 for never. A time that has passed is the caller's to turn into a removal. */
  setExpiry(slot: Slot, atMs: number): void {
    const { store, data } = this;
    if (data.snapshots !== null) data.snapshots.before(this, slot);
    store.setExpiry(slot, atMs);
    data.dirty++;
    data.logged = true;
    if (data.isWatched) this.#written(slot);
    if (data.records) this.stream.expiry(this.index, store.keyOf(slot), atMs);
  }

  remove(slot: Slot): void {
    this.#voidLeaseOf(slot);
    this.#drop(slot, true);
  }

  /** As `remove`, of what goes on a follower too by what the stream says of the command: an emptied collection, or what is replaced. */
  removeUnsaid(slot: Slot): void {
    this.#voidLeaseOf(slot);
    this.#drop(slot, false);
  }

  #voidLeaseOf(slot: Slot): void {
    if (this.data.leases.held > 0) this.data.leases.void(this.index, this.store.keyOf(slot));
  }

  /** As `remove`, of an entry whose key the next insert is for: to those who listen, the key has been there all along. */
  replace(slot: Slot): void {
    this.remove(slot);
    this.#isReplacing = true;
  }

  /** Removes the entry, and says so in the stream or leaves that to others; a fill that is under way for the key remains welcome. */
  #drop(slot: Slot, isSaid: boolean): void {
    const { store, versions, data, marks } = this;
    if (data.snapshots !== null) {
      data.snapshots.before(this, slot);
      data.snapshots.renewed(this, slot);
    }
    versions.next();
    data.dirty++;
    if (isSaid) data.logged = true;
    data.observer?.touched(this.index, store.keyOf(slot));
    if (marks.tags.size > 0 && store.hasTags(slot)) marks.tags.remove(store.keyOf(slot));
    if (isSaid && data.records) this.stream.remove(this.index, store.keyOf(slot));
    store.remove(slot);
  }

  /** Removes all entries; the stream has it as the command that did it. */
  clear(): void {
    const { versions, data } = this;
    versions.next();
    data.dirty++;
    data.observer?.flushed(this.index);
    data.leases.voidAll(this.index);
    this.reset();
  }

  /** Forgets all entries, without a trace in the stream. */
  reset(): void {
    this.data.snapshots?.beforeClear(this);
    this.store.clear();
    this.marks.clear();
  }

  #expire(slot: Slot): void {
    this.stats.expiredByNamespace[this.#namespaceOf(slot)]++;
    this.#dropAside(slot, NOTIFY_EXPIRED, 'expired');
    this.stats.expired++;
  }

  #namespaceOf(slot: Slot): number {
    const { namespaces } = this.data;
    if (namespaces.count === 1) return 0;
    const key = Buffer.from(this.store.keyOf(slot), 'latin1');
    return namespaces.numberOf(key, 0, key.length);
  }

  #purge(slot: Slot): void {
    this.#dropAside(slot, NOTIFY_GENERIC, 'del');
  }

  /** Removes an entry that was due to go anyway. */
  #dropAside(slot: Slot, kind: number, event: string): void {
    const { data } = this;
    const key = (data.notifyMask & kind) !== 0 ? this.store.keyOf(slot) : null;
    // Not what the command at hand did: whether that one has to go into the stream is still open.
    const { dirty, logged } = data;
    this.#drop(slot, true);
    data.dirty = dirty;
    data.logged = logged;
    if (key !== null) data.observer?.event(this.index, kind, event, key);
  }

  /** Whether a purge is about the entry, which is still there; `latest`: one that began when the versions stood no higher. */
  isPurged(slot: Slot, latest: Version | null = null): boolean {
    const { purges, tags } = this.marks;
    if (purges.pending === 0) return false;
    const { store } = this;
    const key = store.keyOf(slot);
    const names = store.hasTags(slot) ? tags.tagsOf(key) : NO_TAGS;
    const version = { high: store.versionHigh(slot), low: store.versionLow(slot) };
    return purges.covers(key, names, version, latest);
  }

  /** A purge has been asked for: it is about what exists now, up to the version returned. */
  beginPurge(kind: 'TAG' | 'PREFIX', ...texts: readonly string[]): Version {
    const { versions, data } = this;
    versions.next();
    const { high, low } = versions;
    data.dirty++;
    this.logCommand(['RS.PURGING', String(high), String(low), kind, ...texts]);
    return { high, low };
  }

  /** Somebody deletes a key that is not there: a fill that is under way for it comes too late. */
  voidLease(buffer: Buffer, start: number, end: number): void {
    const { leases } = this.data;
    if (leases.held > 0) leases.void(this.index, buffer.latin1Slice(start, end));
  }

  /** All keys of a purge are gone. */
  endPurge(version: Version): void {
    this.marks.purges.end(version);
    this.logCommand(['RS.PURGED', String(version.high), String(version.low)]);
  }

  /** Removes up to `count` expired entries; returns how many. On a node that only hides them, does nothing. */
  expireSome(count: number): number {
    if (!this.data.removesExpired || !this.data.expiresActively) return 0;
    let expired = 0;
    while (expired < count) {
      const slot = this.store.nextExpired(this.data.nowMs);
      if (slot === 0) break;
      this.#expire(slot);
      expired++;
    }
    return expired;
  }

  /** Removes the entry of a namespace that its policy gives up next; false when it gives up none. */
  evictOne(namespace = 0): boolean {
    const slot = this.store.victim(namespace);
    if (slot === 0) return false;
    this.#dropAside(slot, NOTIFY_EVICTED, 'evicted');
    this.stats.evicted++;
    this.stats.evictedByNamespace[namespace]++;
    return true;
  }
}
