import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isRingsideError, RingsideError } from '../../lib/base/index.ts';
import { parseAddress } from '../../lib/net/index.ts';
import type { UpstreamMove } from '../core/api.ts';

const MAX_HOLD_MS = 600_000;

/** Adds the steps of a move to another upstream (docs/http.md). */
export function registerMove(app: FastifyInstance, move: UpstreamMove): void {
  app.get('/upstream', () => ({ upstream: move.upstream, hold: move.holder }));
  app.post('/upstream/hold', (request) => move.hold(textOf(request, 'hold'), millisecondsOf(request)));
  app.post('/upstream/turn', (request) => {
    const hold = textOf(request, 'hold');
    return move.turn(hold, textOf(request, 'from'), addressOf(request));
  });
  app.post('/upstream/commit', (request) => move.commit(textOf(request, 'hold')));
  app.post('/upstream/release', (request) => move.release(textOf(request, 'hold')));
}

function textOf(request: FastifyRequest, name: string): string {
  // A page that somebody has open in a browser on this host is no operator.
  if (request.headers.origin !== undefined)
    throw new RingsideError('forbidden', 'browsers may not move a proxy');
  const value = fieldOf(request, name);
  if (typeof value !== 'string' || value === '' || value.length > 255)
    throw new RingsideError('bad_request', `\`${name}\` must be a text of 1 to 255 characters`);
  return value;
}

function addressOf(request: FastifyRequest): string {
  const to = textOf(request, 'to');
  try {
    parseAddress(to);
  } catch (error) {
    throw isRingsideError(error) ? new RingsideError('bad_request', `\`to\`: ${error.message}`) : error;
  }
  return to;
}

function millisecondsOf(request: FastifyRequest): number {
  const ms = fieldOf(request, 'ms');
  if (!Number.isInteger(ms) || (ms as number) < 1 || (ms as number) > MAX_HOLD_MS)
    throw new RingsideError('bad_request', `\`ms\` must be a whole number from 1 to ${MAX_HOLD_MS}`);
  return ms as number;
}

function fieldOf({ body }: FastifyRequest, name: string): unknown {
  return (body as Record<string, unknown> | null | undefined)?.[name];
}
