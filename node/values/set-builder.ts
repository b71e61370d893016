import type { DataSet } from '../data-set.ts';
import { copyBytes } from './bytes.ts';
import { compareIntegers, isInteger } from './integers.ts';
import { lengthSize, writeLength } from './lengths.ts';
import { MAX_PACKED_BYTES, MAX_PACKED_COUNT } from './packed.ts';
import type { Packing } from './packing.ts';
import { addToTable, MAX_INTSET_BYTES, placeOfInteger, seekMember, walkMembers } from './set.ts';
import { TableObject } from './table-object.ts';

/** Builds a set, member by member. */
export class SetBuilder {
  readonly #packing: Packing;
  readonly #data: DataSet;
  /** While they are in order: where the last packed member is. */
  #lastAt = 0;
  /** Null while it is packed. */
  large: TableObject | null = null;

  constructor(packing: Packing, data: DataSet) {
    this.#packing = packing;
    this.#data = data;
  }

  begin(): void {
    this.large = null;
  }

  /** Adds a member; returns whether it is new. */
  add(buffer: Buffer, start: number, end: number): boolean {
    const packing = this.#packing;
    const size = lengthSize(end - start) + end - start;
    const isOrdered = !packing.isOutgrown && this.large === null && isInteger(buffer, start, end);
    const fits = packing.used + size <= (isOrdered ? MAX_INTSET_BYTES : MAX_PACKED_BYTES);
    if (this.large !== null || !fits || packing.count === MAX_PACKED_COUNT) {
      this.large ??= this.#leavePacked();
      return addToTable(this.large.table, buffer, start, end);
    }
    return isOrdered ? this.#packInteger(buffer, start, end, size) : this.#pack(buffer, start, end, size);
  }

  #pack(buffer: Buffer, start: number, end: number, size: number): boolean {
    const packing = this.#packing;
    if (!packing.isOutgrown) this.#outgrow();
    if (packing.note(buffer, start, end) && seekMember(packing, buffer, start, end)) return false;
    this.#write(packing.append(size), buffer, start, end);
    return true;
  }

  #packInteger(buffer: Buffer, start: number, end: number, size: number): boolean {
    const packing = this.#packing;
    const { bytes, count } = packing;
    const lastAt = this.#lastAt;
    const last = lastAt + 1;
    const isLast = count === 0 || compareIntegers(bytes, last, last + bytes[lastAt], buffer, start, end) < 0;
    const place = isLast ? packing.end : placeOfInteger(packing, buffer, start, end);
    if (place < 0) return false;
    this.#write(isLast ? packing.append(size) : packing.insert(place, size), buffer, start, end);
    this.#lastAt = isLast ? place : lastAt + size;
    if (count + 1 > this.#data.limits.setIntegers) this.#outgrow();
    return true;
  }

  #write(at: number, buffer: Buffer, start: number, end: number): void {
    const { bytes } = this.#packing;
    copyBytes(buffer, start, end, bytes, writeLength(bytes, at, end - start));
  }

  /** Members need not be integers, or few, any more. */
  #outgrow(): void {
    const packing = this.#packing;
    packing.isOutgrown = true;
    if (packing.used > MAX_PACKED_BYTES) this.large = this.#leavePacked();
    else walkMembers(packing, (bytes, start, end) => packing.note(bytes, start, end));
  }

  /** Puts what is packed into a table. */
  #leavePacked(): TableObject {
    const large = new TableObject('nothing', this.#data.hashSeed, false);
    walkMembers(this.#packing, (bytes, start, end) => addToTable(large.table, bytes, start, end));
    return large;
  }
}
