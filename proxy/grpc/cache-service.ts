import { errorCatalogue, isRingsideError, RingsideError } from '../../lib/base/index.ts';
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
import type { KeyValueApi, MgetResult, Pieces, ReadResult } from '../core/api.ts';
import { checkPurge, MAX_MULTI_KEYS } from '../listener/index.ts';
import { bytesOf, conditionsOf, setOptionsOf } from './write-options.ts';

const NOTHING = Buffer.alloc(0);
/** What is answered where the engine has no versions. */
const NO_VERSION = '0';

/** The methods of `ringside.v1.Cache`; what they reject with becomes the status. */
export class CacheService {
  readonly #api: KeyValueApi;

  constructor(api: KeyValueApi) {
    this.#api = api;
  }

  async get({ key, lease, unlessVersion }: GetRequest): Promise<GetResponse> {
    const result = await this.#api.get(checkKey(key), { lease });
    const { value, version } = result;
    if (unlessVersion !== NO_VERSION && value !== null && version === null)
      throw new RingsideError('not_implemented', '`unless_version`: not supported by engine redis');
    const notModified = version !== null && version === unlessVersion;
    return {
      found: value !== null,
      value: value === null || notModified ? NOTHING : joined(value),
      notModified,
      version: version ?? NO_VERSION,
      ...timesOf(result),
      ...leaseOf(result),
    };
  }

  async put(request: PutRequest): Promise<PutResponse> {
    const options = setOptionsOf(request);
    try {
      const { created, version } = await this.#api.set(checkKey(request.key), [request.value], options);
      return { stored: true, created, version: version ?? NO_VERSION };
    } catch (error) {
      if (!options.onlyIfAbsent || !isRingsideError(error, 'precondition_failed')) throw error;
      return { stored: false, created: false, version: NO_VERSION };
    }
  }

  async delete(request: DeleteRequest): Promise<DeleteResponse> {
    const key = checkKey(request.key);
    return { deleted: await this.#api.delete(key, conditionsOf(request, key)) };
  }

  async multiGet({ keys }: MultiGetRequest): Promise<MultiGetResponse> {
    if (keys.length === 0 || keys.length > MAX_MULTI_KEYS) {
      throw new RingsideError('bad_request', `\`keys\` is not a list of 1 to ${MAX_MULTI_KEYS} keys`);
    }
    return { results: (await this.#api.mget(keys.map(checkKey))).map(keyResult) };
  }

  async increment(request: IncrementRequest): Promise<IncrementResponse> {
    const key = checkKey(request.key);
    const { value, version } = await this.#api.incr(key, BigInt(request.by), conditionsOf(request, key));
    return { value: String(value), version: version ?? NO_VERSION };
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

function checkKey(key: Buffer): Buffer {
  if (key.length === 0) throw new RingsideError('bad_request', 'the key is empty');
  return key;
}

function joined(pieces: Pieces): Buffer {
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
}

type Times = Pick<GetResponse, 'ttlMs' | 'softTtlMs' | 'stale' | 'possiblyStale'>;

function timesOf({ ttlMs, softTtlMs, isStale, possiblyStale }: ReadResult): Times {
  return { ttlMs: atLeast1(ttlMs), softTtlMs: Math.ceil(softTtlMs ?? 0), stale: isStale, possiblyStale };
}

/** Of a fresh value nothing is said: there is nothing to fill. */
function leaseOf({ lease, value, isStale }: ReadResult): Pick<GetResponse, 'leaseToken' | 'leaseMs'> {
  if (lease === null || (value !== null && !isStale)) return { leaseToken: '', leaseMs: 0 };
  return { leaseToken: lease.token ?? '', leaseMs: lease.ms };
}

/** 0 says that there is no lifetime: what lives has at least 1. */
function atLeast1(ttlMs: number | null): number {
  return ttlMs === null ? 0 : Math.max(1, Math.ceil(ttlMs));
}

function keyResult(result: MgetResult): KeyResult {
  if ('error' in result) {
    const error = { code: errorCatalogue[result.error.code].httpCode, message: result.error.message };
    const none = { version: NO_VERSION, ttlMs: 0, stale: false, possiblyStale: false };
    return { found: false, value: NOTHING, error, ...none };
  }
  const { value, version, ttlMs, isStale, possiblyStale } = result;
  return {
    found: value !== null,
    value: value ?? NOTHING,
    possiblyStale,
    error: null,
    version: version ?? NO_VERSION,
    ttlMs: atLeast1(ttlMs),
    stale: isStale,
  };
}
