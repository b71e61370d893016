import { type Clock, RingsideError } from '../../lib/base/index.ts';
import type { RateGuard } from '../health/index.ts';
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
} from './api.ts';
import { mgetAllowed } from './mget-allowed.ts';

/** The data path of HTTP and gRPC where namespaces have rates: what is over one rejects with `rate_limited`, and nothing is done. */
export class LimitedKeyValue implements BoundedApi {
  readonly #inner: BoundedApi;
  readonly #rates: RateGuard;
  readonly #clock: Clock;

  constructor(inner: BoundedApi, rates: RateGuard, clock: Clock) {
    this.#inner = inner;
    this.#rates = rates;
    this.#clock = clock;
  }

  until(deadlineMs: number): LimitedKeyValue {
    return new LimitedKeyValue(this.#inner.until(deadlineMs), this.#rates, this.#clock);
  }

  async get(key: Buffer, options?: ReadOptions): Promise<ReadResult> {
    this.#check(key, false);
    return this.#inner.get(key, options);
  }

  async set(key: Buffer, value: Pieces, options?: SetOptions): Promise<SetResult> {
    this.#check(key, true);
    return this.#inner.set(key, value, options);
  }

  async delete(key: Buffer, conditions?: WriteConditions): Promise<boolean> {
    this.#check(key, true);
    return this.#inner.delete(key, conditions);
  }

  async mget(keys: readonly Buffer[]): Promise<MgetResult[]> {
    return mgetAllowed(
      keys,
      (key) => this.#errorOf(key, false),
      (passed) => this.#inner.mget(passed),
    );
  }

  async incr(key: Buffer, by: bigint, conditions?: WriteConditions): Promise<IncrResult> {
    this.#check(key, true);
    return this.#inner.incr(key, by, conditions);
  }

  async purge(what: Purge): Promise<void> {
    for (const key of what.keys) this.#check(key, true);
    return this.#inner.purge(what);
  }

  #check(key: Buffer, isWrite: boolean): void {
    const error = this.#errorOf(key, isWrite);
    if (error !== null) throw error;
  }

  #errorOf(key: Buffer, isWrite: boolean): RingsideError | null {
    const text = this.#rates.refuseKey(key, 0, key.length, isWrite, this.#clock.monotonicMs());
    return text === null ? null : new RingsideError('rate_limited', text);
  }
}
