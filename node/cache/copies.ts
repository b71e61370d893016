/** What one copy costs beside key and value: the object, its place in the map, the buffer's own. */
const COPY_OVERHEAD_BYTES = 300;
/** Copies that each further one looks at, oldest first, to find what is over: more than it adds. */
const SWEPT_PER_COPY = 2;
/** No copy takes more than this part of what all may take. */
const LARGEST_PART = 4;

/** A value that another shard owns, as it was when somebody read it there. */
export interface Copy {
  /** 64 bits, as the owner gave it. */
  readonly version: bigint;
  /** 32 bits of the client. */
  readonly clientFlags: number;
  /** Milliseconds that were left to the value, and until it is stale, when the copy was made; -1: for ever, never. */
  readonly ttlMs: number;
  readonly softTtlMs: number;
  readonly value: Buffer;
  /** Monotonic milliseconds. */
  readonly madeMs: number;
  readonly endsMs: number;
}

/** What happened to copies since the start or CONFIG RESETSTAT. */
export interface CopyFigures {
  hits: number;
  misses: number;
  stored: number;
  /** Dropped before their time to make room. */
  evicted: number;
}

/**
 * Short-lived, read-only copies of values that other shards own, which proxies put here when those shards have too much to do. They are no keys of this
 * node: nothing lists, replicates or saves them, and they are the first to go when memory is short. What they take is bounded.
 *
 * Keys are text of one byte a character. `nowMs` is monotonic.
 */
export class Copies {
  readonly #maxBytes: number;
  /** Oldest first. */
  readonly #held = new Map<string, Copy>();
  readonly figures: CopyFigures = { hits: 0, misses: 0, stored: 0, evicted: 0 };
  #bytes = 0;

  /** `maxBytes` 0: none is kept. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Keys, values and what it costs to keep them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The copy of this key; undefined when there is none, or its time is over. */
  find(key: string, nowMs: number): Copy | undefined {
    const copy = this.#held.get(key);
    const isOver = copy !== undefined && copy.endsMs <= nowMs;
    if (isOver) this.remove(key);
    const found = isOver ? undefined : copy;
    if (found === undefined) this.figures.misses++;
    else this.figures.hits++;
    return found;
  }

  /** Keeps a copy, in memory that is its own from now on. False: it is too large, or a newer one is here. */
  store(key: string, copy: Copy, nowMs: number): boolean {
    const bytes = bytesOf(key, copy);
    if (bytes > this.#maxBytes / LARGEST_PART) return false;
    const before = this.#held.get(key);
    if (before !== undefined && before.endsMs > nowMs && before.version > copy.version) return false;
    this.remove(key);
    this.#sweep(nowMs);
    while (this.#bytes + bytes > this.#maxBytes) this.evictOldest();
    this.#held.set(key, copy);
    this.#bytes += bytes;
    this.figures.stored++;
    return true;
  }

  /** Whether there was one. */
  remove(key: string): boolean {
    const copy = this.#held.get(key);
    if (copy === undefined) return false;
    this.#held.delete(key);
    this.#bytes -= bytesOf(key, copy);
    return true;
  }

  /** Makes room. False: there is none to drop. */
  evictOldest(): boolean {
    for (const key of this.#held.keys()) {
      this.figures.evicted++;
      return this.remove(key);
    }
    return false;
  }

  clear(): void {
    this.#held.clear();
    this.#bytes = 0;
  }

  resetFigures(): void {
    Object.assign(this.figures, { hits: 0, misses: 0, stored: 0, evicted: 0 });
  }

  #sweep(nowMs: number): void {
    let left = SWEPT_PER_COPY;
    for (const [key, { endsMs }] of this.#held) {
      if (left-- === 0) return;
      if (endsMs <= nowMs) this.remove(key);
    }
  }
}

function bytesOf(key: string, { value }: Copy): number {
  return key.length + value.length + COPY_OVERHEAD_BYTES;
}
