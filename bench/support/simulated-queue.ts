/** An object in a queue, with its neighbours. */
interface Place {
  readonly key: number;
  readonly bytes: number;
  older: Place | null;
  newer: Place | null;
}

/** Objects and what they are charged, the first in at the front. */
export class Queue {
  readonly #places = new Map<number, Place>();
  #oldest: Place | null = null;
  #newest: Place | null = null;
  bytes = 0;

  has(key: number): boolean {
    return this.#places.has(key);
  }

  get size(): number {
    return this.#places.size;
  }

  push(key: number, bytes: number): void {
    const place: Place = { key, bytes, older: this.#newest, newer: null };
    if (this.#newest === null) this.#oldest = place;
    else this.#newest.newer = place;
    this.#newest = place;
    this.#places.set(key, place);
    this.bytes += bytes;
  }

  /** The key at the front; the queue must not be empty. */
  get front(): number {
    return this.#oldest!.key;
  }

  /** Takes an object out and returns what it was charged; -1 when it is not there. */
  take(key: number): number {
    const place = this.#places.get(key);
    if (place === undefined) return -1;
    const { older, newer, bytes } = place;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    this.#places.delete(key);
    this.bytes -= bytes;
    return bytes;
  }
}
