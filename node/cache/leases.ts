import type { Random } from '../../lib/base/index.ts';

/** How long a lease runs unless its taker says otherwise, and at most. */
export const DEFAULT_LEASE_MS = 10_000;
export const MAX_LEASE_MS = 3_600_000;

const TOKEN_BYTES = 8;
const NO_VERSION = '0';
/** Leases that each grant looks at, oldest first, to drop those that are over: more than it adds. */
const SWEPT_PER_GRANT = 2;

/** Purged tags that are remembered. A lease that is older than one that had to be forgotten fills nothing with tags. */
const REMEMBERED_TAGS = 10_000;

interface Lease {
  readonly token: string;
  readonly untilMs: number;
  /** What a value that fills the key may name as the version it replaces, where there is none. */
  readonly version: string;
  /** How many tags had been purged when it was handed out. */
  readonly purges: number;
  /** Its holder knows that there is no value: nobody is to look for one while it runs. */
  readonly isAbsence: boolean;
}

/**
 * Who may fill which key. At most one caller at a time holds the token of a key; a plain write of the key voids it, and a value that was
 * under way when one of its tags was purged is not let in. Leases live on the leader alone: a new leader knows none, and refuses the tokens
 * of the old one.
 *
 * Times are monotonic milliseconds. Keys are text of one byte a character.
 */
export class LeaseTable {
  readonly #max: number;
  readonly #random: Random;
  readonly #byDatabase = new Map<number, Map<string, Lease>>();
  /** How many there are, some of which may be over. */
  held = 0;
  #purges = 0;
  #forgottenPurges = 0;
  readonly #purgedTags = new Map<string, number>();

  constructor({ max, random }: { max: number; random: Random }) {
    this.#max = max;
    this.#random = random;
  }

  /**
   * The token of a new lease; null when somebody else holds the key's, or when there are too many leases. `version`: what its holder may call
   * the version of the key while there is none.
   */
  grant(
    database: number,
    key: string,
    durationMs: number,
    nowMs: number,
    version: string = NO_VERSION,
  ): string | null {
    if (this.remainingMs(database, key, nowMs) > 0) return null;
    this.#sweep(nowMs);
    this.void(database, key);
    if (this.held >= this.#max) return null;
    const token = this.#random.hex(TOKEN_BYTES);
    const leases = this.#byDatabase.get(database) ?? new Map<string, Lease>();
    this.#byDatabase.set(database, leases);
    leases.set(key, { token, untilMs: nowMs + durationMs, version, purges: this.#purges, isAbsence: false });
    this.held++;
    return token;
  }

  /** Milliseconds that the lease of the key still runs; 0 when there is none. */
  remainingMs(database: number, key: string, nowMs: number): number {
    const lease = this.#byDatabase.get(database)?.get(key);
    return lease === undefined ? 0 : Math.max(0, lease.untilMs - nowMs);
  }

  /** The version that the lease of the key was given; 0 when it has none or has run out. */
  versionOf(database: number, key: string, nowMs: number): string {
    const lease = this.#byDatabase.get(database)?.get(key);
    return lease === undefined || lease.untilMs <= nowMs ? NO_VERSION : lease.version;
  }

  /** Runs `write`, a change of the key that leaves its lease to whoever holds it. */
  keep(database: number, key: string, write: () => void): void {
    const lease = this.#byDatabase.get(database)?.get(key);
    write();
    if (lease === undefined || this.#byDatabase.get(database)?.get(key) === lease) return;
    this.#byDatabase.get(database)!.set(key, lease);
    this.held++;
  }

  /** Whether this token is the one that may fill the key with a value that has these tags. */
  holds(database: number, key: string, token: string, tags: readonly string[], nowMs: number): boolean {
    const lease = this.#byDatabase.get(database)?.get(key);
    if (lease === undefined || lease.isAbsence || lease.token !== token || lease.untilMs <= nowMs)
      return false;
    if (tags.length > 0 && lease.purges < this.#forgottenPurges) return false;
    return tags.every((tag) => (this.#purgedTags.get(tag) ?? 0) <= lease.purges);
  }

  /**
   * The holder of this token will not fill the key. With `absentMs` above 0 it knows that there is no value: nobody gets a lease for so long, unless
   * the key is written. False when the token is not the key's, or not any more.
   */
  forgo(database: number, key: string, token: string, absentMs: number, nowMs: number): boolean {
    const lease = this.#byDatabase.get(database)?.get(key);
    if (lease === undefined || lease.isAbsence || lease.token !== token || lease.untilMs <= nowMs)
      return false;
    this.void(database, key);
    if (absentMs === 0) return true;
    this.#byDatabase.get(database)!.set(key, { ...lease, untilMs: nowMs + absentMs, isAbsence: true });
    this.held++;
    return true;
  }

  /** Whether the key is known to have no value. */
  isAbsent(database: number, key: string, nowMs: number): boolean {
    const lease = this.#byDatabase.get(database)?.get(key);
    return lease?.isAbsence === true && lease.untilMs > nowMs;
  }

  /** What was to be filled with this tag, in any database, must not be: it may be from before. */
  tagPurged(tag: string): void {
    if (this.held === 0) return;
    this.#purgedTags.delete(tag);
    this.#purgedTags.set(tag, ++this.#purges);
    if (this.#purgedTags.size <= REMEMBERED_TAGS) return;
    const [oldest, purge] = this.#purgedTags.entries().next().value!;
    this.#purgedTags.delete(oldest);
    this.#forgottenPurges = purge;
  }

  /** Nor what was to be filled under a key with this prefix. */
  prefixPurged(database: number, prefix: string): void {
    for (const key of this.#byDatabase.get(database)?.keys() ?? [])
      if (key.startsWith(prefix)) this.void(database, key);
  }

  /** The key was written or deleted: whoever was to fill it must not. */
  void(database: number, key: string): void {
    if (this.#byDatabase.get(database)?.delete(key)) this.held--;
  }

  /** All keys of the database were. */
  voidAll(database: number): void {
    this.held -= this.#byDatabase.get(database)?.size ?? 0;
    this.#byDatabase.delete(database);
  }

  #sweep(nowMs: number): void {
    for (const leases of this.#byDatabase.values()) {
      let left = SWEPT_PER_GRANT;
      for (const [key, { untilMs }] of leases) {
        if (left-- === 0 || untilMs > nowMs) break;
        leases.delete(key);
        this.held--;
      }
    }
  }
}
