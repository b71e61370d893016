import { seededRandom } from '../../lib/base/index.ts';
import { AdaptiveS3FifoCache } from './simulated-adaptive-s3-fifo.ts';
import { PlainS3FifoCache } from './simulated-plain-s3-fifo.ts';
import { Queue } from './simulated-queue.ts';
import { TtlCache } from './simulated-ttl.ts';

/** Policies that can be simulated: `s3-fifo-plain` as published, `s3-fifo` as the node has it. */
export type SimulatedPolicy =
  | 'lru'
  | 'fifo'
  | 'lfu'
  | 'ttl'
  | 'random'
  | 'noeviction'
  | 's3-fifo-plain'
  | 's3-fifo';

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
  /** Policy `s3-fifo-plain`: whether objects larger than the small queue are taken in. */
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
    case 'random':
      return new RandomCache(capacityBytes);
    case 'noeviction':
      return new FullCache(capacityBytes);
    case 's3-fifo-plain':
      return new PlainS3FifoCache(capacityBytes, options);
    case 's3-fifo':
      return new AdaptiveS3FifoCache(capacityBytes);
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

/** Any object goes, each as likely. */
class RandomCache implements SimulatedCache {
  capacityBytes: number;
  readonly #random = seededRandom(20261121);
  readonly #charges = new Map<number, number>();
  readonly #keys: number[] = [];
  #bytes = 0;

  constructor(capacity: number) {
    this.capacityBytes = capacity;
  }

  access(key: number, bytes: number): boolean {
    if (this.#charges.has(key)) return true;
    if (bytes > this.capacityBytes) return false;
    while (this.#bytes + bytes > this.capacityBytes) this.#evict();
    this.#charges.set(key, bytes);
    this.#keys.push(key);
    this.#bytes += bytes;
    return false;
  }

  #evict(): void {
    const at = this.#random.int(this.#keys.length);
    const key = this.#keys[at];
    const last = this.#keys.pop()!;
    if (at < this.#keys.length) this.#keys[at] = last;
    this.#bytes -= this.#charges.get(key)!;
    this.#charges.delete(key);
  }
}

/** What it holds stays; once it is full nothing is taken in. */
class FullCache implements SimulatedCache {
  capacityBytes: number;
  readonly #held = new Set<number>();
  #bytes = 0;

  constructor(capacity: number) {
    this.capacityBytes = capacity;
  }

  access(key: number, bytes: number): boolean {
    if (this.#held.has(key)) return true;
    if (this.#bytes >= this.capacityBytes) return false;
    this.#held.add(key);
    this.#bytes += bytes;
    return false;
  }
}
