import { ByteFeed, INCOMPLETE, NEGATIVE } from './byte-feed.ts';

const CR = 0x0d;
const LF = 0x0a;

const DEFAULT_MAX_REPLY_BYTES = 1024 * 1024 * 1024;
const DEFAULT_MAX_DEPTH = 64;
/** Aggregates can announce at most this many elements: what Redis itself can send. */
const MAX_ELEMENTS = 0x3fffffff;

/** What a reply may be at most. */
export interface ReplyLimits {
  /** Bytes of one reply, as it travels. Default 1 GiB. */
  maxReplyBytes?: number;
  /** Aggregates inside each other. Default 64. */
  maxDepth?: number;
}

const LINE = 1;
const BLOB = 2;
const AGGREGATE = 3;

/** What follows each type byte; 0: no such type. */
const KIND = new Uint8Array(256);
for (const type of '+-:,#_(') KIND[type.charCodeAt(0)] = LINE;
for (const type of '$=!') KIND[type.charCodeAt(0)] = BLOB;
for (const type of '*~>%|') KIND[type.charCodeAt(0)] = AGGREGATE;

/** Lines up to this length are searched by a loop, which is faster than a native call. */
const SHORT_LINE = 32;
const DOLLAR = 0x24;
const EQUALS = 0x3d;
const ZERO = 0x30;
/** Longer lengths than of so many digits are read by `blobEnd`. */
const MOST_DIGITS = 8;
/** A verbatim string begins with three characters that name its format, and a colon. */
const FORMAT_BYTES = 4;
const STAR = 0x2a;
const ONE = 0x31;
const PERCENT = 0x25;
const PUSH = 0x3e;
const BAR = 0x7c;

/**
 * Takes a server's bytes and finds where each reply (RESP2 and RESP3, nested to any depth the limit allows) begins and ends,
 * without decoding it. An attribute (`|`) and the reply it belongs to are one frame.
 *
 * ```
 * framer.push(chunk);
 * while (framer.next()) forward(framer.buffer, framer.frameStart, framer.frameEnd);   // throws RespProtocolError
 * ```
 */
export class ReplyFramer extends ByteFeed {
  /** First byte of the current reply: its type. */
  type = 0;
  /** If the next reply is an array, its elements are to come as replies of their own, without its header. Pushes may come before it. Cleared by such an array. */
  unwraps = false;
  /** Elements of the array of which the header was left out last. */
  unwrapped = 0;

  /** Elements still to come, per open aggregate. */
  private readonly open: Int32Array;
  private depth = 0;
  /** Whether the aggregate that was read last has elements to come. */
  private opened = false;

  constructor({ maxReplyBytes = DEFAULT_MAX_REPLY_BYTES, maxDepth = DEFAULT_MAX_DEPTH }: ReplyLimits = {}) {
    super(maxReplyBytes);
    this.open = new Int32Array(maxDepth);
  }

  protected override scan(): boolean {
    while (this.at < this.filled) {
      const at = this.at;
      if (this.depth === 0 && this.input[at] === DOLLAR) {
        const end = bulkEnd(this.input, at, this.lastEnd);
        if (end > 0) {
          this.type = DOLLAR;
          this.finish(end);
          return true;
        }
      }
      const kind = KIND[this.input[at]];
      if (this.unwraps && this.depth === 0 && this.input[at] === STAR) {
        if (!this.unwrap(at)) break;
        continue;
      }
      let next: number;
      if (kind === BLOB) next = this.blobEnd(at);
      else if (kind === LINE) next = this.lineEnd(at);
      else if (kind === AGGREGATE) next = this.openAggregate(at);
      else this.fail(`unknown reply type '${printable(this.input[at])}'`);
      if (next < 0) break;
      this.at = next;
      if (next - this.head > this.maxFrameBytes) this.fail('too big reply');
      if (kind !== AGGREGATE || !this.opened)
        while (this.depth > 0 && --this.open[this.depth - 1] === 0) this.depth--;
      if (this.depth === 0) {
        this.type = this.input[this.head];
        this.finish(next);
        return true;
      }
      this.skipBulks(next);
    }
    if (this.filled - this.head > this.maxFrameBytes) this.fail('too big reply');
    return false;
  }

  /** Moves past the bulk strings at `at` that are there, but for the last element of the aggregate they are in: most elements are some. */
  private skipBulks(at: number): void {
    const { input, lastEnd } = this;
    let left = this.open[this.depth - 1];
    for (; left > 1 && input[at] === DOLLAR; left--) {
      const end = bulkEnd(input, at, lastEnd);
      if (end === 0) break;
      at = end;
    }
    this.at = at;
    this.open[this.depth - 1] = left;
  }

  /** Where what has come ends, and what the reply may have. */
  private get lastEnd(): number {
    return Math.min(this.filled, this.head + this.maxFrameBytes);
  }

  /** Leaves out the header at `at`; false when it is incomplete. */
  private unwrap(at: number): boolean {
    const count = this.header(at);
    if (count === INCOMPLETE) return false;
    if (count <= 0 || count > MAX_ELEMENTS) this.fail('invalid multibulk length in a reply');
    this.unwraps = false;
    this.unwrapped = count;
    this.skipTo(this.headerEnd);
    return true;
  }

  /** Behind the line at `at`, or INCOMPLETE. */
  private lineEnd(at: number): number {
    const input = this.input;
    const last = Math.min(this.filled - 1, at + SHORT_LINE);
    let end = at + 1;
    while (end < last && input[end] !== CR) end++;
    if (end >= last) {
      end = this.find(CR, at + 1);
      if (end < 0 || end + 1 === this.filled) return INCOMPLETE;
    }
    if (input[end + 1] !== LF) this.fail('expected LF behind CR in a reply');
    return end + 2;
  }

  /** Behind the length and the bytes at `at`, or INCOMPLETE. */
  private blobEnd(at: number): number {
    const bytes = this.header(at);
    if (bytes < 0) return this.nullEnd(at, bytes, 'invalid bulk length in a reply');
    if (bytes < FORMAT_BYTES && this.input[at] === EQUALS) this.fail('invalid verbatim string in a reply');
    const end = this.headerEnd + bytes;
    if (end + 2 > this.filled) {
      this.need = end + 2 - this.head;
      if (this.need > this.maxFrameBytes) this.fail('too big reply');
      if (this.endsReply()) this.whole = this.need;
      return INCOMPLETE;
    }
    if (this.input[end] !== CR || this.input[end + 1] !== LF) this.fail('expected CRLF behind a bulk string');
    return end + 2;
  }

  /** Whether what is read now is the last of all that is open, of a reply: a push is never given away in pieces. */
  private endsReply(): boolean {
    if (this.input[this.head] === PUSH) return false;
    for (let i = 0; i < this.depth; i++) if (this.open[i] !== 1) return false;
    return true;
  }

  override detach(): void {
    super.detach();
    this.depth = 0;
  }

  /** Behind the count at `at`, or INCOMPLETE; sets `opened` when elements follow. */
  private openAggregate(at: number): number {
    const count = this.header(at);
    this.opened = false;
    if (count < 0) return this.nullEnd(at, count, 'invalid multibulk length in a reply');
    if (count > MAX_ELEMENTS) this.fail('invalid multibulk length in a reply');
    const type = this.input[at];
    // The reply that an attribute belongs to counts as its last element.
    const elements = type === PERCENT ? 2 * count : type === BAR ? 2 * count + 1 : count;
    if (elements > 0) {
      if (this.depth === this.open.length) this.fail('reply is nested too deep');
      this.open[this.depth++] = elements;
      this.opened = true;
    }
    return this.headerEnd;
  }

  /** Only bulk strings and arrays can be null, and only as `-1`. */
  private nullEnd(at: number, header: number, reason: string): number {
    if (header === INCOMPLETE) return INCOMPLETE;
    const type = this.input[at];
    const isNull = header === NEGATIVE && this.headerEnd === at + 5 && this.input[at + 2] === ONE;
    if (!isNull || (type !== DOLLAR && type !== STAR)) this.fail(reason);
    return this.headerEnd;
  }
}

/** Behind the bulk string at `at`, if it has come whole by `last`, is neither null nor empty and its length is short; else 0: others look at it closely. */
function bulkEnd(input: Buffer, at: number, last: number): number {
  let length = input[at + 1] - ZERO;
  if (length >>> 0 > 9 || length === 0) return 0;
  let lineAt = at + 2;
  for (; lineAt < at + MOST_DIGITS; lineAt++) {
    const digit = input[lineAt] - ZERO;
    if (digit >>> 0 > 9) break;
    length = 10 * length + digit;
  }
  const end = lineAt + 2 + length;
  if (end + 2 > last || input[lineAt] !== CR || input[lineAt + 1] !== LF) return 0;
  return input[end] === CR && input[end + 1] === LF ? end + 2 : 0;
}

function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
