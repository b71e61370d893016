/** Objects and what they are charged, the first in at the front. */
export class Queue {
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
