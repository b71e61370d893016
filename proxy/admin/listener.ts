import type { FastifyInstance } from 'fastify';
import { RingsideError } from '../../lib/base/index.ts';
import type { Metrics } from '../../lib/metrics/index.ts';
import { createHttpServer, overloadedAnswer } from '../../lib/net/index.ts';
import type { ProxyAdminApi } from '../core/api.ts';
import {
  type ApiListenerDeps,
  type ApiListenerOptions,
  type ListenerHandle,
  TOO_MANY_CONNECTIONS,
} from '../listener/index.ts';
import { RINGSIDE_VERSION } from '../version.ts';
import { registerFigures } from './figure-routes.ts';
import { registerMove } from './move-routes.ts';

const MAX_BODY_BYTES = 65_536;

/** What the admin listener needs of its surroundings. */
export interface AdminListenerDeps extends ApiListenerDeps {
  readonly metrics: Metrics;
}

/** Starts health, metrics, status and drain (docs/http.md). Rejects as `createServer` of lib/net does. */
export async function startAdminListener(
  options: Omit<ApiListenerOptions, 'password' | 'reusePort'>,
  admin: ProxyAdminApi,
  deps: AdminListenerDeps,
): Promise<ListenerHandle> {
  const { host, port, tls, limits, onRefused } = options;
  const server = await createHttpServer(
    {
      name: 'admin',
      setting: 'proxy.adminPort',
      host,
      port,
      tls,
      maxConnections: limits.maxConnections,
      lastWords: overloadedAnswer(TOO_MANY_CONNECTIONS),
      ...(onRefused && { onRefused }),
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      maxBodyBytes: MAX_BODY_BYTES,
      headersTimeoutMs: limits.headerTimeoutMs,
      requestTimeoutMs: limits.headerTimeoutMs,
      ...deps,
    },
    (app) => register(app, admin, deps),
  );
  return { address: server.address, port: server.port, close: (graceMs) => server.close(graceMs) };
}

function register(app: FastifyInstance, admin: ProxyAdminApi, { metrics, clock }: AdminListenerDeps): void {
  const startedMs = clock.monotonicMs();
  registerMove(app, admin.move);
  registerFigures(app, admin.figures);
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const state = admin.state();
    return reply.code(state === 'serving' ? 200 : 503).send({ state });
  });
  app.get('/metrics', async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.text(await admin.figures.workerMetrics());
  });
  app.get('/status', async () => ({
    id: admin.id,
    runId: admin.runId,
    pid: process.pid,
    version: RINGSIDE_VERSION,
    uptimeSeconds: Math.floor((clock.monotonicMs() - startedMs) / 1000),
    state: admin.state(),
    ring: versionOf(admin),
    listeners: admin.listeners(),
    upstreams: admin.upstreams(),
    nearCache: await admin.figures.near(),
    balance: await admin.figures.balance(),
    warmUp: await admin.figures.warmUp(),
    shadow: await admin.figures.shadow(),
  }));
  app.get('/ring', () => {
    const ring = admin.ring();
    if (!ring) throw new RingsideError('unavailable', 'no ring document has arrived yet');
    return ring;
  });
  app.post('/drain', (request, reply) => {
    // A page that somebody has open in a browser on this host is no operator.
    if (request.headers.origin !== undefined) {
      throw new RingsideError('forbidden', 'browsers may not drain a proxy');
    }
    void admin.drain();
    return reply.code(202).send({ state: admin.state() });
  });
}

function versionOf(admin: ProxyAdminApi): { incarnation: string; epoch: string; sha256: string } | null {
  const ring = admin.ring();
  return ring && { incarnation: ring.incarnation, epoch: ring.epoch, sha256: ring.sha256 };
}
