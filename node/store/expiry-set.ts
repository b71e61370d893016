import { EXPIRY_PLACE, SLOT_SHIFT, type SlotTable } from './slot-table.ts';

/**
 * The slots that expire and when each does, densely packed so that a cycle can visit them round robin without touching the others. The
 * row of a slot has its place here, plus one; 0 for a slot that does not expire.
 */
export class ExpirySet {
  readonly #slots: SlotTable;
  readonly #members: number[] = [];
  /** Unix milliseconds, at the same place as the member. */
  readonly #times: number[] = [];
  #hand = 0;

  constructor(slots: SlotTable) {
    this.#slots = slots;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Unix milliseconds at which the slot expires, or 0. */
  at(slot: number): number {
    const place = this.#slots.words[(slot << SLOT_SHIFT) + EXPIRY_PLACE];
    return place === 0 ? 0 : this.#times[place - 1];
  }

  /** Sets the time, or with 0 takes the slot out. */
  set(slot: number, atMs: number): void {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const place = words[row + EXPIRY_PLACE];
    if (atMs === 0) {
      if (place !== 0) this.#drop(row, place - 1);
    } else if (place !== 0) {
      this.#times[place - 1] = atMs;
    } else {
      this.#times.push(atMs);
      words[row + EXPIRY_PLACE] = this.#members.push(slot);
    }
  }

  #drop(row: number, place: number): void {
    const { words } = this.#slots;
    const slot = this.#members.pop()!;
    const time = this.#times.pop()!;
    if (place < this.#members.length) {
      this.#members[place] = slot;
      this.#times[place] = time;
      words[(slot << SLOT_SHIFT) + EXPIRY_PLACE] = place + 1;
    }
    words[row + EXPIRY_PLACE] = 0;
  }

  /** The next slot round robin, or 0 when none expires. Slots that move while others leave may be passed over once. */
  advance(): number {
    const { length } = this.#members;
    if (length === 0) return 0;
    this.#hand = this.#hand + 1 < length ? this.#hand + 1 : 0;
    return this.#members[this.#hand];
  }

  /** The content of another slot is now in this one. */
  moved(slot: number): void {
    const place = this.#slots.words[(slot << SLOT_SHIFT) + EXPIRY_PLACE];
    if (place !== 0) this.#members[place - 1] = slot;
  }

  clear(): void {
    this.#members.length = 0;
    this.#times.length = 0;
  }
}
