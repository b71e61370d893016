import { RingsideError } from '../../lib/base/index.ts';
import type {
  CallApi,
  IncrResult,
  KeyValueApi,
  MgetResult,
  Pieces,
  Purge,
  ReadOptions,
  ReadResult,
  SetOptions,
  SetResult,
} from '../../proxy/core/api.ts';

/** The API of listeners over a Map, without versions. Keys that begin with `fail:CODE` fail with that code; `stale:` ones are possibly stale. */
export class MemoryApi implements CallApi, KeyValueApi {
  readonly values = new Map<string, { value: Buffer; ttlMs: number | null; tags?: readonly Buffer[] }>();

  within(): KeyValueApi {
    return this;
  }

  async get(key: Buffer, { head = false }: ReadOptions = {}): Promise<ReadResult> {
    failIfAsked(key);
    const held = this.values.get(key.toString('hex'));
    const value = held ? [held.value] : null;
    return {
      value: head && value ? [] : value,
      bytes: held?.value.length ?? 0,
      ...factsOf(key, held?.ttlMs ?? null),
      softTtlMs: null,
      lease: null,
    };
  }

  async set(
    key: Buffer,
    pieces: Pieces,
    { ttlMs, onlyIfAbsent = false, tags = [] }: SetOptions = {},
  ): Promise<SetResult> {
    failIfAsked(key);
    const created = !this.values.has(key.toString('hex'));
    if (onlyIfAbsent && !created) throw new RingsideError('precondition_failed', 'the key exists');
    this.values.set(key.toString('hex'), { value: Buffer.concat(pieces), ttlMs: ttlMs ?? null, tags });
    return { created, version: null };
  }

  async delete(key: Buffer): Promise<boolean> {
    failIfAsked(key);
    return this.values.delete(key.toString('hex'));
  }

  async mget(keys: readonly Buffer[]): Promise<MgetResult[]> {
    return Promise.all(keys.map((key) => this.#one(key).catch((error: RingsideError) => ({ error }))));
  }

  async #one(key: Buffer): Promise<MgetResult> {
    failIfAsked(key);
    const held = this.values.get(key.toString('hex'));
    return { value: held?.value ?? null, ...factsOf(key, held?.ttlMs ?? null) };
  }

  async incr(key: Buffer, by: bigint): Promise<IncrResult> {
    failIfAsked(key);
    const held = this.values.get(key.toString('hex'));
    const text = held?.value.toString() ?? '0';
    if (!/^-?[0-9]+$/.test(text)) throw new RingsideError('not_an_integer');
    const sum = BigInt(text) + by;
    this.values.set(key.toString('hex'), {
      value: Buffer.from(String(sum)),
      ttlMs: held?.ttlMs ?? null,
      tags: held?.tags,
    });
    return { value: sum, version: null };
  }

  async purge({ keys, tags, prefixes }: Purge): Promise<void> {
    keys.forEach(failIfAsked);
    const isPurged = (key: string, own: readonly Buffer[]) =>
      keys.some((purged) => purged.toString('hex') === key) ||
      tags.some((tag) => own.some((other) => other.equals(tag))) ||
      prefixes.some((prefix) => key.startsWith(prefix.toString('hex')));
    for (const [key, { tags: own = [] }] of this.values) if (isPurged(key, own)) this.values.delete(key);
  }
}

/** What a read finds that finds this value. */
export function foundValue(value: Buffer): ReadResult {
  return { value: [value], bytes: value.length, ...factsOf(value, null), softTtlMs: null, lease: null };
}

function factsOf(key: Buffer, ttlMs: number | null) {
  return { ttlMs, version: null, isStale: false, possiblyStale: key.toString().startsWith('stale:') };
}

function failIfAsked(key: Buffer): void {
  const [, code] = /^fail:(\w+)/.exec(key.toString()) ?? [];
  if (code) throw new RingsideError(code as 'timeout', `asked to fail with ${code}`);
}
