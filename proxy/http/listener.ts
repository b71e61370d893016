import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RingsideError } from '../../lib/base/index.ts';
import { createHttpServer } from '../../lib/net/index.ts';
import type { KeyValueApi } from '../core/api.ts';
import {
  type ApiListenerDeps,
  type ApiListenerOptions,
  ByteBudget,
  type ListenerHandle,
} from '../listener/index.ts';
import type { HttpContext, HttpHandler } from './context.ts';
import { HttpGuard } from './guard.ts';
import { HeldResponses } from './held-responses.ts';
import { deleteHandler, getHandler, incrHandler, putHandler } from './key-handlers.ts';
import { INCR_ROUTE, KEY_ROUTE, rewriteKeyUrl } from './key-path.ts';
import { mgetHandler } from './mget-handler.ts';
import { purgeHandler } from './purge-handler.ts';
import { sendError } from './reply.ts';

const MAX_JSON_BYTES = 4 * 1024 * 1024;
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'] as const;

type Method = (typeof METHODS)[number];

/** Starts the HTTP interface of the data (docs/http.md). Rejects as `createServer` of lib/net does. */
export async function startHttpListener(
  options: ApiListenerOptions,
  api: KeyValueApi,
  deps: ApiListenerDeps,
): Promise<ListenerHandle> {
  const { host, port, tls, reusePort, limits } = options;
  const server = await createHttpServer(
    {
      name: 'http',
      setting: 'proxy.httpPort',
      host,
      port,
      tls,
      reusePort,
      maxConnections: limits.maxConnections,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      headersTimeoutMs: limits.headerTimeoutMs,
      requestTimeoutMs: limits.headerTimeoutMs,
      keepAliveTimeoutMs: limits.idleTimeoutMs,
      rewriteUrl: rewriteKeyUrl,
      ...deps,
    },
    (app) => register(app, options, api, deps),
  );
  return { address: server.address, port: server.port, close: (graceMs) => server.close(graceMs) };
}

function register(
  app: FastifyInstance,
  options: ApiListenerOptions,
  api: KeyValueApi,
  deps: ApiListenerDeps,
): void {
  const context = createContext(options, api);
  const guard = new HttpGuard(options, deps);
  // The handlers read bodies themselves, bounded, and say themselves whether to continue.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response));

  const routes: [url: string, handlers: Partial<Record<Method, HttpHandler>>][] = [
    [
      KEY_ROUTE,
      {
        GET: getHandler(context),
        HEAD: getHandler(context),
        PUT: putHandler(context),
        DELETE: deleteHandler(context),
      },
    ],
    [INCR_ROUTE, { POST: incrHandler(context) }],
    ['/v1/mget', { POST: mgetHandler(context) }],
    ['/v1/purge', { POST: purgeHandler(context) }],
  ];
  for (const [url, handlers] of routes) {
    const allow = Object.keys(handlers).join(', ');
    for (const method of METHODS) {
      const handler = handlers[method];
      app.route({
        method,
        url,
        exposeHeadRoute: false,
        handler: handler ? guard.wrap(handler) : methodNotAllowed(allow),
      });
    }
  }
}

function createContext({ limits }: ApiListenerOptions, api: KeyValueApi): HttpContext {
  const budget = new ByteBudget(limits.maxApiBytes, 'proxy.limits.maxApiBytes');
  const limit = 'proxy.limits.maxHttpBodyBytes';
  const jsonBytes = Math.min(MAX_JSON_BYTES, limits.maxHttpBodyBytes);
  return {
    api,
    held: new HeldResponses(budget, limits.headerTimeoutMs, limits.idleTimeoutMs === 0),
    bodyLimits: { maxBytes: limits.maxHttpBodyBytes, limit, budget },
    jsonLimits: {
      maxBytes: jsonBytes,
      limit: jsonBytes < MAX_JSON_BYTES ? limit : 'the bound for JSON',
      budget,
    },
  };
}

function methodNotAllowed(allow: string) {
  return ({ raw: request }: FastifyRequest, { raw: response }: FastifyReply): void => {
    const error = new RingsideError('bad_request', `${request.method} is not possible here; use ${allow}`);
    sendError(request, response, error, { status: 405, headers: { allow } });
  };
}
