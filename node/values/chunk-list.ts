import { PIECE_BYTES } from '../../lib/store/index.ts';
import { sameBytes } from './bytes.ts';
import type { LargeForm } from './collection.ts';
import {
  countEqual,
  dropEqual,
  elementEnd,
  elementSize,
  elementStart,
  MAX_ELEMENT_BYTES,
  nextElement,
  previousElement,
  writeElement,
} from './elements.ts';
import { ListChunk } from './list-chunk.ts';

const LIST_BYTES = 160;
/** What chunks begin with: an eighth of what the list takes if all elements are like the new one, within these bounds. */
const MIN_CAPACITY = 1024;
const MAX_CAPACITY = PIECE_BYTES;
/** What they may grow to: a quarter of it, but so much at least. The more a chunk holds, the fewer there are to be walked, collected and got. */
const MIN_LIMIT = 4096;

/** Is shown the chunks of a list before they change. Must not change the list. */
export interface ChunkWatcher {
  /** The elements of this chunk are about to be changed. */
  changing(chunk: ListChunk): void;
  /** The chunk is about to leave the list, as it is; returns whether it is still needed. */
  leaving(chunk: ListChunk): boolean;
}

const NOBODY: readonly never[] = Object.freeze([]);

/** Gets an element's byte range, valid during the call; false ends the walk. */
export type VisitElement = (buffer: Buffer, start: number, end: number, index: number) => boolean;

/**
 * A list too large for the bytes of its entry: chunks of elements, linked both ways. The ends are reached at once, an index by counting
 * chunks from the nearer end. What is emptied gives its memory back, and sparse neighbours are joined.
 */
export class ChunkList implements LargeForm {
  #head: ListChunk | null = null;
  #tail: ListChunk | null = null;
  size = 0;
  bytes = LIST_BYTES;
  /** Where the element that `at` found has its bytes. */
  foundIn: Buffer = Buffer.alloc(0);
  foundStart = 0;
  foundEnd = 0;
  /** Index in the chunk that `#seek` found. */
  #index = 0;
  /** Replaced as a whole. */
  watchers: readonly ChunkWatcher[] = NOBODY;

  /** The chunks in the order of the list. */
  chunks(): ListChunk[] {
    const chunks: ListChunk[] = [];
    for (let chunk = this.#head; chunk !== null; chunk = chunk.next) chunks.push(chunk);
    return chunks;
  }

  #show(chunk: ListChunk): void {
    for (const watcher of this.watchers) watcher.changing(chunk);
  }

  push(atHead: boolean, buffer: Buffer, start: number, end: number): void {
    let chunk = atHead ? this.#head : this.#tail;
    if (chunk === null || !chunk.hasRoomAt(atHead, end - start))
      chunk = this.#addChunk(atHead, buffer, start, end);
    if (!chunk.isPlain) {
      if (this.watchers.length > 0) this.#show(chunk);
      const before = chunk.reservedBytes;
      chunk.push(atHead, buffer, start, end);
      this.bytes += chunk.reservedBytes - before;
    }
    this.size++;
  }

  /** A new chunk at an end: for a large element with it, else empty. */
  #addChunk(atHead: boolean, buffer: Buffer, start: number, end: number): ListChunk {
    const isLarge = end - start > MAX_ELEMENT_BYTES;
    const chunk = isLarge ? ListChunk.plain(buffer, start, end) : this.#newChunk(end - start, atHead);
    this.#link(chunk, atHead ? null : this.#tail);
    return chunk;
  }

  /** An empty chunk with room for an element of `length` at least. */
  #newChunk(length: number, atHead: boolean): ListChunk {
    const size = elementSize(length);
    const bytes = this.size * size;
    const capacity = Math.min(MAX_CAPACITY, Math.max(MIN_CAPACITY, bytes / 8));
    const limit = Math.min(MAX_CAPACITY, Math.max(MIN_LIMIT, bytes / 4));
    return new ListChunk(Math.max(size, capacity & -8), limit & -8, atHead);
  }

  /** Puts a chunk behind another, or with null before all. */
  #link(chunk: ListChunk, previous: ListChunk | null): void {
    const next = previous === null ? this.#head : previous.next;
    chunk.previous = previous;
    chunk.next = next;
    if (previous === null) this.#head = chunk;
    else previous.next = chunk;
    if (next === null) this.#tail = chunk;
    else next.previous = chunk;
    this.bytes += chunk.reservedBytes;
  }

  #unlink(chunk: ListChunk): void {
    const { previous, next } = chunk;
    if (previous === null) this.#head = next;
    else previous.next = next;
    if (next === null) this.#tail = previous;
    else next.previous = previous;
    // An old chunk must not keep younger ones from being collected.
    chunk.next = null;
    chunk.previous = null;
    this.bytes -= chunk.reservedBytes;
    let isNeeded = false;
    for (const watcher of this.watchers) if (watcher.leaving(chunk)) isNeeded = true;
    if (!isNeeded) chunk.free();
  }

  /** Turns to the chunk of an index below `size`. */
  #seek(index: number): ListChunk {
    if (index < this.size >> 1) {
      let chunk = this.#head!;
      let left = index;
      while (left >= chunk.count) {
        left -= chunk.count;
        chunk = chunk.next!;
      }
      this.#index = left;
      return chunk;
    }
    let chunk = this.#tail!;
    let behind = this.size - index;
    while (behind > chunk.count) {
      behind -= chunk.count;
      chunk = chunk.previous!;
    }
    this.#index = chunk.count - behind;
    return chunk;
  }

  /** Finds an element. */
  at(index: number): void {
    const chunk = this.#seek(index);
    const at = chunk.seek(this.#index);
    this.foundIn = chunk.bytes;
    this.foundStart = chunk.isPlain ? chunk.start : elementStart(chunk.bytes, at);
    this.foundEnd = chunk.isPlain ? chunk.end : elementEnd(chunk.bytes, at);
  }

  set(index: number, buffer: Buffer, start: number, end: number): void {
    const chunk = this.#seek(index);
    const at = chunk.isPlain ? 0 : chunk.seek(this.#index);
    const former = chunk.isPlain ? 0 : nextElement(chunk.bytes, at) - at;
    const size = elementSize(end - start);
    const isLarge = end - start > MAX_ELEMENT_BYTES;
    if (chunk.isPlain || isLarge || chunk.used - former + size > chunk.limit) {
      this.insert(index, buffer, start, end);
      this.remove(index + 1, 1);
      return;
    }
    if (this.watchers.length > 0) this.#show(chunk);
    const before = chunk.reservedBytes;
    const place = chunk.splice(at, former, size, 0);
    writeElement(chunk.bytes, place, buffer, start, end);
    this.bytes += chunk.reservedBytes - before;
  }

  /** Puts an element before the one at `index`, or behind all. */
  insert(index: number, buffer: Buffer, start: number, end: number): void {
    if (index === 0 || index === this.size) {
      this.push(index === 0, buffer, start, end);
      return;
    }
    const chunk = this.#seek(index);
    const place = this.#index;
    if (chunk.hasRoom(end - start)) this.#insertIn(chunk, place, buffer, start, end);
    else this.#insertBeside(chunk, place, buffer, start, end);
    this.size++;
  }

  #insertIn(chunk: ListChunk, index: number, buffer: Buffer, start: number, end: number): void {
    if (this.watchers.length > 0) this.#show(chunk);
    const before = chunk.reservedBytes;
    const at = chunk.splice(chunk.seek(index), 0, elementSize(end - start), 1);
    writeElement(chunk.bytes, at, buffer, start, end);
    this.bytes += chunk.reservedBytes - before;
  }

  /** Inserts where the chunk has no room: behind its first part, in a chunk that has. */
  #insertBeside(chunk: ListChunk, index: number, buffer: Buffer, start: number, end: number): void {
    if (index > 0) {
      if (this.watchers.length > 0) this.#show(chunk);
      const before = chunk.reservedBytes;
      this.#link(chunk.split(index), chunk);
      this.bytes += chunk.reservedBytes - before;
    }
    const previous = index > 0 ? chunk : chunk.previous;
    if (previous?.hasRoom(end - start)) {
      this.#insertIn(previous, previous.count, buffer, start, end);
      return;
    }
    const isLarge = end - start > MAX_ELEMENT_BYTES;
    const added = isLarge ? ListChunk.plain(buffer, start, end) : this.#newChunk(end - start, false);
    if (!isLarge) added.push(false, buffer, start, end);
    this.#link(added, previous);
  }

  /** Removes `count` elements from `index` on. */
  remove(index: number, count: number): void {
    let left = Math.min(count, this.size - index);
    if (left <= 0) return;
    if (left === 1 && (index === 0 || index === this.size - 1)) {
      this.#removeEnd(index === 0);
      return;
    }
    let chunk: ListChunk | null = this.#seek(index);
    let from = this.#index;
    const first = chunk.previous;
    while (left > 0 && chunk !== null) {
      const { next }: ListChunk = chunk;
      const removed = Math.min(left, chunk.count - from);
      this.#dropFrom(chunk, from, removed);
      left -= removed;
      from = 0;
      chunk = next;
    }
    this.#joinNext(first ?? this.#head);
    if (chunk !== null) this.#joinNext(chunk.previous);
  }

  /** Removes the first or the last element. */
  #removeEnd(atHead: boolean): void {
    const chunk = (atHead ? this.#head : this.#tail)!;
    this.size--;
    if (chunk.count === 1) {
      this.#unlink(chunk);
      return;
    }
    if (this.watchers.length > 0) this.#show(chunk);
    chunk.dropEnd(atHead);
    // Of a long list, the chunks at the ends are soon full again, or empty.
    if (chunk.bytes.length > this.bytes >> 2) this.#settle(chunk);
  }

  #dropFrom(chunk: ListChunk, index: number, count: number): void {
    this.size -= count;
    if (count === chunk.count) {
      chunk.count = 0;
      this.#unlink(chunk);
      return;
    }
    if (this.watchers.length > 0) this.#show(chunk);
    chunk.drop(index, count);
    this.#settle(chunk);
  }

  /** A chunk has fewer elements than before. */
  #settle(chunk: ListChunk): void {
    const before = chunk.reservedBytes;
    chunk.shrink();
    this.bytes += chunk.reservedBytes - before;
  }

  /** Joins a chunk with the next one when they are small together. */
  #joinNext(chunk: ListChunk | null): void {
    const next = chunk === null ? null : chunk.next;
    if (chunk === null || next === null || chunk.isPlain || next.isPlain) return;
    if (chunk.used + next.used > Math.max(chunk.limit, next.limit) >> 1) return;
    if (this.watchers.length > 0) this.#show(chunk);
    const before = chunk.reservedBytes;
    chunk.join(next);
    this.bytes += chunk.reservedBytes - before;
    this.#unlink(next);
  }

  /** Visits elements from `index` on, forwards or backwards, until `visit` returns false. */
  walk(index: number, backwards: boolean, visit: VisitElement): void {
    if (index < 0 || index >= this.size) return;
    let chunk: ListChunk | null = this.#seek(index);
    let at = chunk.isPlain ? chunk.start : chunk.seek(this.#index);
    let i = index;
    while (chunk !== null) {
      const { bytes, start, end }: ListChunk = chunk;
      if (chunk.isPlain) {
        if (!visit(bytes, start, end, i)) return;
        i += backwards ? -1 : 1;
      } else if (backwards) {
        for (; at >= start; at = at === start ? -1 : previousElement(bytes, at)) {
          if (!visit(bytes, elementStart(bytes, at), elementEnd(bytes, at), i--)) return;
        }
      } else {
        for (; at < end; at = nextElement(bytes, at)) {
          if (!visit(bytes, elementStart(bytes, at), elementEnd(bytes, at), i++)) return;
        }
      }
      chunk = backwards ? chunk.previous : chunk.next;
      if (chunk !== null)
        at = backwards && !chunk.isPlain ? previousElement(chunk.bytes, chunk.end) : chunk.start;
    }
  }

  /** Removes up to `count` elements equal to the bytes, from the head on or from the tail; returns how many. */
  removeEqual(count: number, fromTail: boolean, buffer: Buffer, start: number, end: number): number {
    const before = this.size;
    let left = count;
    let chunk = fromTail ? this.#tail : this.#head;
    while (chunk !== null && left > 0) {
      const following: ListChunk | null = fromTail ? chunk.previous : chunk.next;
      const removed = this.#dropEqual(chunk, left, fromTail, buffer, start, end);
      // With the one that has been looked at already.
      if (removed > 0 && chunk.count > 0) this.#joinNext(fromTail ? chunk : chunk.previous);
      left -= removed;
      chunk = following;
    }
    return before - this.size;
  }

  #dropEqual(
    chunk: ListChunk,
    count: number,
    fromTail: boolean,
    buffer: Buffer,
    start: number,
    end: number,
  ): number {
    if (chunk.isPlain) {
      const length = chunk.used;
      if (length !== end - start || !sameBytes(chunk.bytes, chunk.start, buffer, start, length)) return 0;
      this.#dropFrom(chunk, 0, 1);
      return 1;
    }
    const equal = countEqual(chunk.bytes, chunk.start, chunk.end, buffer, start, end);
    const removed = Math.min(equal, count);
    if (removed === 0) return 0;
    if (removed === chunk.count) {
      this.#dropFrom(chunk, 0, removed);
      return removed;
    }
    if (this.watchers.length > 0) this.#show(chunk);
    const skipped = fromTail ? equal - removed : 0;
    chunk.end = dropEqual(chunk.bytes, chunk.start, chunk.end, buffer, start, end, skipped, removed);
    chunk.count -= removed;
    this.size -= removed;
    this.#settle(chunk);
    return removed;
  }
}
