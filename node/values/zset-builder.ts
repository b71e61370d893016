import type { DataSet } from '../data-set.ts';
import { compareBytes, copyBytes, sameBytes } from './bytes.ts';
import { lengthAt, lengthSize, writeLength } from './lengths.ts';
import { OrderedTable } from './ordered-table.ts';
import { MAX_PACKED_BYTES, MAX_PACKED_COUNT } from './packed.ts';
import type { Packing } from './packing.ts';
import { SCORE_BYTES } from './zset.ts';

/** Builds a sorted set, member by member in any order; from the lowest up or the highest down takes no search. */
export class ZsetBuilder {
  readonly #packing: Packing;
  readonly #data: DataSet;
  /** Where the last packed member is. */
  #lastAt = 0;
  /** Null while it is packed. */
  large: OrderedTable | null = null;

  constructor(packing: Packing, data: DataSet) {
    this.#packing = packing;
    this.#data = data;
  }

  begin(): void {
    this.large = null;
  }

  /** Adds a member; returns whether it is new. */
  add(score: number, buffer: Buffer, start: number, end: number): boolean {
    const length = end - start;
    const size = lengthSize(length) + SCORE_BYTES + length;
    const packing = this.#packing;
    const kept = score === 0 && this.#forgetsSign(length) ? 0 : score;
    const fits =
      this.large === null && packing.used + size <= MAX_PACKED_BYTES && packing.count < MAX_PACKED_COUNT;
    if (!fits) this.large ??= this.#leavePacked();
    const isNew =
      this.large === null
        ? this.#pack(kept, size, buffer, start, end)
        : addToLarge(this.large, kept, buffer, start, end);
    if (isNew) this.#checkLimits(length);
    return isNew;
  }

  /** As `ZsetValue` does. */
  #forgetsSign(length: number): boolean {
    const { zsetEntries, zsetValueBytes } = this.#data.limits;
    const { large } = this;
    const isCompact = large === null ? !this.#packing.isOutgrown : large.isCompact;
    const size = large === null ? this.#packing.count : large.size;
    return isCompact && size < zsetEntries && length <= zsetValueBytes;
  }

  #checkLimits(length: number): void {
    const { zsetEntries, zsetValueBytes } = this.#data.limits;
    const size = this.large === null ? this.#packing.count : this.large.size;
    if (size <= zsetEntries && length <= zsetValueBytes) return;
    if (this.large === null) this.#packing.isOutgrown = true;
    else this.large.isCompact = false;
  }

  #pack(score: number, size: number, buffer: Buffer, start: number, end: number): boolean {
    const packing = this.#packing;
    if (packing.note(buffer, start, end) && this.#isThere(buffer, start, end)) return false;
    const at = this.#open(score, size, buffer, start, end);
    const { bytes } = packing;
    const scoreAt = writeLength(bytes, at, end - start);
    bytes.writeDoubleLE(score, scoreAt);
    copyBytes(buffer, start, end, bytes, scoreAt + SCORE_BYTES);
    return true;
  }

  /** Makes room for a member where it belongs. */
  #open(score: number, size: number, buffer: Buffer, start: number, end: number): number {
    const packing = this.#packing;
    if (packing.count === 0 || this.#isBefore(this.#lastAt, score, buffer, start, end)) {
      this.#lastAt = packing.append(size);
      return this.#lastAt;
    }
    if (!this.#isBefore(packing.start, score, buffer, start, end)) return packing.prepend(size);
    let at = this.#behind(packing.start);
    while (this.#isBefore(at, score, buffer, start, end)) at = this.#behind(at);
    this.#lastAt += size;
    return packing.insert(at, size);
  }

  /** Whether the member at `at` comes before this one. */
  #isBefore(at: number, score: number, buffer: Buffer, start: number, end: number): boolean {
    const { bytes } = this.#packing;
    const length = lengthAt(bytes, at);
    const scoreAt = at + lengthSize(length);
    const other = bytes.readDoubleLE(scoreAt);
    if (other !== score) return other < score;
    const member = scoreAt + SCORE_BYTES;
    return compareBytes(bytes, member, member + length, buffer, start, end) < 0;
  }

  /** Where the member behind the one at `at` is. */
  #behind(at: number): number {
    const length = lengthAt(this.#packing.bytes, at);
    return at + lengthSize(length) + SCORE_BYTES + length;
  }

  #isThere(buffer: Buffer, start: number, end: number): boolean {
    const { bytes, start: first, end: limit } = this.#packing;
    const length = end - start;
    for (let at = first; at < limit; at = this.#behind(at)) {
      const member = at + lengthSize(length) + SCORE_BYTES;
      if (lengthAt(bytes, at) === length && sameBytes(bytes, member, buffer, start, length)) return true;
    }
    return false;
  }

  /** Puts what is packed into a table. */
  #leavePacked(): OrderedTable {
    const { bytes, start, end, isOutgrown } = this.#packing;
    const large = new OrderedTable(this.#data.hashSeed, !isOutgrown);
    for (let at = start; at < end; at = this.#behind(at)) {
      const length = lengthAt(bytes, at);
      const scoreAt = at + lengthSize(length);
      const member = scoreAt + SCORE_BYTES;
      addToLarge(large, bytes.readDoubleLE(scoreAt), bytes, member, member + length);
    }
    return large;
  }
}

function addToLarge(large: OrderedTable, score: number, buffer: Buffer, start: number, end: number): boolean {
  large.scoreOf(buffer, start, end);
  return large.place(score, buffer, start, end);
}
