import t from 'tap';
import {
  argsOf,
  encodeCommand,
  FramesAhead,
  RequestParser,
  type RespLimits,
  RespProtocolError,
  RespWriter,
  writeCommand,
} from '../../lib/codec/resp/index.ts';
import { fc } from '../support/fast-check.ts';

const LIMITS: RespLimits = {
  maxBulkBytes: 1024 * 1024,
  maxArrayLength: 1024,
  maxInlineBytes: 65536,
  maxBufferedBytes: 4 * 1024 * 1024,
};

const latin1 = (text: string) => Buffer.from(text, 'latin1');

/** The current command as an array of one-byte-per-character strings. */
function current(parser: RequestParser): string[] {
  return Array.from({ length: parser.count }, (_, i) => parser.latin1(i));
}

interface Outcome {
  commands: string[][];
  error: string | null;
}

/** Feeds the chunks one by one, and checks on the way what must hold at every moment. */
function feed(
  parser: RequestParser,
  chunks: Iterable<Buffer>,
  limits: RespLimits = LIMITS,
  frames: FramesAhead | null = null,
): Outcome {
  const commands: string[][] = [];
  try {
    for (const chunk of chunks) {
      parser.push(chunk);
      for (;;) {
        if (frames !== null) parser.scanAhead(frames);
        if (!parser.next()) break;
        commands.push(current(parser));
        checkFrame(parser);
        checkLimits(parser, limits);
        if (frames !== null) checkAhead(frames, parser);
      }
      if (frames !== null) parser.forgetAhead(frames);
      if (parser.bufferedBytes > limits.maxBufferedBytes)
        throw new Error(`${parser.bufferedBytes} bytes are held`);
    }
  } catch (error) {
    if (!(error instanceof RespProtocolError)) throw error;
    return { commands, error: error.message };
  }
  return { commands, error: null };
}

/** What was scanned ahead says where the key of the current command is. */
function checkAhead({ current, buffer, view, keyStarts, keyEnds }: FramesAhead, parser: RequestParser): void {
  if (current < 0) return;
  const key = buffer.subarray(keyStarts[current], keyEnds[current]);
  if (!key.equals(parser.bytes(1))) throw new Error(`the key is ${parser.latin1(1)}, not ${key}`);
  if (view.getUint8(keyStarts[current] - 1) !== 0x0a) throw new Error('a view of other memory');
}

/** The raw frame of any command, inline ones too, must read as that command again. */
function checkFrame(parser: RequestParser): void {
  const frame = parser.buffer.subarray(parser.frameStart, parser.frameEnd);
  const again = new RequestParser({ ...LIMITS, maxArrayLength: 0x7fffffff, maxBulkBytes: 0x7fffffff });
  again.push(Buffer.from(frame));
  if (!again.next() || again.isInline || again.bufferedBytes !== 0)
    throw new Error('the frame is not one command');
  if (JSON.stringify(current(again)) !== JSON.stringify(current(parser)))
    throw new Error('the frame differs');
}

function checkLimits(parser: RequestParser, limits: RespLimits): void {
  if (parser.count > limits.maxArrayLength) throw new Error(`${parser.count} arguments passed`);
  if (!parser.isInline && parser.frameEnd - parser.frameStart > limits.maxBufferedBytes)
    throw new Error('frame too long');
  for (let i = 0; i < parser.count; i++) {
    if (parser.length(i) > limits.maxBulkBytes)
      throw new Error(`an argument of ${parser.length(i)} bytes passed`);
  }
}

function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : Math.max(1, sizes[i % sizes.length]);
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

/** As `feed`, with all chunks in one piece of memory that is overwritten as soon as the parser has taken what it needs. */
function feedFromSharedMemory(
  bytes: Buffer,
  sizes: readonly number[],
  frames: FramesAhead | null = null,
): Outcome {
  const memory = Buffer.alloc(Math.max(1, bytes.length));
  const parser = new RequestParser(LIMITS);
  function* chunks(): Generator<Buffer> {
    for (const chunk of cut(bytes, sizes)) {
      chunk.copy(memory);
      yield memory.subarray(0, chunk.length);
      parser.own();
      memory.fill('!');
    }
  }
  return feed(parser, chunks(), LIMITS, frames);
}

function parse(bytes: Buffer | string, sizes: readonly number[] = [], limits = LIMITS): Outcome {
  const source = typeof bytes === 'string' ? latin1(bytes) : bytes;
  return feed(new RequestParser(limits), cut(source, sizes), limits);
}

/** As `parse`, with short commands scanned ahead. */
function parseAhead(bytes: Buffer, sizes: readonly number[] = [], limits = LIMITS): Outcome {
  return feed(new RequestParser(limits), cut(bytes, sizes), limits, new FramesAhead());
}

const mixed = Buffer.concat([
  encodeCommand('SET', 'k', 'v'.repeat(300)),
  latin1('\r\n*0\r\n*-1\r\n\n   \r\n'),
  latin1('get "a b" \'c\'\r\n'),
  encodeCommand('', Buffer.from([0, 13, 10, 255])),
  encodeCommand('MSET', ...Array.from({ length: 40 }, (_, i) => `x${i}`)),
  latin1('ping\n'),
]);
const mixedCommands = [
  ['SET', 'k', 'v'.repeat(300)],
  ['get', 'a b', 'c'],
  ['', '\x00\r\n\xff'],
  ['MSET', ...Array.from({ length: 40 }, (_, i) => `x${i}`)],
  ['ping'],
];

t.test('chunks', async (t) => {
  t.test('one byte at a time, and in chunks of every small size', async (t) => {
    for (const size of [1, 2, 3, 4, 5, 7, 13, 64, 257, 100_000]) {
      t.strictSame(parse(mixed, [size]), { commands: mixedCommands, error: null }, `chunks of ${size}`);
      t.strictSame(parseAhead(mixed, [size]), { commands: mixedCommands, error: null }, `ahead, ${size}`);
    }
  });

  t.test('cut at every point', async (t) => {
    for (let at = 1; at < mixed.length; at++) {
      const { commands, error } = parse(mixed, [at, mixed.length]);
      if (error !== null || JSON.stringify(commands) !== JSON.stringify(mixedCommands))
        t.fail(`cut at ${at}: ${error}`);
    }
  });

  t.test('short commands that came together are scanned together', async (t) => {
    const parser = new RequestParser(LIMITS);
    const frames = new FramesAhead();
    const commands = Array.from({ length: 20 }, (_, i) => ['SET', `key${i}`, 'v'.repeat(i * 100)]);
    parser.push(Buffer.concat(commands.map((parts) => encodeCommand(...parts))));
    t.equal(parser.scanAhead(frames), true);
    t.equal(frames.count, 16);
    const seen: number[] = [];
    for (const command of commands) {
      if (!frames.hasNextOf(parser)) parser.scanAhead(frames);
      t.equal(parser.next(), true);
      t.strictSame(current(parser), command);
      seen.push(frames.current);
    }
    t.strictSame(seen, [...Array.from({ length: 16 }, (_, i) => i), 0, 1, 2, 3]);
    t.equal(parser.next(), false);
    t.equal(parser.bufferedBytes, 0);
  });

  t.test('what was scanned ahead and not taken is scanned anew', async (t) => {
    const parser = new RequestParser(LIMITS);
    const frames = new FramesAhead();
    const commands = Array.from({ length: 6 }, (_, i) => ['GET', `key${i}`]);
    parser.push(Buffer.concat(commands.map((parts) => encodeCommand(...parts))));
    parser.scanAhead(frames);
    parser.next();
    parser.forgetAhead(frames);
    t.equal(frames.count, 0);
    parser.push(encodeCommand('GET', 'last'));
    const got: string[] = [];
    while (parser.next()) got.push(parser.latin1(1));
    t.strictSame(got, ['key1', 'key2', 'key3', 'key4', 'key5', 'last']);
  });

  t.test('another parser may scan in between', async (t) => {
    const frames = new FramesAhead();
    const [one, other] = ['one', 'other'].map((name) => {
      const parser = new RequestParser(LIMITS);
      const commands = Array.from({ length: 5 }, (_, i) => encodeCommand('GET', name.repeat(1 + i)));
      parser.push(Buffer.concat(commands));
      return {
        parser,
        expected: Array.from({ length: 5 }, (_, i) => name.repeat(1 + i)),
        got: [] as string[],
      };
    });
    for (const which of [one, other, one, one, other, other, one, one, other, other]) {
      which.parser.scanAhead(frames);
      t.ok(which.parser.next());
      which.got.push(which.parser.latin1(1));
    }
    t.strictSame(one.got, one.expected);
    t.strictSame(other.got, other.expected);
  });

  t.test('only short commands with a key are', async (t) => {
    const scan = (bytes: Buffer | string, limits: Partial<RespLimits> = {}) => {
      const parser = new RequestParser({ ...LIMITS, ...limits });
      const frames = new FramesAhead();
      parser.push(typeof bytes === 'string' ? latin1(bytes) : bytes);
      parser.scanAhead(frames);
      return frames.count;
    };
    const get = encodeCommand('GET', 'key');
    t.equal(scan(get), 1);
    t.equal(scan(encodeCommand('SET', 'key', Buffer.alloc(16_384))), 1);
    t.equal(scan(encodeCommand('SET', 'key', Buffer.alloc(16_385))), 0);
    t.equal(scan(encodeCommand('MGET', 'a', 'b', 'c', 'd')), 1);
    t.equal(scan(encodeCommand('MGET', 'a', 'b', 'c', 'd', 'e')), 0);
    t.equal(scan(encodeCommand('PING')), 0);
    t.equal(scan('GET key\r\n'), 0);
    t.equal(
      scan(Buffer.concat([get, latin1('*2\r\n$3\r\nGET\r\n$03\r\nkey\r\n'), get])),
      1,
      'not well-formed',
    );
    for (let length = 0; length < get.length; length++) t.equal(scan(get.subarray(0, length)), 0);
    t.equal(scan(get, { maxBulkBytes: 2 }), 0);
    t.equal(scan(get, { maxArrayLength: 1 }), 0);
    t.equal(scan(get, { maxBufferedBytes: get.length - 1 }), 0);
    t.equal(scan(get, { maxBufferedBytes: get.length }), 1);
  });

  t.test('any commands in any chunks come out as they went in', async () => {
    const part = fc.oneof(
      fc.string(),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).latin1Slice()),
    );
    const big = fc.nat({ max: 20_000 }).map((length) => 'b'.repeat(length));
    const command = fc.array(fc.oneof({ weight: 9, arbitrary: part }, { weight: 1, arbitrary: big }), {
      minLength: 1,
      maxLength: 24,
    });
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 12 }),
        fc.array(fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 9000 })), { maxLength: 8 }),
        (commands, sizes) => {
          const bytes = Buffer.concat(
            commands.map((parts) => encodeCommand(...parts.map((p) => Buffer.from(p)))),
          );
          const expected = JSON.stringify({
            commands: commands.map((parts) => parts.map((p) => Buffer.from(p).latin1Slice())),
            error: null,
          });
          const outcomes = [
            parse(bytes, sizes),
            parseAhead(bytes, sizes),
            feedFromSharedMemory(bytes, sizes),
            feedFromSharedMemory(bytes, sizes, new FramesAhead()),
          ];
          return outcomes.every((outcome) => JSON.stringify(outcome) === expected);
        },
      ),
      { numRuns: 200 },
    );
  });

  t.test('a frame stays true while later bytes arrive', async (t) => {
    const parser = new RequestParser(LIMITS);
    const frames: { view: Buffer; copy: Buffer }[] = [];
    const stream = Buffer.concat(
      Array.from({ length: 300 }, (_, i) => encodeCommand('SET', `key${i}`, 'v'.repeat(i))),
    );
    for (const chunk of cut(stream, [1, 100, 5000, 37])) {
      parser.push(chunk);
      while (parser.next()) {
        const view = parser.buffer.subarray(parser.frameStart, parser.frameEnd);
        frames.push({ view, copy: Buffer.from(view) });
      }
    }
    t.equal(frames.length, 300);
    t.ok(frames.every(({ view, copy }) => view.equals(copy)));
  });

  t.test('a command that is put off is still there after its memory was used again', async (t) => {
    const memory = encodeCommand('SET', 'k', 'now');
    const parser = new RequestParser(LIMITS);
    parser.push(Buffer.concat([memory, encodeCommand('GET', 'later')]));
    t.ok(parser.next());
    parser.own();
    parser.push(memory);
    parser.own();
    memory.fill('!');
    t.strictSame(current(parser), ['SET', 'k', 'now']);
    t.ok(parser.next());
    t.strictSame(current(parser), ['GET', 'later']);
    t.ok(parser.next());
    t.strictSame(current(parser), ['SET', 'k', 'now']);
    t.notOk(parser.next());
  });

  t.test('nothing pending is copied, and nothing consumed is kept', async (t) => {
    const parser = new RequestParser(LIMITS);
    const chunk = encodeCommand('GET', 'k');
    parser.push(chunk);
    t.ok(parser.next());
    t.equal(parser.buffer, chunk);
    t.notOk(parser.next());
    t.not(parser.buffer, chunk);
    t.equal(parser.buffer.length, 0);
    parser.push(Buffer.alloc(0));
    t.notOk(parser.next());
  });
});

/** Many short arguments are found in WebAssembly, which leaves all that is odd to the usual way. */
t.test('commands of many arguments', async (t) => {
  const part = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).latin1Slice());
  const parts = fc.array(part, { minLength: 10, maxLength: 80 });
  const framed = (text: string) => `$${text.length}\r\n${text}\r\n`;
  const cut = (bytes: Buffer, sizes: readonly number[]) => {
    const chunks: Buffer[] = [];
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = 1 + (sizes[i % sizes.length] ?? bytes.length);
      chunks.push(bytes.subarray(at, at + size));
      at += size;
    }
    return chunks;
  };
  const sizes = fc.array(fc.nat({ max: 700 }), { maxLength: 5 });

  t.test('whole ones', async (t) => {
    fc.assert(
      fc.property(parts, parts, sizes, (first, second, chunkSizes) => {
        const bytes = latin1(
          [first, second].map((words) => `*${words.length}\r\n${words.map(framed).join('')}`).join(''),
        );
        const { commands, error } = feed(new RequestParser(LIMITS), cut(bytes, chunkSizes));
        t.same(commands, [first, second]);
        t.equal(error, null);
      }),
      { numRuns: 200 },
    );
  });

  t.test('odd ones', async (t) => {
    const odd = fc.constantFrom(
      ...[
        '$3\r\nab\r\n$',
        '$-1\r\n',
        '$01\r\na\r\n',
        '$1x\r\na\r\n',
        '+a\r\n',
        '$1\r\nabcd',
        '$\r\n\r\n',
        '$5\nabcde\r\n',
      ],
      ...[
        '$1048577\r\n',
        '$123456789012\r\n',
        '$1\r\na\n\r',
        '$1\r\na\rb',
        '\r\n',
        '$ 1\r\na\r\n',
        '$+1\r\na\r\n',
      ],
    );
    fc.assert(
      fc.property(parts, odd, fc.nat(), sizes, (words, frame, at, chunkSizes) => {
        const before = words.slice(0, at % words.length);
        const wide = `*${words.length + 30}\r\n${before.map(framed).join('')}${frame}`;
        const alone = feed(new RequestParser(LIMITS), [latin1(`*2\r\n${frame}`)]);
        const found = feed(new RequestParser(LIMITS), cut(latin1(wide), chunkSizes));
        t.same(found, alone, JSON.stringify(frame));
      }),
      { numRuns: 400 },
    );
    const long = latin1(`*40\r\n${framed('a').repeat(20)}${framed('b'.repeat(50))}`);
    const { error } = feed(new RequestParser({ ...LIMITS, maxBulkBytes: 49 }), [long]);
    t.equal(error, 'Protocol error: invalid bulk length', 'of those that may be no longer');
  });
});

t.test('inline commands', async (t) => {
  const cases: [string, string[] | null][] = [
    ['PING\r\n', ['PING']],
    ['  set   a\tb \n', ['set', 'a', 'b']],
    ['set k "a\\x00\\x7F\\n\\r\\t\\b\\a\\"\\\\\\q"\r\n', ['set', 'k', 'a\x00\x7f\n\r\t\b\x07"\\q']],
    ['set k "\\xZZ" "\\x4"\r\n', ['set', 'k', 'xZZ', 'x4']],
    ["set k 'it\\'s \\n'\r\n", ['set', 'k', "it's \\n"]],
    ['set k ""\r\n', ['set', 'k', '']],
    ["''\r\n", ['']],
    ['a"b c"\r\n', ['ab c']],
    ['set k \xe9\r\n', ['set', 'k', '\xe9']],
    ['set k a\x00b\r\n', ['set', 'k', 'a']],
    ['get "k\r\n', null],
    ["get 'k\r\n", null],
    ['get "k"x\r\n', null],
    ["get 'k'x\r\n", null],
    ['get "k\\"\r\n', null],
  ];
  for (const [line, expected] of cases) {
    const outcome = parse(line);
    if (expected === null)
      t.equal(outcome.error, 'Protocol error: unbalanced quotes in request', JSON.stringify(line));
    else t.strictSame(outcome, { commands: [expected], error: null }, JSON.stringify(line));
  }

  const parser = new RequestParser(LIMITS);
  parser.push(latin1('get "a b"\r\n*1\r\n$4\r\nPING\r\n'));
  t.ok(parser.next());
  t.equal(parser.isInline, true);
  t.equal(parser.buffer.latin1Slice(parser.frameStart, parser.frameEnd), '*2\r\n$3\r\nget\r\n$3\r\na b\r\n');
  t.ok(parser.next());
  t.equal(parser.isInline, false);
});

t.test('errors, in the words of Redis 7.0', async (t) => {
  const long = 'a'.repeat(65537);
  const cases: [string, string][] = [
    ['*x\r\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*1x\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*+1\r\n', 'invalid multibulk length'],
    ['*1025\r\n', 'invalid multibulk length'],
    ['*20000000000\r\n', 'invalid multibulk length'],
    ['*123456789012345678901234567890\r\n', 'invalid multibulk length'],
    ['*1\r\r', 'invalid multibulk length'],
    ['*1\r\n$x\r\n', 'invalid bulk length'],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$\r\n', 'invalid bulk length'],
    ['*1\r\n$1048577\r\n', 'invalid bulk length'],
    ['*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n', 'invalid bulk length'],
    ['*1\r\nfoo\r\n', "expected '$', got 'f'"],
    ['*2\r\n$3\r\nGET\r\n:1\r\n', "expected '$', got ':'"],
    ['*1\r\n\r\n', "expected '$', got ' '"],
    ['*1\r\n$1\r\nabc', 'expected CRLF behind a bulk string'],
    [`*${long}`, 'too big mbulk count string'],
    [`*1\r\n$${long}`, 'too big bulk count string'],
    [long, 'too big inline request'],
    [`${long}\r\n`, 'too big inline request'],
    ['get "\r\n', 'unbalanced quotes in request'],
  ];
  for (const [bytes, reason] of cases) {
    for (const sizes of [[], [1], [3, 70_000]]) {
      const message = `${JSON.stringify(bytes.slice(0, 40))} in chunks of ${sizes}`;
      t.strictSame(parse(bytes, sizes), { commands: [], error: `Protocol error: ${reason}` }, message);
    }
  }

  t.test('commands before the error are handed out; the error stays', async (t) => {
    const parser = new RequestParser(LIMITS);
    parser.push(latin1('PING\r\n*x\r\n'));
    t.ok(parser.next());
    const failure = () => {
      parser.next();
    };
    t.throws(failure, new RespProtocolError('invalid multibulk length'));
    t.equal(parser.bufferedBytes, 0);
    parser.push(latin1('PING\r\n'));
    t.throws(failure, new RespProtocolError('invalid multibulk length'));
    t.equal(parser.bufferedBytes, 0, 'and nothing is kept any more');
  });

  t.test('before authentication', async (t) => {
    const before = (bytes: string | Buffer) => {
      const parser = new RequestParser(LIMITS);
      parser.authenticated = false;
      return feed(parser, [Buffer.from(bytes as Buffer)]);
    };
    t.equal(before('*11\r\n').error, 'Protocol error: unauthenticated multibulk length');
    t.equal(before('*1\r\n$16385\r\n').error, 'Protocol error: unauthenticated bulk length');
    t.equal(before('*10\r\n$16384\r\n').error, null);
    const parser = new RequestParser(LIMITS);
    parser.authenticated = false;
    parser.push(Buffer.concat([encodeCommand('AUTH', 'p'), encodeCommand('SET', 'k', 'v'.repeat(20_000))]));
    t.ok(parser.next());
    parser.authenticated = true;
    t.ok(parser.next(), 'a command in the same chunk as AUTH is judged after it');
  });
});

t.test('limits', async (t) => {
  const tight: RespLimits = {
    maxBulkBytes: 64,
    maxArrayLength: 8,
    maxInlineBytes: 80,
    maxBufferedBytes: 256,
  };

  t.test('exactly the limit passes, one more does not', async (t) => {
    const bulk = (bytes: number) => parse(encodeCommand('x'.repeat(bytes)), [], tight);
    t.equal(bulk(64).commands.length, 1);
    t.match(bulk(65).error, /invalid bulk length/);
    const array = (length: number) => parse(encodeCommand(...Array<string>(length).fill('x')), [], tight);
    t.equal(array(8).commands.length, 1);
    t.match(array(9).error, /invalid multibulk length/);
    const frame = (last: number) =>
      parse(encodeCommand('x'.repeat(60), 'x'.repeat(60), 'x'.repeat(60), 'x'.repeat(last)), [], tight);
    const fits = 256 - encodeCommand('x'.repeat(60), 'x'.repeat(60), 'x'.repeat(60), '').length - 1;
    t.equal(frame(fits).commands.length, 1);
    t.match(frame(fits + 1).error, /too big request/);
    t.equal(parse(`${'x'.repeat(60)} ${'y'.repeat(18)}\r\n`, [], tight).commands.length, 1);
    t.equal(parse('x'.repeat(65), [], tight).error, null);
    t.match(parse(`${'x'.repeat(65)}\r\n`, [], tight).error, /too big inline request/);
    t.match(parse(`${'x '.repeat(9)}\r\n`, [], tight).error, /too big inline request/);
  });

  t.test('a declared length allocates nothing', async (t) => {
    const parser = new RequestParser({ ...LIMITS, maxBulkBytes: 0x20000000, maxBufferedBytes: 0x30000000 });
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 64; i++) {
      const one = new RequestParser({ ...LIMITS, maxBulkBytes: 0x20000000, maxBufferedBytes: 0x30000000 });
      one.push(latin1('*1000\r\n$536870912\r\nabc'));
      t.notOk(one.next());
      one.push(latin1('defgh'));
      t.notOk(one.next());
    }
    t.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024);
    t.equal(parser.bufferedBytes, 0);
  });

  t.test('who does not ask for commands cannot pile them up', async (t) => {
    const parser = new RequestParser(tight);
    const ping = encodeCommand('PING');
    let held = 0;
    for (let i = 0; i < 100; i++) {
      parser.push(Buffer.from(ping));
      held = Math.max(held, parser.bufferedBytes);
    }
    t.ok(held <= 256, `${held} bytes held`);
    const { commands, error } = feed(parser, [], tight);
    t.strictSame([commands.length, error], [0, null]);
    let count = 0;
    t.throws(() => {
      while (parser.next()) count++;
    }, new RespProtocolError('too much unprocessed data'));
    t.equal(count, Math.floor(256 / ping.length), 'what was held is handed out before the error');
  });

  t.test('a caller that pauses in a stitched frame loses nothing', async (t) => {
    const parser = new RequestParser(LIMITS);
    const commands = Array.from({ length: 400 }, (_, i) => encodeCommand('SET', `key${i}`, 'v'.repeat(50)));
    const stream = Buffer.concat(commands);
    const got: string[] = [];
    for (const chunk of cut(stream, [30, 9000, 10, 5001])) {
      parser.push(chunk);
      for (let i = 0; i < 2 && parser.next(); i++) got.push(parser.latin1(1));
    }
    while (parser.next()) got.push(parser.latin1(1));
    t.strictSame(
      got,
      commands.map((_, i) => `key${i}`),
    );
  });

  t.test('random bytes: only protocol errors, every limit holds, chunks make no difference', async () => {
    const token = fc.oneof(
      fc.constantFrom(
        '*',
        '$',
        '\r\n',
        '\r',
        '\n',
        '*1\r\n',
        '*3\r\n',
        '*9\r\n',
        '$0\r\n',
        '$1\r\n',
        '$3\r\n',
        '$65\r\n',
        '-',
        '"',
        "'",
        ' ',
      ),
      fc.constantFrom('abc\r\n', 'x\r\n', '\r\n\r\n', '0', '64', '\\x', '\x00', '\xff'),
      fc.nat({ max: 200 }).map((n) => 'y'.repeat(n)),
      fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).latin1Slice()),
      fc
        .array(fc.nat({ max: 70 }), { minLength: 1, maxLength: 9 })
        .map((lengths) => encodeCommand(...lengths.map((n) => 'z'.repeat(n))).latin1Slice()),
    );
    const stream = fc.array(token, { maxLength: 30 }).map((tokens) => latin1(tokens.join('')));
    const sizes = fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(stream, sizes, (bytes, chunkSizes) => {
        const whole = parse(bytes, [], tight);
        const cutUp = parse(bytes, chunkSizes, tight);
        const isAlike = [[], chunkSizes].every(
          (sizes) =>
            JSON.stringify(parseAhead(bytes, sizes, tight)) === JSON.stringify(parse(bytes, sizes, tight)),
        );
        return (
          isAlike &&
          JSON.stringify(whole.commands) === JSON.stringify(cutUp.commands) &&
          // Cut up, the end of a line may be missing when its length is already too much.
          (whole.error === null) === (cutUp.error === null)
        );
      }),
      { numRuns: 1500 },
    );
  });
});

t.test('arguments', async (t) => {
  const args = argsOf(
    'SeT',
    'é\xff',
    42,
    -7,
    12345678901234567890n,
    '9007199254740993',
    '1e3',
    Buffer.from([0xff]),
  );
  t.equal(args.count, 8);
  t.equal(args.upper(0), 'SET');
  t.equal(argsOf('\xe9aZ').upper(0).length, 4, 'only ASCII letters are raised');
  t.ok(args.equalsIgnoreCase(0, 'SET'));
  t.notOk(args.equalsIgnoreCase(0, 'GET'));
  t.notOk(args.equalsIgnoreCase(0, 'SETX'));
  t.equal(args.utf8(1), 'éÿ');
  t.equal(args.latin1(7), '\xff');
  t.equal(args.length(7), 1);
  t.strictSame(args.bytes(7), Buffer.from([0xff]));
  const copy = args.copy(0);
  copy[0] = 0;
  t.equal(args.latin1(0), 'SeT');
  t.equal(args.integer(2), 42);
  t.equal(args.integer(3), -7);
  t.equal(args.integer(4), null);
  t.equal(args.integer(5), null, 'beyond 2^53 - 1');
  t.equal(args.bigint(5), 9007199254740993n);
  t.equal(args.bigint(4), null, 'beyond 64 bits');
  t.equal(args.number(6), 1000);
  t.equal(args.buffer.latin1Slice(args.start(0), args.end(0)), 'SeT');
  t.throws(() => argsOf(), RangeError);

  t.test("whole numbers in Redis's syntax", async (t) => {
    const valid = [
      '0',
      '1',
      '-1',
      '10',
      '9223372036854775807',
      '-9223372036854775808',
      '999999999999999',
      '1000000000000000',
    ];
    for (const text of valid) {
      t.equal(argsOf('x', text).bigint(1), BigInt(text), text);
      const safe = Number.isSafeInteger(Number(text)) ? Number(text) : null;
      t.equal(argsOf('x', text).integer(1), safe, text);
    }
    const invalid = [
      '',
      '-',
      '+1',
      '01',
      '-0',
      '-01',
      '1.0',
      ' 1',
      '1 ',
      '0x1',
      '1e3',
      '9223372036854775808',
      '-9223372036854775809',
      '1'.repeat(30),
      'abc',
      '1a',
      '00000000000000000001',
    ];
    for (const text of invalid) {
      t.equal(argsOf('x', text).bigint(1), null, JSON.stringify(text));
      t.equal(argsOf('x', text).integer(1), null, JSON.stringify(text));
    }
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }), (value) => {
        const args = argsOf('x', value);
        const fits = BigInt.asIntN(64, value) === value;
        const isSafe = Number.isSafeInteger(Number(value));
        return (
          args.bigint(1) === (fits ? value : null) && args.integer(1) === (isSafe ? Number(value) : null)
        );
      }),
    );
  });

  t.test('decimal numbers', async (t) => {
    const valid: [string, number][] = [
      ['1', 1],
      ['-2.5', -2.5],
      ['+3', 3],
      ['.5', 0.5],
      ['5.', 5],
      ['1e3', 1000],
      ['1E-2', 0.01],
      ['inf', Infinity],
      ['-Infinity', -Infinity],
      ['+INF', Infinity],
    ];
    for (const [text, value] of valid) t.equal(argsOf('x', text).number(1), value, text);
    for (const text of ['', 'nan', '1x', ' 1', '1 ', '.', 'e5', '--1', '0x10', '1'.repeat(300)]) {
      t.equal(argsOf('x', text).number(1), null, text.slice(0, 20));
    }
  });
});

t.test('writeCommand and encodeCommand agree', async (t) => {
  const writer = new RespWriter();
  const parts = ['SET', Buffer.from([0, 1]), 12, 34n, 'é'];
  writeCommand(writer, parts);
  t.strictSame(Buffer.from(writer.take()), encodeCommand(...parts));
});
