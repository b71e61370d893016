import { parseSafeInteger } from './numbers.ts';
import { RespProtocolError } from './protocol-error.ts';

export const NO_BYTES = Buffer.alloc(0);

/** What `header` returns beside lengths. */
export const INCOMPLETE = -1;
export const NEGATIVE = -2;
export const INVALID = -3;

const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;
/** More digits than any length that is accepted. */
const MAX_DIGITS = 10;

/** The least that is copied to finish a frame that straddles two chunks: most frames are shorter. */
const STITCH_BYTES = 256;
/** A chunk that is at most this much longer than what the frame needs is copied whole. */
const COPY_BYTES = 4096;

/**
 * What the request parser and the reply framer share: the bytes that have arrived, as few copies as possible.
 *
 * A chunk is scanned in place. When a frame straddles chunks, its bytes are copied together ("stitched"), and scanning
 * goes on in the last chunk where the frame ends. Bytes that were part of a frame are never overwritten, so
 * views of them stay true as long as somebody holds them.
 */
export abstract class ByteFeed {
  /** Holds the current frame; changes with each `next()`. */
  buffer: Buffer = NO_BYTES;
  /** Where the current frame begins in `buffer`. */
  frameStart = 0;
  /** Where the current frame ends in `buffer` (exclusive). */
  frameEnd = 0;

  /** What was not made frames of yet: `input[head, filled)`, for those who may read on by themselves, and what waits in other memory. */
  input: Buffer = NO_BYTES;
  /** First byte of the frame that is being scanned. */
  head = 0;
  /** Where scanning goes on. */
  protected at = 0;
  /** End of the bytes in `input`. */
  filled = 0;
  /** Bytes, counted from `head`, without which the frame cannot be complete; 0: not known. */
  protected need = 0;
  /** Exact length of the frame once it is known, else 0. */
  protected whole = 0;
  protected readonly maxFrameBytes: number;

  /** Behind the header that `header` has read. */
  protected headerEnd = 0;
  /** How far, counted from `head`, `find` has looked in vain. */
  private searched = 0;
  private owned = false;
  private drained = true;
  private overflow = false;
  private tail: Buffer | null = null;
  private tailStart = 0;
  private tailAt = 0;
  private tailEnd = 0;
  private failure: RespProtocolError | null = null;

  protected constructor(maxFrameBytes: number) {
    this.maxFrameBytes = Math.min(maxFrameBytes, 0x7fffffff);
  }

  /** Bytes held that no frame has been made of yet. At most the limit whenever `next()` has returned false. */
  get bufferedBytes(): number {
    return this.filled - this.head + (this.tail === null ? 0 : this.tailEnd - this.tailAt);
  }

  /**
   * Takes over `chunk[start, end)`: the caller must not change these bytes any more, unless it calls `own` first.
   * Never throws; `next()` tells of a broken limit.
   */
  push(chunk: Buffer, start = 0, end = chunk.length): void {
    const length = end - start;
    if (this.failure !== null || length === 0) return;
    const pending = this.filled - this.head;
    if (pending === 0 && this.tail === null) {
      this.useInput(chunk, start, end);
    } else if (!this.drained) {
      this.pushUndrained(chunk, start, end);
    } else if (length > Math.max(this.need - pending, pending, STITCH_BYTES) + COPY_BYTES) {
      this.tail = chunk;
      this.tailStart = start;
      this.tailAt = start;
      this.tailEnd = end;
    } else {
      this.append(chunk, start, end);
    }
    this.drained = false;
  }

  /** All that waits lies in `input`, and is within the limits. */
  protected get isWhole(): boolean {
    return this.tail === null && this.failure === null && !this.overflow;
  }

  /**
   * Moves to the next complete frame; false when more bytes are needed. Ends the life of the frame before.
   * Throws RespProtocolError, and from then on always the same one.
   */
  next(): boolean {
    if (this.failure !== null) throw this.failure;
    if (this.tail !== null) this.leaveStitch();
    do {
      if (this.scan()) return true;
    } while (this.extend());
    if (this.overflow) this.fail('too much unprocessed data');
    if (this.filled === this.head) this.drop();
    this.drained = true;
    return false;
  }

  /** Copies what is still of interest of the chunks that were pushed, whose memory may then be used again: the current frame and what follows. */
  own(): void {
    if (this.tail !== null) this.ownTail(this.tail);
    if (this.owned || this.input === NO_BYTES) return;
    const from = this.buffer === this.input ? Math.min(this.frameStart, this.head) : this.head;
    const pending = this.filled - this.head;
    const room = Math.max(0, Math.min(this.whole - pending, pending));
    const copy = Buffer.allocUnsafe(this.filled - from + room);
    this.input.copy(copy, 0, from, this.filled);
    if (this.buffer === this.input) {
      this.buffer = copy;
      this.frameStart -= from;
      this.frameEnd -= from;
    }
    this.input = copy;
    this.head -= from;
    this.at -= from;
    this.headerEnd -= from;
    this.filled -= from;
    this.owned = true;
  }

  private ownTail(tail: Buffer): void {
    this.tail = Buffer.from(tail.subarray(this.tailStart, this.tailEnd));
    this.tailAt -= this.tailStart;
    this.tailEnd -= this.tailStart;
    this.tailStart = 0;
  }

  /**
   * How many bytes the unfinished frame still lacks, once that is known; else 0. Only right after `next()` returned false.
   *
   * A caller that would rather keep a long frame in the pieces in which it comes can then `detach` it.
   */
  get missingBytes(): number {
    if (this.whole === 0 || this.tail !== null || this.failure !== null) return 0;
    return this.whole - (this.filled - this.head);
  }

  /**
   * Hands the unfinished frame over: `buffer` from `frameStart` to `frameEnd` is what has come of it, and the next `missingBytes` bytes
   * (asked before) are the caller's business and must not be pushed. Only while `missingBytes` > 0.
   */
  detach(): void {
    this.buffer = this.input;
    this.frameStart = this.head;
    this.frameEnd = this.filled;
    this.useInput(NO_BYTES, 0, 0);
    this.skipTo(0);
  }

  /** Scans on from `at`; true when a frame is complete and `finish` was called. */
  protected abstract scan(): boolean;

  /** The frame from `head` to `frameEnd` (in `input`) is complete; the next begins behind it. */
  protected finish(frameEnd: number): void {
    // The frames of a chunk share it, and to refer to what is young costs the collector's barrier each time.
    if (this.buffer !== this.input) this.buffer = this.input;
    this.frameStart = this.head;
    this.frameEnd = frameEnd;
    this.skipTo(frameEnd);
  }

  /** Nothing before `at` is of interest any more. */
  protected skipTo(at: number): void {
    this.head = at;
    this.at = at;
    this.need = 0;
    this.whole = 0;
    this.searched = 0;
  }

  /** Where `byte` is, from `from` on; -1 when it has not come yet, and then these bytes are not looked at again. */
  protected find(byte: number, from: number): number {
    const found = this.input.indexOf(byte, Math.max(from, this.head + this.searched));
    if (found >= 0 && found < this.filled) return found;
    this.searched = this.filled - this.head;
    return -1;
  }

  /**
   * Reads the length behind the type byte at `at` and its line end, and sets `headerEnd`. NEGATIVE stands for any well-formed
   * negative number. Like Redis, nothing is called INVALID before the line has ended.
   */
  protected header(at: number): number {
    const input = this.input;
    const last = Math.min(this.filled - 1, at + 1 + MAX_DIGITS);
    let value = 0;
    let digitAt = at + 1;
    for (; digitAt < last; digitAt++) {
      const digit = input[digitAt] - ZERO;
      if (digit >>> 0 > 9) break;
      value = value * 10 + digit;
    }
    if (digitAt < this.filled - 1 && input[digitAt] === CR && input[digitAt + 1] === LF) {
      const digits = digitAt - at - 1;
      if (digits === 1 || (digits > 1 && input[at + 1] !== ZERO)) {
        this.headerEnd = digitAt + 2;
        return value;
      }
    }
    return this.oddHeader(at);
  }

  /** A header that is incomplete, negative or wrong. */
  private oddHeader(at: number): number {
    const lineEnd = this.find(CR, at + 1);
    if (lineEnd < 0 || lineEnd + 1 === this.filled) return INCOMPLETE;
    this.headerEnd = lineEnd + 2;
    if (this.input[lineEnd + 1] !== LF) return INVALID;
    const value = parseSafeInteger(this.input, at + 1, lineEnd);
    return value !== null && value < 0 ? NEGATIVE : INVALID;
  }

  protected fail(reason: string): never {
    this.drop();
    this.failure = new RespProtocolError(reason);
    throw this.failure;
  }

  /** Lets go of all memory. */
  protected drop(): void {
    this.useInput(NO_BYTES, 0, 0);
    this.buffer = NO_BYTES;
    this.frameStart = 0;
    this.frameEnd = 0;
  }

  private useInput(input: Buffer, start: number, end: number): void {
    this.input = input;
    this.head = start;
    this.at = start;
    this.filled = end;
    this.owned = false;
    this.tail = null;
  }

  /** The caller has not asked for the frames before: everything it leaves waiting counts against the limit. */
  private pushUndrained(chunk: Buffer, start: number, end: number): void {
    if (this.overflow || this.bufferedBytes + end - start > this.maxFrameBytes) {
      this.overflow = true;
      return;
    }
    const tail = this.tail;
    if (tail !== null) {
      this.tail = null;
      this.append(tail, this.tailAt, this.tailEnd);
    }
    this.append(chunk, start, end);
  }

  /** Copies more of the waiting chunk behind the unfinished frame; false when there is none. */
  private extend(): boolean {
    const tail = this.tail;
    if (tail === null) return false;
    const pending = this.filled - this.head;
    const wanted = Math.max(this.need - pending, pending, STITCH_BYTES);
    const to = Math.min(this.tailEnd, this.tailAt + wanted);
    this.append(tail, this.tailAt, to);
    this.tailAt = to;
    if (to === this.tailEnd) this.tail = null;
    return true;
  }

  /** At a frame's end: goes on in the waiting chunk itself once only copies of its bytes are left. */
  private leaveStitch(): void {
    const left = this.filled - this.head;
    if (left <= this.tailAt - this.tailStart) this.useInput(this.tail!, this.tailAt - left, this.tailEnd);
  }

  private append(source: Buffer, from: number, to: number): void {
    const pending = this.filled - this.head;
    const total = pending + to - from;
    if (!this.owned || this.filled + to - from > this.input.length) {
      const doubled = total * 2;
      const grown = Buffer.allocUnsafe(this.whole >= total ? Math.min(doubled, this.whole) : doubled);
      this.input.copy(grown, 0, this.head, this.filled);
      this.input = grown;
      this.at -= this.head;
      this.head = 0;
      this.filled = pending;
      this.owned = true;
    }
    source.copy(this.input, this.filled, from, to);
    this.filled += to - from;
  }
}
