import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RingsideError } from '../../lib/base/index.ts';
import type { ProxyFigures } from '../core/figures-api.ts';
import type { WarmUpStatus } from '../warm/index.ts';
import { clustersOf, clustersText } from './clusters.ts';
import { latenciesOf } from './latencies.ts';

/** Adds what tells how the proxy's clients and nodes are doing (docs/operations.md). */
export function registerFigures(app: FastifyInstance, figures: ProxyFigures): void {
  app.get('/clusters', async (request, reply) => {
    const shards = clustersOf(figures.shards(), await figures.nodes());
    const { format } = request.query as { format?: string };
    if (format === 'json') return { shards };
    return reply.type('text/plain; charset=utf-8').send(clustersText(shards));
  });
  app.get('/near', async (request) => figures.nearState(keyIn(request)));
  app.get('/balance', async (request) => figures.balanceState(keyIn(request)));
  app.get('/warm-up', () => warmUpOf(figures.warmUp()));
  app.post('/warm-up/stop', (request) => {
    // A page that somebody has open in a browser on this host is no operator.
    if (request.headers.origin !== undefined)
      throw new RingsideError('forbidden', 'browsers may not stop a warm-up');
    return warmUpOf(figures.stopWarmUp());
  });
  app.get('/latency', async () => ({ commands: latenciesOf(await figures.commands()) }));
}

function keyIn({ query }: FastifyRequest): Buffer {
  const { key } = query as { key?: unknown };
  if (typeof key !== 'string') throw new RingsideError('bad_request', '`key` is missing');
  return Buffer.from(key);
}

async function warmUpOf(status: ReturnType<ProxyFigures['warmUp']>): Promise<WarmUpStatus> {
  const warmUp = await status;
  if (warmUp === null) throw new RingsideError('not_found', 'this proxy has no warm-up (proxy.warmUp)');
  return warmUp;
}
