import { pieceMemory } from '../../lib/store/index.ts';
import { copyBytes, type VisitBytes } from './bytes.ts';
import {
  elementEnd,
  elementSize,
  elementStart,
  MAX_ELEMENT_BYTES,
  nextElement,
  previousElement,
  seekElement,
  writeElement,
} from './elements.ts';

const FIRST_BYTES = 256;
/** What the objects of a chunk cost beside its bytes. */
const CHUNK_OVERHEAD_BYTES = 260;

/**
 * A run of list elements in memory of its own, with idle room at both ends. Or one large element, as it is: then `isPlain`. Chunks are
 * linked in the order of the list.
 */
export class ListChunk {
  bytes: Buffer;
  start: number;
  end: number;
  count = 0;
  next: ListChunk | null = null;
  previous: ListChunk | null = null;
  readonly isPlain: boolean;
  /** Bytes of elements it holds at most. */
  limit: number;

  /** `atHead`: elements will come before the others rather than behind them. */
  constructor(capacity: number, limit: number, atHead: boolean, isPlain = false) {
    this.bytes = pieceMemory.take(capacity);
    this.limit = Math.max(capacity, limit);
    this.start = atHead ? capacity : 0;
    this.end = this.start;
    this.isPlain = isPlain;
  }

  /** A chunk of one large element. */
  static plain(buffer: Buffer, start: number, end: number): ListChunk {
    const chunk = new ListChunk(end - start, 0, false, true);
    copyBytes(buffer, start, end, chunk.bytes, 0);
    chunk.end = end - start;
    chunk.count = 1;
    return chunk;
  }

  /** Bytes it takes from the system. */
  get reservedBytes(): number {
    return this.bytes.length + CHUNK_OVERHEAD_BYTES;
  }

  get used(): number {
    return this.end - this.start;
  }

  /** Whether an element of `length` bytes may come to the others. */
  hasRoom(length: number): boolean {
    return !this.isPlain && length <= MAX_ELEMENT_BYTES && this.used + elementSize(length) <= this.limit;
  }

  /** Whether an element of `length` bytes may come to an end: there is room, or room for many can be made. */
  hasRoomAt(atHead: boolean, length: number): boolean {
    if (this.isPlain || length > MAX_ELEMENT_BYTES) return false;
    const size = elementSize(length);
    const room = atHead ? this.start : this.bytes.length - this.end;
    return room >= size || this.used + size <= this.limit - (this.limit >> 2);
  }

  /** Where element `index` begins; `end` for `count`. */
  seek(index: number): number {
    return seekElement(this.bytes, this.start, this.end, this.count, index);
  }

  /** Adds an element at an end; `hasRoomAt` must have said so. */
  push(atHead: boolean, buffer: Buffer, start: number, end: number): void {
    const size = elementSize(end - start);
    if (atHead) {
      if (this.start < size) this.#grow(size, true);
      this.start -= size;
      writeElement(this.bytes, this.start, buffer, start, end);
    } else {
      if (this.bytes.length - this.end < size) this.#grow(size, false);
      writeElement(this.bytes, this.end, buffer, start, end);
      this.end += size;
    }
    this.count++;
  }

  /** Makes room for `size` bytes at one end: by moving the elements to the other when they are few, else in larger memory. */
  #grow(size: number, atHead: boolean): void {
    const { used } = this;
    const needed = used + size;
    const former = this.bytes;
    const capacity = Math.min(Math.max(needed, this.limit), Math.max(FIRST_BYTES, needed + (needed >> 1)));
    if (capacity > former.length) this.bytes = pieceMemory.take(capacity);
    const at = atHead ? this.bytes.length - used : 0;
    former.copy(this.bytes, at, this.start, this.end);
    this.start = at;
    this.end = at + used;
    if (former !== this.bytes) pieceMemory.release(former);
  }

  /** Puts `added` undefined bytes in place of `removed` ones at `at`, with the number of elements changed; returns where they are. */
  splice(at: number, removed: number, added: number, elements: number): number {
    const offset = at - this.start;
    const more = added - removed;
    if (more > this.bytes.length - this.end) this.#grow(more, false);
    const place = this.start + offset;
    if (more !== 0) this.bytes.copyWithin(place + added, place + removed, this.end);
    this.end += more;
    this.count += elements;
    return place;
  }

  /** Takes away `count` elements from `index` on, but not all there are. */
  drop(index: number, count: number): void {
    const from = this.seek(index);
    if (index === 0) this.start = this.seek(count);
    else if (index + count === this.count) this.end = from;
    else {
      let to = from;
      for (let i = 0; i < count; i++) to = nextElement(this.bytes, to);
      this.bytes.copyWithin(from, to, this.end);
      this.end -= to - from;
    }
    this.count -= count;
  }

  /** Takes the first or the last element away, but not the only one. */
  dropEnd(atHead: boolean): void {
    if (atHead) this.start = nextElement(this.bytes, this.start);
    else this.end = previousElement(this.bytes, this.end);
    this.count--;
  }

  /** Gives idle memory back when most of it is. */
  shrink(): void {
    const { used, bytes, isPlain } = this;
    if (isPlain || used === 0 || bytes.length <= FIRST_BYTES || used > bytes.length >> 2) return;
    this.bytes = pieceMemory.take(Math.max(FIRST_BYTES, used << 1));
    const at = (this.bytes.length - used) >> 1;
    bytes.copy(this.bytes, at, this.start, this.end);
    this.start = at;
    this.end = at + used;
    pieceMemory.release(bytes);
  }

  /** Moves the elements from `index` on to a new chunk, which is returned. */
  split(index: number): ListChunk {
    const at = this.seek(index);
    const size = this.end - at;
    const right = new ListChunk(Math.max(FIRST_BYTES, size + (size >> 1)), this.limit, false);
    this.bytes.copy(right.bytes, 0, at, this.end);
    right.end = size;
    right.count = this.count - index;
    this.end = at;
    this.count = index;
    return right;
  }

  /** Appends the elements of another chunk; both together must not be too large. */
  join(other: ListChunk): void {
    const { used } = other;
    this.limit = Math.max(this.limit, other.limit);
    if (this.bytes.length - this.end < used) this.#grow(used, false);
    other.bytes.copy(this.bytes, this.end, other.start, other.end);
    this.end += used;
    this.count += other.count;
  }

  /** A chunk of its own with the same elements. */
  copy(): ListChunk {
    const { used, isPlain } = this;
    const copy = new ListChunk(used, 0, false, isPlain);
    this.bytes.copy(copy.bytes, 0, this.start, this.end);
    copy.end = used;
    copy.count = this.count;
    return copy;
  }

  /** Visits the bytes of each element in order. */
  forEach(visit: VisitBytes): void {
    const { bytes, start, end } = this;
    if (this.isPlain) visit(bytes, start, end);
    else
      for (let at = start; at < end; at = nextElement(bytes, at))
        visit(bytes, elementStart(bytes, at), elementEnd(bytes, at));
  }

  /** Gives the memory back to the system at once; the chunk is of no use then. */
  free(): void {
    pieceMemory.release(this.bytes);
  }
}
