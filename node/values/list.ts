import type { Keyspace } from '../keyspace.ts';
import { LIST, type Slot } from '../store/index.ts';
import { Found } from './bytes.ts';
import { ChunkList, type VisitElement } from './chunk-list.ts';
import { Collection, emptyEntry } from './collection.ts';
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
 * A list under a key. Indexes count from 0 at the head. A small one is packed in the bytes of its entry; a larger one is a chain of chunks.
 */
export class ListValue extends Collection<ChunkList> {
  #element: Found | null = null;

  /** Opens the list of an entry of type LIST. */
  static open(keyspace: Keyspace, slot: Slot): ListValue {
    return new ListValue(keyspace, slot);
  }

  /** Adds an entry with an empty list for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): ListValue {
    return new ListValue(keyspace, emptyEntry(keyspace, LIST, buffer, start, end));
  }

  /** The element that `at` found. */
  get element(): Found {
    this.#element ??= new Found();
    return this.#element;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'quicklist' {
    return 'quicklist';
  }

  /** The chunks, if there are any or `removed` bytes of what is packed cannot be replaced by an element of `length`. */
  #chunksFor(removed: number, length: number): ChunkList | null {
    if (this.large !== null) return this.large;
    const fits =
      length <= MAX_ELEMENT_BYTES &&
      packed.used - removed + elementSize(length) <= MAX_PACKED_BYTES &&
      packed.count < MAX_PACKED_COUNT;
    return fits ? null : this.#leavePacked();
  }

  #leavePacked(): ChunkList {
    const chunks = new ChunkList();
    const { bytes, start, end } = packed;
    for (let at = start; at < end; at = nextElement(bytes, at)) {
      chunks.push(false, bytes, elementStart(bytes, at), elementEnd(bytes, at));
    }
    return this.become(LIST, chunks);
  }

  /** Puts an element in place of `removed` bytes of what is packed. */
  #put(offset: number, removed: number, buffer: Buffer, start: number, end: number): void {
    this.splice(offset, removed, elementSize(end - start), removed === 0 ? 1 : 0);
    writeElement(packed.bytes, packed.start + offset, buffer, start, end);
  }

  /** Adds an element before all others, or behind them. */
  push(atHead: boolean, buffer: Buffer, start: number, end: number): void {
    if (this.large === null) this.look();
    const chunks = this.#chunksFor(0, end - start);
    if (chunks !== null) chunks.push(atHead, buffer, start, end);
    else this.#put(atHead ? 0 : packed.used, 0, buffer, start, end);
  }

  /** Finds the element at an index from 0 to below `size`, into `element`. */
  at(index: number): void {
    const object = this.large;
    if (object !== null) {
      object.at(index);
      this.element.set(object.foundIn, object.foundStart, object.foundEnd);
      return;
    }
    this.look();
    const at = packed.start + offsetOf(index);
    this.element.set(packed.bytes, elementStart(packed.bytes, at), elementEnd(packed.bytes, at));
  }

  /** Replaces the element at an index. */
  set(index: number, buffer: Buffer, start: number, end: number): void {
    if (this.large !== null) {
      this.large.set(index, buffer, start, end);
      return;
    }
    this.look();
    const offset = offsetOf(index);
    const at = packed.start + offset;
    const size = nextElement(packed.bytes, at) - at;
    const chunks = this.#chunksFor(size, end - start);
    if (chunks !== null) chunks.set(index, buffer, start, end);
    else this.#put(offset, size, buffer, start, end);
  }

  /** Puts an element before the one at `index` (or behind all, at `size`). */
  insert(index: number, buffer: Buffer, start: number, end: number): void {
    if (this.large === null) this.look();
    const chunks = this.#chunksFor(0, end - start);
    if (chunks !== null) chunks.insert(index, buffer, start, end);
    else this.#put(offsetOf(index), 0, buffer, start, end);
  }

  /** Removes `count` elements from `index` on, or as many as there are. */
  remove(index: number, count: number): void {
    if (this.large !== null) {
      this.large.remove(index, count);
      return;
    }
    this.look();
    const removed = Math.min(count, packed.count - index);
    if (removed <= 0) return;
    const from = offsetOf(index);
    const to = offsetOf(index + removed);
    this.splice(from, to - from, 0, -removed);
  }

  /** Visits elements from `index` on towards the tail, or backwards towards the head, until `visit` returns false. */
  walk(index: number, backwards: boolean, visit: VisitElement): void {
    if (this.large !== null) {
      this.large.walk(index, backwards, visit);
      return;
    }
    this.look();
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
    if (this.large !== null) return this.large.removeEqual(count, fromTail, buffer, start, end);
    this.look();
    const { bytes, used } = packed;
    const equal = countEqual(bytes, packed.start, packed.end, buffer, start, end);
    const removed = Math.min(count, equal);
    if (removed <= 0) return 0;
    const skipped = fromTail ? equal - removed : 0;
    const kept =
      dropEqual(bytes, packed.start, packed.end, buffer, start, end, skipped, removed) - packed.start;
    this.splice(kept, used - kept, 0, -removed);
    return removed;
  }
}
