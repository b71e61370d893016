import { join } from 'node:path';
import { inlineMore, RingsideError } from '../lib/base/index.ts';
import type { Config } from '../lib/config/index.ts';
import type { HttpServer } from '../lib/net/index.ts';
import { ActiveExpiry, EXPIRY_CYCLE_MS } from './active-expiry.ts';
import { listenAdmin } from './admin.ts';
import { SWEEP_MS, sweepPurges } from './cache/index.ts';
import { Controller } from './cluster/controller.ts';
import { keptEpoch, NodeFiles } from './cluster/node-files.ts';
import { LoadBudget } from './load-budget.ts';
import { loadFiles } from './load-files.ts';
import { isOverBudget, prepareEviction } from './memory-limit.ts';
import { addNodeMetrics } from './metrics.ts';
import { addFileMetrics } from './metrics-files.ts';
import { buildNode, type NodeDeps, type NodeParts } from './node.ts';
import { SYNC_MS } from './persistence/index.ts';
import { ProcessOverhead } from './process-overhead.ts';
import { LeaderLink } from './replication/leader-link.ts';
import { Replayer } from './replication/replayer.ts';
import { clientBudget, evictClients } from './server/client-eviction.ts';
import type { Settings } from './settings.ts';
import { type ShutdownHow, shutdownHow } from './shutdown.ts';
import type { RateSample } from './stats.ts';

const SECOND_MS = 1000;
/** How long the timer may evict at a time. */
const EVICTION_BUDGET_MS = 2;
/** How often the process is asked for its resident size, which takes some 20 us. */
const OVERHEAD_SAMPLE_MS = 10;
/** What a closing node gives its clients to read their last replies. */
const CLOSE_GRACE_MS = 500;

/** A node that runs. */
export interface RunningNode {
  /** `host:port` of each listener: `resp`, and `admin` when it has one. */
  readonly listeners: Readonly<Record<string, string>>;
  /** RESP, as `host:port`. */
  readonly address: string;
  /** Admin HTTP, as `host:port`; empty without. */
  readonly admin: string;
  /** RESP port. */
  readonly port: number;
  /**
   * What comes before `close` when this signal says so (`shutdown-on-sigterm`, `shutdown-on-sigint`): followers catch up, files are written. False
   * when that was aborted or has failed: the node goes on.
   */
  mayClose(signal: string): Promise<boolean>;
  /** Stops accepting, lets clients have their last replies, and ends. */
  close(): Promise<void>;
}

/**
 * Starts a node. Resolves once it listens, standalone or on its way to a role that the control plane gives it. Rejects with RingsideError
 * `port_in_use` or `config_invalid`.
 */
export async function startNode(config: Config, deps: NodeDeps): Promise<RunningNode> {
  inlineMore();
  const parts = buildNode(config, deps);
  addNodeMetrics(parts.metrics, parts);
  addFileMetrics(parts.metrics, parts);
  const controller = buildController(parts);
  const closers: (() => void | Promise<void>)[] = [
    () => parts.tls?.close(),
    () => parts.services.migrations.close(),
  ];
  try {
    const listening = await parts.resp.listen();
    closers.push(() => parts.services.saves.finish());
    closers.push(() => parts.services.aof.finish());
    closers.push(() => parts.resp.close(CLOSE_GRACE_MS));
    parts.services.settings.fixed.set('port', String(listening.port));
    const admin = await openAdmin(parts, controller);
    if (admin) closers.push(() => admin.close(CLOSE_GRACE_MS));
    const timers = startTimers(parts);
    closers.push(() => timers.forEach(clearInterval));
    closers.push(await takeRole(parts, controller, listening.address, admin?.address ?? ''));
    closers.push(() => settle(parts));
    return {
      listeners: { resp: listening.address, ...(admin && { admin: admin.address }) },
      address: listening.address,
      admin: admin?.address ?? '',
      port: listening.port,
      mayClose: (signal) => parts.services.shutdown.begin(howOf(signal, parts.services.settings), true),
      close: () => closeAll(closers),
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

function howOf(signal: string, { kept }: Settings): ShutdownHow {
  const name = signal === 'SIGINT' ? 'shutdown-on-sigint' : 'shutdown-on-sigterm';
  return shutdownHow(new Set(kept.get(name)?.split(' ')));
}

/** Nobody writes any more, and all that is to be left behind is there, if it can be. */
async function settle({ services: { shutdown } }: NodeParts): Promise<void> {
  await shutdown.begin(shutdownHow(new Set(['force'])), true);
}

/** What was opened last is closed first. */
async function closeAll(closers: (() => void | Promise<void>)[]): Promise<void> {
  for (const close of closers.toReversed()) await close();
}

function buildController({
  config,
  services,
  databases,
  keyspace,
  resp,
  tls,
  linkLimits,
}: NodeParts): Controller {
  const { clock, random, log, settings } = services;
  const replayer = new Replayer(databases, services);
  return new Controller({
    identity: {
      id: config.node.id ?? services.runId,
      runId: services.runId,
      shard: services.shard.shard,
    },
    shard: services.shard,
    databases,
    keyspace,
    followers: services.followers,
    clock,
    random,
    log,
    openLink: (target, hooks) =>
      new LeaderLink({
        target,
        hooks,
        databases,
        replayer,
        tls,
        login: loginOf(settings),
        listeningPort: announcedPort(settings),
        announcedHost: settings.kept.get('replica-announce-ip') ?? '',
        limits: linkLimits,
        timeoutMs: config.node.replication.timeoutMs,
        redisTimeoutMs: () => settings.replTimeoutMs,
        clock,
        random,
        log,
      }),
    giveUpHeldReplies: () => resp.giveUpHeldReplies(),
    onLoaded: () => services.aof.tick(),
  });
}

function announcedPort({ kept, fixed }: Settings): number {
  return Number(kept.get('replica-announce-port') ?? 0) || Number(fixed.get('port'));
}

/** As whom a follower logs in: as `masterauth` says, else with what this node itself asks for. */
function loginOf({ kept, requirePass }: Settings): { user: string; password: string } {
  const password = kept.get('masterauth') ?? '';
  return password === ''
    ? { user: '', password: requirePass }
    : { user: kept.get('masteruser') ?? '', password };
}

async function openAdmin(parts: NodeParts, controller: Controller): Promise<HttpServer | null> {
  const port = parts.config.node.adminPort;
  if (port === 'off' || port === 0) return null;
  return listenAdmin(parts, controller, port === 'auto' ? 0 : port);
}

/** Begins to lead, to follow, or to ask the control plane. Returns how to end that. */
async function takeRole(
  parts: NodeParts,
  controller: Controller,
  address: string,
  admin: string,
): Promise<() => void> {
  const { node } = parts.config;
  if (!node.standalone) return attach(parts, controller, address, admin);
  const { versions, log } = parts.databases.data;
  const { shard, clock } = parts.services;
  const wallMs = clock.wallMs();
  const leader = leaderOf(node.replicaof);
  versions.startAtTime(wallMs);
  shard.isLoading = true;
  if (await loadFiles(parts, { skipsExpired: leader === null })) controller.restored();
  // In a stream without versions, this node hands them out itself.
  if (!log.position.saysVersions) versions.startAtTime(wallMs);
  await beginAppending(parts);
  shard.isLoading = false;
  if (leader === null) controller.leadAlone();
  else controller.replicaOf(leader);
  return () => controller.close();
}

/** From here on, whatever changes is in the append-only file too. */
async function beginAppending({ config, services }: NodeParts): Promise<void> {
  if (!config.node.appendOnly) return;
  try {
    await services.aof.start();
  } catch (error) {
    const path = join(config.node.dir!, config.node.appendDirname);
    throw new RingsideError('config_invalid', `${path} cannot be written: ${error}`, { cause: error });
  }
}

function leaderOf(replicaof: string | null): { host: string; port: number } | null {
  if (!replicaof || replicaof === 'no one') return null;
  const [host, port] = replicaof.split(' ');
  return { host, port: Number(port) };
}

async function attach(
  parts: NodeParts,
  controller: Controller,
  address: string,
  admin: string,
): Promise<() => void> {
  const { services, databases, keyspace, tls, config } = parts;
  const { data } = databases;
  const { clock, random, log, followers, shard } = services;
  const { node } = config;
  // Only nodes of a fleet speak gRPC, which takes a while to load.
  const { Agent } = await import('./cluster/agent.ts');
  const files = new NodeFiles(node.dir, log);
  const { documentJson, sealedEpoch } = await files.read();
  // Above all that this node has handed out, for entries of files that say no versions.
  data.versions.startEpoch(1 + Math.max(sealedEpoch, keptEpoch(documentJson, node.shard!)));
  shard.isLoading = true;
  // The files of a process that ended before it had any data are those of nothing.
  if ((await loadFiles(parts, { skipsExpired: false })) && (databases.size > 0 || data.log.epoch > 0))
    controller.restored();
  await beginAppending(parts);
  shard.isLoading = false;
  controller.restore(documentJson, sealedEpoch);
  const agent = new Agent({
    address: node.controlPlane!,
    tls,
    identity: {
      id: node.id!,
      runId: services.runId,
      pid: process.pid,
      address: node.advertise ?? address,
      admin: admin && (node.adminAdvertise ?? admin),
      shard: node.shard!,
      weight: node.weight,
    },
    controller,
    files,
    keyspace,
    followers,
    shard,
    clock,
    random,
    log,
  });
  return () => {
    agent.close();
    controller.close();
  };
}

/** Turns of nobody's: what a smaller budget leaves no room for goes without waiting for a command. */
function evictForAWhile({
  services,
  databases,
  executor,
}: Pick<NodeParts, 'services' | 'databases' | 'executor'>) {
  const { clock, settings } = services;
  const endMs = clock.monotonicMs() + EVICTION_BUDGET_MS;
  for (;;) {
    const before = databases.chargedBytes;
    databases.evictionsUntilMs = 0;
    executor.beginTurn();
    const isGettingLess = databases.chargedBytes < before && isOverBudget(databases, settings);
    if (!isGettingLess || clock.monotonicMs() >= endMs) return;
  }
}

function startTimers({ config, services, databases, executor, resp }: NodeParts): NodeJS.Timeout[] {
  const { pingMs, timeoutMs } = config.node.replication;
  const { followers, clock, stats, watch, saves, aof } = services;
  const overhead = new ProcessOverhead(process.memoryUsage.rss());
  const expiry = new ActiveExpiry();
  const loadBudget = new LoadBudget({ databases, settings: services.settings, log: services.log });
  let counted: RateSample = { commands: 0, inputBytes: 0, outputBytes: 0 };
  return [
    setInterval(() => {
      const startedMs = clock.monotonicMs();
      const removed = expiry.run(databases.all(), clock);
      const tookMs = clock.monotonicMs() - startedMs;
      stats.expireCycleMs += tookMs;
      watch.spike('expire-cycle', tookMs);
      if (removed > 0) followers.wake();
    }, EXPIRY_CYCLE_MS),
    setInterval(() => {
      stats.evictedClients += evictClients(services.clients, clientBudget(services.settings));
      if (services.shard.leader !== null) loadBudget.leave();
      else if (services.shard.mayWrite(clock.monotonicMs())) loadBudget.look();
      prepareEviction(databases, services.settings);
      evictForAWhile({ services, databases, executor });
      followers.wake();
    }, EXPIRY_CYCLE_MS),
    setInterval(() => {
      if (sweepPurges(databases, clock)) followers.wake();
    }, SWEEP_MS),
    setInterval(() => followers.askForLease(), pingMs),
    setInterval(() => aof.syncSoon(), SYNC_MS),
    setInterval(() => {
      const { log } = databases.data;
      // What waits for the disk does not count against the budget, as in Redis.
      const backlogBytes = log.active ? Math.max(log.end - log.start, aof.heldBytes) : 0;
      overhead.sample(process.memoryUsage.rss(), databases.chargedBytes + backlogBytes);
      databases.overheadBytes = overhead.bytes;
    }, OVERHEAD_SAMPLE_MS),
    setInterval(() => {
      resp.closeIdle(timeoutMs);
      counted = stats.sampleRates(counted);
      stats.usedBytesPeak = Math.max(stats.usedBytesPeak, databases.chargedBytes);
      watch.hotKeys.fade();
      saves.tick();
      aof.tick();
    }, SECOND_MS),
  ];
}
