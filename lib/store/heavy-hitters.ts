/** One key that comes often. */
export interface HeavyHitter {
  readonly key: string;
  /** How often it came, fading with time; at most `error` too high, never too low. */
  readonly count: number;
  readonly error: number;
}

interface Counter {
  readonly key: string;
  count: number;
  error: number;
  /** Where it stands in the heap. */
  at: number;
}

/**
 * The keys that come most often, in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi, 2005). With k counters, a key that
 * makes up more than 1/k of all that was counted is always among them, and no count is more than (all counted)/k too high.
 */
export class HeavyHitters {
  readonly #capacity: number;
  readonly #byKey = new Map<string, Counter>();
  /** A binary heap, the smallest count first: the one that a new key takes the place of. */
  readonly #heap: Counter[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Counts `weight` more of this key. */
  add(key: string, weight = 1): void {
    const counter = this.#byKey.get(key);
    if (counter) {
      counter.count += weight;
      this.#sink(counter);
    } else if (this.#heap.length < this.#capacity) {
      this.#insert({ key, count: weight, error: 0, at: this.#heap.length });
    } else {
      this.#replaceSmallest(key, weight);
    }
  }

  /** How often the key came, fading, less what may be too high; 0 of a key that is not among those counted. */
  countOf(key: string): number {
    const counter = this.#byKey.get(key);
    return counter === undefined ? 0 : counter.count - counter.error;
  }

  #insert(counter: Counter): void {
    this.#byKey.set(counter.key, counter);
    this.#heap.push(counter);
    this.#rise(counter);
  }

  #replaceSmallest(key: string, weight: number): void {
    const smallest = this.#heap[0];
    this.#byKey.delete(smallest.key);
    const counter = { key, count: smallest.count + weight, error: smallest.count, at: 0 };
    this.#byKey.set(key, counter);
    this.#heap[0] = counter;
    this.#sink(counter);
  }

  #rise(counter: Counter): void {
    while (counter.at > 0) {
      const parent = this.#heap[(counter.at - 1) >> 1];
      if (parent.count <= counter.count) return;
      this.#swap(counter, parent);
    }
  }

  #sink(counter: Counter): void {
    for (;;) {
      const left = 2 * counter.at + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const isRightLess = right < this.#heap.length && this.#heap[right].count < this.#heap[left].count;
      const child = this.#heap[isRightLess ? right : left];
      if (child.count >= counter.count) return;
      this.#swap(counter, child);
    }
  }

  #swap(a: Counter, b: Counter): void {
    const { at } = a;
    a.at = b.at;
    b.at = at;
    this.#heap[a.at] = a;
    this.#heap[b.at] = b;
  }

  /** Multiplies every count by `factor` (0 to 1); what falls below `least` is forgotten. */
  fade(factor: number, least: number): void {
    const kept = this.#heap.filter((counter) => counter.count * factor >= least);
    this.clear();
    for (const { key, count, error } of kept) {
      this.#insert({ key, count: count * factor, error: error * factor, at: this.#heap.length });
    }
  }

  /** The `count` most frequent, most frequent first. */
  top(count: number): HeavyHitter[] {
    return [...this.#heap]
      .sort((a, b) => b.count - a.count)
      .slice(0, count)
      .map(({ key, count: times, error }) => ({ key, count: times, error }));
  }

  clear(): void {
    this.#heap.length = 0;
    this.#byKey.clear();
  }
}
