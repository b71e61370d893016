/** Something that ends at a time. */
export interface Timed {
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** Where it is in the heap; -1 while it is in none. The heap's to write. */
  heapIndex: number;
}

/** A binary min-heap by deadline whose items know their place, so that taking any of them out is O(log n) as well. */
export class Deadlines<T extends Timed> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** What ends first; undefined when empty. */
  get first(): T | undefined {
    return this.#heap[0];
  }

  add(item: T): void {
    this.#heap.push(item);
    this.#up(item, this.#heap.length - 1);
  }

  /** Takes the item out; without effect when it is not in. */
  remove(item: T): void {
    const at = item.heapIndex;
    if (at < 0) return;
    item.heapIndex = -1;
    const last = this.#heap.pop()!;
    if (last === item) return;
    const parent = (at - 1) >> 1;
    if (at > 0 && this.#heap[parent].deadlineMs > last.deadlineMs) this.#up(last, at);
    else this.#down(last, at);
  }

  #up(item: T, from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#heap[parent].deadlineMs <= item.deadlineMs) break;
      this.#place(this.#heap[parent], at);
      at = parent;
    }
    this.#place(item, at);
  }

  #down(item: T, from: number): void {
    const { length } = this.#heap;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#heap[child + 1].deadlineMs < this.#heap[child].deadlineMs) child++;
      if (this.#heap[child].deadlineMs >= item.deadlineMs) break;
      this.#place(this.#heap[child], at);
      at = child;
    }
    this.#place(item, at);
  }

  #place(item: T, at: number): void {
    this.#heap[at] = item;
    item.heapIndex = at;
  }
}
