import type { CommandPart } from '../../lib/codec/resp/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import type { Config, UpstreamConfig } from '../../lib/config/index.ts';
import { Health, resilienceOf } from '../health/index.ts';
import { topologyOfUpstreams } from '../ring/topology-of.ts';
import { Caller, type Reply } from './caller.ts';
import { NamespaceMatcher } from './namespace-rules.ts';
import { Router } from './router.ts';
import type { RouterEnvironment } from './router-environment.ts';
import { Stats } from './stats.ts';

/** Which cluster it is, and how long it may take. */
export interface OtherClusterOptions {
  readonly shards: readonly UpstreamConfig[];
  readonly timeoutMs: number;
  /** Commands that wait for one shard. */
  readonly maxInFlight: number;
}

/** A key of one database. */
export interface Place {
  readonly database: number;
  readonly key: Buffer;
}

/** A cluster beside that of the clients, as one thread sees it: a fixed ring with connections of its own, which counts towards no figures of the first. */
export class OtherCluster {
  readonly router: Router;
  readonly #caller: Caller;

  /** `env`: of the router to the clients' own cluster. */
  constructor(
    { shards, timeoutMs, maxInFlight }: OtherClusterOptions,
    config: Config,
    env: RouterEnvironment,
  ) {
    const { proxy, nearCache } = config;
    this.router = new Router({
      ...env,
      settings: {
        ...env.settings,
        operationTimeoutMs: timeoutMs,
        readTimeoutMs: timeoutMs,
        maxInFlightPerShard: maxInFlight,
        namespaces: new NamespaceMatcher({ namespaces: [], nearCache }),
      },
      stats: new Stats(),
      health: new Health(resilienceOf(proxy), env.random, env.log),
      slowness: { thresholdMs: Number.POSITIVE_INFINITY },
      rates: null,
      refresh: undefined,
    });
    this.#caller = new Caller(this.router);
    this.router.apply(topologyOfUpstreams(shards, proxy));
  }

  /** Sends a command about one key, its second word. Rejects with the RingsideError that an error reply stands for. */
  ask({ database, key }: Place, words: readonly CommandPart[], isWrite = false): Promise<Reply> {
    const route = this.router.routeOf(key, 0, key.length);
    const frame = { bytes: encodeCommand(...words), rest: null };
    return this.#caller.call({ route, isWrite, keyIndex: 1, database }, frame, true);
  }

  /** Closes every connection. */
  close(): void {
    this.router.close();
  }
}
