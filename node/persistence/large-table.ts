import type { RdbWriter, RdbWriterOptions } from '../../lib/codec/rdb/index.ts';
import { compareBytes, MemberTable, type OrderedTable, type TableWatcher } from '../values/index.ts';
import { KeptElements, type LargeElements } from './large-elements.ts';

/** What is looked at for one part: elements, or about so many bytes of them. */
const PART_ELEMENTS = 64;
const PART_BYTES = 16 << 10;

/**
 * The elements of a table: it is scanned, and what is about to change before the scan has come to it is written then, as it was. Keys of which that
 * has been done, and new ones, are noted, so that the scan leaves them out.
 */
export class LargeTable implements LargeElements, TableWatcher {
  protected readonly table: MemberTable;
  protected readonly partElements: number;
  readonly size: number;
  readonly #hasValues: boolean;
  readonly #seed: number;
  readonly #kept: KeptElements;
  #noted: MemberTable | null = null;
  #cursor = 0;
  #isScanned = false;

  constructor(table: MemberTable, hasValues: boolean, seed: number, options: RdbWriterOptions) {
    const elementBytes = Math.ceil(table.reservedBytes / table.size);
    this.table = table;
    this.partElements = Math.max(1, Math.min(PART_ELEMENTS, Math.floor(PART_BYTES / elementBytes)));
    this.size = table.size;
    this.#hasValues = hasValues;
    this.#seed = seed;
    this.#kept = new KeptElements(options);
    table.watchers = [...table.watchers, this];
  }

  get keptBytes(): number {
    return this.#kept.bytes + (this.#noted?.reservedBytes ?? 0);
  }

  changing(place: number): void {
    const { table } = this;
    if (!this.#note(place, table.bytes, table.keyStart, table.keyEnd)) return;
    if (!this.isWritten()) this.#kept.keep((writer) => this.writeElement(writer));
  }

  coming(place: number, buffer: Buffer, start: number, end: number): void {
    this.#note(place, buffer, start, end);
  }

  /** Notes a key that the scan has not come to; false when it has, or the key is noted already. */
  #note(place: number, buffer: Buffer, start: number, end: number): boolean {
    if (place < this.#cursor) return false;
    this.#noted ??= new MemberTable('nothing', this.#seed);
    if (this.#noted.find(buffer, start, end) !== 0) return false;
    this.#noted.insert(buffer, start, end, 0);
    return true;
  }

  write(writer: RdbWriter): boolean {
    if (!this.#kept.moveTo(writer) && !this.#isScanned) this.writePart(writer);
    return !this.#isScanned || this.#kept.bytes > 0;
  }

  /** Writes what is next. */
  protected writePart(writer: RdbWriter): void {
    const { table } = this;
    this.#cursor = table.scan(this.#cursor, this.partElements, () => {
      const isNoted =
        this.#noted !== null && this.#noted.find(table.bytes, table.keyStart, table.keyEnd) !== 0;
      if (!isNoted && !this.isWritten()) this.writeElement(writer);
    });
    if (this.#cursor === 0) this.finish();
  }

  /** All that has not changed is written. */
  protected finish(): void {
    this.#isScanned = true;
    this.close();
  }

  close(): void {
    this.table.watchers = this.table.watchers.filter((watcher) => watcher !== this);
  }

  /** Whether the located record has been written in another order than that of the scan. */
  protected isWritten(): boolean {
    return false;
  }

  /** Writes the located record. */
  protected writeElement(writer: RdbWriter): void {
    const { bytes, keyStart, keyEnd, payloadEnd } = this.table;
    writer.string(bytes, keyStart, keyEnd);
    if (this.#hasValues) writer.string(bytes, keyEnd, payloadEnd);
  }
}

/**
 * The members of a sorted set: from the highest down, since whoever inserts in this order always inserts at the front; from the first change on
 * by a scan, which leaves out what is above the last one written.
 */
export class LargeZset extends LargeTable {
  readonly #zset: OrderedTable;
  #isOrdered = true;
  /** Members written in order, and the last of them. */
  #count = 0;
  #score = 0;
  #member: Buffer = Buffer.alloc(0);

  constructor(zset: OrderedTable, seed: number, options: RdbWriterOptions) {
    super(zset.table, false, seed, options);
    this.#zset = zset;
  }

  override changing(place: number): void {
    this.#isOrdered = false;
    super.changing(place);
  }

  override coming(place: number, buffer: Buffer, start: number, end: number): void {
    this.#isOrdered = false;
    super.coming(place, buffer, start, end);
  }

  protected override writePart(writer: RdbWriter): void {
    if (!this.#isOrdered) {
      super.writePart(writer);
      return;
    }
    const to = Math.min(this.size, this.#count + this.partElements);
    this.#zset.walk(this.size - 1 - this.#count, true, (buffer, start, end, score) => {
      writer.string(buffer, start, end);
      writer.double(score);
      if (++this.#count < to) return true;
      this.#score = score;
      this.#member = Buffer.from(buffer.subarray(start, end));
      return false;
    });
    if (to === this.size) this.finish();
  }

  protected override isWritten(): boolean {
    if (this.#count === 0) return false;
    const { bytes, keyStart, keyEnd, score } = this.table;
    if (score !== this.#score) return score > this.#score;
    return compareBytes(bytes, keyStart, keyEnd, this.#member, 0, this.#member.length) >= 0;
  }

  protected override writeElement(writer: RdbWriter): void {
    const { table } = this;
    writer.string(table.bytes, table.keyStart, table.keyEnd);
    writer.double(table.score);
  }
}
