import { type Args, equalsAsciiIgnoreCase } from './args.ts';
import { BulkScanner } from './bulk-scanner.ts';
import { ByteFeed, INCOMPLETE, INVALID } from './byte-feed.ts';
import { encodeCommand } from './encode.ts';
import { FrameLimits, type FramesAhead } from './frames-ahead.ts';
import { splitInline } from './inline.ts';
import { parseDouble, parseInt64, parseSafeInteger } from './numbers.ts';

const CR = 0x0d;
const LF = 0x0a;
const STAR = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;

const scanner = new BulkScanner();

const FIRST_OFFSETS = 16;
const KEPT_OFFSETS = 2048;
/** Arguments that others may take with their commands have fewer bytes. */
const PASSED_BYTES = 1024;

/** Redis's limits for a connection that has not authenticated. */
const UNAUTHENTICATED_ARRAY_LENGTH = 10;
const UNAUTHENTICATED_BULK_BYTES = 16384;

/** What a request may be at most. Beyond it the parser fails with Redis's text. */
export interface RespLimits {
  /** Bytes of one argument. */
  maxBulkBytes: number;
  /** Arguments of one command. */
  maxArrayLength: number;
  /** Bytes of an inline command's line, and of a line that announces a length. */
  maxInlineBytes: number;
  /** Bytes of one whole command, as they travel; also what may wait unparsed while the caller does not ask for commands. */
  maxBufferedBytes: number;
}

/**
 * Takes a client's bytes and hands out its commands one by one. One per connection; itself the `Args` of the
 * current command.
 *
 * ```
 * parser.push(chunk);
 * while (parser.next()) execute(parser);   // throws RespProtocolError
 * ```
 *
 * `buffer.subarray(frameStart, frameEnd)` is the current command as it goes over the wire, ready to be forwarded (an inline
 * command is translated first). A partial command is never scanned twice, and holds at most twice the bytes that have arrived.
 * Protocol: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class RequestParser extends ByteFeed implements Args {
  /** Arguments of the current command, its name included. */
  count = 0;
  /** Whether the current command came as a line of words. */
  isInline = false;
  /** While false, only the short commands that Redis accepts before authentication are taken. */
  authenticated = true;

  private readonly limits: RespLimits;
  /** As they were at first: those that change later stay far above what is scanned ahead. */
  private readonly aheadLimits: FrameLimits;
  /** The limits allow any frame that `mayPass` is about. */
  private readonly mayPassFrames: boolean;
  /** Start and end of each argument, counted from the start of the frame. */
  private offsets: Int32Array = new Int32Array(FIRST_OFFSETS);
  /** Arguments announced; 0: between commands. */
  private expected = 0;
  private parsed = 0;
  /** Has commands that were scanned already. */
  private ahead: FramesAhead | null = null;

  constructor(limits: RespLimits) {
    super(limits.maxBufferedBytes);
    this.limits = limits;
    this.aheadLimits = new FrameLimits(limits.maxArrayLength, limits.maxBulkBytes, this.maxFrameBytes);
    const { mostArgs, mostBytes, mostFrameBytes } = this.aheadLimits;
    this.mayPassFrames = mostArgs >= 2 && mostBytes >= PASSED_BYTES && mostFrameBytes >= 2 * PASSED_BYTES;
  }

  start(i: number): number {
    return this.frameStart + this.offsets[2 * i];
  }

  end(i: number): number {
    return this.frameStart + this.offsets[2 * i + 1];
  }

  length(i: number): number {
    return this.offsets[2 * i + 1] - this.offsets[2 * i];
  }

  bytes(i: number): Buffer {
    return this.buffer.subarray(this.start(i), this.end(i));
  }

  copy(i: number): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.length(i));
    this.buffer.copy(copy, 0, this.start(i), this.end(i));
    return copy;
  }

  latin1(i: number): string {
    return this.buffer.latin1Slice(this.start(i), this.end(i));
  }

  utf8(i: number): string {
    return this.buffer.utf8Slice(this.start(i), this.end(i));
  }

  upper(i: number): string {
    return this.latin1(i).replace(/[a-z]+/g, (letters) => letters.toUpperCase());
  }

  equalsIgnoreCase(i: number, upperAscii: string): boolean {
    return equalsAsciiIgnoreCase(this.buffer, this.start(i), this.end(i), upperAscii);
  }

  integer(i: number): number | null {
    return parseSafeInteger(this.buffer, this.start(i), this.end(i));
  }

  bigint(i: number): bigint | null {
    return parseInt64(this.buffer, this.start(i), this.end(i));
  }

  number(i: number): number | null {
    return parseDouble(this.buffer, this.start(i), this.end(i));
  }

  /**
   * Makes the unfinished command the current one, so that its name and all arguments but the last can be read; false when the length of
   * the command is not known yet. Changes nothing about what `next()` does.
   */
  peek(): boolean {
    if (this.missingBytes === 0) return false;
    if (2 * this.parsed === this.offsets.length) this.growOffsets();
    this.offsets[2 * this.parsed] = this.headerEnd - this.head;
    this.offsets[2 * this.parsed + 1] = this.whole - 2;
    this.count = this.expected;
    this.isInline = false;
    this.buffer = this.input;
    this.frameStart = this.head;
    this.frameEnd = this.filled;
    return true;
  }

  /** Whether commands are left that `scanAhead` has found. */
  get hasAhead(): boolean {
    return this.ahead?.hasNextOf(this) ?? false;
  }

  /**
   * Whether the next command, if it has come whole and is short (two arguments of up to 1000 bytes), may be taken by somebody else: it begins at `head` in `input` then, and
   * what has come ends at `filled`. Not while commands are left that were scanned ahead.
   */
  get mayPass(): boolean {
    return this.expected === 0 && this.mayPassFrames && this.isWhole && !this.hasAhead;
  }

  /** Leaves out the next `bytes` bytes, which are whole commands; only after `mayPass`. */
  pass(bytes: number): void {
    this.skipTo(this.head + bytes);
    if (this.filled === this.head) this.drop();
  }

  /**
   * Scans the next commands together, as far as they have come whole and are short, unless there are some left of the last time; true when
   * there is one at least. `next()` takes them from `frames` then, unless another parser has used them since; to be followed by `forgetAhead`.
   */
  scanAhead(frames: FramesAhead): boolean {
    if (this.hasAhead || this.expected !== 0) return false;
    frames.scan(this.input, this.head, this.filled, this.aheadLimits);
    frames.owner = this;
    this.ahead = frames;
    return frames.count > 0;
  }

  /** Others may use `frames` now: commands that were not taken are scanned anew. */
  forgetAhead(frames: FramesAhead): void {
    frames.clear();
    this.ahead = null;
  }

  override detach(): void {
    super.detach();
    this.expected = 0;
  }

  protected override scan(): boolean {
    if (this.ahead !== null) {
      if (this.ahead.hasNextOf(this)) return this.takeAhead(this.ahead);
      this.ahead = null;
    }
    while (this.expected === 0) {
      if (this.head === this.filled) return false;
      if (this.input[this.head] === STAR) {
        if (!this.scanCount()) return false;
      } else {
        const count = this.scanInline();
        if (count !== 0) return count > 0;
      }
    }
    return this.scanBulks();
  }

  protected override drop(): void {
    super.drop();
    this.count = 0;
    if (this.offsets.length > KEPT_OFFSETS) this.offsets = new Int32Array(FIRST_OFFSETS);
  }

  private takeAhead(frames: FramesAhead): boolean {
    this.count = frames.take(this.offsets);
    this.isInline = false;
    this.finish(this.head + frames.length);
    return true;
  }

  /** Reads `*3`; true when it is complete. An empty or negative count is skipped like an empty line. */
  private scanCount(): boolean {
    const count = this.header(this.head);
    if (count === INCOMPLETE) return this.awaitHeader('too big mbulk count string');
    if (count === INVALID || count > this.limits.maxArrayLength) this.fail('invalid multibulk length');
    if (count > UNAUTHENTICATED_ARRAY_LENGTH && !this.authenticated) {
      this.fail('unauthenticated multibulk length');
    }
    if (count <= 0) {
      this.skipTo(this.headerEnd);
    } else {
      this.at = this.headerEnd;
      this.expected = count;
      this.parsed = 0;
    }
    return true;
  }

  /** Reads `$3 abc` until all arguments are there. */
  private scanBulks(): boolean {
    const input = this.input;
    const filled = this.filled;
    const head = this.head;
    const limit = Math.min(filled, head + this.maxFrameBytes);
    const expected = this.expected;
    const maxBytes = this.authenticated
      ? this.limits.maxBulkBytes
      : Math.min(this.limits.maxBulkBytes, UNAUTHENTICATED_BULK_BYTES);
    let offsets = this.offsets;
    let parsed = this.parsed;
    let at = this.at;
    if (scanner.suits(expected - parsed, limit - at)) {
      const found = scanner.scan(input, at, limit, expected - parsed, maxBytes, head);
      if (found > 0) {
        offsets = this.takeOffsets(found);
        parsed += found;
        at = head + offsets[2 * parsed - 1] + 2;
      }
    }
    while (parsed < expected && at < filled) {
      if (input[at] !== DOLLAR) this.fail(`expected '$', got '${printable(input[at])}'`);
      // Nearly all lengths have one digit or two.
      let bytes = input[at + 1] - ZERO;
      let lineAt = at + 2;
      if (bytes >>> 0 > 9) bytes = INVALID;
      else if (bytes > 0 && input[lineAt] !== CR) {
        const digit = input[lineAt++] - ZERO;
        bytes = digit >>> 0 > 9 ? INVALID : 10 * bytes + digit;
      }
      let from = lineAt + 2;
      if (bytes >>> 0 > 99 || from > filled || input[lineAt] !== CR || input[lineAt + 1] !== LF) {
        bytes = this.header(at);
        from = this.headerEnd;
      }
      const to = from + bytes;
      if (bytes < 0 || bytes > maxBytes || to + 2 > limit) {
        this.at = at;
        this.parsed = parsed;
        return this.awaitBulk(this.header(at));
      }
      if (input[to] !== CR || input[to + 1] !== LF) this.fail('expected CRLF behind a bulk string');
      if (2 * parsed === offsets.length) offsets = this.growOffsets();
      offsets[2 * parsed] = from - head;
      offsets[2 * parsed + 1] = to - head;
      parsed++;
      at = to + 2;
    }
    this.at = at;
    this.parsed = parsed;
    if (parsed < expected) return false;
    this.count = parsed;
    this.isInline = false;
    this.expected = 0;
    this.finish(at);
    return true;
  }

  /** The argument at `at` has not fully come, or never may. */
  private awaitBulk(bytes: number): false {
    if (bytes === INCOMPLETE) return this.awaitHeader('too big bulk count string');
    if (bytes < 0 || bytes > this.limits.maxBulkBytes) this.fail('invalid bulk length');
    if (bytes > UNAUTHENTICATED_BULK_BYTES && !this.authenticated) this.fail('unauthenticated bulk length');
    this.need = this.headerEnd + bytes + 2 - this.head;
    if (this.need > this.maxFrameBytes) this.fail('too big request');
    if (this.parsed + 1 === this.expected) this.whole = this.need;
    return false;
  }

  /** The header at `at` has not ended; that is an error once the line is longer than any can be. */
  private awaitHeader(reason: string): false {
    if (this.filled - this.at > this.limits.maxInlineBytes) this.fail(reason);
    if (this.filled - this.head > this.maxFrameBytes) this.fail('too big request');
    return false;
  }

  /** Reads a line of words; returns how many, 0 for an empty line (which is skipped), or INCOMPLETE. */
  private scanInline(): number {
    const { maxInlineBytes, maxBulkBytes, maxArrayLength } = this.limits;
    const newline = this.find(LF, this.head);
    if ((newline < 0 ? this.filled : newline) - this.head > maxInlineBytes)
      this.fail('too big inline request');
    if (newline < 0) return INCOMPLETE;
    const words = splitInline(this.input.subarray(this.head, newline));
    if (words === null) this.fail('unbalanced quotes in request');
    if (words.length > maxArrayLength || words.some((word) => word.length > maxBulkBytes)) {
      this.fail('too big inline request');
    }
    if (words.length > 0) this.take(words);
    this.skipTo(newline + 1);
    return words.length;
  }

  /** Makes `words` the current command, encoded as if they had come as an array. */
  private take(words: Buffer[]): void {
    const encoded = encodeCommand(...words);
    while (this.offsets.length < 2 * words.length) this.growOffsets();
    let at = encoded.indexOf(LF) + 1;
    for (let i = 0; i < words.length; i++) {
      at = encoded.indexOf(LF, at) + 1;
      this.offsets[2 * i] = at;
      at += words[i].length;
      this.offsets[2 * i + 1] = at;
      at += 2;
    }
    this.count = words.length;
    this.isInline = true;
    this.buffer = encoded;
    this.frameStart = 0;
    this.frameEnd = encoded.length;
  }

  /** Takes over where so many more arguments are. */
  private takeOffsets(count: number): Int32Array {
    const before = 2 * this.parsed;
    while (this.offsets.length < before + 2 * count) this.growOffsets();
    const { offsets } = this;
    for (let i = 0; i < 2 * count; i++) offsets[before + i] = scanner.offsets[i];
    return offsets;
  }

  private growOffsets(): Int32Array {
    const grown = new Int32Array(this.offsets.length * 2);
    grown.set(this.offsets);
    this.offsets = grown;
    return grown;
  }
}

function printable(byte: number): string {
  return byte === CR || byte === LF ? ' ' : String.fromCharCode(byte);
}
