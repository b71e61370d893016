import type { DataSet } from '../data-set.ts';
import { copyBytes } from './bytes.ts';
import { seekField, setInTable, staysPacked, walkFields } from './hash.ts';
import { lengthSize, writeLength } from './lengths.ts';
import type { Packing } from './packing.ts';
import { TableObject } from './table-object.ts';

/** Builds a hash, field by field. */
export class HashBuilder {
  readonly #packing: Packing;
  readonly #data: DataSet;
  /** Null while it is packed. */
  large: TableObject | null = null;

  constructor(packing: Packing, data: DataSet) {
    this.#packing = packing;
    this.#data = data;
  }

  begin(): void {
    this.large = null;
  }

  /** Adds a field; returns whether it is new. */
  add(
    fieldBuffer: Buffer,
    fieldStart: number,
    fieldEnd: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): boolean {
    const isNew =
      this.large === null
        ? this.#pack(fieldBuffer, fieldStart, fieldEnd, buffer, start, end)
        : setInTable(this.large.table, fieldBuffer, fieldStart, fieldEnd, buffer, start, end);
    const { hashEntries, hashValueBytes } = this.#data.limits;
    const size = this.large === null ? this.#packing.count : this.large.size;
    if (size > hashEntries || fieldEnd - fieldStart > hashValueBytes || end - start > hashValueBytes) {
      if (this.large === null) this.#packing.isOutgrown = true;
      else this.large.isCompact = false;
    }
    return isNew;
  }

  #pack(
    fieldBuffer: Buffer,
    fieldStart: number,
    fieldEnd: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): boolean {
    const packing = this.#packing;
    const fieldLength = fieldEnd - fieldStart;
    const length = end - start;
    const size = lengthSize(fieldLength) + lengthSize(length) + fieldLength + length;
    const longest = fieldLength > length ? fieldLength : length;
    if (!staysPacked(packing, packing.used + size, longest, this.#data.limits.hashValueBytes)) {
      this.large = this.#leavePacked();
      return setInTable(this.large.table, fieldBuffer, fieldStart, fieldEnd, buffer, start, end);
    }
    const mayBeThere = packing.note(fieldBuffer, fieldStart, fieldEnd);
    if (mayBeThere && seekField(packing, fieldBuffer, fieldStart, fieldEnd)) return false;
    const first = packing.append(size);
    const { bytes } = packing;
    const at = writeLength(bytes, writeLength(bytes, first, fieldLength), length);
    copyBytes(fieldBuffer, fieldStart, fieldEnd, bytes, at);
    copyBytes(buffer, start, end, bytes, at + fieldLength);
    return true;
  }

  /** Puts what is packed into a table. */
  #leavePacked(): TableObject {
    const large = new TableObject('bytes', this.#data.hashSeed, !this.#packing.isOutgrown);
    walkFields(this.#packing, (fb, fs, fe, vb, vs, ve) => setInTable(large.table, fb, fs, fe, vb, vs, ve));
    return large;
  }
}
