import t from 'tap';
import { MemcachedParser, MemcachedProtocolError, wordText } from '../../proxy/memcached/protocol/index.ts';
import { fc } from '../support/fast-check.ts';

const limits = { maxItemBytes: 100_000, maxGetLineBytes: 10_000, maxBufferedBytes: 1_000_000 };

/** What the parser makes of bytes that come in these pieces: words, and the block or why there is none. */
function parse(bytes: Buffer | string, splitAt: readonly number[] = [], own = limits): string[] {
  const parser = new MemcachedParser(own);
  const input = Buffer.from(bytes as string, 'latin1');
  const seen: string[] = [];
  let from = 0;
  try {
    for (const at of [...splitAt, input.length]) {
      parser.push(Buffer.from(input.subarray(from, at)));
      from = at;
      while (parser.next()) seen.push(describe(parser));
    }
  } catch (error) {
    if (!(error instanceof MemcachedProtocolError)) throw error;
    seen.push(`! ${error.message}`);
  }
  return seen;
}

function describe(parser: MemcachedParser): string {
  const words = Array.from({ length: parser.count }, (_, i) => wordText(parser, i)).join('|');
  if (parser.isTooLong) return `${words} too long`;
  if (parser.blockBytes < 0) return words;
  const block = parser.buffer.latin1Slice(parser.blockStart, parser.blockStart + parser.blockBytes);
  return `${words} = ${block}${parser.endsWell ? '' : ' ends badly'}`;
}

t.test('lines, words and blocks', async (t) => {
  for (const [input, ...expected] of [
    ['get a\r\n', 'get|a'],
    ['get a\n', 'get|a'],
    ['  get   a  b \r\n', 'get|a|b'],
    ['\r\n', '\r'],
    ['\n', ''],
    [' \n', ''],
    ['get \r\n', 'get'],
    ['set a 1 2 3\r\nabc\r\n', 'set|a|1|2|3 = abc'],
    ['set a 1 2 3 noreply\r\nab\n\r\nmn\r\n', 'set|a|1|2|3|noreply = ab\n', 'mn'],
    ['set a 0 0 0\r\n\r\nmn\r\n', 'set|a|0|0|0 = ', 'mn'],
    ['cas a 1 2 3 99\r\nabc\r\n', 'cas|a|1|2|3|99 = abc'],
    ['ms a 3 T0 F5\r\nabc\r\nmn\r\n', 'ms|a|3|T0|F5 = abc', 'mn'],
    ['set a 0 0 3\r\nabcde\r\n', 'set|a|0|0|3 = abc ends badly', '\r'],
    // A length that cannot be read: what follows is a line.
    ['set a 0 0 x\r\nabc\r\n', 'set|a|0|0|x', 'abc'],
    ['set a 0 0 -1\r\nabc\r\n', 'set|a|0|0|-1', 'abc'],
    ['set a 0 0 2147483646\r\nabc\r\n', 'set|a|0|0|2147483646', 'abc'],
    ['cas a 0 0 3 \r\nabc\r\n', 'cas|a|0|0|3', 'abc'],
    ['set a 0 0 3 noreply more\r\nabc\r\n', 'set|a|0|0|3|noreply|more', 'abc'],
    ['ms a\r\nmn\r\n', 'ms|a', 'mn'],
    ['ms a b\r\nmn\r\n', 'ms|a|b', 'mn'],
    ['sets a 0 0 3\r\nabc\r\n', 'sets|a|0|0|3', 'abc'],
  ]) {
    t.same(parse(input), expected, JSON.stringify(input));
  }
});

t.test('at every split point, and byte by byte, the same', async (t) => {
  const input = `set a 0 0 9\r\nversion\r\n\r\nget a b\r\nms k 2 q\r\nxy\r\n${'x'.repeat(600)} y\r\nset a 0 0 3\r\nabcd\r\nmn\r\n`;
  const whole = parse(input);
  t.equal(whole.length, 7);
  for (let at = 1; at < input.length; at++) t.same(parse(input, [at]), whole, `split at ${at}`);
  t.same(
    parse(
      input,
      Array.from({ length: input.length - 1 }, (_, i) => i + 1),
    ),
    whole,
  );
});

t.test('limits', async (t) => {
  const long = `set a 0 0 100001\r\n${'v'.repeat(100_001)}\r\nmn\r\n`;
  t.same(parse(long), ['set|a|0|0|100001 too long', 'mn'], 'a block that is too long is skipped');
  for (const at of [5, 18, 19, 20, 1000, 100_018, 100_019, 100_020, 100_021])
    t.same(parse(long, [at]), ['set|a|0|0|100001 too long', 'mn'], `split at ${at}`);
  const parser = new MemcachedParser(limits);
  parser.push(Buffer.from('ms a 5000000\r\n'));
  t.ok(parser.next() && parser.isTooLong);
  for (let i = 0; i < 49; i++) {
    parser.push(Buffer.alloc(100_000));
    t.notOk(parser.next());
    t.equal(parser.bufferedBytes, 0, 'and takes no memory');
  }
  t.same(parse('y'.repeat(2049)), ['! CLIENT_ERROR line too long']);
  t.same(parse(`${'y'.repeat(2049)}\r\n`), ['! CLIENT_ERROR line too long'], 'also when it has come whole');
  t.same(parse(`get ${'k '.repeat(4000)}\r\n`).length, 1, 'many keys');
  t.same(parse(`get ${'k '.repeat(6000)}`), ['! CLIENT_ERROR line too long']);
  t.same(parse(`${' '.repeat(101)}get ${'k '.repeat(2000)}`), ['! CLIENT_ERROR line too long']);
  t.match(parse('\x80\0\0\x01'), [
    '! SERVER_ERROR the binary protocol is not supported, use the text protocol',
  ]);
});

t.test('a long block is handed over in pieces', async (t) => {
  const parser = new MemcachedParser(limits);
  parser.push(Buffer.from(`set a 0 0 90000\r\n${'v'.repeat(10)}`));
  t.notOk(parser.next());
  t.equal(parser.missingBytes, 89_992);
  parser.detach();
  t.equal(wordText(parser, 1), 'a');
  t.equal(parser.blockBytes, 90_000);
  t.equal(parser.buffer.latin1Slice(parser.blockStart, parser.frameEnd), 'v'.repeat(10));
  parser.push(Buffer.from('mn\r\n'));
  t.ok(parser.next());
  t.equal(describe(parser), 'mn');
});

t.test(
  'random bytes never throw another error, whatever their pieces, and hold no more than the limits',
  async (t) => {
    const word = fc.oneof(
      fc.constantFrom('set', 'get', 'ms', 'cas', 'append', 'a', '0', '3', '50', '\r\n', '\n', ' ', 'noreply'),
      fc.string({ maxLength: 5 }),
    );
    const input = fc.oneof(
      fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
      fc.array(word, { maxLength: 60 }).map((words) => Buffer.from(words.join(' '), 'latin1')),
    );
    const small = { maxItemBytes: 40, maxGetLineBytes: 100, maxBufferedBytes: 1000 };
    fc.assert(
      fc.property(input, fc.nat(500), (bytes, at) => {
        const split = parse(bytes, [Math.min(at, bytes.length)], small);
        return JSON.stringify(parse(bytes, [], small)) === JSON.stringify(split);
      }),
      { numRuns: 1000 },
    );
    t.pass('held');
  },
);
