import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorCatalogue, RingsideError } from '../../lib/base/index.ts';
import type { MgetResult } from '../core/api.ts';
import { readText } from './body.ts';
import { scopeOf } from './call-scope.ts';
import type { HttpContext, HttpHandler } from './context.ts';
import { type MgetRequest, parseMget, type TextEncoding } from './json-requests.ts';

const PIECE_CHARS = 65_536;
/** A string of JavaScript holds 2^29 characters, and JSON may need six for one byte. */
const MAX_VALUE_BYTES = 64 * 1024 * 1024;

/** `POST /v1/mget`: the value of each key, or why it could not be read. Written piece by piece, as fast as the client reads. */
export function mgetHandler({ api, held, jsonLimits }: HttpContext): HttpHandler {
  return async (request, response) => {
    const asked = parseMget(await readText(request, response, jsonLimits));
    const results = await api.within(scopeOf(request)).mget(asked.keys);
    held.hold(response, bytesIn(results));
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
    // The client went away: nobody is left to tell.
    await pipeline(Readable.from(pieces(asked, results)), response).catch(() => response.destroy());
  };
}

function bytesIn(results: readonly MgetResult[]): number {
  let bytes = 0;
  for (const result of results) if ('value' in result && result.value) bytes += result.value.length;
  return bytes;
}

function* pieces({ names, encoding }: MgetRequest, results: readonly MgetResult[]): Generator<string> {
  let piece = '{"results":[';
  for (let i = 0; i < results.length; i++) {
    if (i > 0) piece += ',';
    piece += JSON.stringify({ key: names[i], ...describe(results[i], encoding) });
    if (piece.length >= PIECE_CHARS) {
      yield piece;
      piece = '';
    }
  }
  yield `${piece}]}`;
}

function describe(result: MgetResult, encoding: TextEncoding): object {
  if ('error' in result) return describeError(result.error);
  const { value, version, ttlMs, isStale, possiblyStale } = result;
  if (value === null) return { found: false };
  if (value.length > MAX_VALUE_BYTES) {
    return describeError(
      new RingsideError('too_large', 'a value of more than 64 MB is not put into JSON: GET it'),
    );
  }
  // What is not text would not come back as it was written.
  const used = encoding === 'utf8' && !isUtf8(value) ? 'base64' : encoding;
  return {
    found: true,
    value: value.toString(used),
    ...(used !== encoding && { encoding: used }),
    ...(version !== null && { version }),
    ...(ttlMs !== null && { ttlMs }),
    ...((isStale || possiblyStale) && { stale: true }),
  };
}

function describeError(error: RingsideError): object {
  return { error: { code: errorCatalogue[error.code].httpCode, message: error.message } };
}
