import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { RingsideError } from '../../lib/base/index.ts';
import type { Lease, ReadResult } from '../core/api.ts';
import { readBody, readText } from './body.ts';
import { scopeOf } from './call-scope.ts';
import type { HttpContext, HttpHandler } from './context.ts';
import { etagOf, hasVersion } from './entity-tags.ts';
import { parseBy } from './json-requests.ts';
import { keyOf } from './key-path.ts';
import { sendArriving, sendEmpty, sendJson, sendPieces } from './reply.ts';
import { conditionsOf, setOptionsOf } from './write-headers.ts';

const MISS = { error: { code: 'not_found', message: 'no such key' } };

/** `GET /v1/key/{key}`, and HEAD. */
export function getHandler({ api, held }: HttpContext): HttpHandler {
  return async (request, response, { lease }) => {
    const head = request.method === 'HEAD';
    const result = await api
      .within(scopeOf(request))
      .get(keyOf(request), { lease: lease === '1', head, mayArrive: true });
    const leaseHeaders = headersOfLease(result.lease, result);
    if (result.value === null) {
      if (request.headers['if-match'] !== undefined) throw notMatched();
      sendJson(response, 404, MISS, { 'x-cache': 'MISS', ...leaseHeaders });
      return;
    }
    const headers = { ...hitHeaders(result), ...leaseHeaders };
    if (isUnchanged(request, result)) {
      sendEmpty(response, 304, headers);
      return;
    }
    const all = { ...headers, 'content-type': 'application/octet-stream', 'content-length': result.bytes };
    if (head) {
      response.writeHead(200, all).end();
      return;
    }
    held.hold(response, result.bytes);
    if (result.arriving === undefined) sendPieces(response, all, result.value);
    else await sendArriving(response, all, result.arriving);
  };
}

function hitHeaders(result: ReadResult): OutgoingHttpHeaders {
  const { version, ttlMs, softTtlMs } = result;
  return {
    'x-cache': xCacheOf(result),
    age: String(Math.floor((result.l1AgeMs ?? 0) / 1000)),
    ...(version !== null && { etag: etagOf(version) }),
    // Rounded up: a key that lives has at least 1.
    ...(ttlMs !== null && { 'x-ttl-seconds': Math.max(1, Math.ceil(ttlMs / 1000)) }),
    ...(softTtlMs !== null && { 'x-soft-ttl-seconds': Math.ceil(softTtlMs / 1000) }),
  };
}

function xCacheOf({ isStale, possiblyStale, isFilled, l1AgeMs }: ReadResult): string {
  if (isFilled) return 'MISS';
  if (isStale || possiblyStale) return 'STALE';
  return l1AgeMs === undefined ? 'HIT' : 'HIT-L1';
}

/** Of a fresh value nothing is said: there is nothing to fill. */
function headersOfLease(lease: Lease | null, { value, isStale }: ReadResult): OutgoingHttpHeaders {
  if (lease === null || (value !== null && !isStale)) return {};
  return {
    'x-lease-milliseconds': lease.ms,
    ...(lease.token !== null && { 'x-lease-token': lease.token }),
  };
}

/** Whether the caller has this value already. Throws RingsideError when it asked for another one alone. */
function isUnchanged({ headers }: IncomingMessage, { version, isFilled }: ReadResult): boolean {
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (isFilled) {
    // Nobody can have had it before.
    if ((ifMatch ?? '*') !== '*') throw notMatched();
    return ifNoneMatch === '*';
  }
  if (version === null) {
    if ((ifMatch ?? '*') !== '*' || (ifNoneMatch ?? '*') !== '*')
      throw new RingsideError('not_implemented', 'versions (If-Match, ETag): not supported by engine redis');
    return ifNoneMatch !== undefined;
  }
  if (ifMatch !== undefined && !hasVersion(ifMatch, version, false)) throw notMatched();
  return ifNoneMatch !== undefined && hasVersion(ifNoneMatch, version, true);
}

function notMatched(): RingsideError {
  return new RingsideError('precondition_failed', 'the value has none of the ETags of If-Match');
}

/** `PUT /v1/key/{key}`. */
export function putHandler({ api, bodyLimits }: HttpContext): HttpHandler {
  return async (request, response) => {
    const key = keyOf(request);
    const options = setOptionsOf(request.headers, key);
    const body = await readBody(request, response, bodyLimits);
    try {
      const { created, version } = await api.within(scopeOf(request)).set(key, body.pieces, options);
      sendEmpty(response, created ? 201 : 204, etagHeader(version));
    } finally {
      body.release();
    }
  };
}

/** `DELETE /v1/key/{key}`. */
export function deleteHandler({ api }: HttpContext): HttpHandler {
  return async (request, response) => {
    const key = keyOf(request);
    const isGone = await api.within(scopeOf(request)).delete(key, conditionsOf(request.headers, key));
    if (!isGone) throw new RingsideError('not_found', 'no such key');
    sendEmpty(response, 204);
  };
}

/** `POST /v1/key/{key}/incr` with `{"by": "5"}`, or without a body for 1. */
export function incrHandler({ api, jsonLimits }: HttpContext): HttpHandler {
  return async (request, response) => {
    const key = keyOf(request);
    const conditions = conditionsOf(request.headers, key);
    const by = parseBy(await readText(request, response, jsonLimits));
    const { value, version } = await api.within(scopeOf(request)).incr(key, by, conditions);
    sendJson(response, 200, { value: String(value) }, etagHeader(version));
  };
}

function etagHeader(version: string | null): OutgoingHttpHeaders {
  return version === null ? {} : { etag: etagOf(version) };
}
