import { type Clock, type Logger, type Random, RingsideError } from '../lib/base/index.ts';
import type { RespLimits } from '../lib/codec/resp/index.ts';
import type { Config } from '../lib/config/index.ts';
import { createMetrics, LatencyMonitor, type Metrics, SlowLog } from '../lib/metrics/index.ts';
import { connectSocket, loadTls, type TlsMaterial } from '../lib/net/index.ts';
import { murmur3x86_32 } from '../lib/ring/index.ts';
import { Access } from './access.ts';
import { AckRules } from './ack-rules.ts';
import { Aside } from './aside.ts';
import { type CacheState, createCacheState, FenceFile, Fences } from './cache/index.ts';
import { Lease } from './cluster/lease.ts';
import { ShardState } from './cluster/shard-state.ts';
import { describeClient } from './commands/client-line.ts';
import { DataSet } from './data-set.ts';
import { Databases } from './databases.ts';
import { Executor } from './executor.ts';
import type { Keyspace } from './keyspace.ts';
import { Migrations } from './migration/migrations.ts';
import { Namespaces } from './namespaces.ts';
import { Observers } from './observers.ts';
import { CommandWatch } from './operations/command-watch.ts';
import { HotKeys } from './operations/hot-keys.ts';
import { Aof, Saves } from './persistence/index.ts';
import { Followers } from './replication/followers.ts';
import { ReplicationLog } from './replication/replication-log.ts';
import { RespServer } from './resp-server.ts';
import { BlockedClients } from './server/blocked-clients.ts';
import { ClientRegistry } from './server/client-registry.ts';
import { Pause } from './server/pause.ts';
import type { NodeServices } from './services.ts';
import { Invalid } from './settings/kind.ts';
import {
  type OutputLimits,
  parseOutputLimits,
  type SavePoint,
  savePoints,
} from './settings/kinds-of-lists.ts';
import { Settings } from './settings.ts';
import { Shutdown } from './shutdown.ts';
import { NodeStats } from './stats.ts';
import { MemoryStore } from './store/index.ts';

/** Name of the shard of a node without a control plane. */
export const STANDALONE_SHARD = 'standalone';

/** What a node gets from outside. */
export interface NodeDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Everything a node consists of, wired together and not yet listening. */
export interface NodeParts {
  readonly config: Config;
  readonly services: NodeServices;
  readonly databases: Databases;
  /** Database 0. */
  readonly keyspace: Keyspace;
  readonly executor: Executor;
  readonly resp: RespServer;
  readonly metrics: Metrics;
  readonly tls: TlsMaterial | undefined;
  /** Limits of what a leader may send. */
  readonly linkLimits: RespLimits;
}

/** As Redis's default. */
const DATABASES = 16;
const MAX_VALUE_BYTES = 512 * 1024 * 1024;
/** Arguments of a frame beside those of the command it carries. */
const FRAME_ARGUMENTS = 8;
const MAX_FRAME_LINE_BYTES = 1024;

/** Builds a node from its configuration. Throws RingsideError `config_invalid` when certificates cannot be read. */
export function buildNode(config: Config, { clock, random, log }: NodeDeps): NodeParts {
  const { node } = config;
  const metrics = createMetrics();
  const tls = config.tls ? loadTls(config.tls, log, { metrics, clock }) : undefined;
  const replicationLog = new ReplicationLog({
    backlogBytes: node.replication.backlogBytes,
    replId: random.hex(20),
  });
  const data = new DataSet(replicationLog, cacheStateOf(config, random));
  const hashSeed = hashSeedOf(node.shard, random);
  data.hashSeed = hashSeed;
  const databases = new Databases({
    count: DATABASES,
    data,
    newStore: () => new MemoryStore({ hashSeed, maxBytes: node.maxMemoryBytes }),
    maxCopyBytes: node.limits.maxCopyBytes,
  });
  const keyspace = databases.at(0);
  const clients = new ClientRegistry();
  databases.others = clients;
  const settings = settingsOf(config);
  const followers = new Followers(data, clock, settings);
  const shard = new ShardState({
    clustered: !node.standalone,
    shard: node.shard ?? STANDALONE_SHARD,
    lease: new Lease(),
  });
  const blocked = new BlockedClients({
    clock,
    clients,
    followersAt: (offset) => followers.countAt(offset),
    listen: (readiness) => {
      data.readiness = readiness;
    },
  });
  const saves = new Saves({ databases, settings, shard, clock, log });
  const watch = new CommandWatch({
    clock,
    settings,
    slowLog: new SlowLog(),
    latency: new LatencyMonitor(),
    hotKeys: new HotKeys(random),
  });
  const aof = new Aof({
    ...{ databases, settings, clock, random, log },
    leads: () => shard.leads,
    isComplete: () => shard.complete && saves.loading === null,
    isSaving: () => saves.current !== null,
    onProgress: () => {
      followers.onProgress();
      followers.proceed();
    },
    onTook: (event, ms) => watch.spike(event, ms),
  });
  followers.onStream = () => aof.wake();
  data.log.readOffset = () => Math.min(followers.acknowledgedOffset, data.log.end - aof.heldBytes);
  const pause = new Pause({
    clock,
    clients,
    blocked,
    onChange: (isPaused) => {
      data.removesExpired = !isPaused && shard.leads;
    },
  });
  const services: NodeServices = {
    clock,
    random,
    log,
    settings,
    stats: new NodeStats(),
    clients,
    blocked,
    observers: new Observers(databases, clients, () => settings.trackingTableMaxKeys),
    pause,
    shard,
    followers,
    ackRules: new AckRules(config.namespaces, node),
    access: new Access({
      clock,
      settings,
      clients,
      describe: (client) => {
        const connected = clients.get(client.id) ?? { client, inputBytes: 0, outputBytes: 0 };
        return describeClient(connected, clock.monotonicMs());
      },
    }),
    saves,
    aof,
    shutdown: new Shutdown({
      ...{ replication: replicationLog, saves, aof, followers, pause, settings, clock, log },
      isClustered: !node.standalone,
      endProcess: () => process.kill(process.pid, 'SIGTERM'),
    }),
    watch,
    migrations: new Migrations((host, port, timeoutMs, onOpen) =>
      connectSocket({ host, port, tls, timeoutMs }, onOpen),
    ),
    aside: new Aside(),
    runId: random.hex(20),
    startedAtMs: clock.monotonicMs(),
  };
  // A value that APPEND has made may be longer than any argument.
  const linkLimits = {
    maxBulkBytes: MAX_VALUE_BYTES,
    maxArrayLength: node.limits.maxArrayLength + FRAME_ARGUMENTS,
    maxInlineBytes: MAX_FRAME_LINE_BYTES,
    maxBufferedBytes: 2 * MAX_VALUE_BYTES - 1,
  };
  const executor = new Executor(databases, services);
  const resp = new RespServer(node, { node: services, executor, log: replicationLog, metrics, tls });
  return { config, services, databases, keyspace, executor, resp, metrics, tls, linkLimits };
}

/**
 * Nodes of one shard have their keys, and the members of what is large, in one order: a SCAN that began with one of them goes on with another.
 * A seed that can be guessed gives nothing away: MurmurHash3 has keys that collide under all of them (Aumasson, Bernstein and Bosslet,
 * "Hash-flooding DoS reloaded", 2012).
 */
function hashSeedOf(shard: string | null, random: Random): number {
  if (shard === null) return random.u32();
  const name = Buffer.from(shard);
  return murmur3x86_32(name, 0, name.length, 0);
}

function cacheStateOf({ namespaces, node }: Config, random: Random): CacheState {
  const { maxFences, maxLeases, maxIdempotencyKeys, maxTagBytes } = node.limits;
  const journal = node.dir === null ? null : new FenceFile(node.dir);
  return createCacheState({
    namespaces: new Namespaces(namespaces),
    fences: new Fences({ max: maxFences, journal, floors: journal?.floors }),
    maxLeases,
    maxAnswers: maxIdempotencyKeys,
    maxTagBytes,
    random,
  });
}

function settingsOf({ node }: Config): Settings {
  const { limits, replication } = node;
  const settings = new Settings({
    maxMemoryBytes: node.maxMemoryBytes,
    maxMemoryPolicy: node.maxMemoryPolicy,
    requirePass: node.requirePass ?? '',
    idleTimeoutMs: node.limits.idleTimeoutMs,
    maxClients: node.limits.maxConnections,
    maxBulkBytes: node.limits.maxBulkBytes,
    fixed: new Map([
      ['bind', node.bind],
      ['port', String(node.port)],
      ['dir', node.dir ?? ''],
      ['dbfilename', node.dbFilename],
      ['appenddirname', node.appendDirname],
      ['appendfilename', node.appendFilename],
      ['aof-load-truncated', node.aofLoadTruncated ? 'yes' : 'no'],
      ['databases', String(DATABASES)],
      ['replicaof', node.replicaof ?? ''],
      ['tcp-keepalive', '60'],
      ['enable-debug-command', node.enableDebugCommand],
    ]),
  });
  settings.savePoints = savePointsOf(node.save);
  settings.appendFsync = node.appendFsync;
  settings.rewritePercentage = node.autoAofRewritePercentage;
  settings.rewriteMinBytes = node.autoAofRewriteMinSize;
  settings.minReplicasToWrite = replication.minReplicasToWrite;
  settings.minReplicasMaxLagMs = 1000 * replication.minReplicasMaxLagSeconds;
  settings.outputLimits = outputLimitsOf(limits.clientOutputBuffer, {
    ...settings.outputLimits,
    replica: { ...settings.outputLimits.replica, hardBytes: replication.maxOutputBytes },
  });
  return settings;
}

function savePointsOf(text: string): readonly SavePoint[] {
  const points = savePoints.parse(text);
  if (points instanceof Invalid) throw new RingsideError('config_invalid', `node.save: ${points.why}`);
  return points;
}

function outputLimitsOf(text: string, base: OutputLimits): OutputLimits {
  const limits = parseOutputLimits(text, base);
  if (limits instanceof Invalid)
    throw new RingsideError('config_invalid', `node.limits.clientOutputBuffer: ${limits.why}`);
  return limits;
}
