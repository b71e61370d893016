import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, errorCatalogue, isRingsideError, type Logger } from '../base/index.ts';
import { errorCode } from './node-error.ts';
import { createServer, type ListeningServer, type ListenOptions } from './server.ts';

// An import of node:http would bring fetch and WebSocket along: a tenth of the start of every process.
const http = process.getBuiltinModule('node:http');

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
const CONNECTIONS_CHECK_MS = 1000;
const REFUSAL_LINGER_MS = 1000;
const IDLE_CHECK_MS = 50;
const MAX_PARAM_LENGTH = 65_536;

/** How an HTTP server listens, and its bounds. */
export interface HttpServerOptions extends ListenOptions {
  /** Bytes of a request's body; more is answered 413. 1 MiB by default. */
  readonly maxBodyBytes?: number;
  /** Milliseconds to send all headers; 10,000 by default. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds to send a whole request; 60,000 by default. */
  readonly requestTimeoutMs?: number;
  /** Milliseconds an idle connection stays open; 75,000 by default. */
  readonly keepAliveTimeoutMs?: number;
  /** Changes the URL before it is routed, e.g. when a part of it is bytes rather than text. */
  readonly rewriteUrl?: (request: IncomingMessage) => string;
}

/** An HTTP server that listens. `close` also lets requests under way finish, within the grace. */
export interface HttpServer extends ListeningServer {
  readonly app: FastifyInstance;
}

/**
 * A fastify server with the house's limits, timeouts and errors (`{error: {code, message}}`), behind the same accept path as
 * every listener. `register` adds the routes. fastify is imported at the first call.
 */
export async function createHttpServer(
  options: HttpServerOptions,
  register: (app: FastifyInstance) => void | Promise<void>,
): Promise<HttpServer> {
  const { fastify } = await import('fastify');
  let server!: Server;
  const app: FastifyInstance = fastify({
    serverFactory: (handler) => {
      server = createNodeServer(options, handler);
      return server;
    },
    bodyLimit: options.maxBodyBytes ?? 1_048_576,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => sendError(options.log, error, request, reply),
    clientErrorHandler: refuseMalformed,
    ...(options.rewriteUrl && { rewriteUrl: options.rewriteUrl }),
  });
  app.setErrorHandler<FastifyError>((error, request, reply) => sendError(options.log, error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const message = `there is no ${request.method} ${request.originalUrl.split('?', 1)[0]}`;
    return reply.code(404).send(errorBody('not_found', message));
  });
  await register(app);
  await app.ready();
  const listening = await createServer({ ...options, allowHalfOpen: true, alpn: ['http/1.1'] }, (socket) => {
    server.emit('connection', socket);
  });
  return withApp(listening, app, server);
}

function withApp(listening: ListeningServer, app: FastifyInstance, server: Server): HttpServer {
  return {
    app,
    name: listening.name,
    host: listening.host,
    port: listening.port,
    address: listening.address,
    get connections() {
      return listening.connections;
    },
    async close(graceMs = 0) {
      server.close();
      // Connections with a request under way become idle with its answer.
      const ending = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
      await listening.close(graceMs);
      clearInterval(ending);
      await app.close();
    },
  };
}

/** An HTTP server that never listens itself; connections are injected. */
function createNodeServer(options: HttpServerOptions, handler: RequestListener): Server {
  const headersTimeout = options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
  const server = http.createServer(
    {
      headersTimeout,
      requestTimeout: Math.max(options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS, headersTimeout),
      keepAliveTimeout: options.keepAliveTimeoutMs ?? KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
    },
    handler,
  );
  // Node starts to check the timeouts of connections at this event.
  server.emit('listening');
  return server;
}

/** Answers what is not HTTP, or too slow, or too long in its headers; the connection ends. */
function refuseMalformed(error: Error, socket: Socket): void {
  if (!socket.writable || errorCode(error) === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, message] = malformed(errorCode(error));
  socket.end(lastAnswer(status, 'bad_request', message), () => socket.destroy());
  // Nobody waits for a peer that does not read.
  setTimeout(() => socket.destroy(), REFUSAL_LINGER_MS).unref();
}

/** What a connection over the limit is told (`lastWords`), whatever it asks. */
export function overloadedAnswer(message: string): string {
  return lastAnswer(errorCatalogue.overloaded.http, errorCatalogue.overloaded.httpCode, message);
}

/** A whole answer, after which the connection is closed. */
function lastAnswer(status: number, code: string, message: string): string {
  const body = JSON.stringify(errorBody(code, message));
  const head = `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nContent-Type: application/json\r\n`;
  return `${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}

function malformed(code: string): [status: number, message: string] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'the request did not arrive in time'];
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'the request line and the headers are longer than 16 KB'];
  return [400, 'not a well-formed HTTP request'];
}

function sendError(log: Logger, error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const [status, code] = classify(error);
  if (status >= 500 && !isRingsideError(error)) {
    log.error({ err: error, method: request.method, url: request.url }, 'request failed');
  }
  const message = code === 'internal' ? errorCatalogue.internal.meaning : error.message;
  void reply.code(status).send(errorBody(code, message));
}

function classify(error: FastifyError): [status: number, code: ErrorCode] {
  if (isRingsideError(error)) return [errorCatalogue[error.code].http, error.code];
  const status = error.statusCode ?? 500;
  if (status === 413) return [413, 'too_large'];
  if (status === 404) return [404, 'not_found'];
  return status >= 400 && status < 500 ? [status, 'bad_request'] : [500, 'internal'];
}

function errorBody(code: string, message: string): { error: { code: string; message: string } } {
  return { error: { code, message } };
}
