/** A version, as two unsigned words. */
export interface Version {
  readonly high: number;
  readonly low: number;
}

/** What a purge is about: the keys that had a tag, or all keys with a prefix; those of them that are not newer than `version`. */
export interface Purge {
  readonly version: Version;
  /** Null for a purge by prefix. Shrinks as keys are removed. */
  readonly keys: Set<string> | null;
  readonly prefix: string;
  /** Where the search for the prefix goes on. */
  cursor: number;
}

/** Purges by prefix that may be under way in a database; each costs every lookup a comparison meanwhile. */
export const MAX_PREFIX_PURGES = 100;

/**
 * Purges of a database that have been promised and whose keys are still there: nobody may see such a key any more, and whoever owns the
 * database removes them a few at a time. So a purge is immediate for clients however many keys it is about.
 */
export class Purges {
  readonly #pending: Purge[] = [];
  /** How many are under way. */
  pending = 0;

  /** Begins a purge of these keys, which are the purge's own from here on. */
  beginKeys(keys: Set<string>, version: Version): void {
    this.#begin({ version, keys, prefix: '', cursor: 0 });
  }

  /** Whether one more purge by prefix may begin. */
  get hasRoom(): boolean {
    return this.#pending.filter(({ keys }) => keys === null).length < MAX_PREFIX_PURGES;
  }

  /** Begins a purge by prefix. */
  beginPrefix(prefix: string, version: Version): void {
    this.#begin({ version, keys: null, prefix, cursor: 0 });
  }

  #begin(purge: Purge): void {
    this.#pending.push(purge);
    this.pending++;
  }

  /** Whether an entry with this key and version has been purged. */
  covers(key: string, high: number, low: number): boolean {
    return this.#pending.some(
      ({ keys, prefix, version }) =>
        (high < version.high || (high === version.high && low <= version.low)) &&
        (keys === null ? key.startsWith(prefix) : keys.has(key)),
    );
  }

  /** The one that began first; undefined when none is under way. */
  get first(): Purge | undefined {
    return this.#pending[0];
  }

  /** The keys of this version's purges are gone. */
  end({ high, low }: Version): void {
    const left = this.#pending.filter(({ version }) => version.high !== high || version.low !== low);
    this.#pending.splice(0, this.#pending.length, ...left);
    this.pending = left.length;
  }

  clear(): void {
    this.#pending.length = 0;
    this.pending = 0;
  }
}
