import type { RingsideError } from '../../lib/base/index.ts';
import type { RingDocument } from '../../lib/ring/index.ts';

/** What a read found. */
export interface ReadResult {
  /** The bytes, or null when the key does not exist. A copy: the caller may keep it. */
  readonly value: Buffer | null;
  /** Remaining lifetime in milliseconds; null when the key has none (or does not exist). */
  readonly ttlMs: number | null;
  /** True when a follower answered because the leader could not be reached. */
  readonly possiblyStale: boolean;
}

/** How a value is to be written. */
export interface SetOptions {
  /** Lifetime in milliseconds, > 0. Without it the value has none (an earlier lifetime is dropped). */
  readonly ttlMs?: number;
  /** Write only when the key does not exist. */
  readonly onlyIfAbsent?: boolean;
  /** Names to purge the value by. Without them it has none, also when the key had some before. */
  readonly tags?: readonly Buffer[];
}

/** What is to be forgotten: these keys, all that have one of these tags, and all that begin with one of these prefixes. */
export interface Purge {
  readonly keys: readonly Buffer[];
  readonly tags: readonly Buffer[];
  readonly prefixes: readonly Buffer[];
}

/** What a write did. */
export interface SetResult {
  /** False only with `onlyIfAbsent` when the key existed. */
  readonly stored: boolean;
  /** True when the key did not exist before. */
  readonly created: boolean;
}

/** One key of an `mget`: its value (null: a miss), or why this key could not be read. */
export type MgetResult =
  | { readonly value: Buffer | null; readonly possiblyStale: boolean }
  | { readonly error: RingsideError };

/**
 * The data path as the protocol listeners (HTTP, gRPC, memcached) see it. One per worker; safe to call concurrently.
 *
 * Keys and values are handed over: the caller must not change the buffers until the promise settles.
 * Every method rejects with a `RingsideError`: `write_unknown` (the write may or may not have happened), `timeout` (reads),
 * `shard_down`, `overloaded`, `no_replicas`, `not_an_integer`, `too_large`, `not_found` never (a miss is a result).
 */
export interface KeyValueApi {
  get(key: Buffer): Promise<ReadResult>;
  set(key: Buffer, value: Buffer, options?: SetOptions): Promise<SetResult>;
  /** True when the key existed. */
  delete(key: Buffer): Promise<boolean>;
  /** Grouped per shard; results in the order of `keys`. Never rejects because of one shard: each key has its own result. */
  mget(keys: readonly Buffer[]): Promise<MgetResult[]>;
  /** Atomic add to a 64-bit signed integer; a missing key counts as 0. Keeps the lifetime. Returns the new number. */
  incr(key: Buffer, by: bigint): Promise<bigint>;
  /**
   * Resolves once the leader of every shard concerned has purged: no read after that sees what was there when the purge came. The error of
   * a partial failure names the shards that failed; a purge may be repeated.
   */
  purge(what: Purge): Promise<void>;
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
