import { ByteFeed } from '../../../lib/codec/resp/index.ts';
import { signedNumber, type Words } from './words.ts';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
/** The first byte of a request in memcached's binary protocol. */
const BINARY_MAGIC = 0x80;
/** As long as memcached waits for the end of a line that is no `get`. */
const MAX_LINE_BYTES = 2048;
/** The longest value that can be announced, as in memcached. */
const MAX_ANNOUNCED_BYTES = 2 ** 31 - 3;
const FIRST_WORDS = 32;
/** Of the commands with a block. */
const LONGEST_NAME = 7;
/** Kept between commands. */
const KEPT_WORDS = 1024;
const NO_BLOCK = -1;
const LETTER_G = 0x67;
/** Lines up to this length are looked through again when more of them comes. */
const SHORT_LINE_BYTES = 512;
const MOST_LEADING_SPACES = 100;

/** What a request may be at most. */
export interface MemcachedLimits {
  /** Bytes of a value. A longer one is skipped, and the command told so. */
  readonly maxItemBytes: number;
  /** Bytes of a line that asks for many keys; other lines have 2,048. */
  readonly maxGetLineBytes: number;
  /** What may wait unparsed while the caller does not ask for commands. */
  readonly maxBufferedBytes: number;
}

/** Thrown for bytes that no command can be made of; the connection is over. `message` is the answer, without the line end. */
export class MemcachedProtocolError extends Error {
  override readonly name = 'MemcachedProtocolError';
}

interface Block {
  readonly name: string;
  readonly lengthWord: number;
  readonly fewest: number;
  readonly most: number;
}

/** Commands that a block of data follows: which word tells its length, and how many words there must be. */
const blocks: readonly Block[] = [
  { name: 'set', lengthWord: 4, fewest: 5, most: 6 },
  { name: 'add', lengthWord: 4, fewest: 5, most: 6 },
  { name: 'ms', lengthWord: 2, fewest: 3, most: Number.MAX_SAFE_INTEGER },
  { name: 'cas', lengthWord: 4, fewest: 6, most: 7 },
  { name: 'replace', lengthWord: 4, fewest: 5, most: 6 },
  { name: 'append', lengthWord: 4, fewest: 5, most: 6 },
  { name: 'prepend', lengthWord: 4, fewest: 5, most: 6 },
];

/**
 * Takes a client's bytes in memcached's text or meta protocol and hands out its commands one by one, each with the block of data that
 * belongs to it; itself the `Words` of the current command.
 *
 * ```
 * parser.push(chunk);
 * while (parser.next()) execute(parser);   // throws MemcachedProtocolError
 * ```
 *
 * What follows a line in which the length of a block cannot be read is taken for the next line, as memcached does. A block that is too
 * long is skipped as it comes: it takes no memory. Protocol: memcached 1.6's doc/protocol.txt.
 */
export class MemcachedParser extends ByteFeed implements Words {
  count = 0;
  /** Bytes of the block behind the line; -1: there is none. */
  blockBytes = NO_BLOCK;
  /** The block is longer than `maxItemBytes` and is left out. */
  isTooLong = false;

  readonly #limits: MemcachedLimits;
  /** Start and end of each word, counted from the start of the frame. */
  #offsets: Int32Array = new Int32Array(2 * FIRST_WORDS);
  /** Where the block begins, counted from the start of the frame. */
  #blockAt = 0;
  /** Bytes that come next and are of no interest. */
  #skipBytes = 0;

  constructor(limits: MemcachedLimits) {
    super(Math.max(limits.maxBufferedBytes, limits.maxItemBytes + 2 * MAX_LINE_BYTES));
    this.#limits = limits;
  }

  start(i: number): number {
    return this.frameStart + this.#offsets[2 * i];
  }

  end(i: number): number {
    return this.frameStart + this.#offsets[2 * i + 1];
  }

  /** Where the block begins in `buffer`; it is followed by two bytes. */
  get blockStart(): number {
    return this.frameStart + this.#blockAt;
  }

  /** Whether the two bytes behind the block are the end of a line. */
  get endsWell(): boolean {
    const end = this.blockStart + this.blockBytes;
    return this.buffer[end] === CR && this.buffer[end + 1] === LF;
  }

  /** Something of a command has come, and not all. */
  get isPending(): boolean {
    return this.bufferedBytes > 0 || this.#skipBytes > 0;
  }

  /** The next so many bytes are of no interest. */
  skip(bytes: number): void {
    this.#skipBytes += bytes;
  }

  protected override scan(): boolean {
    if (this.#skipBytes > 0) this.#passOver();
    const { head, filled } = this;
    if (filled === head || filled - head < this.need) return false;
    if (this.input[head] === BINARY_MAGIC)
      this.#refuse('SERVER_ERROR the binary protocol is not supported, use the text protocol');
    // A long line that has not ended is not looked through again.
    const isOpen = filled - head > SHORT_LINE_BYTES && this.find(LF, head) < 0;
    const lineEnd = isOpen ? -1 : this.#split();
    if (lineEnd < 0 || lineEnd - head > MAX_LINE_BYTES) this.#checkLength(lineEnd < 0 ? filled : lineEnd);
    return lineEnd >= 0 && this.#complete(lineEnd + 1);
  }

  #passOver(): void {
    const bytes = Math.min(this.#skipBytes, this.filled - this.head);
    this.#skipBytes -= bytes;
    this.skipTo(this.head + bytes);
  }

  /** A line that ends at `end`, or has not ended there. */
  #checkLength(end: number): void {
    const { input, head } = this;
    const length = end - head;
    if (length <= MAX_LINE_BYTES) return;
    let at = head;
    while (at < end && input[at] === SPACE) at++;
    const isGet = input[at] === LETTER_G && at - head <= MOST_LEADING_SPACES;
    if (!isGet || length > this.#limits.maxGetLineBytes) this.#refuse('CLIENT_ERROR line too long');
  }

  #refuse(answer: string): never {
    this.drop();
    throw new MemcachedProtocolError(answer);
  }

  /** Finds the words of the line; where it ends, or -1 when it has not. */
  #split(): number {
    const { input, head, filled } = this;
    let count = 0;
    let wordAt = -1;
    let at = head;
    for (; at < filled && input[at] !== LF; at++) {
      if (input[at] !== SPACE) {
        if (wordAt < 0) wordAt = at;
      } else if (wordAt >= 0) {
        this.#addWord(count++, wordAt, at);
        wordAt = -1;
      }
    }
    if (at === filled) return -1;
    const end = at > head + 1 && input[at - 1] === CR ? at - 1 : at;
    if (wordAt >= 0 && wordAt < end) this.#addWord(count++, wordAt, end);
    this.count = count;
    return at;
  }

  #addWord(i: number, start: number, end: number): void {
    if (2 * i === this.#offsets.length) this.#growOffsets();
    this.#offsets[2 * i] = start - this.head;
    this.#offsets[2 * i + 1] = end - this.head;
  }

  #growOffsets(): void {
    const offsets = new Int32Array(this.#offsets.length * 2);
    offsets.set(this.#offsets);
    this.#offsets = offsets;
  }

  /** The line ends before `next`. */
  #complete(next: number): boolean {
    this.blockBytes = this.#announced();
    this.isTooLong = this.blockBytes > this.#limits.maxItemBytes;
    if (this.isTooLong) this.#skipBytes = this.blockBytes + 2;
    this.#blockAt = next - this.head;
    const end = this.blockBytes < 0 || this.isTooLong ? next : next + this.blockBytes + 2;
    if (end > this.filled) {
      this.need = end - this.head;
      this.whole = this.need;
      return false;
    }
    this.finish(end);
    return true;
  }

  #announced(): number {
    const { input, head, count } = this;
    const offsets = this.#offsets;
    if (count < 3) return NO_BLOCK;
    const length = offsets[1] - offsets[0];
    const first = head + offsets[0];
    if (input[first] === LETTER_G || length > LONGEST_NAME) return NO_BLOCK;
    for (const { name, lengthWord, fewest, most } of blocks) {
      if (name.length !== length || !this.#isNamed(first, name)) continue;
      if (count < fewest || count > most) return NO_BLOCK;
      const bytes = signedNumber(input, head + offsets[2 * lengthWord], head + offsets[2 * lengthWord + 1]);
      return bytes === null || bytes < 0 || bytes > MAX_ANNOUNCED_BYTES ? NO_BLOCK : bytes;
    }
    return NO_BLOCK;
  }

  #isNamed(at: number, name: string): boolean {
    for (let i = 0; i < name.length; i++) if (this.input[at + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  /** Gives back what a long line needed. To be called when the commands at hand are done. */
  trim(): void {
    if (this.#offsets.length > 2 * KEPT_WORDS) this.#offsets = new Int32Array(2 * FIRST_WORDS);
  }
}
