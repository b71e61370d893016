import type { IncomingMessage } from 'node:http';
import { RingsideError } from '../../lib/base/index.ts';

const PREFIX = '/v1/key/';
const INCR = '/incr';
const ORIGIN = /^https?:\/\/[^/?]*/i;
const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;
const PERCENT = 0x25;

/** The routes that `rewriteKeyUrl` sends requests with a key to. */
export const KEY_ROUTE = '/v1/key/k';
export const INCR_ROUTE = '/v1/key/k/incr';

const rawKeys = new WeakMap<IncomingMessage, string>();

/**
 * Takes the key out of the URL before it is routed: routers decode paths as UTF-8 text, and a key is any bytes. `keyOf` has it
 * then.
 */
export function rewriteKeyUrl(request: IncomingMessage): string {
  let url = request.url!;
  if (!url.startsWith('/')) url = url.replace(ORIGIN, '');
  if (!url.startsWith(PREFIX)) return url;
  const query = url.indexOf('?', PREFIX.length);
  const rest = query < 0 ? url.slice(PREFIX.length) : url.slice(PREFIX.length, query);
  const incr = rest.endsWith(INCR);
  rawKeys.set(request, incr ? rest.slice(0, -INCR.length) : rest);
  return (incr ? INCR_ROUTE : KEY_ROUTE) + (query < 0 ? '' : url.slice(query));
}

/** The key of a request as bytes. Throws RingsideError `bad_request` when it is empty or not well-formed. */
export function keyOf(request: IncomingMessage): Buffer {
  return decodeKey(rawKeys.get(request) ?? '');
}

/** The bytes of a percent-encoded path segment (RFC 3986, 2.1), in which bytes above 0x7F may also stand as they are. */
export function decodeKey(raw: string): Buffer {
  if (raw.length === 0) throw new RingsideError('bad_request', 'the key is empty');
  if (raw.includes('/')) {
    throw new RingsideError('bad_request', 'the key holds a `/`, which is written %2F in a path');
  }
  const bytes = Buffer.from(raw, 'latin1');
  if (!raw.includes('%')) return bytes;
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === PERCENT) {
      const pair = raw.slice(i + 1, i + 3);
      if (!HEX_PAIR.test(pair)) {
        throw new RingsideError('bad_request', 'a `%` in the key is not followed by two hexadecimal digits');
      }
      bytes[length++] = Number.parseInt(pair, 16);
      i += 2;
    } else {
      bytes[length++] = bytes[i];
    }
  }
  return bytes.subarray(0, length);
}
