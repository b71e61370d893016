import { RingsideError } from '../lib/base/index.ts';
import { createHttpServer, type HttpServer } from '../lib/net/index.ts';
import type { Controller } from './cluster/controller.ts';
import type { NodeParts } from './node.ts';

const MAX_CONNECTIONS = 100;
const DEFAULT_HOT_KEYS = 10;
const MAX_HOT_KEYS = 256;

/** What `GET /status` of a node's admin port says. Numbers of 64 bits are text. */
export interface NodeStatus {
  readonly id: string | null;
  readonly runId: string;
  readonly pid: number;
  readonly role: string;
  readonly shard: string;
  readonly epoch: string;
  readonly sealedEpoch: string;
  readonly state: 'starting' | 'syncing' | 'serving';
  readonly offset: string;
  readonly replId: string;
  readonly keys: number;
  readonly usedBytes: number;
  readonly lease: {
    readonly held: boolean;
    /** Milliseconds; null for one that does not end. */
    readonly remainingMs: number | null;
  };
  readonly ring: { readonly incarnation: string; readonly epoch: string; readonly sha256: string } | null;
  readonly leader: string | null;
  readonly followers: readonly { readonly id: string; readonly ackOffset: string; readonly lagMs: number }[];
}

/** The node's state for people and tools. */
export function nodeStatus({ config, services, keyspace }: NodeParts, controller: Controller): NodeStatus {
  const { shard, clock, followers, runId } = services;
  const nowMs = clock.monotonicMs();
  const { document } = controller;
  const remainingMs = shard.lease.endsAtMs - nowMs;
  const role = shard.clustered ? controller.position.role : shard.leader ? 'follower' : 'leader';
  return {
    id: config.node.id,
    runId,
    pid: process.pid,
    role,
    shard: shard.shard,
    epoch: String(shard.epoch),
    sealedEpoch: String(controller.sealedEpoch),
    state: isReady(services.shard, controller) ? 'serving' : role === 'outsider' ? 'starting' : 'syncing',
    offset: String(keyspace.log.end),
    replId: keyspace.log.replId,
    keys: keyspace.store.size,
    usedBytes: keyspace.store.usedBytes,
    lease: {
      held: shard.mayWrite(nowMs),
      remainingMs: Number.isFinite(remainingMs) ? Math.max(0, Math.floor(remainingMs)) : null,
    },
    ring: document && { incarnation: document.incarnation, epoch: document.epoch, sha256: document.sha256 },
    leader: shard.leader && `${shard.leader.host}:${shard.leader.port}`,
    followers: [...followers.links].map((link) => ({
      id: link.id,
      ackOffset: String(Math.max(0, link.ackOffset)),
      lagMs: Math.ceil(link.lagMs(nowMs)),
    })),
  };
}

/** Whether the node answers for its data: it leads, or it is level with its leader. */
function isReady(shard: NodeParts['services']['shard'], controller: Controller): boolean {
  return shard.complete && (shard.leads || controller.isSynced);
}

/** The number in `?count=` of `/hotkeys`. Throws RingsideError `bad_request` for anything else. */
function wantedHotKeys(query: Readonly<Record<string, unknown>>): number {
  const { count, ...others } = query;
  const unknown = Object.keys(others);
  if (unknown.length > 0) throw new RingsideError('bad_request', `/hotkeys takes count, not ${unknown[0]}`);
  if (count === undefined) return DEFAULT_HOT_KEYS;
  const wanted = typeof count === 'string' && /^\d{1,3}$/.test(count) ? Number(count) : Number.NaN;
  if (wanted <= MAX_HOT_KEYS) return wanted;
  throw new RingsideError('bad_request', `count must be a whole number from 0 to ${MAX_HOT_KEYS}`);
}

/** The hottest keys as UTF-8, each with an estimate of its commands. */
function hotKeys({ services }: NodeParts, wanted: number) {
  return services.watch.hotKeys.top(wanted).map(({ key, count: commands }) => ({
    key: Buffer.from(key, 'latin1').toString(),
    commands: Math.round(commands),
  }));
}

/** Opens the admin port: health, readiness, metrics, status, hot keys. Rejects with RingsideError `port_in_use`. */
export async function listenAdmin(
  parts: NodeParts,
  controller: Controller,
  port: number,
): Promise<HttpServer> {
  const { services, config, tls, metrics } = parts;
  const options = {
    name: 'admin',
    setting: 'node.adminPort',
    host: config.node.bind,
    port,
    tls: config.node.adminTls === 'off' ? undefined : tls,
    maxConnections: MAX_CONNECTIONS,
    log: services.log,
    metrics,
    clock: services.clock,
  };
  return createHttpServer(options, (app) => {
    app.get('/healthz', async () => ({ ok: true }));
    app.get('/readyz', async (_request, reply) => {
      const ready = isReady(services.shard, controller);
      return reply.code(ready ? 200 : 503).send({ ready });
    });
    app.get('/status', async () => nodeStatus(parts, controller));
    app.get<{ Querystring: Record<string, unknown> }>('/hotkeys', async ({ query }) =>
      hotKeys(parts, wantedHotKeys(query)),
    );
    app.get('/metrics', async (_request, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    );
  });
}
