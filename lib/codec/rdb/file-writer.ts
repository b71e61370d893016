import { Crc64 } from './crc64.ts';
import {
  OPCODE_AUX,
  OPCODE_END,
  OPCODE_EXPIRY_MS,
  OPCODE_RESIZE,
  OPCODE_SELECT,
  RDB_VERSION,
} from './types.ts';
import { RdbWriter, type RdbWriterOptions } from './writer.ts';

const CHECKSUM_BYTES = 8;
/** What waits is handed out in blocks of about this size; a larger one has something large in it. */
const BLOCK_BYTES = 64 << 10;

/**
 * Writes an RDB file of the version of Redis 7.0 bit by bit. Entries go straight to `parts`, behind `select` and `expiry`. Whatever waits is kept in
 * blocks, so that no step takes longer for it.
 */
export class RdbFileWriter {
  readonly #options: RdbWriterOptions;
  readonly #crc = new Crc64();
  #database = -1;
  /** What has been written and not been taken, behind the blocks; while a value is written in parts, what comes behind it. */
  parts: RdbWriter;
  /** Holds the value that is written in parts. */
  #divided: RdbWriter | null = null;
  /** Blocks that wait to be taken, and those that come behind the value that is written in parts. */
  readonly #blocks: RdbWriter[] = [];
  readonly #behind: RdbWriter[] = [];
  #blockBytes = 0;
  #behindBytes = 0;

  constructor(options: RdbWriterOptions) {
    this.#options = options;
    this.parts = new RdbWriter(options);
    const header = Buffer.from(`REDIS${String(RDB_VERSION).padStart(4, '0')}`, 'latin1');
    this.parts.raw(header, 0, header.length);
  }

  /** A field about the file, or about the next entry. */
  aux(name: string, value: string | Buffer): void {
    const { parts } = this;
    parts.byte(OPCODE_AUX);
    for (const text of [name, value]) {
      const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
      parts.string(bytes, 0, bytes.length);
    }
  }

  /** What follows is of this database. To be called before each entry. */
  select(database: number): void {
    if (this.parts.length >= BLOCK_BYTES) this.#endBlock();
    if (database === this.#database) return;
    this.#database = database;
    this.parts.byte(OPCODE_SELECT);
    this.parts.count(database);
  }

  /** How many entries of the selected database will follow, and how many of them with an expiry, as far as that is known. */
  size(entries: number, expiring: number): void {
    const { parts } = this;
    parts.byte(OPCODE_RESIZE);
    parts.count(entries);
    parts.count(expiring);
  }

  /** The next entry expires at this time, unix milliseconds. */
  expiry(atMs: number): void {
    const { parts } = this;
    parts.byte(OPCODE_EXPIRY_MS);
    parts.reserve(8);
    parts.buffer.writeUInt32LE(atMs % 2 ** 32, parts.length);
    parts.buffer.writeUInt32LE(Math.floor(atMs / 2 ** 32), parts.length + 4);
    parts.length += 8;
  }

  #endBlock(): void {
    const { parts } = this;
    if (this.#divided !== null) {
      this.#behind.push(parts);
      this.#behindBytes += parts.length;
    } else {
      this.#blocks.push(parts);
      this.#blockBytes += parts.length;
    }
    this.parts = new RdbWriter(this.#options);
  }

  /** The entry whose facts have just been written is written in parts, to `front`; what goes to `parts` comes behind it. */
  divide(): void {
    this.#divided = this.parts;
    this.parts = new RdbWriter(this.#options);
  }

  /** The value is whole. */
  join(): void {
    if (this.front.length > 0) this.#blocks.push(this.front);
    this.#blocks.push(...this.#behind);
    this.#blockBytes += this.front.length + this.#behindBytes;
    this.#behind.length = 0;
    this.#behindBytes = 0;
    this.#divided = null;
  }

  /** Where the file goes on. */
  get front(): RdbWriter {
    return this.#divided ?? this.parts;
  }

  /** Bytes that can be taken. */
  get ready(): number {
    return this.#blockBytes + this.front.length;
  }

  /** Bytes that wait to be taken, some of them behind a value that is not whole. */
  get length(): number {
    return this.ready + (this.#divided === null ? 0 : this.#behindBytes + this.parts.length);
  }

  /** The next bytes of what is ready, a block of it at most; the caller's own. */
  take(): Buffer {
    const block = this.#blocks.shift();
    if (block !== undefined) {
      this.#blockBytes -= block.length;
      this.#crc.update(block.buffer, 0, block.length);
      return block.buffer.subarray(0, block.length);
    }
    const { buffer, length } = this.front;
    this.#crc.update(buffer, 0, length);
    return this.#handOver(buffer, length);
  }

  /** Whether `finish` may be called: nothing waits but what is in `parts`. */
  get isLast(): boolean {
    return this.#blocks.length === 0;
  }

  /** As `take`, with the end of the file. */
  finish(): Buffer {
    this.parts.byte(OPCODE_END);
    this.parts.reserve(CHECKSUM_BYTES);
    const { buffer, length } = this.parts;
    this.#crc.update(buffer, 0, length).writeTo(buffer, length);
    return this.#handOver(buffer, length + CHECKSUM_BYTES);
  }

  /** A buffer that has grown for something large is given away, any other is copied and kept. */
  #handOver(buffer: Buffer, length: number): Buffer {
    if (buffer.length > 2 * BLOCK_BYTES) {
      const next = new RdbWriter(this.#options);
      if (this.#divided === null) this.parts = next;
      else this.#divided = next;
      return buffer.subarray(0, length);
    }
    this.front.length = 0;
    return Buffer.from(buffer.subarray(0, length));
  }
}
