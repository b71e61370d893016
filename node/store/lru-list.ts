import { NEWER, OLDER, SLOT_SHIFT, type SlotTable } from './slot-table.ts';

/** Slots in the order of their last use: an exact doubly linked list. The words of slot 0 are its anchor. */
export class LruList {
  readonly #slots: SlotTable;

  constructor(slots: SlotTable) {
    this.#slots = slots;
  }

  /** The slot that has not been used for the longest time, or 0. */
  get oldest(): number {
    return this.#slots.words[NEWER];
  }

  /** Adds a slot as the most recently used one. */
  add(slot: number): void {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const newest = words[OLDER];
    words[row + OLDER] = newest;
    words[row + NEWER] = 0;
    words[(newest << SLOT_SHIFT) + NEWER] = slot;
    words[OLDER] = slot;
  }

  remove(slot: number): void {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const older = words[row + OLDER];
    const newer = words[row + NEWER];
    words[(older << SLOT_SHIFT) + NEWER] = newer;
    words[(newer << SLOT_SHIFT) + OLDER] = older;
  }

  /** The content of another slot is now in this one. */
  moved(slot: number): void {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    words[(words[row + OLDER] << SLOT_SHIFT) + NEWER] = slot;
    words[(words[row + NEWER] << SLOT_SHIFT) + OLDER] = slot;
  }

  /** Makes the slot the most recently used one. */
  touch(slot: number): void {
    if (this.#slots.words[OLDER] === slot) return;
    this.remove(slot);
    this.add(slot);
  }
}
