import { Crc64 } from './crc64.ts';
import { type RdbSink, readRdbValue } from './read-value.ts';
import { type RdbLimits, RdbReader } from './reader.ts';
import { RDB_VERSION } from './types.ts';
import type { RdbWriter } from './writer.ts';

/** Version and checksum behind the value. */
const FOOTER_BYTES = 10;
const CHECKSUM_BYTES = 8;

/** Ends a type and value as DUMP does: puts version and checksum behind them. Returns all of it, valid as long as the writer is not used. */
export function sealPayload(writer: RdbWriter): Buffer {
  writer.reserve(FOOTER_BYTES);
  writer.length = writer.buffer.writeUInt16LE(RDB_VERSION, writer.length);
  new Crc64().update(writer.buffer, 0, writer.length).writeTo(writer.buffer, writer.length);
  writer.length += CHECKSUM_BYTES;
  return writer.buffer.subarray(0, writer.length);
}

/** Whether the bytes are whole and of a version that can be read. */
export function isSealed(payload: Buffer): boolean {
  const footer = payload.length - FOOTER_BYTES;
  if (footer < 0 || payload.readUInt16LE(footer) > RDB_VERSION) return false;
  const checksumAt = payload.length - CHECKSUM_BYTES;
  return new Crc64().update(payload, 0, checksumAt).equals(payload, checksumAt);
}

/** Reads what DUMP gives. */
export class PayloadReader {
  readonly #limits: RdbLimits;

  constructor(limits: RdbLimits) {
    this.#limits = limits;
  }

  /** Reads the value of a payload that `isSealed`. Throws RdbFormatError as `readRdbValue` does. */
  read(payload: Buffer, sink: RdbSink): void {
    const reader = new RdbReader(this.#limits, payload, 0, payload.length - FOOTER_BYTES);
    const type = reader.byte();
    readRdbValue(type, reader, sink);
  }

  /** Makes sure that a sealed payload has a sound value. Throws RdbFormatError. */
  check(payload: Buffer): void {
    this.read(payload, new Checker());
  }
}

/** Finds what comes twice. */
class Checker implements RdbSink {
  readonly #seen = new Set<string>();
  #isList = false;

  begin(kind: string): void {
    this.#isList = kind === 'list';
  }

  string(): void {}

  element(buffer: Buffer, start: number, end: number): boolean {
    return this.#isList || this.#isNew(buffer, start, end);
  }

  member(buffer: Buffer, start: number, end: number): boolean {
    return this.#isNew(buffer, start, end);
  }

  field(buffer: Buffer, start: number, end: number): boolean {
    return this.#isNew(buffer, start, end);
  }

  #isNew(buffer: Buffer, start: number, end: number): boolean {
    const { size } = this.#seen;
    return this.#seen.add(buffer.latin1Slice(start, end)).size !== size;
  }
}
