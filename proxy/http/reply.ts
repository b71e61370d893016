import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { errorCatalogue, type RingsideError } from '../../lib/base/index.ts';
import { expectsContinue } from './body.ts';

const LINGER_MS = 1000;
const MAX_DISCARDED_BYTES = 65_536;

/** Answers a status without a body. */
export function sendEmpty(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  const hasLength = status !== 204 && status !== 304;
  response.writeHead(status, hasLength ? { ...headers, 'content-length': 0 } : headers);
  response.end();
}

/** Answers 200 and bytes, as they lie; the headers say how many. */
export function sendPieces(
  response: ServerResponse,
  headers: OutgoingHttpHeaders,
  pieces: readonly Buffer[],
): void {
  response.writeHead(200, headers);
  response.cork();
  for (const piece of pieces) response.write(piece);
  response.uncork();
  response.end();
}

/** Answers 200 and bytes as they come; the headers say how many. When they stop coming, or the client goes, the connection ends. */
export async function sendArriving(
  response: ServerResponse,
  headers: OutgoingHttpHeaders,
  pieces: AsyncIterable<Buffer>,
): Promise<void> {
  response.writeHead(200, headers);
  try {
    await pipeline(pieces, response);
  } catch {
    // What went wrong cannot be told any more: the answer has begun.
    response.destroy();
  }
}

/** Answers JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers?: OutgoingHttpHeaders,
): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { ...jsonHeaders(body), ...headers });
  response.end(body);
}

/** Answers `{error: {code, message}}` by the catalogue, or with `status`; nothing when an answer has begun. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  error: RingsideError,
  { status, headers }: { status?: number; headers?: Readonly<Record<string, string>> } = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { http, httpCode } = errorCatalogue[error.code];
  const body = Buffer.from(JSON.stringify({ error: { code: httpCode, message: error.message } }));
  const all = { ...jsonHeaders(body), ...headers };
  if (isBodyShort(request)) {
    response.writeHead(status ?? http, all);
    response.end(body);
    return;
  }
  response.writeHead(status ?? http, { ...all, connection: 'close' });
  linger(request, response, body);
}

function jsonHeaders(body: Buffer): Record<string, string | number> {
  return { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length };
}

/** Whether what the client may still send is so little that it is read and forgotten, and the connection stays. */
function isBodyShort(request: IncomingMessage): boolean {
  if (request.complete) return true;
  const { 'transfer-encoding': chunked, 'content-length': declared } = request.headers;
  return chunked === undefined && Number(declared ?? 0) <= MAX_DISCARDED_BYTES && !expectsContinue(request);
}

/**
 * Ends a response whose request is still being sent. Closing at once would reset the connection, and the answer could be
 * lost on its way (RFC 9112, 9.6); so what arrives is thrown away for a moment, until the client ends or stops.
 */
function linger(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  response.write(body);
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(() => {
    response.end();
    request.destroy();
  }, LINGER_MS);
  request.removeAllListeners('data');
  request.once('end', end).once('close', end).resume();
}
