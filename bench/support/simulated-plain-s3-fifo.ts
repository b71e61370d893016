import type { SimulatedCache, SimulatorOptions } from './cache-simulator.ts';
import { Queue } from './simulated-queue.ts';

const SMALL_FRACTION = 0.1;
const GHOST_FRACTION = 0.9;
const PROMOTED_AT = 2;
const MAX_FREQUENCY = 3;

/**
 * S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023) with the parameters of libCacheSim: what is new waits
 * in a small queue and reaches the main one when it was asked for twice, or when it comes back while the ghost queue remembers it.
 */
export class PlainS3FifoCache implements SimulatedCache {
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
