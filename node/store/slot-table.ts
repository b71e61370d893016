/** Words of a row that hold links and numbers. */
export const NEXT = 0;
export const HASH = 1;
export const OLDER = 2;
export const NEWER = 3;
export const EXPIRY_PLACE = 4;
export const VERSION_LOW = 5;
export const VERSION_HIGH = 6;
/** Length of the inline key (lowest byte), and of the inline value or where the value is (next byte); -1 in a free row. */
export const LENGTHS = 7;
/** Length of a key that is in the cell. */
export const KEY_LENGTH = 13;
/** Where the row's cell is, when it has one. */
export const CELL_SEGMENT = 14;
export const CELL_OFFSET = 15;
/** Row `slot` begins at word `slot << SLOT_SHIFT` and at byte `slot << ROW_SHIFT`. */
export const SLOT_SHIFT = 4;
export const ROW_SHIFT = SLOT_SHIFT + 2;
/** Where a row's inline bytes begin, the key before the value, and how many there are. */
export const INLINE_AT = 32;
export const INLINE_BYTES = 32;
/** Longest inline key: the place of the cell behind it must stay free. */
export const MAX_INLINE_KEY = 24;

const INITIAL_CAPACITY = 1024;
/** Little, since all rows are resident from the start. */
const GROWTH = 5 / 4;

/**
 * The rows of all entries, off the heap, one cache line each: links of the index, the LRU list and the set of expiring slots,
 * the version, and key and value where they are short, so that a small entry costs one cache miss. Slot 0 is nobody's: its words are
 * anchors.
 */
export class SlotTable {
  /** All rows as words and as bytes; replaced when the table grows, so not to be kept. */
  words = new Int32Array(INITIAL_CAPACITY << SLOT_SHIFT);
  bytes = Buffer.from(this.words.buffer);
  readonly #free: number[] = [];
  /** Slots below this one have been in use. */
  top = 1;

  /** A slot that nobody uses. */
  take(): number {
    const free = this.#takeFree();
    if (free !== 0) return free;
    if (this.top << SLOT_SHIFT === this.words.length) this.#resize(Math.ceil(this.top * GROWTH));
    return this.top++;
  }

  /** A free slot below the top; 0 for none. The list also holds slots that were cut off, and may be in use again. */
  #takeFree(): number {
    for (;;) {
      const slot = this.#free.pop();
      if (slot === undefined) return 0;
      if (slot < this.top && this.isFree(slot)) return slot;
    }
  }

  #resize(capacity: number): void {
    const buffer = this.words.buffer.transfer(capacity * 2 ** ROW_SHIFT);
    this.words = new Int32Array(buffer);
    this.bytes = Buffer.from(buffer);
  }

  release(slot: number): void {
    this.words[(slot << SLOT_SHIFT) + LENGTHS] = -1;
    this.#free.push(slot);
  }

  isFree(slot: number): boolean {
    return this.words[(slot << SLOT_SHIFT) + LENGTHS] === -1;
  }

  /**
   * Cuts off the last row. If it is in use, its content goes to a free one, which is returned: whoever refers to it must be told. 0 when
   * nobody must.
   */
  cutLast(): number {
    const last = this.top - 1;
    let to = 0;
    if (!this.isFree(last)) {
      to = this.#takeFree();
      this.words.copyWithin(to << SLOT_SHIFT, last << SLOT_SHIFT, this.top << SLOT_SHIFT);
      this.words[(last << SLOT_SHIFT) + LENGTHS] = -1;
    }
    this.top = last;
    const capacity = this.words.length >> SLOT_SHIFT;
    if (this.top < capacity >> 1 && capacity > INITIAL_CAPACITY) this.#resize(Math.ceil(this.top * GROWTH));
    return to;
  }

  clear(): void {
    this.words.buffer.transfer(0);
    this.words = new Int32Array(INITIAL_CAPACITY << SLOT_SHIFT);
    this.bytes = Buffer.from(this.words.buffer);
    this.#free.length = 0;
    this.top = 1;
  }
}
