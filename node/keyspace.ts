import { FRAME_OVERHEAD_BYTES } from './replication/frame-writer.ts';
import {
  entryFrameBytes,
  writeAppend,
  writeDelete,
  writeExpiry,
  writeFlush,
  writeSet,
} from './replication/frames.ts';
import type { ReplicationLog } from './replication/replication-log.ts';
import type { Slot, Store } from './store/index.ts';
import { VersionClock } from './versions.ts';

/** Counters of what happened to keys. */
export interface KeyspaceStats {
  hits: number;
  misses: number;
  expired: number;
  evicted: number;
}

/**
 * The data set as commands see it: entries that are alive, and mutations that go to the store and to the replication stream together.
 *
 * Commands take the key as a byte range and a slot they looked up in the same turn. `nowMs` is set by whoever runs commands.
 */
export class Keyspace {
  readonly store: Store;
  readonly log: ReplicationLog;
  readonly versions = new VersionClock();
  readonly stats: KeyspaceStats = { hits: 0, misses: 0, expired: 0, evicted: 0 };
  /** The time this turn runs at, unix milliseconds. */
  nowMs = 0;
  /** A leader removes what has expired and says so in the stream; a follower only hides it until the leader does. */
  removesExpired = true;

  constructor(store: Store, log: ReplicationLog) {
    this.store = store;
    this.log = log;
  }

  /** Looks up for reading: counts a hit or a miss and makes the entry the most recently used. 0 for none. */
  read(buffer: Buffer, start: number, end: number): Slot {
    const slot = this.find(buffer, start, end);
    if (slot === 0) {
      this.stats.misses++;
      return 0;
    }
    this.stats.hits++;
    this.store.touch(slot);
    return slot;
  }

  /** Looks up for writing: makes the entry the most recently used. 0 for none. */
  write(buffer: Buffer, start: number, end: number): Slot {
    const slot = this.find(buffer, start, end);
    if (slot !== 0) this.store.touch(slot);
    return slot;
  }

  /** Looks up and leaves no trace. 0 for none. */
  find(buffer: Buffer, start: number, end: number): Slot {
    const slot = this.store.find(buffer, start, end);
    if (slot === 0) return 0;
    const expiresAt = this.store.expiresAt(slot);
    if (expiresAt === 0 || expiresAt > this.nowMs) return slot;
    if (this.removesExpired) this.#expire(slot);
    return 0;
  }

  /** Whether the entry has outlived its time but is still there. */
  isExpired(slot: Slot): boolean {
    const expiresAt = this.store.expiresAt(slot);
    return expiresAt !== 0 && expiresAt <= this.nowMs;
  }

  /** Adds an entry for a key that is not there; a set must follow. */
  insert(buffer: Buffer, start: number, end: number): Slot {
    return this.store.insert(buffer, start, end);
  }

  /** Sets value and expiry (0: never). */
  setBytes(slot: Slot, value: Buffer, start: number, end: number, expiresAt: number): void {
    this.store.setBytes(slot, value, start, end);
    this.#changed(slot, expiresAt);
  }

  /** As `setBytes`, with the value as a string of one byte a character. */
  setLatin1(slot: Slot, value: string, expiresAt: number): void {
    this.store.setLatin1(slot, value);
    this.#changed(slot, expiresAt);
  }

  #changed(slot: Slot, expiresAt: number): void {
    const { store, versions, log } = this;
    store.setExpiry(slot, expiresAt);
    versions.next();
    store.setVersion(slot, versions.high, versions.low);
    if (!log.active) return;
    writeSet(log.begin(entryFrameBytes(store, slot)), store, slot);
    log.commit();
  }

  /** Appends to the value; returns its new length. */
  append(slot: Slot, suffix: Buffer, start: number, end: number): number {
    const { store, versions, log } = this;
    const length = store.append(slot, suffix, start, end);
    versions.next();
    store.setVersion(slot, versions.high, versions.low);
    if (log.active) {
      const key = store.keyOf(slot);
      writeAppend(
        log.begin(FRAME_OVERHEAD_BYTES + key.length + end - start),
        key,
        suffix,
        start,
        end,
        versions,
      );
      log.commit();
    }
    return length;
  }

  /** Sets when the entry expires, 0 for never. A time that has passed is the caller's to turn into a removal. */
  setExpiry(slot: Slot, atMs: number): void {
    const { store, log } = this;
    store.setExpiry(slot, atMs);
    if (!log.active) return;
    const key = store.keyOf(slot);
    writeExpiry(log.begin(FRAME_OVERHEAD_BYTES + key.length), key, atMs);
    log.commit();
  }

  remove(slot: Slot): void {
    const { store, versions, log } = this;
    versions.next();
    if (log.active) {
      const key = store.keyOf(slot);
      writeDelete(log.begin(FRAME_OVERHEAD_BYTES + key.length), key, versions.high, versions.low);
      log.commit();
    }
    store.remove(slot);
  }

  clear(): void {
    const { versions, log } = this;
    versions.next();
    if (log.active) {
      writeFlush(log.begin(FRAME_OVERHEAD_BYTES), versions.high, versions.low);
      log.commit();
    }
    this.store.clear();
  }

  #expire(slot: Slot): void {
    this.remove(slot);
    this.stats.expired++;
  }

  /**
   * Looks at up to `samples` entries with an expiry and removes those that have expired; returns how many. On a node that only hides
   * them, does nothing.
   */
  expireSome(samples: number): number {
    if (!this.removesExpired) return 0;
    let expired = 0;
    for (let i = 0; i < samples; i++) {
      const slot = this.store.nextExpiring();
      if (slot === 0) break;
      if (!this.isExpired(slot)) continue;
      this.#expire(slot);
      expired++;
    }
    return expired;
  }

  /** Removes the least recently used entry; false when there is none. */
  evictOne(): boolean {
    const slot = this.store.oldest();
    if (slot === 0) return false;
    this.remove(slot);
    this.stats.evicted++;
    return true;
  }
}
