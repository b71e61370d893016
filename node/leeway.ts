import type { Store } from './store/index.ts';

/** Writes that follow one before which the budget was far from used up. */
const WRITES = 16;
/** What their store may have grown by before the next of them. */
const BYTES = 64 << 10;

/** Spares most writes of a pipeline the look at the budget, while there is plenty of room in it. */
export class Leeway {
  #store: Store | null = null;
  #budget = 0;
  #left = 0;
  #mostBytes = 0;

  /** There is plenty of room within this budget, as of now. */
  grant(store: Store, budget: number): void {
    this.#store = store;
    this.#budget = budget;
    this.#left = WRITES;
    this.#mostBytes = store.usedBytes + BYTES;
  }

  /** Whether there must still be room for one more write. */
  covers(store: Store, budget: number): boolean {
    if (this.#left === 0 || this.#store !== store || this.#budget !== budget) return false;
    this.#left--;
    return store.usedBytes <= this.#mostBytes;
  }
}
