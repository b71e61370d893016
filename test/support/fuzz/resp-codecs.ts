import {
  decodeReply,
  FramesAhead,
  ReplyFramer,
  RequestParser,
  type RespLimits,
  RespProtocolError,
  skipReply,
} from '../../../lib/codec/resp/index.ts';
import { Digest } from './digest.ts';
import type { Attempt, FuzzedCodec } from './fuzz.ts';
import { oddNumbers } from './mutator.ts';
import { realReplies, realRequests } from './real-frames.ts';

/** So low that mutated frames reach each of them. */
const limits: readonly RespLimits[] = [
  { maxBulkBytes: 1024, maxArrayLength: 64, maxInlineBytes: 256, maxBufferedBytes: 2048 },
  { maxBulkBytes: 40, maxArrayLength: 6, maxInlineBytes: 64, maxBufferedBytes: 300 },
];
const NO_LIMIT = 0x7fffffff;
const unlimited = {
  maxBulkBytes: NO_LIMIT,
  maxArrayLength: NO_LIMIT,
  maxInlineBytes: NO_LIMIT,
  maxBufferedBytes: NO_LIMIT,
};
const ahead = new FramesAhead();
/** Of so many frames one is looked at more closely. */
const CLOSELY = 8;

function check(isSo: boolean, promise: string): asserts isSo {
  if (!isSo) throw new Error(`not kept: ${promise}`);
}

/** A long frame that its reader keeps in pieces, as connections and links do. */
class Detached {
  readonly #pieces: Buffer[];
  #missing: number;

  constructor(first: Buffer, missing: number) {
    this.#pieces = [Buffer.from(first)];
    this.#missing = missing;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /** Returns what lies behind it. */
  take(chunk: Buffer): Buffer {
    const own = chunk.subarray(0, this.#missing);
    this.#pieces.push(Buffer.from(own));
    this.#missing -= own.length;
    return chunk.subarray(own.length);
  }

  /** The whole frame; refused as the codec would refuse it. */
  join(): Buffer {
    const whole = Buffer.concat(this.#pieces);
    if (whole.at(-2) !== 0x0d || whole.at(-1) !== 0x0a)
      throw new RespProtocolError('expected CRLF behind a bulk string');
    return whole;
  }
}

class RequestAttempt implements Attempt {
  readonly digest = new Digest();
  count = 0;
  readonly #limits: RespLimits;
  readonly #parser: RequestParser;
  readonly #detaches: boolean;
  /** As a connection does that is held back: nothing is looked at before all has come. */
  readonly #isLate: boolean;
  /** As a node does. */
  readonly #scansAhead: boolean;
  #detached: Detached | null = null;

  constructor(variant: number, inputBytes: number) {
    this.#limits = limits[variant & 1];
    this.#parser = new RequestParser(this.#limits);
    this.#parser.authenticated = (variant & 6) > 0;
    this.#isLate = (variant & 48) === 0 && inputBytes <= this.#limits.maxBufferedBytes;
    this.#detaches = (variant & 8) > 0 && !this.#isLate;
    this.#scansAhead = (variant & 64) > 0;
  }

  take(chunk: Buffer): void {
    if (this.#isLate) this.#parser.push(chunk);
    else this.#takeNow(chunk);
  }

  end(): void {
    if (this.#isLate) this.#drain();
  }

  #drain(): void {
    for (;;) {
      if (this.#scansAhead) this.#parser.scanAhead(ahead);
      if (!this.#parser.next()) break;
      this.#command(this.#parser);
    }
    this.#parser.forgetAhead(ahead);
    check(this.#parser.bufferedBytes <= this.#limits.maxBufferedBytes, 'at most the limit is held');
  }

  #takeNow(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#detached !== null) {
        rest = this.#detached.take(rest);
        if (!this.#detached.isComplete) return;
        this.#finishDetached(this.#detached);
        continue;
      }
      this.#parser.push(rest);
      this.#drain();
      if (this.#detaches) this.#detach();
      return;
    }
  }

  own(): void {
    this.#parser.own();
  }

  refused(): void {
    check(this.#parser.bufferedBytes === 0, 'nothing is held behind an error');
  }

  #detach(): void {
    const parser = this.#parser;
    const missing = parser.missingBytes;
    if (missing === 0 || !parser.peek()) return;
    const bytes = parser.frameEnd - parser.frameStart + missing;
    check(bytes <= this.#limits.maxBufferedBytes, 'no longer frame is announced');
    parser.detach();
    this.#detached = new Detached(parser.buffer.subarray(parser.frameStart, parser.frameEnd), missing);
  }

  #finishDetached(detached: Detached): void {
    this.#detached = null;
    const again = new RequestParser(unlimited);
    again.push(detached.join());
    check(again.next() && again.bufferedBytes === 0, 'a frame in pieces is one command');
    this.#command(again);
  }

  #command(parser: RequestParser): void {
    const { maxArrayLength, maxBulkBytes, maxBufferedBytes } = this.#limits;
    const { count, buffer, frameStart, frameEnd } = parser;
    check(count > 0 && count <= maxArrayLength, `${count} arguments`);
    check(parser.isInline || frameEnd - frameStart <= maxBufferedBytes, 'no command is longer than allowed');
    this.count++;
    this.digest.number(count);
    for (let i = 0; i < count; i++) {
      const [start, end] = [parser.start(i), parser.end(i)];
      check(start >= frameStart && end >= start && end <= frameEnd, 'arguments lie in their frame');
      check(end - start <= maxBulkBytes, 'no argument is longer than allowed');
      this.digest.bytes(buffer, start, end);
    }
    if (this.digest.value % CLOSELY === 0) this.#again(parser);
  }

  /** What is forwarded must read as the same command. */
  #again(parser: RequestParser): void {
    const again = new RequestParser(unlimited);
    again.push(Buffer.from(parser.buffer.subarray(parser.frameStart, parser.frameEnd)));
    check(again.next() && !again.isInline && again.bufferedBytes === 0, 'its frame is one command');
    check(again.count === parser.count, 'its frame has as many arguments');
    for (let i = 0; i < again.count; i++)
      check(again.bytes(i).equals(parser.bytes(i)), 'its frame has the same arguments');
  }
}

const isProtocolError = (error: unknown) => error instanceof RespProtocolError;
const tokens = [
  ...[
    '\r\n',
    '\r',
    '\n',
    '*',
    '$',
    '*1\r\n',
    '$1\r\n',
    '*0\r\n',
    '*-1\r\n',
    '$-1\r\n',
    '$0\r\n\r\n',
    '"',
    "'",
  ],
  ...[
    '\\x',
    '\\',
    '\0',
    ' ',
    '\t',
    '%',
    '>',
    '~',
    '|1\r\n+a\r\n:1\r\n',
    '\xff',
    '_\r\n',
    '#t\r\n',
    ',inf\r\n',
  ],
].map((text) => Buffer.from(text, 'latin1'));

/** The commands of clients. */
export const respRequests: FuzzedCodec = {
  grammar: { frames: realRequests(), tokens, numbers: oddNumbers },
  begin: (variant, inputBytes) => new RequestAttempt(variant, inputBytes),
  isRefusal: isProtocolError,
  // A header without an end is refused as soon as it is too long; one with an end is no number.
  isSameRefusal: (a, b) => a.includes('too big') || b.includes('too big'),
};

const replyLimits = [
  { maxReplyBytes: 2048, maxDepth: 16 },
  { maxReplyBytes: 100, maxDepth: 2 },
];

class ReplyAttempt implements Attempt {
  readonly digest = new Digest();
  count = 0;
  readonly #limits: (typeof replyLimits)[number];
  readonly #framer: ReplyFramer;
  readonly #detaches: boolean;
  #detached: Detached | null = null;

  constructor(variant: number) {
    this.#limits = replyLimits[variant & 1];
    this.#framer = new ReplyFramer(this.#limits);
    this.#detaches = (variant & 8) > 0;
  }

  take(chunk: Buffer): void {
    const framer = this.#framer;
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#detached !== null) {
        rest = this.#detached.take(rest);
        if (!this.#detached.isComplete) return;
        const whole = this.#detached.join();
        this.#detached = null;
        this.#reply(whole, 0, whole.length);
        continue;
      }
      framer.push(rest);
      while (framer.next()) {
        check(framer.type === framer.buffer[framer.frameStart], 'the type is the first byte');
        this.#reply(framer.buffer, framer.frameStart, framer.frameEnd);
      }
      check(framer.bufferedBytes <= this.#limits.maxReplyBytes, 'at most the limit is held');
      if (this.#detaches) this.#detach();
      return;
    }
  }

  own(): void {
    this.#framer.own();
  }

  end(): void {}

  refused(): void {
    check(this.#framer.bufferedBytes === 0, 'nothing is held behind an error');
  }

  #detach(): void {
    const framer = this.#framer;
    const missing = framer.missingBytes;
    if (missing === 0) return;
    framer.detach();
    this.#detached = new Detached(framer.buffer.subarray(framer.frameStart, framer.frameEnd), missing);
  }

  #reply(buffer: Buffer, start: number, end: number): void {
    check(end - start <= this.#limits.maxReplyBytes, 'no reply is longer than allowed');
    check(skipReply(buffer, start) === end, 'walking over a reply ends where it ends');
    this.count++;
    this.digest.bytes(buffer, start, end);
    if (this.digest.value % CLOSELY === 0) decoded(buffer, start, end);
  }
}

/** What a framer lets through may still be no value: then decoding says so. */
function decoded(buffer: Buffer, start: number, end: number): void {
  try {
    decodeReply(buffer, start, end);
  } catch (error) {
    if (!isProtocolError(error)) throw error;
  }
}

/** The replies of servers. */
export const respReplies: FuzzedCodec = {
  grammar: { frames: realReplies(), tokens, numbers: oddNumbers },
  begin: (variant) => new ReplyAttempt(variant),
  isRefusal: isProtocolError,
  isSameRefusal: (a, b) => a.includes('too big') || b.includes('too big'),
};
