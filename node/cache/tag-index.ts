import { LargeMap } from './large-map.ts';

/** What a tagged key costs beside its bytes, what each of its tags does, and each tag that any key has: measured, maps and strings together. */
const KEY_BYTES = 150;
const TAG_BYTES = 60;
const NEW_TAG_BYTES = 500;

/** Memory that the tag indexes of all databases share. */
export class TagBudget {
  readonly maxBytes: number;
  usedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }
}

/** Keys, as text of one byte a character. */
export type KeySet = LargeMap<true>;

/** Which keys of a database have which tags. Keys and tags are text of one byte a character. */
export class TagIndex {
  readonly #budget: TagBudget;
  readonly #tagsByKey = new LargeMap<readonly string[]>();
  readonly #keysByTag = new LargeMap<KeySet>();
  #bytes = 0;

  constructor(budget: TagBudget) {
    this.#budget = budget;
  }

  /** Number of keys with tags. */
  get size(): number {
    return this.#tagsByKey.size;
  }

  /** The tags of a key. */
  tagsOf(key: string): readonly string[] {
    return this.#tagsByKey.get(key) ?? [];
  }

  /** Whether there is memory for a key with these tags. */
  hasRoomFor(key: string, tags: readonly string[]): boolean {
    let bytes = bytesOf(key, tags);
    for (const tag of tags) if (!this.#keysByTag.has(tag)) bytes += NEW_TAG_BYTES;
    return this.#budget.usedBytes + bytes <= this.#budget.maxBytes;
  }

  /** Gives a key without tags these, which are distinct and at least one. */
  add(key: string, tags: readonly string[]): void {
    this.#tagsByKey.add(key, tags);
    this.#account(bytesOf(key, tags));
    for (const tag of tags) (this.#keysByTag.get(tag) ?? this.#newTag(tag)).add(key, true);
  }

  /** The key is gone or has no tags any more. */
  remove(key: string): void {
    const tags = this.#tagsByKey.get(key);
    if (tags === undefined) return;
    this.#tagsByKey.delete(key);
    this.#account(-bytesOf(key, tags));
    for (const tag of tags) {
      const keys = this.#keysByTag.get(tag);
      if (keys?.delete(key) && keys.size === 0) this.takeTag(tag);
    }
  }

  /** How many keys have the tag. */
  countOf(tag: string): number {
    return this.#keysByTag.get(tag)?.size ?? 0;
  }

  /** Takes a tag out of the index and hands over the keys that had it. The keys themselves go on to name it among their tags. */
  takeTag(tag: string): KeySet {
    const keys = this.#keysByTag.get(tag);
    if (this.#keysByTag.delete(tag)) this.#account(-NEW_TAG_BYTES);
    return keys ?? new LargeMap();
  }

  clear(): void {
    this.#account(-this.#bytes);
    this.#tagsByKey.clear();
    this.#keysByTag.clear();
  }

  #newTag(tag: string): KeySet {
    const keys: KeySet = new LargeMap();
    this.#keysByTag.add(tag, keys);
    this.#account(NEW_TAG_BYTES);
    return keys;
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.usedBytes += bytes;
  }
}

function bytesOf(key: string, tags: readonly string[]): number {
  let bytes = KEY_BYTES + key.length + tags.length * TAG_BYTES;
  for (const tag of tags) bytes += tag.length;
  return bytes;
}
