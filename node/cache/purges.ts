import type { KeySet } from './tag-index.ts';

/** A version, as two unsigned words. */
export interface Version {
  readonly high: number;
  readonly low: number;
}

/** What a purge is about: the keys that had certain tags, or all keys with a prefix; those of them that are not newer than `version`. */
export interface Purge {
  readonly version: Version;
  /** The keys of each tag, which go from here as they are removed; null for a purge by prefix. */
  readonly keysByTag: Map<string, KeySet> | null;
  readonly prefix: string;
  /** Where the search for the prefix goes on. */
  cursor: number;
}

/** Purges by prefix that may be under way in a database; each costs every lookup a comparison meanwhile. */
export const MAX_PREFIX_PURGES = 100;

/**
 * Purges of a database that have been promised and whose keys are still there: nobody may see such a key any more, and whoever owns the
 * database removes them a few at a time. So a purge is immediate for clients however many keys it is about.
 *
 * Purges by tag, of which there may be any number, are looked up by the tags that a key has; those by prefix one after the other.
 */
export class Purges {
  readonly #pending: Purge[] = [];
  readonly #byTag = new Map<string, Purge[]>();
  readonly #byPrefix: Purge[] = [];

  /** How many are under way. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Begins a purge of the keys of these tags, which are the purge's own from here on. */
  beginTags(keysByTag: Map<string, KeySet>, version: Version): void {
    const purge = { version, keysByTag, prefix: '', cursor: 0 };
    this.#pending.push(purge);
    for (const tag of keysByTag.keys()) {
      const others = this.#byTag.get(tag);
      if (others === undefined) this.#byTag.set(tag, [purge]);
      else others.push(purge);
    }
  }

  /** Whether one more purge by prefix may begin. */
  get hasRoom(): boolean {
    return this.#byPrefix.length < MAX_PREFIX_PURGES;
  }

  /** Begins a purge by prefix. */
  beginPrefix(prefix: string, version: Version): void {
    const purge = { version, keysByTag: null, prefix, cursor: 0 };
    this.#pending.push(purge);
    this.#byPrefix.push(purge);
  }

  /** Whether an entry with this key, these tags and this version has been purged; `latest`: by a purge that began up to that version. */
  covers(key: string, tags: readonly string[], own: Version, latest: Version | null): boolean {
    const counts = ({ version }: Purge) =>
      isUpTo(version, own) && (latest === null || isUpTo(latest, version));
    for (const purge of this.#byPrefix) if (key.startsWith(purge.prefix) && counts(purge)) return true;
    for (const tag of tags)
      for (const purge of this.#byTag.get(tag) ?? [])
        if (counts(purge) && purge.keysByTag!.get(tag)?.has(key)) return true;
    return false;
  }

  /** The one that began first; undefined when none is under way. */
  get first(): Purge | undefined {
    return this.#pending[0];
  }

  /** The keys of the purges of this version are gone. */
  end({ high, low }: Version): void {
    for (const purge of this.#pending.filter(({ version }) => version.high === high && version.low === low)) {
      take(this.#pending, purge);
      if (purge.keysByTag === null) take(this.#byPrefix, purge);
      for (const tag of purge.keysByTag?.keys() ?? []) {
        const purges = this.#byTag.get(tag)!;
        take(purges, purge);
        if (purges.length === 0) this.#byTag.delete(tag);
      }
    }
  }

  clear(): void {
    this.#pending.length = 0;
    this.#byPrefix.length = 0;
    this.#byTag.clear();
  }
}

/** Whether a version is not above another. */
function isUpTo(other: Version, { high, low }: Version): boolean {
  return high < other.high || (high === other.high && low <= other.low);
}

function take(purges: Purge[], purge: Purge): void {
  purges.splice(purges.indexOf(purge), 1);
}
