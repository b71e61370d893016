import { Crc64 } from './crc64.ts';
import { RdbCutOff, RdbFormatError } from './format-error.ts';
import { type RdbSink, RdbValueReader } from './read-value.ts';
import { type RdbLimits, RdbReader } from './reader.ts';
import {
  foreignTypes,
  OPCODE_AUX,
  OPCODE_END,
  OPCODE_EXPIRY,
  OPCODE_EXPIRY_MS,
  OPCODE_FREQUENCY,
  OPCODE_FUNCTION,
  OPCODE_FUNCTION_PRE_GA,
  OPCODE_IDLE,
  OPCODE_MODULE_AUX,
  OPCODE_RESIZE,
  OPCODE_SELECT,
  RDB_STRING,
  RDB_VERSION,
} from './types.ts';

const MAGIC = 'REDIS';
const HEADER_BYTES = 9;
const CHECKSUM_BYTES = 8;
/** The first version with a checksum at its end. */
const CHECKSUM_VERSION = 5;
/** Longest key in a message. */
const SHOWN_KEY_CHARS = 100;
/** Keys up to this are kept in a room that is there. */
const KEY_ROOM_BYTES = 4096;
/** Up to this many bytes a loop beats the call into native code. */
const SHORT_KEY_BYTES = 40;
/** So much of a chunk is put behind what the one before has left of a part. */
const JOINED_BYTES = 1024;

/** An entry of a file; the key's byte range is valid while the entry is read. */
export interface RdbEntry {
  database: number;
  key: Buffer;
  keyStart: number;
  keyEnd: number;
  /** Unix milliseconds, 0 for never. */
  expiresAt: number;
  /** Seconds since the last use, and how often it was used, as the policy of the writer noted it; null for neither. */
  idleSeconds: number | null;
  frequency: number | null;
}

/** Gets what is in a file, in its order. What it throws ends the reading. */
export interface RdbFileSink {
  /** A field about the file, or about the entry that follows. */
  aux(name: string, buffer: Buffer, start: number, end: number): void;
  /** About as many entries follow in a database; of them, some with an expiry. */
  size(database: number, entries: number, expiring: number): void;
  /** An entry with a string as its value. */
  string(entry: RdbEntry, buffer: Buffer, start: number, end: number): void;
  /** An entry with a collection begins; its value goes to the sink returned. */
  entry(entry: RdbEntry): RdbSink;
  /** The collection is whole. */
  entryEnd(): void;
}

/**
 * Reads an RDB file of any version up to that of Redis 7.0, as its bytes come in, part by part: what it holds at a time is one string at most.
 * Throws RdbFormatError, with the offset, where the file is none or has something that no node holds.
 */
export class RdbFileReader {
  readonly #limits: RdbLimits;
  readonly #sink: RdbFileSink;
  readonly #crc = new Crc64();
  readonly #keyRoom = Buffer.allocUnsafe(KEY_ROOM_BYTES);
  readonly #entry: RdbEntry = {
    database: 0,
    key: Buffer.alloc(0),
    keyStart: 0,
    keyEnd: 0,
    expiresAt: 0,
    idleSeconds: null,
    frequency: null,
  };
  /** Bytes that came and are no whole part yet, and how many it takes to go on. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #needed = HEADER_BYTES;
  #version = 0;
  #value: RdbValueReader | null = null;
  #valueSink: RdbSink | null = null;
  #auxName = '';
  /** Bytes of the file that have been read. */
  offset = 0;
  /** Whether the end has been read, with the right checksum. */
  isDone = false;

  constructor(limits: RdbLimits, sink: RdbFileSink) {
    this.#limits = limits;
    this.#sink = sink;
  }

  /** Reads on with these bytes. Returns where the file ended in them: `end`, unless there is something behind the file. */
  push(chunk: Buffer, start: number, end: number): number {
    let from = start;
    while (from < end && !this.isDone) {
      if (this.#waitingBytes + end - from < this.#needed) {
        this.#hold(chunk, from, end);
        return end;
      }
      if (this.#waitingBytes > 0) from = this.#join(chunk, from, end);
      else {
        from = this.#readParts(chunk, from, end);
        if (this.isDone) break;
        this.#hold(chunk, from, end);
        return end;
      }
    }
    return from;
  }

  /** Reads the part that has begun before the chunk, which has the rest of it; returns where the chunk goes on. */
  #join(chunk: Buffer, start: number, end: number): number {
    const held = this.#waitingBytes;
    const more = Math.min(end - start, Math.max(this.#needed - held, JOINED_BYTES));
    const joined = Buffer.concat([...this.#waiting, chunk.subarray(start, start + more)]);
    this.#waiting = [];
    this.#waitingBytes = 0;
    const at = this.#readParts(joined, 0, joined.length);
    if (at >= held) return start + at - held;
    this.#waiting.push(joined.subarray(at));
    this.#waitingBytes = joined.length - at;
    return start + more;
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    if (start === end) return;
    this.#waiting.push(Buffer.from(chunk.subarray(start, end)));
    this.#waitingBytes += end - start;
  }

  /** Reads all parts that are whole; returns where the first begins that is not. */
  #readParts(buffer: Buffer, start: number, end: number): number {
    const reader = new RdbReader(this.#limits, buffer, start, end);
    let at = start;
    try {
      while (!this.isDone) {
        this.#readPart(reader, buffer, start);
        at = reader.at;
      }
    } catch (error) {
      if (!(error instanceof RdbCutOff)) throw this.#located(error, at - start);
      this.#needed = end - at + error.missing;
    }
    if (!this.isDone) this.#crc.update(buffer, start, at);
    this.offset += at - start;
    return at;
  }

  #located(error: unknown, consumed: number): unknown {
    if (!(error instanceof RdbFormatError)) return error;
    const where = this.#value === null ? '' : ` (in the value of key "${this.#shownKey}")`;
    return new RdbFormatError(`offset ${this.offset + consumed}: ${error.message}${where}`);
  }

  /** Enough of the entry's key to know it by. */
  get #shownKey(): string {
    const { key, keyStart, keyEnd } = this.#entry;
    return key.toString('utf8', keyStart, Math.min(keyEnd, keyStart + SHOWN_KEY_CHARS));
  }

  #readPart(reader: RdbReader, buffer: Buffer, start: number): void {
    if (this.#value !== null) {
      if (this.#value.step(reader, this.#valueSink!)) return;
      this.#value = null;
      this.#endEntry();
    } else if (this.#version === 0) {
      this.#readHeader(reader);
    } else {
      const code = reader.byte();
      if (code < OPCODE_FUNCTION) this.#readEntry(code, reader);
      else if (code === OPCODE_END) this.#readEnd(reader, buffer, start);
      else this.#readFact(code, reader);
    }
  }

  #readHeader(reader: RdbReader): void {
    const text = reader.raw(HEADER_BYTES).latin1Slice();
    const version = /^\d{4}$/.test(text.slice(MAGIC.length)) ? Number(text.slice(MAGIC.length)) : 0;
    if (!text.startsWith(MAGIC) || version === 0) throw new RdbFormatError('this is no RDB file');
    if (version > RDB_VERSION)
      throw new RdbFormatError(
        `this is version ${version} of the format; ${RDB_VERSION} is the newest known`,
      );
    this.#version = version;
  }

  #readEntry(type: number, reader: RdbReader): void {
    const entry = this.#entry;
    reader.string();
    entry.key = reader.bytes;
    entry.keyStart = reader.start;
    entry.keyEnd = reader.end;
    if (type === RDB_STRING) {
      reader.string();
      this.#sink.string(entry, reader.bytes, reader.start, reader.end);
      this.#forgetFacts();
      return;
    }
    this.#keepKey();
    const name = foreignTypes.get(type);
    if (name !== undefined) {
      throw new RdbFormatError(`key "${this.#shownKey}" is of type ${name}, which this node does not hold`);
    }
    const value = new RdbValueReader(type, reader);
    this.#valueSink = this.#sink.entry(entry);
    this.#value = value;
  }

  /** The value may come in parts: the key has to outlast the bytes it was read from. */
  #keepKey(): void {
    const entry = this.#entry;
    const { key, keyStart, keyEnd } = entry;
    const length = keyEnd - keyStart;
    const room = length <= KEY_ROOM_BYTES ? this.#keyRoom : Buffer.allocUnsafe(length);
    if (length > SHORT_KEY_BYTES) key.copy(room, 0, keyStart, keyEnd);
    else for (let i = 0; i < length; i++) room[i] = key[keyStart + i];
    entry.key = room;
    entry.keyStart = 0;
    entry.keyEnd = length;
  }

  #endEntry(): void {
    this.#sink.entryEnd();
    this.#forgetFacts();
  }

  #forgetFacts(): void {
    this.#entry.expiresAt = 0;
    this.#entry.idleSeconds = null;
    this.#entry.frequency = null;
  }

  /** What is said about the file, a database or the next entry. */
  #readFact(code: number, reader: RdbReader): void {
    const entry = this.#entry;
    if (code === OPCODE_EXPIRY_MS) entry.expiresAt = Math.max(1, reader.milliseconds());
    else if (code === OPCODE_EXPIRY) entry.expiresAt = Math.max(1, reader.seconds() * 1000);
    else if (code === OPCODE_IDLE) entry.idleSeconds = reader.length();
    else if (code === OPCODE_FREQUENCY) entry.frequency = reader.byte();
    else if (code === OPCODE_SELECT) entry.database = reader.length();
    else if (code === OPCODE_RESIZE) this.#sink.size(entry.database, reader.length(), reader.length());
    else if (code === OPCODE_AUX) this.#readAux(reader);
    else if (code === OPCODE_MODULE_AUX) throw new RdbFormatError('the file has data of a module');
    else if (code === OPCODE_FUNCTION || code === OPCODE_FUNCTION_PRE_GA)
      throw new RdbFormatError('the file has functions, which this node does not hold');
  }

  #readAux(reader: RdbReader): void {
    reader.string();
    this.#noteAuxName(reader.bytes, reader.start, reader.end);
    reader.string();
    this.#sink.aux(this.#auxName, reader.bytes, reader.start, reader.end);
  }

  /** Most fields have the name of the one before. */
  #noteAuxName(buffer: Buffer, start: number, end: number): void {
    const name = this.#auxName;
    let at = 0;
    while (at < name.length && start + at < end && name.charCodeAt(at) === buffer[start + at]) at++;
    if (at !== name.length || start + at !== end) this.#auxName = buffer.latin1Slice(start, end);
  }

  #readEnd(reader: RdbReader, buffer: Buffer, start: number): void {
    if (this.#version >= CHECKSUM_VERSION) {
      const end = reader.at;
      const checksum = reader.raw(CHECKSUM_BYTES);
      // A checksum of zeros says that there is none.
      const isSummed = checksum.some((byte) => byte !== 0);
      if (isSummed && !this.#crc.update(buffer, start, end).equals(checksum, 0))
        throw new RdbFormatError('the checksum is wrong');
    }
    this.isDone = true;
  }
}
