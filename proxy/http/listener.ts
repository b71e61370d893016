import type { IncomingMessage } from 'node:http';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RingsideError } from '../../lib/base/index.ts';
import { createHttpServer, overloadedAnswer } from '../../lib/net/index.ts';
import type { CallApi } from '../core/api.ts';
import {
  type ApiListenerDeps,
  type ApiListenerOptions,
  ByteBudget,
  type ListenerHandle,
  TOO_MANY_CONNECTIONS,
} from '../listener/index.ts';
import type { HttpContext } from './context.ts';
import { HttpGuard } from './guard.ts';
import { HeldResponses } from './held-responses.ts';
import { rewriteKeyUrl } from './key-path.ts';
import { OPENAPI_URL, openApiHandler, registerOpenApi } from './openapi.ts';
import { type Operation, operationsOf } from './operations.ts';
import { sendEmpty, sendError } from './reply.ts';
import { errorAnswers, jsonAnswer } from './schemas.ts';

const MAX_JSON_BYTES = 4 * 1024 * 1024;
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'] as const;

/** Starts the HTTP interface of the data (docs/http.md). Rejects as `createServer` of lib/net does. */
export async function startHttpListener(
  options: ApiListenerOptions,
  api: CallApi,
  deps: ApiListenerDeps,
): Promise<ListenerHandle> {
  const { host, port, tls, reusePort, limits, onRefused } = options;
  const server = await createHttpServer(
    {
      name: 'http',
      setting: 'proxy.httpPort',
      host,
      port,
      tls,
      reusePort,
      maxConnections: limits.maxConnections,
      lastWords: overloadedAnswer(TOO_MANY_CONNECTIONS),
      ...(onRefused && { onRefused }),
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      headersTimeoutMs: limits.headerTimeoutMs,
      requestTimeoutMs: limits.headerTimeoutMs,
      keepAliveTimeoutMs: limits.idleTimeoutMs,
      rewriteUrl: prepare,
      ...deps,
    },
    (app) => register(app, options, api, deps),
  );
  return { address: server.address, port: server.port, close: (graceMs) => server.close(graceMs) };
}

/** Before a request is routed. Of the content type nobody asks, and fastify would refuse one that it cannot read. */
function prepare(request: IncomingMessage): string {
  delete request.headers['content-type'];
  return rewriteKeyUrl(request);
}

async function register(
  app: FastifyInstance,
  options: ApiListenerOptions,
  api: CallApi,
  deps: ApiListenerDeps,
): Promise<void> {
  const context = createContext(options, api);
  const guard = new HttpGuard(options, deps);
  // The handlers read bodies themselves, bounded, and say themselves whether to continue; the guard validates, behind the password.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response));
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  await registerOpenApi(app);
  const operations = [...operationsOf(context), documentOperation(app)];
  for (const operation of operations) addRoute(app, operation, guard);
  for (const url of new Set(operations.map((operation) => operation.url))) {
    const methods = operations.filter((operation) => operation.url === url).map(({ method }) => method);
    refuseOthers(app, url, methods);
  }
}

function documentOperation(app: FastifyInstance): Operation {
  return {
    method: 'GET',
    url: OPENAPI_URL,
    handler: openApiHandler(app),
    schema: {
      operationId: 'openapi',
      summary: 'This document',
      response: {
        200: jsonAnswer('OpenAPI 3.1.', Type.Object({ openapi: Type.String() })),
        ...errorAnswers([]),
      },
    },
  };
}

function addRoute(app: FastifyInstance, operation: Operation, guard: HttpGuard): void {
  const { method, url, documentedUrl, schema } = operation;
  const handler = guard.wrap(operation);
  app.route({ method, url, schema, config: { documentedUrl } as object, exposeHeadRoute: false, handler });
}

/** OPTIONS says which methods there are, and so does the answer to any other. */
function refuseOthers(app: FastifyInstance, url: string, methods: readonly string[]): void {
  const allow = [...methods, 'OPTIONS'].join(', ');
  const hidden = { schema: { hide: true }, exposeHeadRoute: false };
  for (const method of METHODS) {
    if (methods.includes(method)) continue;
    const handler = method === 'OPTIONS' ? tellMethods(allow) : methodNotAllowed(allow);
    app.route({ ...hidden, method, url, handler });
  }
}

function createContext({ limits, onLimit }: ApiListenerOptions, api: CallApi): HttpContext {
  const budget = new ByteBudget(limits.maxApiBytes, 'proxy.limits.maxApiBytes', onLimit);
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

function tellMethods(allow: string) {
  return (_request: FastifyRequest, { raw: response }: FastifyReply): void => {
    sendEmpty(response, 204, { allow });
  };
}

function methodNotAllowed(allow: string) {
  return ({ raw: request }: FastifyRequest, { raw: response }: FastifyReply): void => {
    const error = new RingsideError('bad_request', `${request.method} is not possible here; use ${allow}`);
    sendError(request, response, error, { status: 405, headers: { allow } });
  };
}
