/** Policies that can be simulated. */
export type SimulatedPolicy = 'lru' | 'fifo' | 'lfu' | 'ttl' | 's3-fifo';

/** A cache that knows only which objects it holds: the obvious form of a policy, for others to be compared with. */
export interface CacheSimulator {
  /**
   * Whether the object is held. One that is not is taken in, and others go until it fits; one larger than the cache may hold is
   * never taken in. `bytes` is what the cache is charged, `expiresAt` what policy `ttl` goes by.
   */
  access(key: number, bytes: number, expiresAt?: number): boolean;
}

/** A simulated cache, whose size may change while it runs: what is too much goes with the next object taken in. */
export interface SimulatedCache extends CacheSimulator {
  capacityBytes: number;
}

/** What a simulation may be told beyond its capacity. */
export interface SimulatorOptions {
  /** Policy `lfu`: all counters are halved after so many hits for each object held; Infinity: never. */
  readonly halveAfter?: number;
  /** Policy `lfu`: where counters stop. */
  readonly maxFrequency?: number;
  /** Policy `s3-fifo`: whether objects larger than the small queue are taken in. */
  readonly admitsLarge?: boolean;
}

/** A simulation of `policy` over `capacityBytes`, empty. */
export function simulate(
  policy: SimulatedPolicy,
  capacityBytes: number,
  options: SimulatorOptions = {},
): SimulatedCache {
  switch (policy) {
    case 'lru':
      return new QueueCache(capacityBytes, true);
    case 'fifo':
      return new QueueCache(capacityBytes, false);
    case 'lfu':
      return new LfuCache(capacityBytes, options);
    case 'ttl':
      return new TtlCache(capacityBytes);
    case 's3-fifo':
      return new S3FifoCache(capacityBytes, options);
  }
}

/** Objects and what they are charged, the first in at the front. */
class Queue {
  readonly #objects = new Map<number, number>();
  bytes = 0;

  has(key: number): boolean {
    return this.#objects.has(key);
  }

  get size(): number {
    return this.#objects.size;
  }

  push(key: number, bytes: number): void {
    this.#objects.set(key, bytes);
    this.bytes += bytes;
  }

  /** The key at the front; the queue must not be empty. */
  get front(): number {
    return this.#objects.keys().next().value!;
  }

  /** Takes an object out and returns what it was charged; -1 when it is not there. */
  take(key: number): number {
    const bytes = this.#objects.get(key);
    if (bytes === undefined) return -1;
    this.#objects.delete(key);
    this.bytes -= bytes;
    return bytes;
  }
}

/** FIFO; LRU when an object that is hit goes to the back. */
class QueueCache implements SimulatedCache {
  capacityBytes: number;
  readonly #movesHits: boolean;
  readonly #queue = new Queue();

  constructor(capacity: number, movesHits: boolean) {
    this.capacityBytes = capacity;
    this.#movesHits = movesHits;
  }

  access(key: number, bytes: number): boolean {
    const queue = this.#queue;
    if (queue.has(key)) {
      if (this.#movesHits) queue.push(key, queue.take(key));
      return true;
    }
    if (bytes > this.capacityBytes) return false;
    while (queue.bytes + bytes > this.capacityBytes) queue.take(queue.front);
    queue.push(key, bytes);
    return false;
  }
}

/** The least often used goes first; of those used equally often the one that has been so for the longest time. */
class LfuCache implements SimulatedCache {
  capacityBytes: number;
  readonly #halveAfter: number;
  readonly #maxFrequency: number;
  #byFrequency = new Map<number, Queue>();
  readonly #frequencies = new Map<number, number>();
  #bytes = 0;
  #hits = 0;

  constructor(capacity: number, { halveAfter = Infinity, maxFrequency = Infinity }: SimulatorOptions) {
    this.capacityBytes = capacity;
    this.#halveAfter = halveAfter;
    this.#maxFrequency = maxFrequency;
  }

  access(key: number, bytes: number): boolean {
    const frequency = this.#frequencies.get(key);
    if (frequency !== undefined) {
      const charged = this.#take(key, frequency);
      this.#put(key, charged, Math.min(this.#maxFrequency, frequency + 1));
      if (++this.#hits > this.#halveAfter * this.#frequencies.size) this.#halve();
      return true;
    }
    if (bytes > this.capacityBytes) return false;
    while (this.#bytes + bytes > this.capacityBytes) this.#evict();
    this.#put(key, bytes, 1);
    return false;
  }

  #evict(): void {
    const least = Math.min(...this.#byFrequency.keys());
    this.#take(this.#byFrequency.get(least)!.front, least);
  }

  #put(key: number, bytes: number, frequency: number): void {
    const queue = this.#byFrequency.get(frequency) ?? new Queue();
    this.#byFrequency.set(frequency, queue);
    queue.push(key, bytes);
    this.#frequencies.set(key, frequency);
    this.#bytes += bytes;
  }

  #take(key: number, frequency: number): number {
    const queue = this.#byFrequency.get(frequency)!;
    const bytes = queue.take(key);
    if (queue.size === 0) this.#byFrequency.delete(frequency);
    this.#frequencies.delete(key);
    this.#bytes -= bytes;
    return bytes;
  }

  /** So that what was asked for often long ago can go. */
  #halve(): void {
    this.#hits = 0;
    const former = [...this.#byFrequency].sort(([a], [b]) => a - b);
    this.#byFrequency = new Map();
    this.#frequencies.clear();
    this.#bytes = 0;
    for (const [frequency, queue] of former) {
      while (queue.size > 0) {
        const key = queue.front;
        this.#put(key, queue.take(key), frequency >> 1);
      }
    }
  }
}

/** What expires first goes first; of those that expire together the first one in. What has expired is no hit only because it is gone. */
class TtlCache implements SimulatedCache {
  capacityBytes: number;
  readonly #held = new Map<number, number>();
  readonly #heap: { key: number; expiresAt: number; order: number }[] = [];
  #bytes = 0;
  #order = 0;

  constructor(capacity: number) {
    this.capacityBytes = capacity;
  }

  access(key: number, bytes: number, expiresAt = 0): boolean {
    if (this.#held.has(key)) return true;
    if (bytes > this.capacityBytes) return false;
    while (this.#bytes + bytes > this.capacityBytes) this.#evict();
    this.#held.set(key, bytes);
    this.#bytes += bytes;
    this.#push({ key, expiresAt, order: this.#order++ });
    return false;
  }

  #evict(): void {
    const { key } = this.#pop();
    this.#bytes -= this.#held.get(key)!;
    this.#held.delete(key);
  }

  #isBefore(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a], this.#heap[b]];
    return (
      left.expiresAt < right.expiresAt || (left.expiresAt === right.expiresAt && left.order < right.order)
    );
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    [heap[a], heap[b]] = [heap[b], heap[a]];
  }

  #push(object: { key: number; expiresAt: number; order: number }): void {
    this.#heap.push(object);
    for (let at = this.#heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #pop(): { key: number } {
    const heap = this.#heap;
    this.#swap(0, heap.length - 1);
    const first = heap.pop()!;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && this.#isBefore(child, least)) least = child;
      }
      if (least === at) return first;
      this.#swap(at, least);
      at = least;
    }
  }
}

const SMALL_FRACTION = 0.1;
const GHOST_FRACTION = 0.9;
const PROMOTED_AT = 2;
const MAX_FREQUENCY = 3;

/**
 * S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023) with the parameters of libCacheSim: what is new waits
 * in a small queue and reaches the main one when it was asked for twice, or when it comes back while the ghost queue remembers it.
 */
class S3FifoCache implements SimulatedCache {
  capacityBytes: number;
  readonly #admitsLarge: boolean;
  readonly #small = new Queue();
  readonly #main = new Queue();
  readonly #ghost = new Queue();
  readonly #frequencies = new Map<number, number>();

  constructor(capacity: number, { admitsLarge = false }: SimulatorOptions) {
    this.capacityBytes = capacity;
    this.#admitsLarge = admitsLarge;
  }

  get #smallCapacity(): number {
    return Math.floor(this.capacityBytes * SMALL_FRACTION);
  }

  get #ghostCapacity(): number {
    return Math.floor(this.capacityBytes * GHOST_FRACTION);
  }

  access(key: number, bytes: number): boolean {
    const frequency = this.#frequencies.get(key);
    if (frequency !== undefined) {
      this.#frequencies.set(key, Math.min(MAX_FREQUENCY, frequency + 1));
      return true;
    }
    const wasGhost = this.#ghost.take(key) >= 0;
    if (bytes > (this.#admitsLarge ? this.capacityBytes : this.#smallCapacity)) return false;
    while (this.#small.bytes + this.#main.bytes + bytes > this.capacityBytes) this.#evict();
    (wasGhost ? this.#main : this.#small).push(key, bytes);
    this.#frequencies.set(key, 0);
    return false;
  }

  #evict(): void {
    const isMainFull = this.#main.bytes > this.capacityBytes - this.#smallCapacity;
    if (isMainFull || this.#small.size === 0) this.#evictMain();
    else this.#evictSmall();
  }

  #evictSmall(): void {
    while (this.#small.size > 0) {
      const key = this.#small.front;
      const bytes = this.#small.take(key);
      if (this.#frequencies.get(key)! >= PROMOTED_AT) {
        this.#main.push(key, bytes);
        this.#frequencies.set(key, 0);
      } else {
        this.#frequencies.delete(key);
        this.#remember(key, bytes);
        return;
      }
    }
  }

  #evictMain(): void {
    for (;;) {
      const key = this.#main.front;
      const bytes = this.#main.take(key);
      const frequency = this.#frequencies.get(key)!;
      if (frequency === 0) {
        this.#frequencies.delete(key);
        return;
      }
      this.#main.push(key, bytes);
      this.#frequencies.set(key, frequency - 1);
    }
  }

  #remember(key: number, bytes: number): void {
    if (bytes > this.#ghostCapacity) return;
    while (this.#ghost.bytes + bytes > this.#ghostCapacity) this.#ghost.take(this.#ghost.front);
    this.#ghost.push(key, bytes);
  }
}
