import { CellLog } from './cell-log.ts';
import {
  CELL_OFFSET,
  CELL_SEGMENT,
  INLINE_AT,
  INLINE_BYTES,
  KEY_LENGTH,
  LENGTHS,
  MAX_INLINE_KEY,
  ROW_SHIFT,
  SLOT_SHIFT,
  type SlotTable,
} from './slot-table.ts';

/** Instead of the length of an inline key: it is in the cell, before the value. */
const KEY_IN_CELL = 255;
/** Instead of the length of an inline value: it is in the cell. */
const VALUE_IN_CELL = 255;
/** What a growing value may be at most; Redis ends at 512 MB. */
const MAX_CAPACITY = 1 << 30;
/** Up to this many bytes a loop beats the call into native code. */
const LOOP_BYTES = 32;

/**
 * Keys and values of the slots: in the row when they are short, in a cell of the log when they are longer. Nothing of it is garbage
 * of the JavaScript heap afterwards.
 *
 * After `locate`, `source`, `start` and `length` say where the value is, until anything changes.
 */
export class EntryBytes {
  readonly #slots: SlotTable;
  readonly #cells: CellLog;
  source: Buffer;
  start = 0;
  length = 0;
  /** Bytes charged for all keys and values that are not inline. */
  chargedBytes = 0;

  constructor(slots: SlotTable) {
    this.#slots = slots;
    this.source = slots.bytes;
    this.#cells = new CellLog((slot, segment, offset) => this.#setCell(slot, segment, offset));
  }

  /** Bytes taken from the system for what is not inline. */
  get reservedBytes(): number {
    return this.#cells.reservedBytes;
  }

  #setCell(slot: number, segment: number, offset: number): void {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    words[row + CELL_SEGMENT] = segment;
    words[row + CELL_OFFSET] = offset;
  }

  /** Gives a new slot its key, and an empty value. */
  begin(slot: number, key: Buffer, start: number, end: number): void {
    const { words, bytes } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const length = end - start;
    if (length <= MAX_INLINE_KEY) {
      words[row + LENGTHS] = length;
      copy(key, start, end, bytes, (slot << ROW_SHIFT) + INLINE_AT);
      return;
    }
    words[row + LENGTHS] = KEY_IN_CELL | (VALUE_IN_CELL << 8);
    words[row + KEY_LENGTH] = length;
    this.#allocate(slot, length, length);
    copy(
      key,
      start,
      end,
      this.#cells.bytesOf(this.#cells.segment),
      this.#cells.payloadStart(this.#cells.offset),
    );
  }

  /** Lets go of key and value. */
  end(slot: number): void {
    if (this.#hasCell(slot)) this.#freeCell(slot);
  }

  /** The content of another slot is now in this one. */
  moved(slot: number): void {
    if (!this.#hasCell(slot)) return;
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    this.#cells.setOwner(words[row + CELL_SEGMENT], words[row + CELL_OFFSET], slot);
  }

  hasKey(slot: number, buffer: Buffer, start: number, end: number): boolean {
    const { words, bytes } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const length = end - start;
    const inline = words[row + LENGTHS] & 255;
    if (inline === KEY_IN_CELL) return this.#cellHasKey(row, buffer, start, length);
    return inline === length && equals(bytes, (slot << ROW_SHIFT) + INLINE_AT, buffer, start, length);
  }

  #cellHasKey(row: number, buffer: Buffer, start: number, length: number): boolean {
    const { words } = this.#slots;
    if (words[row + KEY_LENGTH] !== length) return false;
    const at = this.#cells.payloadStart(words[row + CELL_OFFSET]);
    return equals(this.#cells.bytesOf(words[row + CELL_SEGMENT]), at, buffer, start, length);
  }

  /** The key, one character a byte. */
  keyOf(slot: number): string {
    const { words, bytes } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const inline = words[row + LENGTHS] & 255;
    if (inline === KEY_IN_CELL) {
      const at = this.#cells.payloadStart(words[row + CELL_OFFSET]);
      return this.#cells.bytesOf(words[row + CELL_SEGMENT]).latin1Slice(at, at + words[row + KEY_LENGTH]);
    }
    const at = (slot << ROW_SHIFT) + INLINE_AT;
    return bytes.latin1Slice(at, at + inline);
  }

  /** Finds the value. */
  locate(slot: number): void {
    const { words, bytes } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const key = words[row + LENGTHS] & 255;
    const value = words[row + LENGTHS] >>> 8;
    if (value !== VALUE_IN_CELL) {
      this.source = bytes;
      this.start = (slot << ROW_SHIFT) + INLINE_AT + key;
      this.length = value;
      return;
    }
    const keyLength = key === KEY_IN_CELL ? words[row + KEY_LENGTH] : 0;
    const offset = words[row + CELL_OFFSET];
    this.source = this.#cells.bytesOf(words[row + CELL_SEGMENT]);
    this.start = this.#cells.payloadStart(offset) + keyLength;
    this.length = this.#cells.lengthOf(words[row + CELL_SEGMENT], offset) - keyLength;
  }

  /** Makes room for a value of `length` bytes and locates it; what is in it is undefined. */
  resize(slot: number, length: number): void {
    if (!this.#resizeInPlace(slot, length)) this.#move(slot, length, 0);
    this.locate(slot);
  }

  /** As `resize`, but the value stays, cut off or with undefined bytes behind; with room to grow on. */
  extend(slot: number, length: number): void {
    if (!this.#resizeInPlace(slot, length)) {
      this.locate(slot);
      const value = Buffer.from(this.source.subarray(this.start, this.start + this.length));
      this.#move(slot, length, length >> 1);
      this.locate(slot);
      copy(value, 0, Math.min(value.length, length), this.source, this.start);
    }
    this.locate(slot);
  }

  /** Changes the length where the value is; false when it must go elsewhere. */
  #resizeInPlace(slot: number, length: number): boolean {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const key = words[row + LENGTHS] & 255;
    const fitsRow = key + length <= INLINE_BYTES;
    if (!this.#hasCell(slot)) {
      if (fitsRow) words[row + LENGTHS] = key | (length << 8);
      return fitsRow;
    }
    const keyLength = key === KEY_IN_CELL ? words[row + KEY_LENGTH] : 0;
    return (
      !fitsRow && this.#cells.resize(words[row + CELL_SEGMENT], words[row + CELL_OFFSET], keyLength + length)
    );
  }

  #move(slot: number, length: number, spare: number): void {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const key = words[row + LENGTHS] & 255;
    const hasCell = this.#hasCell(slot);
    if (key + length <= INLINE_BYTES) {
      if (hasCell) this.#freeCell(slot);
      words[row + LENGTHS] = key | (length << 8);
      return;
    }
    const keyLength = key === KEY_IN_CELL ? words[row + KEY_LENGTH] : 0;
    const payload = keyLength + length;
    this.#replaceCell(
      slot,
      keyLength,
      payload,
      Math.min(payload + spare, Math.max(payload, MAX_CAPACITY)),
      hasCell,
    );
    words[row + LENGTHS] = key | (VALUE_IN_CELL << 8);
  }

  /** A new cell for the slot, with the key of the former one; that one is freed. */
  #replaceCell(slot: number, keyLength: number, payload: number, capacity: number, hasCell: boolean): void {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    const cells = this.#cells;
    cells.allocate(slot, payload, capacity);
    const { segment, offset } = cells;
    this.chargedBytes += cells.chargeOf(segment, offset);
    if (hasCell) {
      // Read only now: the former cell may have moved meanwhile.
      const from = cells.payloadStart(words[row + CELL_OFFSET]);
      const source = cells.bytesOf(words[row + CELL_SEGMENT]);
      copy(source, from, from + keyLength, cells.bytesOf(segment), cells.payloadStart(offset));
      this.#freeCell(slot);
    }
    this.#setCell(slot, segment, offset);
  }

  #hasCell(slot: number): boolean {
    const lengths = this.#slots.words[(slot << SLOT_SHIFT) + LENGTHS];
    return lengths >>> 8 === VALUE_IN_CELL;
  }

  #allocate(slot: number, payload: number, capacity: number): void {
    this.#cells.allocate(slot, payload, capacity);
    const { segment, offset } = this.#cells;
    this.chargedBytes += this.#cells.chargeOf(segment, offset);
    this.#setCell(slot, segment, offset);
  }

  #freeCell(slot: number): void {
    const { words } = this.#slots;
    const row = slot << SLOT_SHIFT;
    this.chargedBytes -= this.#cells.chargeOf(words[row + CELL_SEGMENT], words[row + CELL_OFFSET]);
    this.#cells.free(words[row + CELL_SEGMENT], words[row + CELL_OFFSET]);
  }

  clear(): void {
    this.#cells.clear();
    this.source = this.#slots.bytes;
    this.chargedBytes = 0;
  }
}

/** Copies bytes; overlapping ranges are not allowed. */
export function copy(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start > LOOP_BYTES) source.copy(target, at, start, end);
  else for (let i = start, to = at; i < end; i++, to++) target[to] = source[i];
}

function equals(bytes: Buffer, at: number, buffer: Buffer, start: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[at + i] !== buffer[start + i]) return false;
  return true;
}
