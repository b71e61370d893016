import type { FastifyInstance } from 'fastify';
import { RingsideError } from '../lib/base/index.ts';
import type { Metrics } from '../lib/metrics/index.ts';
import { type Driver, errorOf } from './driver.ts';
import { renderPage } from './page.ts';
import { type ControlPlaneView, queryBytes, Routes, statusBody } from './status.ts';

const SECURITY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** What the REST API speaks for. */
export interface HttpDeps {
  driver: Driver;
  metrics: Metrics;
  /** This process; asked at each request, because its address is known only once it listens. */
  self: () => ControlPlaneView;
}

/** Adds the REST API, health, metrics and the status page. */
export function registerRoutes(app: FastifyInstance, { driver, metrics, self }: HttpDeps): void {
  const routes = new Routes();
  app.get('/v1/status', () => statusBody(driver.view(), self()));
  app.get('/v1/ring', () => currentRing(driver));
  app.get('/v1/route', (request) => {
    const key = queryBytes(request.raw.url ?? '', 'key');
    if (key === null) throw new RingsideError('bad_request', 'say which key: /v1/route?key=KEY');
    return routes.of(key, driver.view());
  });
  app.post<{ Params: { name: string }; Body: unknown }>('/v1/shards/:name/failover', async (request) => {
    // A web page in an operator's browser must not be able to ask for this.
    if (request.headers.origin !== undefined) throw new RingsideError('forbidden', 'not for web pages');
    const answer = await driver.failover(request.params.name, heirOf(request.body));
    if (!answer.ok) throw errorOf(answer);
    const { shard, leader, epoch } = answer;
    return { shard, leader, epoch };
  });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', () => {
    currentRing(driver);
    if (!driver.isStateSafe)
      throw new RingsideError('unavailable', 'the state cannot be stored at the moment');
    return { status: 'ready' };
  });
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  app.get('/', (_, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', SECURITY)
      .send(renderPage(statusBody(driver.view(), self()))),
  );
}

function currentRing(driver: Driver) {
  const { document } = driver.view();
  if (document === null) throw new RingsideError('unavailable', 'there is no ring yet');
  return document;
}

function heirOf(body: unknown): string | null {
  const to = (body as { to?: unknown } | null | undefined)?.to;
  if (to === undefined || to === null) return null;
  if (typeof to !== 'string' || to === '')
    throw new RingsideError('bad_request', '`to` must be the id of a node');
  return to;
}
