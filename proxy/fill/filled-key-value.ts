import type { RingsideError } from '../../lib/base/index.ts';
import type {
  BoundedApi,
  IncrResult,
  MgetResult,
  Pieces,
  Purge,
  ReadOptions,
  ReadResult,
  SetOptions,
  SetResult,
  WriteConditions,
} from '../core/api.ts';
import type { Router } from '../core/router.ts';
import { ArrivingValue } from './arriving-value.ts';
import type { FillOutcome } from './fill.ts';
import { type Fills, LANE } from './fills.ts';
import type { Origin } from './origin.ts';

const DATABASE = 0;

/** The data path for HTTP and gRPC, where keys have origins: a read of what is not there brings what the origin gives. */
export class FilledKeyValue implements BoundedApi {
  readonly #inner: BoundedApi;
  readonly #fills: Fills;
  readonly #router: Router;
  readonly #deadlineMs: number;

  constructor(inner: BoundedApi, fills: Fills, router: Router, deadlineMs = Number.POSITIVE_INFINITY) {
    this.#inner = inner;
    this.#fills = fills;
    this.#router = router;
    this.#deadlineMs = deadlineMs;
  }

  until(deadlineMs: number): FilledKeyValue {
    return new FilledKeyValue(this.#inner.until(deadlineMs), this.#fills, this.#router, deadlineMs);
  }

  /** Who asks for the lease wants to fill the key itself. */
  async get(key: Buffer, options: ReadOptions = {}): Promise<ReadResult> {
    const origin = this.#fills.originOf(key, 0, key.length);
    if (origin === null || options.lease) return this.#inner.get(key, options);
    return this.#read(origin, key, options);
  }

  async mget(keys: readonly Buffer[]): Promise<MgetResult[]> {
    const results = await this.#inner.mget(keys);
    await Promise.all(
      results.map(async (result, i) => {
        if ('error' in result || (result.value !== null && !result.isStale)) return;
        const origin = this.#fills.originOf(keys[i], 0, keys[i].length);
        if (origin !== null) results[i] = await this.#readAgain(origin, keys[i]);
      }),
    );
    return results;
  }

  set(key: Buffer, value: Pieces, options?: SetOptions): Promise<SetResult> {
    return this.#inner.set(key, value, options);
  }

  delete(key: Buffer, conditions?: WriteConditions): Promise<boolean> {
    return this.#inner.delete(key, conditions);
  }

  incr(key: Buffer, by: bigint, conditions?: WriteConditions): Promise<IncrResult> {
    return this.#inner.incr(key, by, conditions);
  }

  purge(what: Purge): Promise<void> {
    return this.#inner.purge(what);
  }

  async #read(
    origin: Origin,
    key: Buffer,
    { head = false, mayArrive = false }: ReadOptions,
  ): Promise<ReadResult> {
    const { clock, settings } = this.#router.env;
    const deadlineMs = Math.min(this.#deadlineMs, clock.monotonicMs() + settings.operationTimeoutMs);
    const place = { database: DATABASE, key };
    if (this.#fills.isKeptNear(key)) {
      const near = await this.#inner.get(key, { head });
      if (near.isStale) this.#fills.refreshIfFree(origin, place);
      if (near.value !== null || near.isAbsent) return near;
    }
    const wish = this.#fills.wishOf(origin);
    const found = await this.#inner.get(key, { lease: wish ?? false, head });
    const { token = null, ms: leaseMs = 0 } = found.lease ?? {};
    if (found.isAbsent) return { ...found, lease: null };
    if (found.value !== null) {
      if (found.isStale) origin.counts.stale++;
      if (token !== null) this.#fills.refresh(origin, place, token, LANE, found.isStale);
      return { ...found, lease: null };
    }
    const outcome = await new Promise<FillOutcome | ArrivingValue>((filled) => {
      const waiter = mayArrive ? { filled, began: filled } : { filled };
      this.#fills.missed(origin, place, { token, leaseMs }, { waiter, deadlineMs, lane: LANE });
    });
    return { ...found, lease: null, ...filledWith(outcome, head) };
  }

  async #readAgain(origin: Origin, key: Buffer): Promise<MgetResult> {
    try {
      const { value, version, ttlMs, isStale, possiblyStale } = await this.#read(origin, key, {});
      return { value: value && Buffer.concat(value), version, ttlMs, isStale, possiblyStale };
    } catch (error) {
      return { error: error as RingsideError };
    }
  }
}

/** Throws the RingsideError of a fill that failed. */
function filledWith(outcome: FillOutcome | ArrivingValue, head: boolean): Partial<ReadResult> {
  if (outcome instanceof ArrivingValue)
    return { value: [], bytes: outcome.bytes, ttlMs: outcome.ttlMs, isFilled: true, arriving: outcome };
  if (outcome.kind === 'failed') throw outcome.error;
  if (outcome.kind === 'absent') return { value: null, bytes: 0, ttlMs: null };
  const { value, bytes, ttlMs } = outcome;
  return { value: head ? [] : value, bytes, ttlMs, isFilled: true };
}
