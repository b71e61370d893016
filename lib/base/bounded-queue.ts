const FIRST_SLOTS = 16;

/**
 * A first-in first-out queue that holds at most `limit` items. Every operation is O(1), `push` amortized.
 *
 * The ring of slots starts small and doubles as needed, so that a thousand idle queues with a high limit cost little.
 */
export class BoundedQueue<T> {
  readonly limit: number;
  #slots: (T | undefined)[];
  #head = 0;
  #length = 0;

  /** Throws RangeError unless `limit` is a whole number of at least 1. */
  constructor(limit: number) {
    if (!(Number.isInteger(limit) && limit >= 1)) throw new RangeError(`a queue cannot hold ${limit} items`);
    this.limit = limit;
    this.#slots = new Array(Math.min(limit, FIRST_SLOTS)).fill(undefined);
  }

  /** Items held. */
  get length(): number {
    return this.#length;
  }

  /** Appends `item`; false, and nothing changes, when the queue is full. */
  push(item: T): boolean {
    if (this.#length === this.#slots.length) {
      if (this.#length === this.limit) return false;
      this.#grow();
    }
    let at = this.#head + this.#length;
    if (at >= this.#slots.length) at -= this.#slots.length;
    this.#slots[at] = item;
    this.#length++;
    return true;
  }

  /** Removes and returns the oldest item; undefined when the queue is empty. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = this.#head + 1 === this.#slots.length ? 0 : this.#head + 1;
    this.#length--;
    return item;
  }

  /** The oldest item, which stays; undefined when the queue is empty. */
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#slots[this.#head];
  }

  /** Forgets all items and the memory of a burst. */
  clear(): void {
    this.#slots = new Array(Math.min(this.limit, FIRST_SLOTS)).fill(undefined);
    this.#head = 0;
    this.#length = 0;
  }

  #grow(): void {
    const old = this.#slots;
    const slots = new Array<T | undefined>(Math.min(this.limit, old.length * 2)).fill(undefined);
    for (let i = 0; i < this.#length; i++) slots[i] = old[(this.#head + i) % old.length];
    this.#slots = slots;
    this.#head = 0;
  }
}
