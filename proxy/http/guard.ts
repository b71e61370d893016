import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Clock, type Logger, RingsideError } from '../../lib/base/index.ts';
import { certificateNameOf } from '../../lib/net/index.ts';
import { identityOf, type RateGuard } from '../health/index.ts';
import {
  AnswerCounter,
  type ApiListenerDeps,
  type ApiListenerOptions,
  asRingsideError,
  passwordCheck,
} from '../listener/index.ts';
import type { HttpHandler, Query } from './context.ts';
import { spellHeader } from './header-names.ts';
import type { Operation } from './operations.ts';
import { sendError } from './reply.ts';
import { headersOf } from './schemas.ts';
import { type Check, namedCheck } from './validation.ts';

type RouteHandler = (request: FastifyRequest, reply: FastifyReply) => void;

/** Request headers that mean something somewhere. Ignoring one where it means nothing could break what its sender relies on. */
const KNOWN_HEADERS = new Set(Object.values(headersOf).flatMap((headers) => Object.keys(headers)));
const NOTHING = Type.Object({});

/** What every handler has around it: the password, the schema, one request of a connection at a time, errors, counting. */
export class HttpGuard {
  readonly #isAuthorized: ReturnType<typeof passwordCheck>;
  readonly #answers: AnswerCounter;
  readonly #log: Logger;
  readonly #rates: RateGuard | null;
  readonly #clock: Clock;
  readonly #lastBySocket = new WeakMap<Socket, Promise<void>>();

  constructor({ password, rates }: ApiListenerOptions, { log, clock, metrics }: ApiListenerDeps) {
    this.#rates = rates ?? null;
    this.#clock = clock;
    this.#isAuthorized = passwordCheck(password);
    this.#log = log;
    this.#answers = new AnswerCounter(metrics, {
      name: 'ringside_proxy_http_requests_total',
      help: 'HTTP requests for data, by status.',
    });
  }

  wrap({ handler, schema }: Pick<Operation, 'handler' | 'schema'>): RouteHandler {
    const checks = checksOf(schema);
    return ({ raw: request, query }, { raw: response }) => {
      const { socket } = request;
      // Pipelined answers leave in order anyway; fetched at once, they would all have to be kept.
      const last = this.#lastBySocket.get(socket);
      const run = () => this.#run(handler, checks, request, response, query as Query);
      this.#lastBySocket.set(socket, last ? last.then(run) : run());
    };
  }

  async #run(
    handler: HttpHandler,
    checks: Checks,
    request: IncomingMessage,
    response: ServerResponse,
    query: Query,
  ): Promise<void> {
    if (request.socket.destroyed) return;
    try {
      if (this.#isAuthorized && !this.#isAuthorized(request.headers.authorization)) {
        throw new RingsideError('unauthorized', 'Authorization: Bearer with the password is required');
      }
      const refusal = this.#rates?.refuseClient(
        identityOf(
          null,
          certificateNameOf(request.socket),
          `${request.socket.remoteAddress}:${request.socket.remotePort}`,
        ),
        this.#clock.monotonicMs(),
      );
      if (refusal) throw new RingsideError('rate_limited', refusal);
      checks.query(query);
      checks.headers(request.headers);
      await handler(request, response, query);
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

interface Checks {
  readonly headers: Check;
  readonly query: Check;
}

function checksOf({ headers = NOTHING, querystring = NOTHING }: Operation['schema']): Checks {
  const foreign = [...KNOWN_HEADERS].filter((name) => !(name in headers.properties));
  const asDescribed = namedCheck(headers, spellHeader);
  return {
    query: namedCheck(querystring, (name) => `?${name}`),
    headers(given) {
      for (const name of foreign) {
        if ((given as Record<string, unknown>)[name] !== undefined)
          throw new RingsideError('bad_request', `${spellHeader(name)} means nothing here`);
      }
      asDescribed(given);
    },
  };
}
