import { RingsideError } from '../../lib/base/index.ts';
import type { ConditionFields, PutRequest } from '../../lib/codec/proto/index.ts';
import { MAX_FENCE_NAME_BYTES } from '../../lib/commands/index.ts';
import type { SetOptions, WriteConditions } from '../core/api.ts';
import { checkTags } from '../listener/index.ts';

const MAX_TTL_MS = 1e15;
const MAX_IDEMPOTENCY_KEY_BYTES = 255;
/** What an unset number of 64 bits is. */
const UNSET = '0';

/** What a write depends on. Throws RingsideError `bad_request`. */
export function conditionsOf(request: ConditionFields, key: Buffer): WriteConditions {
  const { ifVersion, idempotencyKey } = request;
  const fence = fenceOf(request, key);
  if (Buffer.byteLength(idempotencyKey) > MAX_IDEMPOTENCY_KEY_BYTES)
    throw bad(`\`idempotency_key\` has more than ${MAX_IDEMPOTENCY_KEY_BYTES} bytes`);
  return {
    ...(ifVersion !== UNSET && { ifVersion }),
    ...(fence !== undefined && { fence }),
    ...(idempotencyKey !== '' && { idempotencyKey: Buffer.from(idempotencyKey) }),
  };
}

/** How a Put wants its value written. Throws RingsideError `bad_request`. */
export function setOptionsOf(request: PutRequest): SetOptions {
  const { key, onlyIfAbsent, onlyIfPresent, leaseToken, tags } = request;
  const ttlMs = msOf(request.ttlMs, 'ttl_ms');
  const softTtlMs = msOf(request.softTtlMs, 'soft_ttl_ms');
  if (Number(onlyIfAbsent) + Number(onlyIfPresent) + Number(request.ifVersion !== UNSET) > 1)
    throw bad('only one of `only_if_absent`, `only_if_present` and `if_version` can be asked for');
  return {
    ...conditionsOf(request, key),
    ...(ttlMs > 0 && { ttlMs }),
    ...(softTtlMs > 0 && { softTtlMs }),
    ...(onlyIfAbsent && { onlyIfAbsent }),
    ...(onlyIfPresent && { mustExist: true }),
    ...(leaseToken !== '' && { leaseToken: Buffer.from(leaseToken) }),
    ...(tags.length > 0 && { tags: checkTags(tags.map(bytesOf), '`tags`') }),
  };
}

/** Text as bytes. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

/** Without a name, the fence is the key's own. */
function fenceOf({ fencingToken, fenceName }: ConditionFields, key: Buffer): WriteConditions['fence'] {
  if (fencingToken === UNSET) {
    if (fenceName.length > 0) throw bad('`fence_name` comes without `fencing_token`');
    return undefined;
  }
  const name = fenceName.length > 0 ? fenceName : key;
  if (name.length > MAX_FENCE_NAME_BYTES)
    throw bad(`\`fence_name\`, which is the key unless given, has more than ${MAX_FENCE_NAME_BYTES} bytes`);
  return { name, token: fencingToken };
}

function msOf(text: string, name: string): number {
  const ms = Number(text);
  if (ms >= 0 && ms <= MAX_TTL_MS) return ms;
  throw bad(`\`${name}\` is not a number of milliseconds from 0 to ${MAX_TTL_MS}`);
}

function bad(message: string): RingsideError {
  return new RingsideError('bad_request', message);
}
