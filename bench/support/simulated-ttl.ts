import type { SimulatedCache } from './cache-simulator.ts';

/** What expires first goes first; of those that expire together the first one in. What has expired is no hit only because it is gone. */
export class TtlCache implements SimulatedCache {
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
