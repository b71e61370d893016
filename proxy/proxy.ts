import { hostname } from 'node:os';
import type { Clock, Logger, Random } from '../lib/base/index.ts';
import type { Config, UpstreamConfig } from '../lib/config/index.ts';
import { createMetrics, type Metrics } from '../lib/metrics/index.ts';
import type { RingDocument } from '../lib/ring/index.ts';
import { mostDecided, sumOfCounts } from './balance/index.ts';
import type { ProxyAdminApi, Purge, UpstreamStatus } from './core/api.ts';
import { DataPath } from './core/data-path.ts';
import type { ProxyFigures } from './core/figures-api.ts';
import { Stats } from './core/stats.ts';
import type { Topology } from './core/topology.ts';
import { type StepResult, takeStep, type UpstreamStep } from './core/upstream-step.ts';
import { DataSide } from './data-side.ts';
import { isFollowed, UpstreamFollower } from './engine/index.ts';
import { ApiListeners } from './listeners.ts';
import { registerMetrics } from './metrics.ts';
import { mostTelling, summed } from './near/index.ts';
import { registerPathMetrics } from './path-metrics.ts';
import type { ControlClient } from './ring/control-client.ts';
import { RingKeeper } from './ring/ring-keeper.ts';
import { RingStore } from './ring/ring-store.ts';
import {
  documentOfUpstreams,
  guttersOf,
  topologyOfDocument,
  topologyOfUpstreams,
} from './ring/topology-of.ts';
import { type ShadowStatus, sumOfShadowCounts } from './shadow/index.ts';
import { ProxyThread } from './thread.ts';
import { loadProxyTls, type ProxyTls } from './tls.ts';
import { UpstreamMover } from './upstream-mover.ts';
import { WarmUpKeeper } from './warm/index.ts';
import { registerThreadMetrics } from './watch/thread-metrics.ts';
import { askAll } from './workers/questions.ts';
import { SharedIds } from './workers/shared-ids.ts';

/** What a proxy needs of its process. */
export interface ProxyDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** A proxy that serves. */
export interface RunningProxy {
  /** `host:port` of everything that listens, by protocol. */
  readonly listeners: Readonly<Record<string, string>>;
  readonly admin: ProxyAdminApi;
  /** Drains: nothing new is accepted, what is under way finishes within `proxy.drainTimeoutMs`. */
  close(): Promise<void>;
}

/**
 * Starts a proxy. Resolves once every listener listens and a ring is known; until then clients are answered CLUSTERDOWN.
 * Rejects with RingsideError `port_in_use` or `config_invalid`, and then nothing is left open.
 */
export async function startProxy(config: Config, deps: ProxyDeps): Promise<RunningProxy> {
  const proxy = new ProxyProcess(config, deps);
  try {
    await proxy.start();
  } catch (error) {
    await proxy.close();
    throw error;
  }
  return proxy;
}

/** In the order in which people are told of them. */
const LISTENERS = ['resp', 'http', 'grpc', 'memcached', 'admin'];

class ProxyProcess implements RunningProxy {
  readonly admin: ProxyAdminApi;
  readonly #config: Config;
  readonly #deps: ProxyDeps;
  readonly #metrics: Metrics = createMetrics();
  readonly #tls: ProxyTls;
  readonly #stats = new Stats();
  readonly #path: DataPath;
  readonly #thread: ProxyThread;
  readonly #data: DataSide;
  readonly #api: ApiListeners;
  readonly #keeper: RingKeeper;
  readonly #mover: UpstreamMover;
  readonly #warmUp: WarmUpKeeper | null;
  readonly #followed: UpstreamFollower;
  #control: ControlClient | null = null;
  #fixedRing: RingDocument | null = null;
  #ringCame: () => void = () => {};
  #isServing = false;
  #closing: Promise<void> | null = null;

  constructor(config: Config, deps: ProxyDeps) {
    const { clock, random, log } = deps;
    this.#config = config;
    this.#deps = deps;
    this.#mover = new UpstreamMover({
      upstreams: config.proxy.controlPlane === null ? config.proxy.upstreams : [],
      connectTimeoutMs: this.#config.proxy.connectTimeoutMs,
      log: this.#deps.log,
      step: (step, timeoutMs) => this.#step(step, timeoutMs),
      apply: (moved) => this.#followed.replace(moved),
    });
    this.admin = this.#adminApi(config.proxy.id ?? `${hostname()}-${process.pid}`, random.hex(16));
    const { runId } = this.admin;
    const refresh = this.#refresher();
    this.#tls = loadProxyTls(config, log, this.#metrics);
    this.#followed = new UpstreamFollower({
      ...{ proxy: config.proxy, tls: this.#tls.fleet, log },
      apply: (upstreams) => this.#applyFixed(upstreams),
    });
    this.#path = new DataPath(config, {
      clock,
      random,
      log,
      stats: this.#stats,
      fleetTls: this.#tls.fleet,
      refresh,
    });
    this.#thread = new ProxyThread({
      config,
      clock,
      random,
      path: this.#path,
      ids: new SharedIds(),
      inherited: null,
    });
    const start = {
      config,
      path: this.#path,
      tls: this.#tls,
      metrics: this.#metrics,
      log,
      runId,
    };
    this.#data = new DataSide({ ...start, refresh, thread: this.#thread });
    if (this.#path.near !== null) this.#path.purged = (what) => this.#purged(what);
    this.#warmUp = this.#warmUpKeeper();
    this.#api = new ApiListeners({ ...start, clock, admin: this.admin, thread: this.#thread });
    registerThreadMetrics(
      this.#metrics,
      () => this.#thread.commands(),
      () => this.#thread.nodes(),
    );
    registerPathMetrics(this.#metrics, this.#path);
    registerMetrics(this.#metrics, [this.#stats, ...this.#data.stats], () => this.#path.router.nodes);
    const gutters = guttersOf(config.proxy.upstreams, config.proxy);
    this.#keeper = new RingKeeper(
      new RingStore(config.proxy.dir, log),
      log,
      (document) => this.#apply(topologyOfDocument(document, gutters)),
      () => this.#data.confirm(),
    );
  }

  get listeners(): Record<string, string> {
    const bound: Record<string, string> = { ...this.#data.listeners, ...this.#api.listeners };
    return Object.fromEntries(LISTENERS.filter((name) => name in bound).map((name) => [name, bound[name]]));
  }

  async start(): Promise<void> {
    const { upstreams, controlPlane } = this.#config.proxy;
    const ringCame = new Promise<void>((resolve) => {
      this.#ringCame = resolve;
    });
    if (controlPlane === null) await this.#followed.start(upstreams);
    else await this.#keeper.restore();
    await this.#data.start();
    await this.#api.start();
    if (controlPlane !== null) await this.#attach(controlPlane);
    await ringCame;
    await this.#path.router.settled(this.#config.proxy.connectTimeoutMs);
    this.#isServing = true;
  }

  async close(): Promise<void> {
    await this.#drain();
    await this.#api.closeAdmin();
  }

  /** Asks whoever knows which nodes lead now; undefined where that cannot change. */
  #refresher(): (() => void) | undefined {
    const { proxy } = this.#config;
    if (proxy.controlPlane !== null) return () => this.#control?.refresh();
    const isFixed = !proxy.upstreams.some((upstream) => isFollowed(upstream, proxy));
    return isFixed ? undefined : () => this.#followed.hurry();
  }

  #adminApi(id: string, runId: string): ProxyAdminApi {
    return {
      id,
      runId,
      state: () => {
        if (this.#closing) return 'draining';
        return this.#isServing ? 'serving' : 'starting';
      },
      ring: () => this.#fixedRing ?? this.#keeper.held,
      upstreams: () => this.#upstreams(),
      listeners: () => this.listeners,
      move: this.#mover,
      figures: this.#figures(),
      drain: () => this.#drain(),
    };
  }

  #figures(): ProxyFigures {
    const ask = <Q extends 'nodes' | 'commands' | 'metrics' | 'near'>(name: Q) =>
      askAll(this.#data.group, name, null);
    return {
      shards: () =>
        this.#path.router.allRoutes.map(({ name, epoch, engine }) => ({ shard: name, epoch, engine })),
      nodes: async () => (await ask('nodes')).flat(),
      commands: async () => (await ask('commands')).flat(),
      balanceState: async (key) =>
        mostDecided(await askAll(this.#data.group, 'balanceState', { key: key.toString('latin1') })),
      balance: async () => sumOfCounts(await askAll(this.#data.group, 'balance', null)),
      nearState: async (key) =>
        mostTelling(await askAll(this.#data.group, 'nearState', { key: key.toString('latin1') })),
      near: async () => summed((await ask('near')).flat()),
      warmUp: async () => this.#warmUp?.status() ?? null,
      stopWarmUp: async () => this.#warmUp?.stop() ?? null,
      shadow: () => this.#shadowStatus(),
      workerMetrics: async () => (await ask('metrics')).flat(),
    };
  }

  #warmUpKeeper(): WarmUpKeeper | null {
    const { warmUp } = this.#path;
    const settings = this.#config.proxy.warmUp;
    if (warmUp === null || settings === null) return null;
    const { clock, log } = this.#deps;
    const ask = () => askAll(this.#data.group, 'warmUp', null);
    return new WarmUpKeeper({ settings, written: warmUp.written, clock, log, ask });
  }

  async #shadowStatus(): Promise<ShadowStatus | null> {
    const { shadow } = this.#config.proxy;
    if (shadow === null) return null;
    const counts = sumOfShadowCounts(await askAll(this.#data.group, 'shadow', null));
    return { to: shadow.to.map(({ leader }) => leader), share: shadow.share, counts };
  }

  #upstreams(): UpstreamStatus[] {
    return this.#path.router.routes.flatMap(({ name, leader, followers }) =>
      [leader, ...followers].flatMap((node) => {
        if (node === null) return [];
        const role = node === leader ? 'leader' : 'follower';
        let state: UpstreamStatus['state'] = node.isConnected ? 'connected' : 'connecting';
        if (node.isSuspect) state = 'suspect';
        return [
          { shard: name, role, address: node.name, state, inFlight: node.inFlight },
        ] satisfies UpstreamStatus[];
      }),
    );
  }

  #drain(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const graceMs = this.#config.proxy.drainTimeoutMs;
    this.#warmUp?.close();
    await this.#mover.close();
    await Promise.all([this.#data.close(graceMs), this.#api.close(graceMs)]);
    this.#control?.close();
    this.#followed.close();
    await this.#thread.close();
    this.#path.close();
    this.#tls.close();
  }

  /** Every thread forgets what was purged. */
  async #purged({ keys, tags, prefixes }: Purge): Promise<void> {
    const named = keys.map((key) => key.toString('latin1'));
    await askAll(this.#data.group, 'purge', { keys: named, isAll: tags.length + prefixes.length > 0 });
  }

  async #step(step: UpstreamStep, timeoutMs: number): Promise<StepResult[]> {
    const own = takeStep(this.#path.router, step, timeoutMs);
    const others = this.#data.step(step, timeoutMs);
    return [await own, ...(await others)];
  }

  #applyFixed(upstreams: readonly UpstreamConfig[]): void {
    this.#fixedRing = documentOfUpstreams(upstreams);
    this.#apply(topologyOfUpstreams(upstreams, this.#config.proxy));
  }

  #apply(topology: Topology): void {
    this.#path.router.apply(topology);
    this.#data.apply(topology);
    this.#ringCame();
  }

  async #attach(address: string): Promise<void> {
    // gRPC is loaded only by those who need it: it costs 30 MB.
    const { ControlClient } = await import('./ring/control-client.ts');
    const { random, log } = this.#deps;
    const { resp = '', admin = '' } = this.listeners;
    const { adminAdvertise } = this.#config.proxy;
    this.#control = new ControlClient({
      address,
      tls: this.#tls.fleet,
      identity: {
        id: this.admin.id,
        runId: this.admin.runId,
        pid: process.pid,
        resp,
        admin: adminAdvertise ?? admin,
      },
      keeper: this.#keeper,
      random,
      log,
    });
  }
}
