import type { SimulatedCache } from './cache-simulator.ts';
import { Queue } from './simulated-queue.ts';

const FIRST_SMALL_PART = 0.5;
const LEAST_SMALL_PART = 0.1;
const MOST_SMALL_PART = 0.9;
const GHOST_PART = 0.5;
const MOST_WEIGHT = 4;
const YOUNG_PART = 0.05;
const MAX_FREQUENCY = 3;

/** An object that is held: its uses, and what had come into the small queue before it. */
interface Held {
  frequency: number;
  readonly born: number;
}

/**
 * S3-FIFO as the node has it: an object that was used while it was in the small queue, but not at once, goes to the main one; what was evicted
 * from a queue and comes back makes that queue larger.
 */
export class AdaptiveS3FifoCache implements SimulatedCache {
  capacityBytes: number;
  readonly #small = new Queue();
  readonly #main = new Queue();
  readonly #smallGhost = new Queue();
  readonly #mainGhost = new Queue();
  readonly #held = new Map<number, Held>();
  #smallPart = FIRST_SMALL_PART;
  /** Bytes that ever came into the small queue. */
  #taken = 0;

  constructor(capacity: number) {
    this.capacityBytes = capacity;
  }

  get #bytes(): number {
    return this.#small.bytes + this.#main.bytes;
  }

  access(key: number, bytes: number): boolean {
    const held = this.#held.get(key);
    if (held !== undefined) {
      const isYoung = this.#small.has(key) && this.#taken - held.born < this.#bytes * YOUNG_PART;
      if (!isYoung) held.frequency = Math.min(MAX_FREQUENCY, held.frequency + 1);
      return true;
    }
    if (bytes > this.capacityBytes) return false;
    while (this.#bytes + bytes > this.capacityBytes) this.#evict();
    const isKnown = this.#learn(key);
    this.#held.set(key, { frequency: 0, born: this.#taken });
    if (!isKnown) this.#taken += bytes;
    (isKnown ? this.#main : this.#small).push(key, bytes);
    return false;
  }

  /** Whether a ghost queue knows the object, which is a sign that its queue should be larger. */
  #learn(key: number): boolean {
    for (const [own, other, direction] of [
      [this.#smallGhost, this.#mainGhost, 1],
      [this.#mainGhost, this.#smallGhost, -1],
    ] as const) {
      if (own.take(key) < 0) continue;
      const weight = Math.min(MOST_WEIGHT, Math.max(1, other.bytes / Math.max(1, own.bytes)));
      const part = this.#smallPart + (direction * weight) / (this.#held.size + 1);
      this.#smallPart = Math.min(MOST_SMALL_PART, Math.max(LEAST_SMALL_PART, part));
      return true;
    }
    return false;
  }

  /** Passes over what was used, until something goes. */
  #evict(): void {
    for (;;) {
      const isMain = this.#main.bytes > this.#bytes * (1 - this.#smallPart) || this.#small.size === 0;
      const queue = isMain ? this.#main : this.#small;
      const key = queue.front;
      const bytes = queue.take(key);
      const held = this.#held.get(key)!;
      if (held.frequency === 0) {
        this.#held.delete(key);
        this.#remember(isMain ? this.#mainGhost : this.#smallGhost, key, bytes);
        return;
      }
      if (isMain) held.frequency--;
      this.#main.push(key, bytes);
    }
  }

  #remember(ghost: Queue, key: number, bytes: number): void {
    const capacity = (this.#bytes + bytes) * GHOST_PART;
    if (bytes > capacity) return;
    while (ghost.bytes + bytes > capacity) ghost.take(ghost.front);
    ghost.push(key, bytes);
  }
}
