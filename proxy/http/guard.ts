import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Logger, RingsideError } from '../../lib/base/index.ts';
import {
  AnswerCounter,
  type ApiListenerDeps,
  type ApiListenerOptions,
  asRingsideError,
  passwordCheck,
} from '../listener/index.ts';
import type { HttpHandler } from './context.ts';
import { refuseLater } from './later.ts';
import { sendError } from './reply.ts';

type RouteHandler = (request: FastifyRequest, reply: FastifyReply) => void;

/** What every handler has around it: the password, what comes later, one request of a connection at a time, errors, counting. */
export class HttpGuard {
  readonly #isAuthorized: ReturnType<typeof passwordCheck>;
  readonly #answers: AnswerCounter;
  readonly #log: Logger;
  readonly #lastBySocket = new WeakMap<Socket, Promise<void>>();

  constructor({ password }: ApiListenerOptions, { log, metrics }: ApiListenerDeps) {
    this.#isAuthorized = passwordCheck(password);
    this.#log = log;
    this.#answers = new AnswerCounter(metrics, {
      name: 'ringside_proxy_http_requests_total',
      help: 'HTTP requests for data, by status.',
    });
  }

  wrap(handler: HttpHandler): RouteHandler {
    return ({ raw: request, query }, { raw: response }) => {
      const { socket } = request;
      // Pipelined answers leave in order anyway; fetched at once, they would all have to be kept.
      const last = this.#lastBySocket.get(socket);
      const run = () => this.#run(handler, request, response, query);
      this.#lastBySocket.set(socket, last ? last.then(run) : run());
    };
  }

  async #run(
    handler: HttpHandler,
    request: IncomingMessage,
    response: ServerResponse,
    query: unknown,
  ): Promise<void> {
    if (request.socket.destroyed) return;
    try {
      if (this.#isAuthorized && !this.#isAuthorized(request.headers.authorization)) {
        throw new RingsideError('unauthorized', 'Authorization: Bearer with the password is required');
      }
      refuseLater(request, query);
      await handler(request, response);
    } catch (error) {
      this.#fail(request, response, error);
    }
    this.#answers.count(response.statusCode);
  }

  #fail(request: IncomingMessage, response: ServerResponse, cause: unknown): void {
    const error = asRingsideError(cause);
    if (error.code === 'internal')
      this.#log.error({ err: cause, method: request.method }, 'HTTP request failed');
    const headers = error.code === 'unauthorized' ? { 'www-authenticate': 'Bearer' } : undefined;
    sendError(request, response, error, { headers });
  }
}
