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
/** A buffer that has grown beyond this for one value is not kept. */
const KEPT_BYTES = 1 << 20;

/** Writes an RDB file of the version of Redis 7.0 bit by bit. Entries go straight to `parts`, behind `select` and `expiry`. */
export class RdbFileWriter {
  readonly #options: RdbWriterOptions;
  readonly #crc = new Crc64();
  #database = -1;
  /** What has been written and not been taken; while a value is written in parts, what comes behind it. */
  parts: RdbWriter;
  /** Holds the value that is written in parts. */
  #divided: RdbWriter | null = null;

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

  /** What follows is of this database. */
  select(database: number): void {
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

  /** The entry whose facts have just been written is written in parts, to `front`; what goes to `parts` comes behind it. */
  divide(): void {
    this.#divided = this.parts;
    this.parts = new RdbWriter(this.#options);
  }

  /** The value is whole. */
  join(): void {
    const behind = this.parts;
    this.parts = this.front;
    this.#divided = null;
    this.parts.raw(behind.buffer, 0, behind.length);
  }

  /** Where the file goes on. */
  get front(): RdbWriter {
    return this.#divided ?? this.parts;
  }

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.parts.length + (this.#divided?.length ?? 0);
  }

  /** What has been written since the last call, up to the value that is not whole; the caller's own. */
  take(): Buffer {
    const { buffer, length } = this.front;
    this.#crc.update(buffer, 0, length);
    return this.#handOver(buffer, length);
  }

  /** As `take`, with the end of the file. */
  finish(): Buffer {
    this.parts.byte(OPCODE_END);
    this.parts.reserve(CHECKSUM_BYTES);
    const { buffer, length } = this.parts;
    this.#crc.update(buffer, 0, length).writeTo(buffer, length);
    return this.#handOver(buffer, length + CHECKSUM_BYTES);
  }

  #handOver(buffer: Buffer, length: number): Buffer {
    if (buffer.length > KEPT_BYTES) {
      const next = new RdbWriter(this.#options);
      if (this.#divided === null) this.parts = next;
      else this.#divided = next;
      return buffer.subarray(0, length);
    }
    this.front.length = 0;
    return Buffer.from(buffer.subarray(0, length));
  }
}
