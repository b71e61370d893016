import { RingsideError } from '../../lib/base/index.ts';
import type { ReadResult } from '../core/api.ts';
import { readBody } from './body.ts';
import type { HttpContext, HttpHandler } from './context.ts';
import { parseBy } from './json-requests.ts';
import { keyOf } from './key-path.ts';
import { setOptionsOf } from './put-headers.ts';
import { sendEmpty, sendJson } from './reply.ts';

/** `GET /v1/key/{key}`, and HEAD, for which Node leaves the body out. */
export function getHandler({ api, held }: HttpContext): HttpHandler {
  return async (request, response) => {
    const result = await api.get(keyOf(request));
    if (result.value === null) {
      sendJson(response, 404, MISS, MISS_HEADERS);
      return;
    }
    held.hold(response, result.value.length);
    response.writeHead(200, hitHeaders(result, result.value));
    response.end(result.value);
  };
}

const MISS = { error: { code: 'not_found', message: 'no such key' } };
const MISS_HEADERS = { 'x-cache': 'MISS' };

function hitHeaders({ ttlMs, possiblyStale }: ReadResult, value: Buffer): Record<string, string | number> {
  const headers: Record<string, string | number> = {
    'content-type': 'application/octet-stream',
    'content-length': value.length,
    'x-cache': possiblyStale ? 'STALE' : 'HIT',
    age: '0',
  };
  // Rounded up: a key that lives has at least 1.
  if (ttlMs !== null) headers['x-ttl-seconds'] = Math.max(1, Math.ceil(ttlMs / 1000));
  return headers;
}

/** `PUT /v1/key/{key}`. */
export function putHandler({ api, bodyLimits }: HttpContext): HttpHandler {
  return async (request, response) => {
    const key = keyOf(request);
    const options = setOptionsOf(request.headers);
    const body = await readBody(request, response, bodyLimits);
    try {
      const { stored, created } = await api.set(key, body.bytes, options);
      if (!stored) throw new RingsideError('precondition_failed', 'the key exists (If-None-Match: *)');
      sendEmpty(response, created ? 201 : 204);
    } finally {
      body.release();
    }
  };
}

/** `DELETE /v1/key/{key}`. */
export function deleteHandler({ api }: HttpContext): HttpHandler {
  return async (request, response) => {
    if (!(await api.delete(keyOf(request)))) throw new RingsideError('not_found', 'no such key');
    sendEmpty(response, 204);
  };
}

/** `POST /v1/key/{key}/incr` with `{"by": "5"}`, or without a body for 1. */
export function incrHandler({ api, jsonLimits }: HttpContext): HttpHandler {
  return async (request, response) => {
    const key = keyOf(request);
    const body = await readBody(request, response, jsonLimits);
    body.release();
    const value = await api.incr(key, parseBy(body.bytes));
    sendJson(response, 200, { value: String(value) });
  };
}
