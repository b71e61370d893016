import { type CacheState, emptyCacheState, type LeaseTable } from './cache/index.ts';
import type { Namespaces } from './namespaces.ts';
import type { ChangeGuards } from './persistence/index.ts';
import type { ReplicationLog } from './replication/replication-log.ts';
import { StreamEncoder } from './replication/stream-encoder.ts';
import { VersionClock } from './versions.ts';

/** Counters of what happened to keys. */
export interface KeyspaceStats {
  hits: number;
  misses: number;
  expired: number;
  evicted: number;
  /** Of those, by number of the namespace. */
  readonly expiredByNamespace: Float64Array;
  readonly evictedByNamespace: Float64Array;
}

/** From how much on a collection leaves its compact encoding; Redis's settings and defaults. */
export class ValueLimits {
  hashEntries = 512;
  hashValueBytes = 64;
  setIntegers = 512;
  zsetEntries = 128;
  zsetValueBytes = 64;
  /** A HyperLogLog longer than this many bytes leaves the sparse form. */
  hllSparseBytes = 3000;
  /** As `list-max-listpack-size`: entries when positive, else -1 to -5 for 4 to 64 kB. */
  listSize = -2;
}

/** Hears what happens to keys, once somebody wants to know. Keys are text of one byte a character. */
export interface KeyspaceObserver {
  /** The value, the expiry or the existence of the key has changed. */
  touched(database: number, key: string): void;
  /** All keys of a database are gone, or with -1 of all databases. */
  flushed(database: number): void;
  /** A keyspace event, asked for by `DataSet.notifyMask`. */
  event(database: number, kind: number, event: string, key: string): void;
}

/** Hears of keys that have become ready for those who wait for them. */
export interface Readiness {
  /** The key is text of one byte a character. */
  signal(database: number, key: string): void;
}

/** Classes of keyspace events, as bits. */
export const NOTIFY_GENERIC = 1;
export const NOTIFY_STRING = 2;
export const NOTIFY_LIST = 4;
export const NOTIFY_SET = 8;
export const NOTIFY_HASH = 16;
export const NOTIFY_ZSET = 32;
export const NOTIFY_EXPIRED = 64;
export const NOTIFY_EVICTED = 128;
export const NOTIFY_KEY_MISS = 256;
export const NOTIFY_NEW = 512;

/** What all databases of a node share: the time, the versions, the replication stream, and who listens. */
export class DataSet {
  readonly log: ReplicationLog;
  readonly versions = new VersionClock();
  /** Writes into the log. */
  readonly stream: StreamEncoder;
  readonly stats: KeyspaceStats;
  readonly limits = new ValueLimits();
  /** Keeps clients from choosing members that collide. */
  hashSeed = 0;
  /** The time this turn runs at, unix milliseconds. */
  nowMs = 0;
  /** A leader removes what has expired and says so in the stream; a follower only hides it until the leader does. */
  removesExpired = true;
  /** Whether what has expired goes before anybody asks for it; tests may want it to stay. */
  expiresActively = true;
  /** Grows with every change of data. */
  dirty = 0;
  /** What the command changed so far is in the stream; when it is not, whoever runs commands puts the command itself there. */
  logged = false;
  /** What is applied comes from a leader: it is in the stream already. */
  isReplaying = false;
  /** The stream is another's, which is passed on: what changes here by itself may not be in it. */
  isPassedOn = false;
  /** Null while nobody watches keys. */
  observer: KeyspaceObserver | null = null;
  /** Whom to show entries before they change; null while no snapshot is being made. */
  snapshots: ChangeGuards | null = null;
  /** Null while no client waits for a key. */
  readiness: Readiness | null = null;
  /** Bits of the keyspace events that somebody wants. */
  notifyMask = 0;

  readonly cache: CacheState;
  readonly namespaces: Namespaces;
  readonly leases: LeaseTable;

  constructor(log: ReplicationLog, cache: CacheState = emptyCacheState()) {
    this.log = log;
    this.stream = new StreamEncoder(log, this.versions);
    this.cache = cache;
    this.namespaces = cache.namespaces;
    this.stats = {
      hits: 0,
      misses: 0,
      expired: 0,
      evicted: 0,
      expiredByNamespace: new Float64Array(this.namespaces.count),
      evictedByNamespace: new Float64Array(this.namespaces.count),
    };
    this.leases = cache.leases;
  }

  /** Sets the counters to zero. */
  resetStatistics(): void {
    const { stats } = this;
    Object.assign(stats, { hits: 0, misses: 0, expired: 0, evicted: 0 });
    stats.expiredByNamespace.fill(0);
    stats.evictedByNamespace.fill(0);
  }

  /** Whether somebody wants to know of every change of a key. */
  get isWatched(): boolean {
    return this.observer !== null || this.leases.held > 0;
  }

  /** Whether what changes goes into the stream. */
  get records(): boolean {
    return this.log.active && !this.isReplaying && !this.isPassedOn;
  }
}
