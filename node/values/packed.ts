import type { ByteView, Slot, Store } from '../store/index.ts';

/** Whether it is outgrown, number of elements, and bytes of the elements, in front of these. */
const COUNT_AT = 1;
const USED_AT = 3;
export const PACKED_HEADER_BYTES = 6;
/** What the header can count. */
export const MAX_PACKED_COUNT = 0xffff;
/** A collection above this has an object: edits in the middle move what is behind them. */
export const MAX_PACKED_BYTES = 8192;
/** Lengths are multiples of this. */
const STEP_BYTES = 16;
/** What has grown once is given room for half as much again, up to this, and a quarter: not each element that is added moves the entry. */
const MAX_SPARE_BYTES = 64;
/** So much may lie idle, and half of the whole. */
const MAX_IDLE_BYTES = 80;

function writeCounts(bytes: Buffer, header: number, count: number, used: number): void {
  bytes[header + COUNT_AT] = count & 255;
  bytes[header + COUNT_AT + 1] = count >> 8;
  bytes[header + USED_AT] = used & 255;
  bytes[header + USED_AT + 1] = (used >> 8) & 255;
  bytes[header + USED_AT + 2] = used >> 16;
}

/** Writes the header of a packed value at `at`: of `count` elements, which take `used` bytes behind it. */
export function writePackedHeader(
  bytes: Buffer,
  at: number,
  isOutgrown: boolean,
  count: number,
  used: number,
): void {
  bytes[at] = isOutgrown ? 1 : 0;
  writeCounts(bytes, at, count, used);
}

/** Elements that are packed, from `start` to `end` in `bytes`. */
export interface PackedElements {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** Whether they have been beyond a limit of Redis's compact encoding. */
  readonly isOutgrown: boolean;
}

/**
 * A small collection in the bytes of its store entry: a header, the elements one behind the other, and some room to grow on. What is known
 * about it is read anew by `look`, and is true until any entry changes.
 *
 * One of these serves all values, one after the other.
 */
export class Packed {
  readonly #view: ByteView = { buffer: Buffer.alloc(0), start: 0, end: 0 };
  readonly #blank = Buffer.alloc(PACKED_HEADER_BYTES);
  #store: Store | null = null;
  /** The entry. Its slot can change with `splice`. */
  slot: Slot = 0;
  /** Holds the elements, from `start` to `end`. */
  bytes: Buffer = this.#view.buffer;
  start = 0;
  end = 0;
  count = 0;

  /** Turns to the value of an entry. */
  look(store: Store, slot: Slot): void {
    const view = this.#view;
    store.view(slot, view);
    this.#store = store;
    this.slot = slot;
    if (view.end === view.start) this.#beginEmpty();
    else this.#readHeader();
  }

  /** A new entry has not even a header. */
  #beginEmpty(): void {
    this.bytes = this.#blank;
    this.#blank.fill(0);
    this.start = PACKED_HEADER_BYTES;
    this.end = PACKED_HEADER_BYTES;
    this.count = 0;
  }

  #readHeader(): void {
    const { buffer, start } = this.#view;
    this.bytes = buffer;
    this.start = start + PACKED_HEADER_BYTES;
    this.count = buffer[start + COUNT_AT] | (buffer[start + COUNT_AT + 1] << 8);
    const used = start + USED_AT;
    this.end = this.start + (buffer[used] | (buffer[used + 1] << 8) | (buffer[used + 2] << 16));
  }

  /** Whether it has been beyond a limit of Redis's compact encoding. */
  get isOutgrown(): boolean {
    return this.bytes[this.start - PACKED_HEADER_BYTES] !== 0;
  }

  set isOutgrown(isOutgrown: boolean) {
    this.bytes[this.start - PACKED_HEADER_BYTES] = isOutgrown ? 1 : 0;
  }

  /** Bytes of all elements. */
  get used(): number {
    return this.end - this.start;
  }

  /**
   * At `offset` from the start of the elements, makes room for `added` bytes (undefined ones) in place of `removed`, and adds
   * `elements` to the count. Everything may have moved behind it: `start`, `slot`.
   */
  splice(offset: number, removed: number, added: number, elements: number): void {
    const { used } = this;
    const after = used + added - removed;
    const count = this.count + elements;
    if (added >= removed) {
      this.#fit(after);
      this.#close(offset + removed, offset + added, used);
      this.#write(after, count);
      return;
    }
    this.#close(offset + removed, offset + added, used);
    this.#write(after, count);
    this.#fit(after);
  }

  /** Moves the bytes from `from` up to `used` to `to`. */
  #close(from: number, to: number, used: number): void {
    const { bytes, start } = this;
    if (from !== to && from !== used) bytes.copyWithin(start + to, start + from, start + used);
  }

  #write(used: number, count: number): void {
    writeCounts(this.bytes, this.start - PACKED_HEADER_BYTES, count, used);
    this.count = count;
    this.end = this.start + used;
  }

  /** Resizes the value when `used` bytes do not fit, or leave much idle. */
  #fit(used: number): void {
    const view = this.#view;
    const room = view.end - view.start;
    const needed = used + PACKED_HEADER_BYTES;
    if (needed <= room && needed > room - (room >> 1) - MAX_IDLE_BYTES) return;
    const spare = room === 0 ? 0 : Math.min(needed >> 1, MAX_SPARE_BYTES) + (needed >> 2);
    const length = (needed + spare + STEP_BYTES - 1) & -STEP_BYTES;
    const { count, isOutgrown } = this;
    this.slot = this.#store!.resizePacked(this.slot, length);
    this.#store!.view(this.slot, view);
    this.#readHeader();
    this.count = count;
    this.isOutgrown = isOutgrown;
  }
}

/** The one that all values share: no two of them look at their bytes at the same time. */
export const packed = new Packed();
