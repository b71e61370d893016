import type { IncomingHttpHeaders } from 'node:http';
import { RingsideError } from '../../lib/base/index.ts';
import { MAX_FENCE_NAME_BYTES } from '../../lib/commands/index.ts';
import type { SetOptions, WriteConditions } from '../core/api.ts';
import { checkTags } from '../listener/index.ts';
import { versionIn } from './entity-tags.ts';

const MAX_TOKEN = 2n ** 64n - 1n;
const SECOND_MS = 1000;

/** What a write depends on by its headers, which are as their schema says. Throws RingsideError. */
export function conditionsOf(headers: IncomingHttpHeaders, key: Buffer): WriteConditions {
  const fence = fenceOf(headers, key);
  const idempotencyKey = headers['idempotency-key'];
  return {
    ...matchOf(headers['if-match']),
    ...(fence !== undefined && { fence }),
    ...(idempotencyKey !== undefined && { idempotencyKey: bytesOf(idempotencyKey) }),
  };
}

/** How a PUT wants its value written. Throws RingsideError. */
export function setOptionsOf(headers: IncomingHttpHeaders, key: Buffer): SetOptions {
  const ttlMs = msOf(headers['x-ttl-seconds']);
  const softTtlMs = msOf(headers['x-soft-ttl-seconds']);
  const tags = tagsOf(headers['x-tags']);
  const onlyIfAbsent = headers['if-none-match'] !== undefined;
  if (onlyIfAbsent && headers['if-match'] !== undefined)
    throw new RingsideError('bad_request', 'If-Match and If-None-Match cannot both hold');
  const leaseToken = headers['x-lease-token'];
  return {
    ...conditionsOf(headers, key),
    ...(ttlMs !== undefined && { ttlMs }),
    ...(softTtlMs !== undefined && { softTtlMs }),
    ...(onlyIfAbsent && { onlyIfAbsent }),
    ...(tags.length > 0 && { tags }),
    ...(leaseToken !== undefined && { leaseToken: bytesOf(leaseToken) }),
  };
}

function matchOf(ifMatch: string | undefined): Pick<WriteConditions, 'ifVersion' | 'mustExist'> {
  if (ifMatch === undefined) return {};
  if (ifMatch === '*') return { mustExist: true };
  const ifVersion = versionIn(ifMatch);
  if (ifVersion !== null) return { ifVersion };
  throw new RingsideError('precondition_failed', 'no value has the ETag that If-Match names');
}

/** Without a name, the fence is the key's own. */
function fenceOf(headers: IncomingHttpHeaders, key: Buffer): WriteConditions['fence'] {
  const token = headers['x-fencing-token'];
  const given = headers['x-fence-name'];
  if (token === undefined) {
    if (given === undefined) return undefined;
    throw new RingsideError('bad_request', 'X-Fence-Name comes without X-Fencing-Token');
  }
  if (BigInt(String(token)) > MAX_TOKEN)
    throw new RingsideError('bad_request', 'X-Fencing-Token is not a number of 64 bits');
  const name = given === undefined ? key : bytesOf(given);
  if (name.length <= MAX_FENCE_NAME_BYTES) return { name, token: String(token) };
  throw new RingsideError(
    'bad_request',
    `the key is longer than the name of a fence may be (${MAX_FENCE_NAME_BYTES} bytes): give one as X-Fence-Name`,
  );
}

function msOf(seconds: string | string[] | undefined): number | undefined {
  return seconds === undefined ? undefined : Number(seconds) * SECOND_MS;
}

/**
 * A list as HTTP writes them (RFC 9110, 5.6.1): commas between, white space around and empty members do not count. Node joins headers of one
 * name with a comma.
 */
function tagsOf(header: string | string[] | undefined): readonly Buffer[] {
  const tags = String(header ?? '')
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  return checkTags(tags.map(bytesOf), 'X-Tags');
}

/** Node hands headers over as one character a byte. */
function bytesOf(header: string | string[]): Buffer {
  return Buffer.from(String(header), 'latin1');
}
