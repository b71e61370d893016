import { MemcachedParser, MemcachedProtocolError } from '../../../proxy/memcached/protocol/index.ts';
import { Digest } from './digest.ts';
import type { Attempt, FuzzedCodec } from './fuzz.ts';
import { oddNumbers } from './mutator.ts';

const block = (bytes: number) => `${'v'.repeat(bytes)}\r\n`;

/** As clients send them (memcached 1.6, doc/protocol.txt), the classic text protocol. */
const textFrames = [
  ...['get a', 'get a b c', `get ${'k'.repeat(250)}`, `get ${'k'.repeat(251)}`, 'gets a b', 'gat 10 a b'],
  ...['gats 0 a', 'delete a', 'delete a noreply', 'delete a 0', 'incr n 1', 'decr n 18446744073709551615'],
  ...['incr n 5 noreply', 'touch a 100', 'touch a 100 noreply', 'flush_all', 'flush_all 10 noreply', 'stats'],
  ...[
    'stats items',
    'stats settings',
    'version',
    'verbosity 1',
    'verbosity 1 noreply',
    'quit',
    'cache_memlimit 64',
  ],
  ...['get', '', ' ', 'get  a   b ', 'nonsense', 'GET a', `get ${'key_0123456789 '.repeat(30)}`, 'shutdown'],
]
  .map((line) => `${line}\r\n`)
  .concat(
    ...['set', 'add', 'replace', 'append', 'prepend'].map((name) => [
      `${name} a 0 0 3\r\n${block(3)}`,
      `${name} a 4294967295 2592000 0 noreply\r\n\r\n`,
      `${name} a 1 -1 40\r\n${block(40)}`,
    ]),
    `cas a 0 0 3 7\r\n${block(3)}`,
    `cas a 0 0 3 18446744073709551615 noreply\r\n${block(3)}`,
    `set a 0 0 200\r\n${block(200)}get a\r\n`,
    `set b 0 0 600\r\n${block(600)}`,
    'set a 0 0 -1\r\n',
    'set a 0 0 5\r\nget x\r\n\r\n',
  );

/** As clients send them, the meta protocol. */
const metaFrames = [
  ...[
    'mn',
    'mg a',
    'mg a v',
    'mg a k f v t s c h l q O123',
    'mg Zm9v b k v',
    'mg a v N30 R10 T60',
    'mg a E5 v',
  ],
  ...['mg a q v', 'md a', 'md a q', 'md a I T30', 'md a C7 x', 'md Zm9v b q O9', 'ma n', 'ma n N0 J13 v t c'],
  ...[
    'ma n MI D5 v',
    'ma n MD D18446744073709551615 q',
    'me a',
    'me Zm9v b',
    'mg',
    'ma',
    `mg ${'k'.repeat(251)} v`,
  ],
  ...['mg a Oopaque-0123456789 k', 'mn\r\nmg b v q\r\nmn', 'mg a   v  ', 'mx a', 'ms a'],
]
  .map((line) => `${line}\r\n`)
  .concat(
    `ms a 3\r\n${block(3)}`,
    `ms a 3 T60 F5 I\r\n${block(3)}`,
    `ms Zm9v 2 b c E77 C6 q O1 k\r\n${block(2)}`,
    `ms a 40 MA\r\n${block(40)}`,
    `ms a 0 MP N30\r\n\r\n`,
    `ms a S3 T0\r\n${block(3)}`,
    `ms a 600 q\r\n${block(600)}mn\r\n`,
    'ms a -1\r\n',
    `ms a 5 T\r\nmg x\r\n\r\n`,
  );

const tokens = [
  ...[
    '\r\n',
    '\r',
    '\n',
    ' ',
    '\0',
    '\t',
    'noreply',
    'b',
    'q',
    'v',
    'k',
    'O1',
    'T0',
    'get ',
    'gets ',
    'mg ',
    'ms ',
  ],
  ...['set a 0 0 ', 'mn\r\n', '\x80', '\xff', 'S3', 'N', 'M', 'MI', 'I', 'C', 'E', 'cas '],
].map((text) => Buffer.from(text, 'latin1'));

const limits = [
  { maxItemBytes: 1024, maxGetLineBytes: 4096, maxBufferedBytes: 8192 },
  { maxItemBytes: 100, maxGetLineBytes: 2500, maxBufferedBytes: 3000 },
] as const;
/** The longest line that is no `get`. */
const MAX_LINE_BYTES = 2048;

function check(isSo: boolean, promise: string): asserts isSo {
  if (!isSo) throw new Error(`not kept: ${promise}`);
}

class MemcachedAttempt implements Attempt {
  readonly digest = new Digest();
  count = 0;
  readonly #limits: (typeof limits)[number];
  readonly #parser: MemcachedParser;

  constructor(variant: number) {
    this.#limits = limits[variant & 1];
    this.#parser = new MemcachedParser(this.#limits);
  }

  take(chunk: Buffer): void {
    const parser = this.#parser;
    const { maxBufferedBytes, maxItemBytes } = this.#limits;
    parser.push(chunk);
    while (parser.next()) this.#command(parser);
    const most = Math.max(maxBufferedBytes, maxItemBytes + 2 * MAX_LINE_BYTES);
    check(parser.bufferedBytes <= most, 'at most the limit is held');
  }

  end(): void {}

  own(): void {
    this.#parser.own();
  }

  refused(): void {
    check(this.#parser.bufferedBytes === 0, 'nothing is held behind an error');
  }

  #command(parser: MemcachedParser): void {
    const { count, buffer, frameStart, frameEnd, blockBytes, isTooLong } = parser;
    const { maxItemBytes, maxGetLineBytes } = this.#limits;
    this.count++;
    this.digest.number(count);
    for (let i = 0; i < count; i++) {
      const [start, end] = [parser.start(i), parser.end(i)];
      check(start >= frameStart && end > start && end <= frameEnd, 'words lie in their frame');
      check(buffer.indexOf(0x20, start) < 0 || buffer.indexOf(0x20, start) >= end, 'words have no blanks');
      this.digest.bytes(buffer, start, end);
    }
    this.digest.number(blockBytes);
    const lineEnd = blockBytes >= 0 && !isTooLong ? parser.blockStart : frameEnd;
    const isGet = count > 0 && buffer[parser.start(0)] === 0x67;
    check(
      lineEnd - frameStart <= (isGet ? maxGetLineBytes : MAX_LINE_BYTES) + 1,
      'no line is longer than allowed',
    );
    check(isTooLong === blockBytes > maxItemBytes, 'a block that is too long is left out, and no other');
    if (blockBytes < 0 || isTooLong) return;
    check(parser.blockStart + blockBytes + 2 === frameEnd, 'the block ends the frame');
    this.digest.bytes(buffer, parser.blockStart, frameEnd);
    this.digest.number(parser.endsWell ? 1 : 0);
  }
}

const codec = (frames: readonly string[]): FuzzedCodec => ({
  grammar: { frames: frames.map((frame) => Buffer.from(frame)), tokens, numbers: oddNumbers },
  begin: (variant) => new MemcachedAttempt(variant),
  isRefusal: (error) => error instanceof MemcachedProtocolError,
});

/** Commands of the classic text protocol. */
export const memcachedText = codec(textFrames);

/** Commands of the meta protocol. */
export const memcachedMeta = codec(metaFrames);
