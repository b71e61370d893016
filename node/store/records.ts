import { copyWords, MOST_WORD_BYTES, sameWords } from '../../lib/base/index.ts';
import { murmur3x86_32Hash } from '../../lib/ring/index.ts';
import {
  FILLER_BIT,
  forwardedTo,
  KeyHashes,
  type LogLimits,
  type RecordFormat,
  type RefKeys,
  readWord,
  type Segment,
  SegmentLog,
  writeWord,
} from '../../lib/store/index.ts';
import { copy, equals } from './bytes.ts';
import type { Space } from './space.ts';
import type { ValueType } from './value-type.ts';

/*
 * The record of an entry:
 *
 *     flags 1, key length 1, value length 1, version 3,
 *     [extension 1, the blocks it names], [key length 4], [value length 4], key, value
 *
 * A length of 255 says that the length follows in four bytes. The version is the distance from the base of the segment, plus one; 0 is version
 * 0. All numbers are little-endian.
 */
const HEADER_BYTES = 6;
const KEY_LENGTH = 1;
const VALUE_LENGTH = 2;
const VERSION = 3;
const LONG = 255;
/** The last time that can be told in 48 bits; the year is 10889. */
export const MAX_TIME_MS = 2 ** 48 - 1;
const MAX_DISTANCE = 2 ** 24;
/** How far below the first version of a segment its base is, for records that come here later though they are older. */
const BASE_MARGIN = 2 ** 22;

/** Bits of the flags: the type, "the value is the number of an object", the frequency of S3-FIFO, "there is an extension". */
const TYPE_BITS = 0x07;
export const OBJECT = 0x08;
export const FREQUENCY_SHIFT = 4;
export const MAX_FREQUENCY = 3;
const FREQUENCY_BITS = MAX_FREQUENCY << FREQUENCY_SHIFT;
const EXTENDED = 0x40;

/**
 * Blocks of the extension, in this order: expiry 6 with links of the timing wheel 8; links of the policy 8 with its word 4; version 8; soft
 * expiry 6 with client flags 4 and last access 4.
 */
export const EXPIRY = 1;
export const LINKS = 2;
export const WIDE_VERSION = 4;
export const RARE = 8;
/** No block, but a fact. */
export const TAGGED = 16;
const BLOCKS = 15;
const BLOCKS_AT = HEADER_BYTES + 1;
const EXPIRY_LINKS_AT = BLOCKS_AT + 6;
const blockBytes = [14, 12, 8, 14];
/** Bytes of the blocks before the one with this bit, and of all blocks, by the extension. */
const bytesBefore = (extension: number, block: number) =>
  blockBytes.reduce((sum, bytes, i) => (extension & (1 << i) & (block - 1) ? sum + bytes : sum), 0);
const BLOCK_BYTES = Uint8Array.from({ length: 16 }, (_, extension) => bytesBefore(extension, 16));
const BEFORE_LINKS = Uint8Array.from({ length: 16 }, (_, extension) => bytesBefore(extension, LINKS));
const BEFORE_WIDE = Uint8Array.from({ length: 16 }, (_, extension) => bytesBefore(extension, WIDE_VERSION));
const BEFORE_RARE = Uint8Array.from({ length: 16 }, (_, extension) => bytesBefore(extension, RARE));

/** What to write where a record has been made room for. */
export interface RecordShape {
  flags: number;
  extension: number;
  keyLength: number;
  valueLength: number;
}

/**
 * Reads and writes the fields of records in a log. After `locate` the fields describe that record, until anything is written by somebody
 * else.
 */
export class Records implements RecordFormat, RefKeys {
  readonly log: SegmentLog<Space>;
  readonly keys: KeyHashes;
  /** The located record. */
  ref = 0;
  segment!: Segment<Space>;
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  flags = 0;
  /** After `parse`. */
  extension = 0;
  keyAt = 0;
  keyLength = 0;
  valueLength = 0;

  constructor(limits: LogLimits, hashSeed: number) {
    this.log = new SegmentLog<Space>(limits, this);
    this.keys = new KeyHashes(murmur3x86_32Hash, hashSeed);
  }

  hash(buffer: Buffer, start: number, end: number): number {
    return this.keys.of(buffer, start, end);
  }

  /** Finds a record, also when it has moved since its address was got. */
  locate(ref: number): void {
    const { log } = this;
    const segment = log.segmentOf(ref);
    const { bytes } = segment;
    const at = log.offsetOf(ref);
    const flags = bytes[at];
    if ((flags & FILLER_BIT) !== 0) {
      const to = forwardedTo(bytes, at);
      if (to === 0) throw new Error('the entry has been removed');
      this.locate(to);
      return;
    }
    this.ref = ref;
    // To refer to another object costs the collector's barrier.
    if (this.segment !== segment) this.segment = segment;
    if (this.bytes !== bytes) this.bytes = bytes;
    this.at = at;
    this.flags = flags;
  }

  /** Finds a record, its key and its value. */
  parse(ref: number): void {
    this.locate(ref);
    const { bytes, at } = this;
    let next = at + HEADER_BYTES;
    this.extension = 0;
    if ((this.flags & EXTENDED) !== 0) {
      this.extension = bytes[next];
      next += 1 + BLOCK_BYTES[bytes[next] & BLOCKS];
    }
    this.keyLength = bytes[at + KEY_LENGTH];
    if (this.keyLength === LONG) {
      this.keyLength = readWord(bytes, next);
      next += 4;
    }
    this.valueLength = bytes[at + VALUE_LENGTH];
    if (this.valueLength === LONG) {
      this.valueLength = readWord(bytes, next);
      next += 4;
    }
    this.keyAt = next;
  }

  /** Of the parsed record: where its value begins. */
  get valueAt(): number {
    return this.keyAt + this.keyLength;
  }

  /** Of the parsed record. */
  get size(): number {
    return this.log.round(this.keyAt - this.at + this.keyLength + this.valueLength);
  }

  sizeAt(bytes: Buffer, at: number): number {
    let size = HEADER_BYTES;
    if ((bytes[at] & EXTENDED) !== 0) size += 1 + BLOCK_BYTES[bytes[at + HEADER_BYTES] & BLOCKS];
    let keyLength = bytes[at + KEY_LENGTH];
    if (keyLength === LONG) {
      keyLength = readWord(bytes, at + size);
      size += 4;
    }
    let valueLength = bytes[at + VALUE_LENGTH];
    if (valueLength === LONG) {
      valueLength = readWord(bytes, at + size);
      size += 4;
    }
    return this.log.round(size + keyLength + valueLength);
  }

  touchByte(ref: number): number {
    return this.log.segmentOf(ref).bytes[this.log.offsetOf(ref)];
  }

  hashOf(ref: number): number {
    const { bytes } = this.log.segmentOf(ref);
    const at = this.log.offsetOf(ref);
    const start = this.#keyAt(bytes, at);
    const length = bytes[at + KEY_LENGTH];
    if (length !== LONG) return this.hash(bytes, start, start + length);
    this.parse(ref);
    return this.hash(bytes, this.keyAt, this.valueAt);
  }

  /** Where a key of up to 254 bytes begins. */
  #keyAt(bytes: Buffer, at: number): number {
    let start = at + HEADER_BYTES;
    if ((bytes[at] & EXTENDED) !== 0) start += 1 + BLOCK_BYTES[bytes[start] & BLOCKS];
    return bytes[at + VALUE_LENGTH] === LONG ? start + 4 : start;
  }

  matches(ref: number, buffer: Buffer, start: number, end: number): boolean {
    const { bytes, view } = this.log.segmentOf(ref);
    const at = this.log.offsetOf(ref);
    const length = end - start;
    if (length < LONG) {
      if (bytes[at + KEY_LENGTH] !== length) return false;
      const keyAt = this.#keyAt(bytes, at);
      const { input, inputView } = this.keys;
      if (buffer === input) return sameWords(view, keyAt, inputView, start, length);
      return equals(bytes, keyAt, buffer, start, length);
    }
    if (bytes[at + KEY_LENGTH] !== LONG) return false;
    this.parse(ref);
    return this.keyLength === length && equals(bytes, this.keyAt, buffer, start, length);
  }

  /** Bytes a record of this shape takes. */
  sizeOf({ extension, keyLength, valueLength }: RecordShape): number {
    return this.log.round(
      HEADER_BYTES + extraBytes(extension, keyLength, valueLength) + keyLength + valueLength,
    );
  }

  /** Writes all of a record but blocks, version, key and value, and parses it. Returns nothing; `keyAt` is where the key goes. */
  begin(ref: number, shape: RecordShape): void {
    const { extension, keyLength, valueLength } = shape;
    this.segment = this.log.segmentOf(ref);
    const { bytes } = this.segment;
    const at = this.log.offsetOf(ref);
    this.ref = ref;
    this.bytes = bytes;
    this.at = at;
    this.flags = (shape.flags & ~EXTENDED) | (extension === 0 ? 0 : EXTENDED);
    this.extension = extension;
    this.keyLength = keyLength;
    this.valueLength = valueLength;
    this.keyAt = at + HEADER_BYTES + extraBytes(extension, keyLength, valueLength);
    bytes[at] = this.flags;
    bytes[at + KEY_LENGTH] = Math.min(keyLength, LONG);
    bytes[at + VALUE_LENGTH] = Math.min(valueLength, LONG);
    if (extension !== 0) bytes[at + HEADER_BYTES] = extension;
    let lengthAt = this.keyAt;
    if (valueLength >= LONG) {
      lengthAt -= 4;
      writeWord(bytes, lengthAt, valueLength);
    }
    if (keyLength >= LONG) writeWord(bytes, lengthAt - 4, keyLength);
  }

  /** Of a record that was just begun. Its version is 0. */
  writeKey(buffer: Buffer, start: number, end: number): void {
    this.write(buffer, start, end, this.keyAt);
    const at = this.at + VERSION;
    this.bytes[at] = 0;
    this.bytes[at + 1] = 0;
    this.bytes[at + 2] = 0;
  }

  /** Copies bytes into the parsed record. */
  write(buffer: Buffer, start: number, end: number, at: number): void {
    const length = end - start;
    const { input, inputView } = this.keys;
    if (buffer !== input || length > MOST_WORD_BYTES) copy(buffer, start, end, this.bytes, at);
    else copyWords(inputView, start, length, this.segment.view, at);
  }

  /** Where the key of a record of this shape at `ref` begins. */
  keyAtIn(ref: number, { extension, keyLength, valueLength }: RecordShape): number {
    return this.log.offsetOf(ref) + HEADER_BYTES + extraBytes(extension, keyLength, valueLength);
  }

  /** Of the parsed record: whether it has the block. */
  has(block: number): boolean {
    return (this.extension & block) !== 0;
  }

  /** Extension of a located record. */
  extensionOf(): number {
    return (this.flags & EXTENDED) === 0 ? 0 : this.bytes[this.at + HEADER_BYTES];
  }

  setFlags(flags: number): void {
    this.flags = flags;
    this.bytes[this.at] = flags;
  }

  get type(): ValueType {
    return (this.flags & TYPE_BITS) as ValueType;
  }

  setType(type: ValueType, isObject: boolean): void {
    this.setFlags((this.flags & ~(TYPE_BITS | OBJECT)) | type | (isObject ? OBJECT : 0));
  }

  get frequency(): number {
    return (this.flags & FREQUENCY_BITS) >>> FREQUENCY_SHIFT;
  }

  setFrequency(frequency: number): void {
    this.setFlags((this.flags & ~FREQUENCY_BITS) | (frequency << FREQUENCY_SHIFT));
  }

  /** Of a located record: unix milliseconds, 0 for none. */
  get expiresAt(): number {
    if ((this.flags & EXTENDED) === 0) return 0;
    const at = this.at + HEADER_BYTES;
    return (this.bytes[at] & EXPIRY) === 0 ? 0 : readTime(this.bytes, at + 1);
  }

  /** The record must have the block. */
  setExpiresAt(atMs: number): void {
    writeTime(this.bytes, this.at + BLOCKS_AT, atMs);
  }

  /** Where the expiry block is in a record that has it. */
  expiryAt(at: number): number {
    return at + BLOCKS_AT;
  }

  /** Where the two links of a block are, in the bytes of a record that has it. */
  linksAt(bytes: Buffer, at: number, block: number): number {
    if (block === EXPIRY) return at + EXPIRY_LINKS_AT;
    return at + BLOCKS_AT + BEFORE_LINKS[bytes[at + HEADER_BYTES] & BLOCKS];
  }

  /** Of a parsed record with the block `RARE`. */
  get rareAt(): number {
    return this.at + BLOCKS_AT + BEFORE_RARE[this.extension & BLOCKS];
  }

  get softExpiresAt(): number {
    return this.has(RARE) ? readTime(this.bytes, this.rareAt) : 0;
  }

  get clientFlags(): number {
    return this.has(RARE) ? readWord(this.bytes, this.rareAt + 6) >>> 0 : 0;
  }

  /** Seconds, and in the lowest bit whether there was a read; 0: not known. */
  get access(): number {
    return this.has(RARE) ? readWord(this.bytes, this.rareAt + 10) >>> 0 : 0;
  }

  setAccess(access: number): void {
    writeWord(this.bytes, this.rareAt + 10, access);
  }

  setSoftExpiresAt(atMs: number): void {
    writeTime(this.bytes, this.rareAt, atMs);
  }

  setClientFlags(flags: number): void {
    writeWord(this.bytes, this.rareAt + 6, flags);
  }

  #wideAt(): number {
    return this.at + BLOCKS_AT + BEFORE_WIDE[this.extensionOf() & BLOCKS];
  }

  /** Of a located record: upper and lower 32 bits of its version. */
  get versionHigh(): number {
    if ((this.extensionOf() & WIDE_VERSION) !== 0) return readWord(this.bytes, this.#wideAt()) >>> 0;
    const distance = this.#distance();
    if (distance === 0) return 0;
    const { baseHigh, baseLow } = this.segment;
    return baseLow + distance - 1 >= 2 ** 32 ? baseHigh + 1 : baseHigh;
  }

  get versionLow(): number {
    if ((this.extensionOf() & WIDE_VERSION) !== 0) return readWord(this.bytes, this.#wideAt() + 4) >>> 0;
    const distance = this.#distance();
    return distance === 0 ? 0 : (this.segment.baseLow + distance - 1) >>> 0;
  }

  #distance(): number {
    const at = this.at + VERSION;
    return this.bytes[at] | (this.bytes[at + 1] << 8) | (this.bytes[at + 2] << 16);
  }

  /** Whether a version can be told by its distance in this segment. Gives the segment its base when it has none. */
  fits(segment: Segment<Space>, high: number, low: number): boolean {
    if (high === 0 && low === 0) return true;
    if (segment.baseHigh < 0) {
      const base = Math.max(0, low - BASE_MARGIN);
      segment.baseHigh = high;
      segment.baseLow = base;
    }
    const distance = distanceOf(segment, high, low);
    return distance >= 1 && distance < MAX_DISTANCE;
  }

  /** Writes the version of a located record, in the wide block if it has that, else as a distance, which must fit. */
  setVersion(high: number, low: number): void {
    const { bytes } = this;
    if ((this.extensionOf() & WIDE_VERSION) !== 0) {
      const at = this.#wideAt();
      writeWord(bytes, at, high);
      writeWord(bytes, at + 4, low);
      return;
    }
    const distance = high === 0 && low === 0 ? 0 : distanceOf(this.segment, high, low);
    const at = this.at + VERSION;
    bytes[at] = distance;
    bytes[at + 1] = distance >>> 8;
    bytes[at + 2] = distance >>> 16;
  }
}

function distanceOf(segment: Segment<Space>, high: number, low: number): number {
  return (high - segment.baseHigh) * 2 ** 32 + (low - segment.baseLow) + 1;
}

/** Bytes between the header and the key. */
function extraBytes(extension: number, keyLength: number, valueLength: number): number {
  const blocks = extension === 0 ? 0 : 1 + BLOCK_BYTES[extension & BLOCKS];
  return blocks + (keyLength >= LONG ? 4 : 0) + (valueLength >= LONG ? 4 : 0);
}

/** A whole number of 48 bits. */
function readTime(bytes: Buffer, at: number): number {
  return (readWord(bytes, at) >>> 0) + (bytes[at + 4] | (bytes[at + 5] << 8)) * 2 ** 32;
}

function writeTime(bytes: Buffer, at: number, value: number): void {
  writeWord(bytes, at, value);
  const high = Math.floor(value / 2 ** 32);
  bytes[at + 4] = high;
  bytes[at + 5] = high >>> 8;
}
