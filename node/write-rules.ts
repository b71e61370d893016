import { errorCatalogue } from '../lib/base/index.ts';
import type { Args } from '../lib/codec/resp/index.ts';
import type { CommandSpec } from '../lib/commands/index.ts';
import type { Databases } from './databases.ts';
import { lacksReplicas, staleness } from './guards.ts';
import { beginEvictions, makeRoom, memoryRefusal } from './memory-limit.ts';
import { SAVE_FAILED } from './persistence/index.ts';
import type { Client } from './server/client.ts';
import type { NodeServices } from './services.ts';
import type { Transaction } from './transactions/transaction.ts';

const LOADING = errorCatalogue.loading.resp;
const READONLY = errorCatalogue.read_only.resp;
const NOREPLICAS = errorCatalogue.no_replicas.resp;
const OOM = errorCatalogue.out_of_memory.resp;
const PAUSED = 'ERR Writes are paused: keys that have reached the target are still here too';

/**
 * Whether this node may change data for a client now: by its role and lease, its followers, and the memory there is. All answers are the
 * text of an error, or null.
 */
export class WriteRules {
  readonly #databases: Databases;
  readonly #node: NodeServices;
  #mayWrite = false;
  /** Milliseconds that the reply of the write asked about last waits for a follower if it changes anything. */
  ackTimeoutMs = 0;

  constructor(databases: Databases, node: NodeServices) {
    this.#databases = databases;
    this.#node = node;
  }

  /** What is asked until the next turn is asked at `nowMs`. Evicts what is beyond the node's budget. */
  beginTurn(nowMs: number): void {
    this.#mayWrite = this.#node.shard.mayWrite(nowMs);
    const { settings, pause } = this.#node;
    // On a follower too: what the policy knows of the entries cannot be made up for in a moment when it is promoted.
    this.#databases.setPolicy(settings.maxMemoryPolicy, settings.maxMemoryBytes);
    // Others may have to do it: whoever keeps copies is told before any reply.
    if (settings.maxMemoryBytes === 0 || !this.#mayWrite || pause.mode !== 'none') return;
    beginEvictions(this.#databases, settings, nowMs);
    makeRoom(this.#databases, settings);
  }

  /** Why a write may not be executed now. */
  refusal(spec: CommandSpec, client: Client, args: Args): string | null {
    const { settings, ackRules, watch, clock } = this.#node;
    const refusal = this.#refusalByRole(client, ackRules.timeoutOf(spec, args));
    if (refusal !== null) return refusal;
    const keyspace = this.#databases.at(client.database);
    if (settings.latencyThresholdMs === 0) {
      return memoryRefusal(this.#databases, settings, keyspace, spec, args);
    }
    const startedMs = clock.monotonicMs();
    const shortage = memoryRefusal(this.#databases, settings, keyspace, spec, args);
    watch.spike('eviction-cycle', clock.monotonicMs() - startedMs);
    return shortage;
  }

  /** Why EXEC may not run these commands now. */
  refusalOfTransaction(client: Client, { ackTimeoutMs, deniesOom }: Transaction): string | null {
    const refusal = this.#refusalByRole(client, ackTimeoutMs);
    if (refusal !== null) return refusal;
    return !makeRoom(this.#databases, this.#node.settings) && deniesOom ? OOM : null;
  }

  /** Why nothing may be queued: that takes memory too, whatever it is. */
  refusalOfQueueing(): string | null {
    return makeRoom(this.#databases, this.#node.settings) ? null : OOM;
  }

  /** Why a write of a transaction goes beyond what its namespaces allow; the node's own budget has been asked once for all. */
  refusalByNamespace(spec: CommandSpec, client: Client, args: Args): string | null {
    const { boundsBytes, boundsValues } = this.#databases.data.namespaces;
    if (!boundsBytes && !boundsValues) return null;
    const keyspace = this.#databases.at(client.database);
    return memoryRefusal(this.#databases, this.#node.settings, keyspace, spec, args);
  }

  /** Why a change out of the client's turn may not be made. */
  refusalAside(client: Client, ackTimeoutMs: number): string | null {
    return this.#node.pause.mode === 'none' ? this.#refusalByRole(client, ackTimeoutMs) : PAUSED;
  }

  /** Why nothing may change since it could not be kept on disk; null while it can. */
  get diskRefusal(): string | null {
    const { saves, aof } = this.#node;
    return saves.refusesWrites ? SAVE_FAILED : aof.refusal;
  }

  /** Why this node may not write for the client, or not wait `ackTimeoutMs` for a follower. */
  #refusalByRole(client: Client, ackTimeoutMs: number): string | null {
    const { shard, followers, settings } = this.#node;
    if (client.shardEpoch >= 0) {
      const stale = staleness(client, shard);
      if (stale !== null) return stale;
    }
    const { diskRefusal } = this;
    if (diskRefusal !== null) return diskRefusal;
    if (!this.#mayWrite) {
      if (shard.isLoading) return LOADING;
      return shard.mayWriteAside && !settings.replicaReadOnly ? null : READONLY;
    }
    this.ackTimeoutMs = ackTimeoutMs;
    if (settings.minReplicasToWrite > 0 && lacksReplicas(followers, settings)) return NOREPLICAS;
    return ackTimeoutMs > 0 && followers.replicatedOffset < 0 ? NOREPLICAS : null;
  }
}
