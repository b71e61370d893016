import type { Config } from '../lib/config/index.ts';
import type { HttpServer } from '../lib/net/index.ts';
import { ActiveExpiry, EXPIRY_CYCLE_MS } from './active-expiry.ts';
import { listenAdmin } from './admin.ts';
import { SWEEP_MS, sweepPurges } from './cache/index.ts';
import { Controller } from './cluster/controller.ts';
import { NodeFiles } from './cluster/node-files.ts';
import { isOverBudget } from './memory-limit.ts';
import { addNodeMetrics } from './metrics.ts';
import { buildNode, type NodeDeps, type NodeParts } from './node.ts';
import { ProcessOverhead } from './process-overhead.ts';
import { LeaderLink } from './replication/leader-link.ts';
import { Replayer } from './replication/replayer.ts';
import { clientBudget, evictClients } from './server/client-eviction.ts';
import type { RateSample } from './stats.ts';

const SECOND_MS = 1000;
/** How long the timer may evict at a time. */
const EVICTION_BUDGET_MS = 2;
/** How often the process is asked for its resident size, which takes some 20 us. */
const OVERHEAD_SAMPLE_MS = 20;
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
  /** Stops accepting, lets clients have their last replies, and ends. */
  close(): Promise<void>;
}

/**
 * Starts a node. Resolves once it listens, standalone or on its way to a role that the control plane gives it. Rejects with RingsideError
 * `port_in_use` or `config_invalid`.
 */
export async function startNode(config: Config, deps: NodeDeps): Promise<RunningNode> {
  const parts = buildNode(config, deps);
  addNodeMetrics(parts.metrics, parts);
  const controller = buildController(parts);
  const closers: (() => void | Promise<void>)[] = [
    () => parts.tls?.close(),
    () => parts.services.migrations.close(),
  ];
  try {
    const listening = await parts.resp.listen();
    closers.push(() => parts.resp.close(CLOSE_GRACE_MS));
    parts.services.settings.fixed.set('port', String(listening.port));
    const admin = await openAdmin(parts, controller);
    if (admin) closers.push(() => admin.close(CLOSE_GRACE_MS));
    const timers = startTimers(parts);
    closers.push(() => timers.forEach(clearInterval));
    closers.push(await takeRole(parts, controller, listening.address, admin?.address ?? ''));
    return {
      listeners: { resp: listening.address, ...(admin && { admin: admin.address }) },
      address: listening.address,
      admin: admin?.address ?? '',
      port: listening.port,
      close: () => closeAll(closers),
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
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
        password: settings.requirePass,
        limits: linkLimits,
        timeoutMs: config.node.replication.timeoutMs,
        clock,
        random,
        log,
      }),
    giveUpHeldReplies: () => resp.giveUpHeldReplies(),
  });
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
  const { shard, clock } = parts.services;
  if (!node.standalone) return attach(parts, controller, address, admin);
  parts.databases.data.versions.startAtTime(clock.wallMs());
  if (node.replicaof && node.replicaof !== 'no one') {
    const [host, port] = node.replicaof.split(' ');
    controller.follow({ host, port: Number(port), shardEpoch: 0 });
  } else {
    shard.leads = true;
    shard.complete = true;
  }
  return () => controller.close();
}

async function attach(
  parts: NodeParts,
  controller: Controller,
  address: string,
  admin: string,
): Promise<() => void> {
  const { services, keyspace, tls, config } = parts;
  const { clock, random, log, followers, shard } = services;
  const { node } = config;
  // Only nodes of a fleet speak gRPC, which takes a while to load.
  const { Agent } = await import('./cluster/agent.ts');
  const files = new NodeFiles(node.dir, log);
  const { documentJson, sealedEpoch } = await files.read();
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
    executor.beginTurn();
    const isGettingLess = databases.chargedBytes < before && isOverBudget(databases, settings);
    if (!isGettingLess || clock.monotonicMs() >= endMs) return;
  }
}

function startTimers({ config, services, databases, executor, resp }: NodeParts): NodeJS.Timeout[] {
  const { pingMs, timeoutMs } = config.node.replication;
  const { followers, clock, stats, watch } = services;
  const overhead = new ProcessOverhead(process.memoryUsage.rss());
  const expiry = new ActiveExpiry();
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
      evictForAWhile({ services, databases, executor });
      followers.wake();
    }, EXPIRY_CYCLE_MS),
    setInterval(() => {
      if (sweepPurges(databases, clock)) followers.wake();
    }, SWEEP_MS),
    setInterval(() => followers.askForLease(), pingMs),
    setInterval(() => {
      const { log } = databases.data;
      const backlogBytes = log.active ? log.end - log.start : 0;
      overhead.sample(process.memoryUsage.rss(), databases.chargedBytes + backlogBytes);
      databases.overheadBytes = overhead.bytes;
    }, OVERHEAD_SAMPLE_MS),
    setInterval(() => {
      resp.closeIdle(timeoutMs);
      counted = stats.sampleRates(counted);
      stats.usedBytesPeak = Math.max(stats.usedBytesPeak, databases.chargedBytes);
      watch.hotKeys.fade();
    }, SECOND_MS),
  ];
}
