import { errorCatalogue, RingsideError } from '../../lib/base/index.ts';
import type {
  DeleteRequest,
  DeleteResponse,
  GetRequest,
  GetResponse,
  IncrementRequest,
  IncrementResponse,
  KeyResult,
  MultiGetRequest,
  MultiGetResponse,
  PurgeRequest,
  PurgeResponse,
  PutRequest,
  PutResponse,
} from '../../lib/codec/proto/index.ts';
import type { KeyValueApi, MgetResult, SetOptions } from '../core/api.ts';
import { checkPurge, checkTags, MAX_MULTI_KEYS } from '../listener/index.ts';

const NOTHING = Buffer.alloc(0);
const MAX_TTL_MS = 1e15;

/** The methods of `ringside.v1.Cache`; what they reject with becomes the status. */
export class CacheService {
  readonly #api: KeyValueApi;

  constructor(api: KeyValueApi) {
    this.#api = api;
  }

  async get({ key, lease }: GetRequest): Promise<GetResponse> {
    refuseLater({ lease });
    const { value, ttlMs, possiblyStale } = await this.#api.get(checkKey(key));
    if (value === null) return { found: false, value: NOTHING, ttlMs: 0, possiblyStale };
    return { found: true, value, ttlMs: ttlMs === null ? 0 : Math.max(1, Math.ceil(ttlMs)), possiblyStale };
  }

  async put(request: PutRequest): Promise<PutResponse> {
    const { softTtlMs, ifVersion, fencingToken, leaseToken, idempotencyKey } = request;
    refuseLater({ softTtlMs, ifVersion, fencingToken, leaseToken, idempotencyKey });
    return this.#api.set(checkKey(request.key), request.value, setOptions(request));
  }

  async delete({ key }: DeleteRequest): Promise<DeleteResponse> {
    return { deleted: await this.#api.delete(checkKey(key)) };
  }

  async multiGet({ keys }: MultiGetRequest): Promise<MultiGetResponse> {
    if (keys.length === 0 || keys.length > MAX_MULTI_KEYS) {
      throw new RingsideError('bad_request', `\`keys\` is not a list of 1 to ${MAX_MULTI_KEYS} keys`);
    }
    return { results: (await this.#api.mget(keys.map(checkKey))).map(keyResult) };
  }

  async increment({ key, by }: IncrementRequest): Promise<IncrementResponse> {
    return { value: String(await this.#api.incr(checkKey(key), BigInt(by))) };
  }

  async purge({ keys, tags, prefixes }: PurgeRequest): Promise<PurgeResponse> {
    await this.#api.purge(checkPurge({ keys, tags: tags.map(bytesOf), prefixes }));
    return {};
  }
}

/** The error of what a later release brings. */
export function later(what: string): RingsideError {
  return new RingsideError('not_implemented', `not implemented: ${what} comes in a later release`);
}

/** A field of a later release that is set must not be ignored: its sender relies on it. */
function refuseLater(fields: Record<string, boolean | string>): void {
  for (const [name, value] of Object.entries(fields)) {
    const isSet = typeof value === 'boolean' ? value : value !== '0' && value.length > 0;
    if (isSet) throw later(`\`${name}\``);
  }
}

function checkKey(key: Buffer): Buffer {
  if (key.length === 0) throw new RingsideError('bad_request', 'the key is empty');
  return key;
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

function setOptions({ ttlMs: text, onlyIfAbsent, tags }: PutRequest): SetOptions {
  const ttlMs = Number(text);
  if (ttlMs < 0 || ttlMs > MAX_TTL_MS) {
    throw new RingsideError(
      'bad_request',
      `\`ttl_ms\` is not a number of milliseconds from 0 to ${MAX_TTL_MS}`,
    );
  }
  return {
    onlyIfAbsent,
    ...(ttlMs > 0 && { ttlMs }),
    ...(tags.length > 0 && { tags: checkTags(tags.map(bytesOf), '`tags`') }),
  };
}

function keyResult(result: MgetResult): KeyResult {
  if ('error' in result) {
    const error = { code: errorCatalogue[result.error.code].httpCode, message: result.error.message };
    return { found: false, value: NOTHING, possiblyStale: false, error };
  }
  const { value, possiblyStale } = result;
  return { found: value !== null, value: value ?? NOTHING, possiblyStale, error: null };
}
