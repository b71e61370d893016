import type { RingsideError } from '../../lib/base/index.ts';
import type { RingDocument } from '../../lib/ring/index.ts';
import type { ProxyFigures } from './figures-api.ts';

/** Bytes in the pieces in which they came: a long value is not copied together. */
export type Pieces = readonly Buffer[];

/** The lease that a read asks for. */
export interface LeaseWish {
  /** Milliseconds that it is to run. */
  readonly leaseMs: number;
  /** Also of a value with fewer milliseconds left; 0: not. */
  readonly belowMs: number;
}

/** What a read is to tell. */
export interface ReadOptions {
  /** Ask for the right to fill what is missing, or to refresh what is stale; `true`: for as long as leases usually run. */
  readonly lease?: boolean | LeaseWish;
  /** Everything but the value. */
  readonly head?: boolean;
  /** A long value may come in parts. */
  readonly mayArrive?: boolean;
}

/** The right to fill a key, which at most one caller has. */
export interface Lease {
  /** Null: somebody else has it, or nobody can get it. */
  readonly token: string | null;
  /** Milliseconds that it, or somebody else's, runs; 0: nobody has it. */
  readonly ms: number;
}

/** What a read found. */
export interface ReadResult {
  /** Null when the key does not exist. Copies: the caller may keep them. Empty when only the head was asked for. */
  readonly value: Pieces | null;
  /** Length of the value. */
  readonly bytes: number;
  /** Of the value, in decimal; null on a miss, and where the engine has none. */
  readonly version: string | null;
  /** Remaining lifetime in milliseconds; null when the key has none (or does not exist). */
  readonly ttlMs: number | null;
  /** Milliseconds until the value is stale; null: never. */
  readonly softTtlMs: number | null;
  /** The value is past its soft lifetime. */
  readonly isStale: boolean;
  /** Milliseconds since a node was asked, of a value that the proxy kept in its own memory; left out where a node answered. */
  readonly l1AgeMs?: number;
  /** True when a follower answered because the leader could not be reached. */
  readonly possiblyStale: boolean;
  /** Null unless asked for. */
  readonly lease: Lease | null;
  /** Whoever was to fill the key found that there is nothing. */
  readonly isAbsent?: boolean;
  /** The value was not there: it has just come from the origin. */
  readonly isFilled?: boolean;
  /** Instead of the value, where that may come in parts: it is still on its way from the origin, and what is read here fails when that does. */
  readonly arriving?: AsyncIterable<Buffer>;
}

/** What a write depends on. */
export interface WriteConditions {
  /** The key must have this version, in decimal. */
  readonly ifVersion?: string;
  /** The key must exist. Not together with `ifVersion`. */
  readonly mustExist?: boolean;
  /** No higher token may have been seen under this name on the key's shard. */
  readonly fence?: { readonly name: Buffer; readonly token: string };
  /** The same write with the same key here is done once, and answered as the first time; a different one is refused. */
  readonly idempotencyKey?: Buffer;
}

/** How a value is to be written. */
export interface SetOptions extends WriteConditions {
  /** Lifetime in milliseconds, > 0. Without it the value has that of its namespace, or none (an earlier lifetime is dropped). */
  readonly ttlMs?: number;
  /** Milliseconds after which the value is stale, and may still be served. */
  readonly softTtlMs?: number;
  /** Write only when the key does not exist. Not together with `ifVersion` or `mustExist`. */
  readonly onlyIfAbsent?: boolean;
  /** Names to purge the value by. Without them it has none, also when the key had some before. */
  readonly tags?: readonly Buffer[];
  /** The token of the lease under which this value was made. */
  readonly leaseToken?: Buffer;
}

/** What is to be forgotten: these keys, all that have one of these tags, and all that begin with one of these prefixes. */
export interface Purge {
  readonly keys: readonly Buffer[];
  readonly tags: readonly Buffer[];
  readonly prefixes: readonly Buffer[];
}

/** What a write did. */
export interface SetResult {
  /** True when the key did not exist before. */
  readonly created: boolean;
  /** Of the new value, in decimal; null where the engine has none. */
  readonly version: string | null;
}

/** A number that was added to. */
export interface IncrResult {
  readonly value: bigint;
  readonly version: string | null;
}

/** One key of an `mget`: what is there (value null: a miss), or why this key could not be read. */
export type MgetResult =
  | {
      readonly value: Buffer | null;
      readonly version: string | null;
      readonly ttlMs: number | null;
      readonly isStale: boolean;
      readonly possiblyStale: boolean;
    }
  | { readonly error: RingsideError };

/**
 * The data path as HTTP and gRPC see it. Safe to call concurrently.
 *
 * Keys and values are handed over: the caller must not change the buffers until the promise settles.
 * Every method rejects with a `RingsideError`: `write_unknown` (the write may or may not have happened), `timeout` (reads),
 * `shard_down`, `overloaded`, `no_replicas`, `precondition_failed`, `fenced`, `lease_void`, `origin_failed`, `idempotency_key_reused`, `not_an_integer`,
 * `wrong_type`, `too_large`, `not_implemented` (the engine of the shard cannot do it), `not_found` never (a miss is a result).
 */
export interface KeyValueApi {
  get(key: Buffer, options?: ReadOptions): Promise<ReadResult>;
  set(key: Buffer, value: Pieces, options?: SetOptions): Promise<SetResult>;
  /** True when the key existed. */
  delete(key: Buffer, conditions?: WriteConditions): Promise<boolean>;
  /** Grouped per shard; results in the order of `keys`. Never rejects because of one shard: each key has its own result. */
  mget(keys: readonly Buffer[]): Promise<MgetResult[]>;
  /** Atomic add to a 64-bit signed integer; a missing key counts as 0. Keeps the lifetime. */
  incr(key: Buffer, by: bigint, conditions?: WriteConditions): Promise<IncrResult>;
  /**
   * Resolves once the leader of every shard concerned has purged: no read after that sees what was there when the purge came. The error of
   * a partial failure names the shards that failed; a purge may be repeated.
   */
  purge(what: Purge): Promise<void>;
}

/** The data path itself, whose operations may be given deadlines. */
export interface BoundedApi extends KeyValueApi {
  /**
   * The same, for whoever waits until `deadlineMs` (monotonic milliseconds) and no longer, if that is before the deadline that each operation has anyway. What has not
   * left for a node by then is not sent: `timeout`. A write that was sent is `write_unknown`.
   */
  until(deadlineMs: number): BoundedApi;
}

/** On whose behalf operations are done. */
export interface CallScope {
  /** Monotonic milliseconds at which the client waits no longer; Infinity: it has not said. */
  readonly deadlineMs: number;
  /** `host:port` of the client; empty when it is not known. Asked for only when somebody wants to hear of an operation. */
  readonly address: string;
}

/** The data path as a listener of HTTP or gRPC has it. */
export interface CallApi {
  /** The operations of one call. */
  within(scope: CallScope): KeyValueApi;
}

/** One upstream node as the admin listener shows it. */
export interface UpstreamStatus {
  readonly shard: string;
  readonly role: 'leader' | 'follower';
  readonly address: string;
  /** idle: no connection was needed yet. suspect: reads go to a follower while the node is probed. */
  readonly state: 'idle' | 'connecting' | 'connected' | 'suspect';
  readonly inFlight: number;
}

/** A hold, and what it has stopped. */
export interface HoldState {
  /** Requests that wait. */
  readonly held: number;
}

/**
 * Moves a proxy with one fixed upstream to another server without losing or failing a write: `hold`, `turn`, `commit`; `release` gives
 * up. A hold has the name that whoever asked for it chose, and ends by itself, back at the old upstream.
 */
export interface UpstreamMove {
  /** Address of the leader of the one shard; null while there is none to be moved, as with a control plane. */
  readonly upstream: string | null;
  /** Name of the hold in force, or null. */
  readonly holder: string | null;
  /**
   * New writes wait, for `ms` milliseconds at most. Resolves once no write is on its way. Rejects with `conflict`, or with `timeout` when that
   * takes more than half of the time; then nothing waits.
   */
  hold(name: string, ms: number): Promise<HoldState>;
  /** The upstream becomes `to`; writes still wait, for as long again at most. Resolves once it is connected; rejects with `conflict` or `unavailable`, and is as before. */
  turn(name: string, from: string, to: string): Promise<HoldState>;
  /** What waited goes to the new upstream, and the hold is over. The same commit again is answered alike. */
  commit(name: string): Promise<HoldState>;
  /** What waited goes to the old upstream, and the hold is over. Without effect when there is none of this name. */
  release(name: string): Promise<HoldState>;
}

/** What the proxy is doing: the admin listener's whole view of it (`/status`, `/ring`, `/readyz`, `POST /drain`). */
export interface ProxyAdminApi {
  readonly id: string;
  readonly runId: string;
  /** starting: no ring yet. draining: listeners are closed, what is in flight finishes. */
  state(): 'starting' | 'serving' | 'draining';
  /** The applied ring document; null before the first. A fixed ring (`--upstream`) is shown as a document too, with epoch 0. */
  ring(): RingDocument | null;
  upstreams(): UpstreamStatus[];
  readonly move: UpstreamMove;
  readonly figures: ProxyFigures;
  /** `host:port` of every listener that listens, by protocol (resp, http, grpc, memcached, admin). */
  listeners(): Readonly<Record<string, string>>;
  /** Starts the graceful drain; settles when it is over. Calling it again returns the same promise. */
  drain(): Promise<void>;
}

/**
 * What `startProxy` expects of a listener factory (proxy/http, proxy/grpc, proxy/admin export one each).
 * `close` stops accepting at once, lets what is in flight finish, and destroys what is left after `graceMs`.
 */
export interface ApiListener {
  /** `host:port` as bound. */
  readonly address: string;
  close(graceMs: number): Promise<void>;
}
