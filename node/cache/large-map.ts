/** Entries that one map holds before further ones are spread. */
const FIRST_ENTRIES = 4096;
const PARTS = 256;
/**
 * The part of a hash. The last part gets twice as many as the first, and those between as many between: so they double one after the other,
 * and not all at once (spiral storage: Mullin, "Spiral storage: efficient dynamic hashing with constant performance", 1985).
 */
const HASHES = 4096;
const partOfHash = Uint8Array.from({ length: HASHES }, (_, i) =>
  Math.floor(PARTS * Math.log2(1 + i / HASHES)),
);
/** Characters that decide on the part, from the end: there keys differ. */
const HASHED_CHARS = 64;

/**
 * A map of text that grows without a pause: one of the language's own moves all its entries at once when it doubles (0.1 s at a million),
 * walks over every hole when it is read from the start, and ends at 2^24 entries. Beyond the first few thousand, entries are spread over maps
 * that stay small.
 */
export class LargeMap<V> {
  readonly #first = new Map<string, V>();
  readonly #parts: (Map<string, V> | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    const found = this.#first.get(key);
    return found !== undefined || this.#size === this.#first.size
      ? found
      : this.#parts[partOf(key)]?.get(key);
  }

  has(key: string): boolean {
    if (this.#first.has(key)) return true;
    return this.#size > this.#first.size && (this.#parts[partOf(key)]?.has(key) ?? false);
  }

  /** Adds an entry for a key that is not there. */
  add(key: string, value: V): void {
    this.#size++;
    if (this.#size <= FIRST_ENTRIES) {
      this.#first.set(key, value);
      return;
    }
    const part = partOf(key);
    const map = this.#parts[part];
    if (map === undefined) this.#parts[part] = new Map([[key, value]]);
    else map.set(key, value);
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    let isGone = this.#first.delete(key);
    if (!isGone && this.#size > this.#first.size) {
      const part = partOf(key);
      const map = this.#parts[part];
      isGone = map?.delete(key) ?? false;
      if (map?.size === 0) this.#parts[part] = undefined;
    }
    if (isGone) this.#size--;
    return isGone;
  }

  /** The keys; those that are deleted meanwhile, or added, may come or not. */
  *keys(): Generator<string> {
    yield* this.#first.keys();
    for (const part of this.#parts) if (part !== undefined) yield* part.keys();
  }

  clear(): void {
    this.#first.clear();
    this.#parts.length = 0;
    this.#size = 0;
  }
}

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/), folded. */
function partOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = Math.max(0, key.length - HASHED_CHARS); i < key.length; i++)
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return partOfHash[(hash ^ (hash >>> 16)) & (HASHES - 1)];
}
