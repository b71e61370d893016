/** What keys are told by: those that share a bucket are taken for one. */
export const BUCKETS = 1 << 16;

/**
 * When commands on keys were last under way, by the hash of the keys, in moments: time goes on to the next one whenever somebody says so. Does no I/O.
 */
export class KeyUses {
  readonly #underWay = new Int32Array(BUCKETS);
  /** The moment in which a command was last answered, or given up. */
  readonly #over = new Uint32Array(BUCKETS);
  #allUnderWay = 0;
  #allOver = 0;
  #moment = 1;

  /** Begins the next moment, and returns it. */
  begin(): number {
    return ++this.#moment;
  }

  bucketOf(hash: number): number {
    return hash & (BUCKETS - 1);
  }

  /** A command on a key of this bucket is about to be sent. */
  add(bucket: number): void {
    this.#underWay[bucket]++;
  }

  /** It is answered, or given up. */
  leave(bucket: number): void {
    this.#underWay[bucket]--;
    this.#over[bucket] = this.#moment;
  }

  /** A command that may concern any key is about to be sent. */
  addAll(): void {
    this.#allUnderWay++;
  }

  leaveAll(): void {
    this.#allUnderWay--;
    this.#allOver = this.#moment;
  }

  /** Whether every command on the bucket's keys, but for `own` that are under way, was over before the moment began, and none has come since. */
  isUntouched(bucket: number, own: number, moment: number): boolean {
    if (this.#underWay[bucket] > own || this.#over[bucket] >= moment) return false;
    return this.#allUnderWay === 0 && this.#allOver < moment;
  }
}
