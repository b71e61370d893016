import { grown } from './arrays.ts';

/** Slots in the order of their last use: an exact doubly linked list in two columns. Slot 0 is the list's anchor. */
export class LruList {
  #older: Int32Array;
  #newer: Int32Array;

  constructor(capacity: number) {
    this.#older = new Int32Array(capacity);
    this.#newer = new Int32Array(capacity);
  }

  /** Makes room for slots below `capacity`. */
  resize(capacity: number): void {
    this.#older = grown(this.#older, capacity);
    this.#newer = grown(this.#newer, capacity);
  }

  /** The slot that has not been used for the longest time, or 0. */
  get oldest(): number {
    return this.#newer[0];
  }

  /** Adds a slot as the most recently used one. */
  add(slot: number): void {
    const newest = this.#older[0];
    this.#older[slot] = newest;
    this.#newer[slot] = 0;
    this.#newer[newest] = slot;
    this.#older[0] = slot;
  }

  remove(slot: number): void {
    const older = this.#older[slot];
    const newer = this.#newer[slot];
    this.#newer[older] = newer;
    this.#older[newer] = older;
  }

  /** Makes the slot the most recently used one. */
  touch(slot: number): void {
    if (this.#older[0] === slot) return;
    this.remove(slot);
    this.add(slot);
  }

  clear(): void {
    this.#older[0] = 0;
    this.#newer[0] = 0;
  }
}
