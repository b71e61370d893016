import { grown } from './arrays.ts';

/**
 * The slots that expire, densely packed so that a cycle can visit them round robin without touching the others, and when each does.
 */
export class ExpirySet {
  /** Unix milliseconds; 0 for a slot that does not expire. */
  #at: Float64Array;
  /** Place in `#members`, plus one; 0 for a slot that is not a member. */
  #places: Int32Array;
  readonly #members: number[] = [];
  #hand = 0;

  constructor(capacity: number) {
    this.#at = new Float64Array(capacity);
    this.#places = new Int32Array(capacity);
  }

  /** Makes room for slots below `capacity`. */
  resize(capacity: number): void {
    this.#at = grown(this.#at, capacity);
    this.#places = grown(this.#places, capacity);
  }

  get size(): number {
    return this.#members.length;
  }

  /** Unix milliseconds at which the slot expires, or 0. */
  at(slot: number): number {
    return this.#at[slot];
  }

  /** Sets the time, or with 0 takes the slot out. */
  set(slot: number, atMs: number): void {
    if (atMs === this.#at[slot]) return;
    if (atMs === 0) this.#drop(slot);
    else if (this.#at[slot] === 0) this.#places[slot] = this.#members.push(slot);
    this.#at[slot] = atMs;
  }

  #drop(slot: number): void {
    const place = this.#places[slot] - 1;
    const last = this.#members.pop()!;
    if (last !== slot) {
      this.#members[place] = last;
      this.#places[last] = place + 1;
    }
    this.#places[slot] = 0;
  }

  /** The next slot round robin, or 0 when none expires. Slots that move while others leave may be passed over once. */
  advance(): number {
    const { length } = this.#members;
    if (length === 0) return 0;
    this.#hand = this.#hand + 1 < length ? this.#hand + 1 : 0;
    return this.#members[this.#hand];
  }

  clear(): void {
    for (const slot of this.#members) {
      this.#at[slot] = 0;
      this.#places[slot] = 0;
    }
    this.#members.length = 0;
  }
}
