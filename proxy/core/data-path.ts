import type { Clock, Logger, Random } from '../../lib/base/index.ts';
import type { Config } from '../../lib/config/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import { BoundedLoad } from '../balance/index.ts';
import { FillAhead, FilledKeyValue, Fills } from '../fill/index.ts';
import { Health, RateGuard, resilienceOf } from '../health/index.ts';
import { HedgedReads } from '../hedge/index.ts';
import { NearCache } from '../near/index.ts';
import { Shadow } from '../shadow/index.ts';
import { WarmUp } from '../warm/index.ts';
import type { BoundedApi, Purge } from './api.ts';
import { KeyValue } from './key-value.ts';
import { LimitedKeyValue } from './limited-key-value.ts';
import { NameWatch } from './name-watch.ts';
import { NamespaceMatcher } from './namespace-rules.ts';
import { NodeSettings } from './node-settings.ts';
import { bothOf, type Onlooker } from './onlooker.ts';
import { Output } from './output.ts';
import { Privates } from './privates.ts';
import { PubSub } from './pubsub.ts';
import { BothReadPorts, type ReadPort } from './read-port.ts';
import { Router } from './router.ts';
import type { DataPathSettings } from './settings.ts';
import type { Stats } from './stats.ts';
import { Turn } from './turn.ts';
import { WaitService } from './wait.ts';

/** What one thread needs to carry data. */
export interface DataPathDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly stats: Stats;
  /** Identity towards the nodes; undefined: plain TCP. */
  readonly fleetTls: TlsMaterial | undefined;
  /** Asks for a newer ring; undefined with a fixed ring. */
  readonly refresh: (() => void) | undefined;
  /** What the warm-up shares with the threads that began earlier; undefined: there is none, or this thread is the first. */
  readonly warmMemory?: SharedArrayBuffer | undefined;
}

/** Everything of one thread between its listeners and the nodes. */
export class DataPath {
  readonly router: Router;
  readonly privates: Privates;
  readonly #names: NameWatch;
  /** Null where no namespace has any. */
  readonly #hedged: HedgedReads | null;
  readonly pubsub: PubSub;
  readonly wait: WaitService;
  readonly keyValue: BoundedApi;
  readonly nodeSettings: NodeSettings;
  /** Null: no namespace has an origin. */
  readonly fills: Fills | null;
  /** Null where no namespace has one. */
  readonly near: NearCache | null;
  /** Null where it is off. */
  readonly balance: BoundedLoad | null;
  /** Null where there is none. */
  readonly warmUp: WarmUp | null;
  /** Null: nothing is shadowed. */
  readonly shadow: Shadow | null;
  /** Has all threads forget what was purged. */
  purged: (what: Purge) => Promise<void> = async (what) => this.near?.purge(what);

  constructor(config: Config, deps: DataPathDeps) {
    const { clock, random, log, stats, fleetTls, refresh } = deps;
    const settings = settingsOf(config);
    const health = new Health(resilienceOf(config.proxy), random, log);
    this.router = new Router({
      settings,
      clock,
      random,
      log,
      stats,
      tls: fleetTls,
      turn: new Turn(clock),
      slowness: { thresholdMs: Number.POSITIVE_INFINITY },
      output: new Output(),
      health,
      rates: RateGuard.of(config, settings.namespaces, health.limits, clock.monotonicMs()),
      refresh,
    });
    this.privates = new Privates(this.router);
    this.#names = new NameWatch(this.router, config.proxy.resilience.resolveEveryMs);
    this.pubsub = new PubSub(this.router, config.proxy.limits.maxSubscriptions);
    this.wait = new WaitService(this.router, config.proxy.limits.maxWaitsPerNode);
    this.nodeSettings = new NodeSettings(this.router);
    this.fills = Fills.areNeeded(this.router.env.settings.namespaces) ? new Fills(this.router) : null;
    if (this.fills !== null) this.router.origins = new FillAhead(this.fills, this.router);
    const keyValue = new KeyValue(this.router, (what) => this.purged(what));
    this.keyValue = this.#limited(
      this.fills === null ? keyValue : new FilledKeyValue(keyValue, this.fills, this.router),
    );
    this.balance = this.#boundedLoad(config);
    this.near = this.#nearCache(config);
    this.router.near = this.near;
    this.router.balance = this.balance;
    this.#hedged = this.#hedgedReads(config);
    this.router.reads = bothPorts(bothPorts(this.near, this.balance), this.#hedged);
    this.warmUp = this.#warmUpOf(config, deps.warmMemory);
    const { shadow } = config.proxy;
    this.shadow = shadow && new Shadow({ router: this.router, config, settings: shadow });
    this.router.onlooker = this.#onlooker();
    if (this.fills !== null) this.fills.warmUp = this.warmUp;
  }

  #limited(keyValue: BoundedApi): BoundedApi {
    const { rates, clock } = this.router.env;
    return rates?.looksAtKeys ? new LimitedKeyValue(keyValue, rates, clock) : keyValue;
  }

  #boundedLoad(config: Config): BoundedLoad | null {
    const { router } = this;
    const { namespaces } = router.env.settings;
    if (!BoundedLoad.isNeeded(config, namespaces)) return null;
    const hotKeysPerSecond = config.nearCache.hotKeysPerSecond / threadsOf(config.proxy);
    return new BoundedLoad({ router, namespaces, config: config.balance, hotKeysPerSecond });
  }

  #hedgedReads({ proxy }: Config): HedgedReads | null {
    const { router } = this;
    const { namespaces } = router.env.settings;
    if (!HedgedReads.areNeeded(namespaces)) return null;
    return new HedgedReads({ router, namespaces, settings: proxy.resilience.hedge });
  }

  #nearCache(all: Config): NearCache | null {
    const { nearCache: config } = all;
    const { namespaces } = this.router.env.settings;
    if (namespaces.all.every(({ nearCache }) => nearCache === 'off')) return null;
    const { router, balance: onward } = this;
    return new NearCache({ router, namespaces, config, threads: threadsOf(all.proxy), onward });
  }

  #onlooker(): Onlooker | null {
    const { warmUp, shadow } = this;
    return warmUp !== null && shadow !== null ? bothOf(warmUp, shadow) : (warmUp ?? shadow);
  }

  #warmUpOf(config: Config, memory: SharedArrayBuffer | undefined): WarmUp | null {
    const { proxy } = config;
    if (proxy.warmUp === null) return null;
    const { router } = this;
    return new WarmUp({ router, config, settings: proxy.warmUp, memory, threads: threadsOf(proxy) });
  }

  /** Closes every connection to nodes. */
  close(): void {
    this.#names.close();
    this.router.reads = null;
    this.balance?.close();
    this.#hedged?.close();
    this.near?.close();
    this.warmUp?.close();
    this.shadow?.close();
    void this.fills?.close();
    this.nodeSettings.close();
    this.wait.close();
    this.pubsub.close();
    this.privates.close();
    this.router.close();
  }
}

function bothPorts(first: ReadPort | null, second: ReadPort | null): ReadPort | null {
  return first !== null && second !== null ? new BothReadPorts(first, second) : (first ?? second);
}

/** Threads that carry data: several workers leave the main thread to HTTP and gRPC. */
function threadsOf({ workers }: Config['proxy']): number {
  return workers > 1 ? workers + 1 : 1;
}

function settingsOf(config: Config): DataPathSettings {
  const { proxy } = config;
  return {
    operationTimeoutMs: proxy.operationTimeoutMs,
    readTimeoutMs: proxy.readTimeoutMs,
    connectTimeoutMs: proxy.connectTimeoutMs,
    maxInFlightPerShard: proxy.limits.maxInFlightPerShard,
    maxDatabaseLinksPerNode: proxy.limits.maxDatabaseLinksPerNode,
    maxPrivateConnectionsPerNode: proxy.limits.maxPrivateConnectionsPerNode,
    gutterTtlMs: proxy.resilience.gutterTtlMs,
    nodePassword: proxy.nodePassword,
    namespaces: new NamespaceMatcher(config),
  };
}
