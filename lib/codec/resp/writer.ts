import { copyWords, MOST_WORD_BYTES, viewOf } from '../../base/index.ts';
import { NO_BYTES } from './byte-feed.ts';
import { formatDouble } from './double-text.ts';

const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;
const MINUS = 0x2d;
const DOLLAR = 0x24;
const COLON = 0x3a;

/** Runs shorter than this are copied by a loop: a native call costs more. */
const LOOP_BYTES = 24;
/** A bulk string below that, with its header and line ends. */
const SHORT_BULK_BYTES = LOOP_BYTES + 7;
const FIRST_SLAB_BYTES = 1024;
/** Batches whose views are used again. */
const KEPT_BATCHES = 64;
/** A slab above this (or above the first, if that is larger) is not kept while nothing is to be written. */
const KEPT_SLAB_BYTES = 16 * 1024;
/** Sign, 19 digits, type and line end of a 64-bit number. */
const NUMBER_BYTES = 24;

/** Replies that were taken at once. */
interface Batch {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * Writes replies into one growing slab of memory; `take` hands out what has been written, without a copy.
 *
 * `protocol` decides how the RESP3 types go out: a client that speaks RESP2 gets what Redis would send it instead.
 * `rewind` lets the slab be used from its start again, which keeps a busy connection free of allocations.
 */
export class RespWriter {
  /** What the client speaks. */
  protocol: 2 | 3 = 2;

  private slab: Buffer = NO_BYTES;
  /** Of `slab`, once it was needed. */
  private slabView: DataView | null = null;
  private at = 0;
  private taken = 0;
  private readonly firstSlabBytes: number;
  private readonly keptSlabBytes: number;
  private batchBytes = 0;
  /** Views that were handed out since the slab was last used from its start, or the time before. */
  private batches: Batch[] = [];
  private batchCount = 0;

  /** `firstSlabBytes` is allocated at the first write. */
  constructor(firstSlabBytes = FIRST_SLAB_BYTES) {
    this.firstSlabBytes = firstSlabBytes;
    this.keptSlabBytes = Math.max(firstSlabBytes, KEPT_SLAB_BYTES);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.at - this.taken;
  }

  /** `+OK` */
  ok(): void {
    if (this.slab.length - this.at < 5) this.grow(5);
    const slab = this.slab;
    const at = this.at;
    slab[at] = 0x2b;
    slab[at + 1] = 0x4f;
    slab[at + 2] = 0x4b;
    slab[at + 3] = CR;
    slab[at + 4] = LF;
    this.at = at + 5;
  }

  /** A simple string; line breaks become spaces. */
  simple(text: string): void {
    this.line(0x2b, text);
  }

  /** An error reply: its code, a space, and the text, without the leading `-`; line breaks become spaces. */
  error(text: string): void {
    this.line(MINUS, text);
  }

  /** A whole number of up to 64 bits. */
  integer(value: number | bigint): void {
    this.number(COLON, value);
  }

  /** A bulk string: the bytes of `buffer` from `start` to `end`; with a `view` of the same memory a short one is copied faster. */
  bulk(buffer: Uint8Array, start = 0, end = buffer.length, view: DataView | null = null): void {
    const bytes = end - start;
    if (bytes < LOOP_BYTES) {
      this.shortBulk(buffer, start, end);
      return;
    }
    this.number(DOLLAR, bytes);
    if (view === null || bytes > MOST_WORD_BYTES) this.raw(buffer, start, end);
    else this.words(view, start, bytes);
    this.lineEnd();
  }

  private words(view: DataView, start: number, bytes: number): void {
    if (this.slab.length - this.at < bytes) this.grow(bytes);
    this.slabView ??= viewOf(this.slab);
    copyWords(view, start, bytes, this.slabView, this.at);
    this.at += bytes;
  }

  /** A bulk string of less than LOOP_BYTES: what most elements of collections are. */
  private shortBulk(buffer: Uint8Array, start: number, end: number): void {
    if (this.slab.length - this.at < SHORT_BULK_BYTES) this.grow(SHORT_BULK_BYTES);
    const slab = this.slab;
    let at = this.at;
    let digit = end - start;
    slab[at++] = DOLLAR;
    if (digit >= 10) {
      const tens = digit >= 20 ? 2 : 1;
      slab[at++] = ZERO + tens;
      digit -= tens * 10;
    }
    slab[at] = ZERO + digit;
    slab[at + 1] = CR;
    slab[at + 2] = LF;
    at += 3;
    for (let i = start; i < end; i++) slab[at++] = buffer[i];
    slab[at] = CR;
    slab[at + 1] = LF;
    this.at = at + 2;
  }

  /** A bulk string of the characters of `text`, one byte each. */
  bulkLatin1(text: string): void {
    const bytes = text.length;
    this.number(DOLLAR, bytes);
    if (this.slab.length - this.at < bytes + 2) this.grow(bytes + 2);
    if (bytes < LOOP_BYTES) {
      const slab = this.slab;
      const at = this.at;
      for (let i = 0; i < bytes; i++) slab[at + i] = text.charCodeAt(i);
    } else {
      this.slab.latin1Write(text, this.at, bytes);
    }
    this.at += bytes;
    this.lineEnd();
  }

  /** A bulk string of `text` as UTF-8. */
  bulkUtf8(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.number(DOLLAR, bytes);
    if (this.slab.length - this.at < bytes) this.grow(bytes);
    this.slab.utf8Write(text, this.at, bytes);
    this.at += bytes;
    this.lineEnd();
  }

  /** No value: `$-1`, in RESP3 `_`. */
  nullBulk(): void {
    this.nothing(DOLLAR);
  }

  /** No array: `*-1`, in RESP3 `_`. */
  nullArray(): void {
    this.nothing(0x2a);
  }

  /** `count` replies follow. */
  arrayHeader(count: number): void {
    this.number(0x2a, count);
  }

  /** `pairs` keys and values follow; in RESP2 a flat array. */
  mapHeader(pairs: number): void {
    if (this.protocol === 3) this.number(0x25, pairs);
    else this.number(0x2a, 2 * pairs);
  }

  /** `count` members follow; in RESP2 an array. */
  setHeader(count: number): void {
    this.number(this.protocol === 3 ? 0x7e : 0x2a, count);
  }

  /** `count` parts of an out-of-band message follow; in RESP2 an array. */
  pushHeader(count: number): void {
    this.number(this.protocol === 3 ? 0x3e : 0x2a, count);
  }

  /** `pairs` attributes of the reply after them follow. Only for RESP3: a RESP2 client must not be sent any. */
  attributeHeader(pairs: number): void {
    this.number(0x7c, pairs);
  }

  /** A floating-point number, with 17 significant digits as Redis 7.0 prints it; in RESP2 a bulk string. */
  double(value: number): void {
    this.decimal(formatDouble(value));
  }

  /** A floating-point number as it is written out already; in RESP2 a bulk string. */
  decimal(text: string): void {
    if (this.protocol === 3) this.line(0x2c, text);
    else this.bulkLatin1(text);
  }

  /** True or false; in RESP2 `:1` or `:0`. */
  boolean(value: boolean): void {
    if (this.protocol === 3) this.line(0x23, value ? 't' : 'f');
    else this.integer(value ? 1 : 0);
  }

  /** A whole number of any size; in RESP2 a bulk string. */
  bigNumber(value: bigint): void {
    if (this.protocol === 3) this.line(0x28, value.toString());
    else this.bulkLatin1(value.toString());
  }

  /** A text with a format of three letters (`txt`, `mkd`); in RESP2 a bulk string of the text alone. */
  verbatim(format: string, text: string): void {
    if (this.protocol !== 3) {
      this.bulkUtf8(text);
      return;
    }
    const bytes = Buffer.from(`${format}:${text}`);
    this.number(0x3d, bytes.length);
    this.raw(bytes, 0, bytes.length);
    this.lineEnd();
  }

  /** Bytes as they are, for example a frame from another connection. */
  raw(buffer: Uint8Array, start: number, end: number): void {
    const bytes = end - start;
    if (this.slab.length - this.at < bytes) this.grow(bytes);
    const slab = this.slab;
    const at = this.at;
    if (bytes < LOOP_BYTES) {
      for (let i = 0; i < bytes; i++) slab[at + i] = buffer[start + i];
    } else {
      (buffer as Buffer).copy(slab, at, start, end);
    }
    this.at = at + bytes;
  }

  /**
   * Puts what `write` writes before everything written since `length` was `offset`: for the header of a reply whose size shows at its end.
   * To be called in the same turn, without a `take` between.
   */
  insertAt(offset: number, write: () => void): void {
    const body = this.length - offset;
    write();
    const start = this.taken + offset;
    const inserted = Uint8Array.from(this.slab.subarray(start + body, this.at));
    this.slab.copyWithin(start + inserted.length, start, start + body);
    this.slab.set(inserted, start);
  }

  /** What has been written since `length` was `offset`, one character a byte. To be called in the same turn, without a `take` between. */
  textSince(offset: number): string {
    return this.slab.latin1Slice(this.taken + offset, this.at);
  }

  /** Hands out everything written since the last `take` as one view of the slab. It stays true until `rewind`. */
  take(): Buffer {
    const bytes = this.batch();
    this.batchBytes = Math.max(this.at - this.taken, this.batchBytes - (this.batchBytes >> 3));
    this.taken = this.at;
    if (this.slab.length > this.keptSlabBytes) this.letGo();
    return bytes;
  }

  /** What is to be taken. Where a batch began and ended as its like did before the last `rewind`, the view of that one is good again. */
  private batch(): Buffer {
    const { slab, taken, at, batches } = this;
    const i = this.batchCount++;
    const before = i < batches.length ? batches[i] : undefined;
    if (before !== undefined && before.start === taken && before.end === at) return before.bytes;
    const bytes = slab.subarray(taken, at);
    if (i < KEPT_BATCHES) batches[i] = { bytes, start: taken, end: at };
    return bytes;
  }

  /**
   * Starts over at the beginning of the slab. The caller promises that nobody reads taken bytes any more, as is so
   * when a socket has accepted them all (`socket.writableLength === 0` after the write). Does nothing while bytes wait to be taken.
   */
  rewind(): void {
    if (this.at !== this.taken) return;
    this.at = 0;
    this.taken = 0;
    this.batchCount = 0;
  }

  private letGo(): void {
    this.slab = NO_BYTES;
    this.slabView = null;
    this.batches = [];
    this.at = 0;
    this.taken = 0;
  }

  private nothing(type: number): void {
    if (this.slab.length - this.at < 5) this.grow(5);
    const slab = this.slab;
    let at = this.at;
    if (this.protocol === 3) {
      slab[at++] = 0x5f;
    } else {
      slab[at++] = type;
      slab[at++] = MINUS;
      slab[at++] = 0x31;
    }
    slab[at++] = CR;
    slab[at++] = LF;
    this.at = at;
  }

  /** A type byte, a number and a line end. */
  private number(type: number, value: number | bigint): void {
    if (typeof value !== 'number' || (value | 0) !== value || value < 0) {
      this.bigInteger(type, value);
      return;
    }
    if (this.slab.length - this.at < NUMBER_BYTES) this.grow(NUMBER_BYTES);
    const slab = this.slab;
    let at = this.at;
    slab[at++] = type;
    let left = value | 0;
    let end = at + 1;
    if (left >= 10) end += left < 100 ? 1 : left < 1000 ? 2 : decimalDigits(left) - 1;
    for (at = end - 1; left >= 10; at--) {
      const tens = (left / 10) | 0;
      slab[at] = ZERO + left - tens * 10;
      left = tens;
    }
    slab[at] = ZERO + left;
    slab[end] = CR;
    slab[end + 1] = LF;
    this.at = end + 2;
  }

  private bigInteger(type: number, value: number | bigint): void {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      throw new RangeError(`${value} is no whole number that a reply could carry exactly`);
    }
    this.line(type, String(value));
  }

  private line(type: number, text: string): void {
    const longest = text.length * 3 + 3;
    if (this.slab.length - this.at < longest) this.grow(longest);
    const slab = this.slab;
    let at = this.at;
    slab[at++] = type;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        at += slab.utf8Write(text.slice(i).replace(/[\r\n]/g, ' '), at);
        break;
      }
      slab[at++] = code === CR || code === LF ? 0x20 : code;
    }
    slab[at++] = CR;
    slab[at++] = LF;
    this.at = at;
  }

  private lineEnd(): void {
    if (this.slab.length - this.at < 2) this.grow(2);
    this.slab[this.at] = CR;
    this.slab[this.at + 1] = LF;
    this.at += 2;
  }

  /** Moves what waits into a new slab with room for `bytes` more. */
  private grow(bytes: number): void {
    const waiting = this.at - this.taken;
    const least = waiting + bytes + Math.max(waiting >> 1, NUMBER_BYTES);
    const slab = Buffer.allocUnsafe(
      Math.max(this.firstSlabBytes, Math.min(this.batchBytes * 2, this.keptSlabBytes), least),
    );
    this.slab.copy(slab, 0, this.taken, this.at);
    this.slab = slab;
    this.slabView = null;
    this.batches = [];
    this.at = waiting;
    this.taken = 0;
  }
}

function decimalDigits(value: number): number {
  if (value < 1e5) return value < 1e4 ? 4 : 5;
  if (value < 1e7) return value < 1e6 ? 6 : 7;
  if (value < 1e9) return value < 1e8 ? 8 : 9;
  return 10;
}
