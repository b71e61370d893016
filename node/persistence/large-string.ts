import type { RdbWriter } from '../../lib/codec/rdb/index.ts';
import type { ByteView, Slot, Store } from '../store/index.ts';
import type { LargeElements } from './large-elements.ts';

const PART_BYTES = 16 << 10;

/** The bytes of a long string, read where they are as long as they stay there. */
export class LargeString implements LargeElements {
  readonly #store: Store;
  readonly #key: Buffer;
  readonly #view: ByteView = { buffer: Buffer.alloc(0), start: 0, end: 0 };
  readonly size: number;
  #written = 0;
  #kept: Buffer | null = null;

  constructor(store: Store, slot: Slot) {
    this.#store = store;
    this.#key = Buffer.from(store.keyOf(slot), 'latin1');
    this.size = store.length(slot);
  }

  get keptBytes(): number {
    return this.#kept?.length ?? 0;
  }

  #look(): void {
    const { length } = this.#key;
    this.#store.view(this.#store.find(this.#key, 0, length), this.#view);
  }

  /** Keeps a copy of what is not written: the string is about to change. */
  keep(): void {
    this.#look();
    const { buffer, start } = this.#view;
    this.#kept = Buffer.from(buffer.subarray(start + this.#written, start + this.size));
    this.#view.buffer = this.#kept;
    this.#view.start = -this.#written;
  }

  write(writer: RdbWriter): boolean {
    if (this.#kept === null) this.#look();
    const { buffer, start } = this.#view;
    const to = Math.min(this.size, this.#written + PART_BYTES);
    writer.raw(buffer, start + this.#written, start + to);
    this.#written = to;
    return to < this.size;
  }

  close(): void {
    this.#kept = null;
  }
}
