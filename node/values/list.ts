import type { Keyspace } from '../keyspace.ts';
import { LIST, type Slot } from '../store/index.ts';
import { Found } from './bytes.ts';
import { ChunkList, type VisitElement } from './chunk-list.ts';
import {
  countEqual,
  dropEqual,
  elementEnd,
  elementSize,
  elementStart,
  MAX_ELEMENT_BYTES,
  nextElement,
  previousElement,
  seekElement,
  writeElement,
} from './elements.ts';
import { MAX_PACKED_BYTES, MAX_PACKED_COUNT, packed } from './packed.ts';

export type { VisitElement };

/** Where an element of what `packed` looks at begins, from the start of the elements. */
function offsetOf(index: number): number {
  return seekElement(packed.bytes, packed.start, packed.end, packed.count, index) - packed.start;
}

/**
 * A list under a key. Opened for one command; a mutation of any other entry makes it stale. Whoever mutates it calls
 * `keyspace.modified(list.slot)` behind that, or removes the entry when `size` has become 0. Indexes count from 0 at the head.
 *
 * A small one is packed in the bytes of its entry; a larger one is a chain of chunks. Bytes that are given to it must not be its own.
 */
export class ListValue {
  /** The entry; kept right through this value's own mutations. */
  slot: Slot;
  /** The element that `at` found. */
  readonly element = new Found();
  readonly #keyspace: Keyspace;
  #object: ChunkList | null;

  private constructor(keyspace: Keyspace, slot: Slot, object: ChunkList | null) {
    this.#keyspace = keyspace;
    this.slot = slot;
    this.#object = object;
  }

  /** Opens the list of an entry of type LIST. */
  static open(keyspace: Keyspace, slot: Slot): ListValue {
    return new ListValue(keyspace, slot, keyspace.store.objectOf(slot) as ChunkList | null);
  }

  /** Adds an entry with an empty list for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): ListValue {
    const slot = keyspace.insert(buffer, start, end);
    keyspace.store.setType(slot, LIST);
    return new ListValue(keyspace, slot, null);
  }

  /** Number of elements. */
  get size(): number {
    if (this.#object !== null) return this.#object.size;
    this.#look();
    return packed.count;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'quicklist' {
    return 'quicklist';
  }

  #look(): void {
    packed.look(this.#keyspace.store, this.slot);
  }

  /** The chunks, if there are any or `removed` bytes of what is packed cannot be replaced by an element of `length`. */
  #chunksFor(removed: number, length: number): ChunkList | null {
    if (this.#object !== null) return this.#object;
    const fits =
      length <= MAX_ELEMENT_BYTES &&
      packed.used - removed + elementSize(length) <= MAX_PACKED_BYTES &&
      packed.count < MAX_PACKED_COUNT;
    return fits ? null : this.#leavePacked();
  }

  #leavePacked(): ChunkList {
    const object = new ChunkList();
    const { bytes, start, end } = packed;
    for (let at = start; at < end; at = nextElement(bytes, at)) {
      object.push(false, bytes, elementStart(bytes, at), elementEnd(bytes, at));
    }
    this.slot = this.#keyspace.store.setObject(this.slot, LIST, object);
    this.#object = object;
    return object;
  }

  /** Puts an element in place of `removed` bytes of what is packed. */
  #splice(offset: number, removed: number, buffer: Buffer, start: number, end: number): void {
    packed.splice(offset, removed, elementSize(end - start), removed === 0 ? 1 : 0);
    this.slot = packed.slot;
    writeElement(packed.bytes, packed.start + offset, buffer, start, end);
  }

  /** Adds an element before all others, or behind them. */
  push(atHead: boolean, buffer: Buffer, start: number, end: number): void {
    if (this.#object === null) this.#look();
    const chunks = this.#chunksFor(0, end - start);
    if (chunks !== null) chunks.push(atHead, buffer, start, end);
    else this.#splice(atHead ? 0 : packed.used, 0, buffer, start, end);
  }

  /** Finds the element at an index from 0 to below `size`, into `element`. */
  at(index: number): void {
    const object = this.#object;
    if (object !== null) {
      object.at(index);
      this.element.set(object.foundIn, object.foundStart, object.foundEnd);
      return;
    }
    this.#look();
    const at = packed.start + offsetOf(index);
    this.element.set(packed.bytes, elementStart(packed.bytes, at), elementEnd(packed.bytes, at));
  }

  /** Replaces the element at an index. */
  set(index: number, buffer: Buffer, start: number, end: number): void {
    if (this.#object !== null) {
      this.#object.set(index, buffer, start, end);
      return;
    }
    this.#look();
    const offset = offsetOf(index);
    const at = packed.start + offset;
    const size = nextElement(packed.bytes, at) - at;
    const chunks = this.#chunksFor(size, end - start);
    if (chunks !== null) chunks.set(index, buffer, start, end);
    else this.#splice(offset, size, buffer, start, end);
  }

  /** Puts an element before the one at `index` (or behind all, at `size`). */
  insert(index: number, buffer: Buffer, start: number, end: number): void {
    if (this.#object === null) this.#look();
    const chunks = this.#chunksFor(0, end - start);
    if (chunks !== null) chunks.insert(index, buffer, start, end);
    else this.#splice(offsetOf(index), 0, buffer, start, end);
  }

  /** Removes `count` elements from `index` on, or as many as there are. */
  remove(index: number, count: number): void {
    if (this.#object !== null) {
      this.#object.remove(index, count);
      return;
    }
    this.#look();
    const removed = Math.min(count, packed.count - index);
    if (removed <= 0) return;
    const from = offsetOf(index);
    const to = offsetOf(index + removed);
    packed.splice(from, to - from, 0, -removed);
    this.slot = packed.slot;
  }

  /** Visits elements from `index` on towards the tail, or backwards towards the head, until `visit` returns false. */
  walk(index: number, backwards: boolean, visit: VisitElement): void {
    if (this.#object !== null) {
      this.#object.walk(index, backwards, visit);
      return;
    }
    this.#look();
    const { bytes, start, end, count } = packed;
    if (index < 0 || index >= count) return;
    let at = start + offsetOf(index);
    for (let i = index; i >= 0 && i < count; i += backwards ? -1 : 1) {
      if (!visit(bytes, elementStart(bytes, at), elementEnd(bytes, at), i)) return;
      if (!backwards) at = nextElement(bytes, at);
      else if (i > 0) at = previousElement(bytes, at);
      if (at >= end) return;
    }
  }

  /** Removes up to `count` elements equal to the bytes, from the head on or from the tail; returns how many. */
  removeEqual(count: number, fromTail: boolean, buffer: Buffer, start: number, end: number): number {
    if (this.#object !== null) return this.#object.removeEqual(count, fromTail, buffer, start, end);
    this.#look();
    const { bytes, used } = packed;
    const equal = countEqual(bytes, packed.start, packed.end, buffer, start, end);
    const removed = Math.min(count, equal);
    if (removed <= 0) return 0;
    const skipped = fromTail ? equal - removed : 0;
    const kept =
      dropEqual(bytes, packed.start, packed.end, buffer, start, end, skipped, removed) - packed.start;
    packed.splice(kept, used - kept, 0, -removed);
    this.slot = packed.slot;
    return removed;
  }
}
