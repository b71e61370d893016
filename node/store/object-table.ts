import { pieceMemory } from '../../lib/store/index.ts';
import type { StoredObject } from './value-type.ts';

/** Bytes that keeping an object takes beside its own: its place here. */
const PLACE_BYTES = 16;

/** The objects that are values, by number; an entry holds the number. */
export class ObjectTable {
  readonly #objects: (StoredObject | null)[] = [];
  /** What each was last known to take. */
  readonly #bytes: number[] = [];
  readonly #free: number[] = [];

  add(object: StoredObject): number {
    const id = this.#free.pop() ?? this.#objects.length;
    this.#objects[id] = object;
    this.#bytes[id] = object.bytes + PLACE_BYTES;
    return id;
  }

  at(id: number): StoredObject {
    return this.#objects[id]!;
  }

  /** What the object was last known to take. */
  bytesOf(id: number): number {
    return this.#bytes[id];
  }

  /** Reads the size of the object again; returns by how much it has grown. */
  update(id: number): number {
    const before = this.#bytes[id];
    this.#bytes[id] = this.#objects[id]!.bytes + PLACE_BYTES;
    return this.#bytes[id] - before;
  }

  remove(id: number): void {
    pieceMemory.dropped(this.#bytes[id]);
    this.#bytes[id] = 0;
    this.#objects[id] = null;
    this.#free.push(id);
  }

  clear(): void {
    for (const bytes of this.#bytes) pieceMemory.dropped(bytes);
    this.#objects.length = 0;
    this.#bytes.length = 0;
    this.#free.length = 0;
  }
}
