import { RdbWriter, type RdbWriterOptions } from '../../lib/codec/rdb/index.ts';

/** What is kept is handed over in blocks of about this size. */
const BLOCK_BYTES = 16 << 10;

/**
 * The elements of a collection as they were when this was made, to be written in parts while the collection goes on changing, or goes: it watches
 * the collection, and keeps what is about to change and has not been written. So a change costs what it changes, not what there is.
 */
export interface LargeElements {
  /** Number of elements; of a string, of bytes. */
  readonly size: number;
  /** Bytes that are kept since the collection has changed. */
  readonly keptBytes: number;
  /** Writes the next part; returns whether there are more. */
  write(writer: RdbWriter): boolean;
  /** Nothing more will be written. */
  close(): void;
}

/** Elements that were written before their turn. */
export class KeptElements {
  readonly #options: RdbWriterOptions;
  readonly #blocks: RdbWriter[] = [];
  bytes = 0;

  constructor(options: RdbWriterOptions) {
    this.#options = options;
  }

  /** Keeps what `write` writes. */
  keep(write: (writer: RdbWriter) => void): void {
    let block = this.#blocks.at(-1);
    if (block === undefined || block.length >= BLOCK_BYTES) {
      block = new RdbWriter(this.#options);
      this.#blocks.push(block);
    }
    const before = block.length;
    write(block);
    this.bytes += block.length - before;
  }

  /** Hands over the oldest block; false when there is none. */
  moveTo(writer: RdbWriter): boolean {
    const block = this.#blocks.shift();
    if (block === undefined) return false;
    writer.raw(block.buffer, 0, block.length);
    this.bytes -= block.length;
    return true;
  }
}
