import { RingsideError } from '../../lib/base/index.ts';
import type {
  KeyValueApi,
  MgetResult,
  Purge,
  ReadResult,
  SetOptions,
  SetResult,
} from '../../proxy/core/api.ts';

/** A KeyValueApi over a Map. Keys that begin with `fail:CODE` fail with that code; `stale:` ones are possibly stale. */
export class MemoryApi implements KeyValueApi {
  readonly values = new Map<string, { value: Buffer; ttlMs: number | null; tags?: readonly Buffer[] }>();

  async get(key: Buffer): Promise<ReadResult> {
    failIfAsked(key);
    const held = this.values.get(key.toString('hex'));
    const possiblyStale = key.toString().startsWith('stale:');
    return { value: held?.value ?? null, ttlMs: held?.ttlMs ?? null, possiblyStale };
  }

  async set(
    key: Buffer,
    value: Buffer,
    { ttlMs, onlyIfAbsent, tags = [] }: SetOptions = {},
  ): Promise<SetResult> {
    failIfAsked(key);
    const created = !this.values.has(key.toString('hex'));
    if (onlyIfAbsent && !created) return { stored: false, created: false };
    this.values.set(key.toString('hex'), { value: Buffer.from(value), ttlMs: ttlMs ?? null, tags });
    return { stored: true, created };
  }

  async delete(key: Buffer): Promise<boolean> {
    failIfAsked(key);
    return this.values.delete(key.toString('hex'));
  }

  async mget(keys: readonly Buffer[]): Promise<MgetResult[]> {
    return Promise.all(
      keys.map((key) => this.get(key).catch((error: RingsideError): MgetResult => ({ error }))),
    );
  }

  async incr(key: Buffer, by: bigint): Promise<bigint> {
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
    return sum;
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

function failIfAsked(key: Buffer): void {
  const [, code] = /^fail:(\w+)/.exec(key.toString()) ?? [];
  if (code) throw new RingsideError(code as 'timeout', `asked to fail with ${code}`);
}
