import type { Keyspace } from '../keyspace.ts';
import { LIST, type Slot, type StoredObject } from '../store/index.ts';
import { Found } from './bytes.ts';

interface ListObject extends StoredObject {
  elements: string[];
}

const LIST_BYTES = 64;

/** Gets an element's byte range, valid during the call; false ends the walk. */
export type VisitElement = (buffer: Buffer, start: number, end: number, index: number) => boolean;

/**
 * A list under a key. Opened for one command; a mutation of any other entry makes it stale. Whoever mutates it calls
 * `keyspace.modified(list.slot)` behind that, or removes the entry when `size` has become 0. Indexes count from 0 at the head.
 */
export class ListValue {
  /** The entry; kept right through this value's own mutations. */
  slot: Slot;
  /** The element that `at` found. */
  readonly element = new Found();
  readonly #object: ListObject;

  private constructor(slot: Slot, object: ListObject) {
    this.slot = slot;
    this.#object = object;
  }

  /** Opens the list of an entry of type LIST. */
  static open(keyspace: Keyspace, slot: Slot): ListValue {
    return new ListValue(slot, keyspace.store.objectOf(slot) as ListObject);
  }

  /** Adds an entry with an empty list for a key that is not there. */
  static create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): ListValue {
    const slot = keyspace.insert(buffer, start, end);
    keyspace.store.setObject(slot, LIST, { elements: [], bytes: LIST_BYTES } as ListObject);
    return ListValue.open(keyspace, slot);
  }

  /** Number of elements. */
  get size(): number {
    return this.#object.elements.length;
  }

  /** Redis's name of how it is kept. */
  get encoding(): 'quicklist' {
    return 'quicklist';
  }

  /** Adds an element before all others, or behind them. */
  push(atHead: boolean, buffer: Buffer, start: number, end: number): void {
    const text = buffer.latin1Slice(start, end);
    if (atHead) this.#object.elements.unshift(text);
    else this.#object.elements.push(text);
  }

  /** Finds the element at an index from 0 to below `size`, into `element`. */
  at(index: number): void {
    const text = this.#object.elements[index];
    this.element.set(Buffer.from(text, 'latin1'), 0, text.length);
  }

  /** Replaces the element at an index. */
  set(index: number, buffer: Buffer, start: number, end: number): void {
    this.#object.elements[index] = buffer.latin1Slice(start, end);
  }

  /** Puts an element before the one at `index` (or behind all, at `size`). */
  insert(index: number, buffer: Buffer, start: number, end: number): void {
    this.#object.elements.splice(index, 0, buffer.latin1Slice(start, end));
  }

  /** Removes `count` elements from `index` on. */
  remove(index: number, count: number): void {
    this.#object.elements.splice(index, count);
  }

  /** Visits elements from `index` on towards the tail, or backwards towards the head, until `visit` returns false. */
  walk(index: number, backwards: boolean, visit: VisitElement): void {
    const { elements } = this.#object;
    for (let i = index; i >= 0 && i < elements.length; i += backwards ? -1 : 1) {
      const bytes = Buffer.from(elements[i], 'latin1');
      if (!visit(bytes, 0, bytes.length, i)) return;
    }
  }

  /** Removes up to `count` elements equal to the bytes, from the head on or from the tail; returns how many. */
  removeEqual(count: number, fromTail: boolean, buffer: Buffer, start: number, end: number): number {
    const text = buffer.latin1Slice(start, end);
    const { elements } = this.#object;
    let removed = 0;
    for (let seen = elements.length, i = fromTail ? seen - 1 : 0; seen > 0 && removed < count; seen--) {
      const isEqual = elements[i] === text;
      if (isEqual) elements.splice(i, 1);
      if (isEqual) removed++;
      if (fromTail) i--;
      else if (!isEqual) i++;
    }
    return removed;
  }
}
