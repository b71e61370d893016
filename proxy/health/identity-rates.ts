import { TokenBucket } from './token-bucket.ts';

/** How many identities are looked at for room before a newcomer has to share. */
const LOOKS = 8;

/**
 * One rate for each of many identities, in bounded memory. An identity that has rested for a second is as good as unknown, and makes room;
 * when all of a bounded number of them are busy, further ones share one rate.
 */
export class IdentityRates {
  readonly #perSecond: number;
  readonly #limit: number;
  /** The one that has not been looked at for the longest time first. */
  readonly #buckets = new Map<string, TokenBucket>();
  #shared: TokenBucket | null = null;

  /** At most `limit` identities have a rate of their own, `perSecond` each. */
  constructor(perSecond: number, limit: number) {
    this.#perSecond = perSecond;
    this.#limit = limit;
  }

  /** Identities with a rate of their own. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Whether `count` more commands of this identity may pass. */
  take(identity: string, count: number, nowMs: number): boolean {
    return this.#bucketOf(identity, nowMs).take(count, nowMs);
  }

  #bucketOf(identity: string, nowMs: number): TokenBucket {
    const known = this.#buckets.get(identity);
    if (known !== undefined) return known;
    if (this.#buckets.size >= this.#limit && !this.#makeRoom(nowMs)) {
      this.#shared ??= new TokenBucket(this.#perSecond, nowMs);
      return this.#shared;
    }
    const bucket = new TokenBucket(this.#perSecond, nowMs);
    this.#buckets.set(identity, bucket);
    return bucket;
  }

  /** Looks at those that have been here the longest; a busy one goes behind the others. */
  #makeRoom(nowMs: number): boolean {
    let looks = 0;
    for (const [identity, bucket] of this.#buckets) {
      this.#buckets.delete(identity);
      if (bucket.isFull(nowMs)) return true;
      this.#buckets.set(identity, bucket);
      if (++looks === LOOKS) return false;
    }
    return false;
  }
}
