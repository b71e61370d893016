import type { IncomingHttpHeaders } from 'node:http';
import { RingsideError } from '../../lib/base/index.ts';
import type { SetOptions } from '../core/api.ts';
import { checkTags } from '../listener/index.ts';

const MAX_TTL_SECONDS = 1e12;
const POSITIVE = /^[1-9][0-9]{0,12}$/;

/** How a PUT wants its value written. Throws RingsideError `bad_request`. */
export function setOptionsOf(headers: IncomingHttpHeaders): SetOptions {
  const ttlMs = ttlMsOf(headers['x-ttl-seconds']);
  const tags = tagsOf(headers['x-tags']);
  return {
    onlyIfAbsent: headers['if-none-match'] !== undefined,
    ...(ttlMs !== undefined && { ttlMs }),
    ...(tags.length > 0 && { tags }),
  };
}

function ttlMsOf(ttl: string | string[] | undefined): number | undefined {
  if (ttl === undefined) return undefined;
  if (typeof ttl !== 'string' || !POSITIVE.test(ttl) || Number(ttl) > MAX_TTL_SECONDS) {
    throw new RingsideError(
      'bad_request',
      `X-TTL-Seconds is not a whole number from 1 to ${MAX_TTL_SECONDS}`,
    );
  }
  return Number(ttl) * 1000;
}

/**
 * A list as HTTP writes them (RFC 9110, 5.6.1): commas between, white space around and empty members do not count. Node hands headers over
 * as one character a byte, and joins those of one name with a comma.
 */
function tagsOf(header: string | string[] | undefined): readonly Buffer[] {
  const tags = String(header ?? '')
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  return checkTags(
    tags.map((tag) => Buffer.from(tag, 'latin1')),
    'X-Tags',
  );
}
