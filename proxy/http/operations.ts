import { type TObject, type TProperties, Type } from '@sinclair/typebox';
import type { HttpContext, HttpHandler } from './context.ts';
import { deleteHandler, getHandler, incrHandler, putHandler } from './key-handlers.ts';
import { INCR_ROUTE, KEY_ROUTE } from './key-path.ts';
import { mgetHandler } from './mget-handler.ts';
import { purgeHandler } from './purge-handler.ts';
import {
  answers,
  bodies,
  bytesAnswer,
  emptyAnswer,
  errorAnswers,
  headersOf,
  jsonAnswer,
  keyParams,
  queries,
  WRITE_ERRORS,
} from './schemas.ts';

/** What a request may carry and what it is answered: validates the one, and documents both. */
export interface OperationSchema {
  readonly operationId: string;
  readonly summary: string;
  readonly params?: TObject;
  readonly querystring?: TObject;
  readonly headers?: TObject;
  /** For the document; handlers parse what they read. */
  readonly body?: object;
  readonly response: Readonly<Record<number, object>>;
}

/** One method on one route. */
export interface Operation {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** As it is routed, and as it is documented where that differs. */
  readonly url: string;
  readonly documentedUrl?: string;
  readonly schema: OperationSchema;
  readonly handler: HttpHandler;
}

const KEY = { url: KEY_ROUTE, documentedUrl: '/v1/key/:key' };
const FOUND = [
  'etag',
  'x-cache',
  'age',
  'x-ttl-seconds',
  'x-soft-ttl-seconds',
  'x-lease-token',
  'x-lease-milliseconds',
] as const;
const MISSED = ['x-cache', 'x-lease-token', 'x-lease-milliseconds'] as const;

const optional = (properties: TProperties) =>
  Type.Object(
    Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, Type.Optional(schema)])),
  );

const keyed = (operationId: string, summary: string, headers: TProperties) => ({
  operationId,
  summary,
  params: keyParams,
  headers: optional(headers),
});

const readAnswers = {
  304: emptyAnswer('The caller has it already.', ...FOUND),
  ...errorAnswers(['not_found', 'precondition_failed', 'wrong_type', 'origin_failed'], { 404: MISSED }),
};

const json = (schema: TObject) => ({ content: { 'application/json': { schema } } });

/** Everything that the listener answers, but for the document of it. */
export function operationsOf(context: HttpContext): readonly Operation[] {
  return [...keyOperations(context), ...manyOperations(context)];
}

function keyOperations(context: HttpContext): Operation[] {
  return [
    {
      ...KEY,
      method: 'GET',
      handler: getHandler(context),
      schema: {
        ...keyed('getKey', 'The value of a key', headersOf.get),
        querystring: queries.get,
        response: { 200: bytesAnswer('The value.', ...FOUND), ...readAnswers },
      },
    },
    {
      ...KEY,
      method: 'HEAD',
      handler: getHandler(context),
      schema: {
        ...keyed('headKey', 'As GET, without the value', headersOf.get),
        querystring: queries.get,
        response: { 200: emptyAnswer('It is there.', ...FOUND), ...readAnswers },
      },
    },
    {
      ...KEY,
      method: 'PUT',
      handler: putHandler(context),
      schema: {
        ...keyed('putKey', 'Makes the body the value of a key', headersOf.put),
        body: { content: { 'application/octet-stream': { schema: Type.Unknown() } } },
        response: {
          201: emptyAnswer('Written; the key was not there before.', 'etag'),
          204: emptyAnswer('Written; the key was there before.', 'etag'),
          ...errorAnswers([...WRITE_ERRORS, 'lease_void']),
        },
      },
    },
    {
      ...KEY,
      method: 'DELETE',
      handler: deleteHandler(context),
      schema: {
        ...keyed('deleteKey', 'Deletes a key', headersOf.delete),
        response: { 204: emptyAnswer('Deleted.'), ...errorAnswers([...WRITE_ERRORS, 'not_found']) },
      },
    },
    {
      method: 'POST',
      url: INCR_ROUTE,
      documentedUrl: '/v1/key/:key/incr',
      handler: incrHandler(context),
      schema: {
        ...keyed('incrementKey', 'Adds to a number; a missing key counts as 0', headersOf.incr),
        body: json(bodies.incr),
        response: {
          200: jsonAnswer('The sum.', answers.incr, 'etag'),
          ...errorAnswers([...WRITE_ERRORS, 'not_an_integer', 'wrong_type']),
        },
      },
    },
  ];
}

function manyOperations(context: HttpContext): Operation[] {
  return [
    {
      method: 'POST',
      url: '/v1/mget',
      handler: mgetHandler(context),
      schema: {
        operationId: 'getKeys',
        summary: 'The values of many keys; each has its own result or error',
        body: json(bodies.mget),
        response: {
          200: jsonAnswer('One result for each key, in the order of the keys.', answers.mget),
          ...errorAnswers(['too_large']),
        },
      },
    },
    {
      method: 'POST',
      url: '/v1/purge',
      handler: purgeHandler(context),
      schema: {
        operationId: 'purge',
        summary: 'Forgets keys, all keys with a tag, and all keys with a prefix',
        body: json(bodies.purge),
        response: { 204: emptyAnswer('Every shard has purged.'), ...errorAnswers(WRITE_ERRORS) },
      },
    },
  ];
}
