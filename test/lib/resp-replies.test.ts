import t from 'tap';
import {
  decodeReply,
  ReplyFramer,
  RespAttributed,
  RespError,
  RespProtocolError,
  RespPush,
  type RespValue,
  RespVerbatim,
  RespWriter,
  replyLineEnd,
  replyNumber,
  skipReply,
} from '../../lib/codec/resp/index.ts';
import { fc } from '../support/fast-check.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : Math.max(1, sizes[i % sizes.length]);
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

interface Outcome {
  frames: string[];
  error: string | null;
}

function frame(bytes: Buffer | string, sizes: readonly number[] = [], limits = {}): Outcome {
  const framer = new ReplyFramer(limits);
  const frames: string[] = [];
  try {
    for (const chunk of cut(Buffer.from(bytes as string, 'latin1'), sizes)) {
      framer.push(chunk);
      while (framer.next()) {
        const { buffer, frameStart, frameEnd } = framer;
        if (framer.type !== buffer[frameStart]) throw new Error('type is not the first byte');
        if (skipReply(buffer, frameStart) !== frameEnd) throw new Error('skipReply ends elsewhere');
        frames.push(buffer.latin1Slice(frameStart, frameEnd));
      }
    }
  } catch (error) {
    if (!(error instanceof RespProtocolError)) throw error;
    return { frames, error: error.message };
  }
  return { frames, error: null };
}

/** Every type of RESP2 and RESP3, with what it decodes to. */
const samples: [string, RespValue][] = [
  ['+OK\r\n', 'OK'],
  ['+\r\n', ''],
  [`+${'long '.repeat(30)}\r\n`, 'long '.repeat(30)],
  ['-ERR no\r\n', new RespError('ERR no')],
  [':0\r\n', 0],
  [':-12\r\n', -12],
  [':9223372036854775807\r\n', 9223372036854775807n],
  ['$5\r\na\r\nbc\r\n', latin1('a\r\nbc')],
  ['$0\r\n\r\n', latin1('')],
  ['$-1\r\n', null],
  ['*-1\r\n', null],
  ['*0\r\n', []],
  ['*2\r\n:1\r\n*2\r\n$-1\r\n+x\r\n', [1, [null, 'x']]],
  ['_\r\n', null],
  ['#t\r\n', true],
  ['#f\r\n', false],
  [',1.5\r\n', 1.5],
  [',-inf\r\n', -Infinity],
  [',inf\r\n', Infinity],
  [',nan\r\n', Number.NaN],
  ['(3492890328409238509324850943850943825024385\r\n', 3492890328409238509324850943850943825024385n],
  ['!9\r\nERR a\r\nbc\r\n', new RespError('ERR a\r\nbc')],
  ['=8\r\ntxt:some\r\n', new RespVerbatim('txt', 'some')],
  [
    '%2\r\n$1\r\na\r\n:1\r\n+b\r\n*1\r\n#t\r\n',
    new Map<RespValue, RespValue>([
      ['a', 1],
      ['b', [true]],
    ]),
  ],
  ['%0\r\n', new Map()],
  ['~2\r\n:1\r\n:2\r\n', new Set([1, 2])],
  ['>2\r\n+message\r\n$1\r\nx\r\n', new RespPush(['message', latin1('x')])],
  ['|1\r\n+ttl\r\n:3\r\n*1\r\n:7\r\n', new RespAttributed(new Map([['ttl', 3]]), [7])],
  ['|0\r\n+x\r\n', new RespAttributed(new Map(), 'x')],
  ['*1\r\n|1\r\n+a\r\n+b\r\n$1\r\nz\r\n', [new RespAttributed(new Map([['a', 'b']]), latin1('z'))]],
];
const all = samples.map(([bytes]) => bytes);
const stream = latin1(all.join(''));

t.test('framing', async (t) => {
  t.test('every type, in chunks of every small size', async (t) => {
    for (const size of [1, 2, 3, 5, 7, 19, 100, 10_000]) {
      t.strictSame(frame(stream, [size]), { frames: all, error: null }, `chunks of ${size}`);
    }
  });

  t.test('cut at every point', async (t) => {
    for (let at = 1; at < stream.length; at++) {
      const { frames, error } = frame(stream, [at, stream.length]);
      if (error !== null || frames.join('') !== all.join('') || frames.length !== all.length)
        t.fail(`cut at ${at}`);
    }
  });

  t.test('big replies behind small ones', async (t) => {
    const replies = Array.from({ length: 200 }, (_, i) => {
      const body = 'x'.repeat((i * i * 7) % 30_000);
      return i % 5 === 0 ? '+OK\r\n' : `$${body.length}\r\n${body}\r\n`;
    });
    for (const sizes of [[65536], [65536, 1], [1000, 30_000, 17]]) {
      t.strictSame(frame(replies.join(''), sizes), { frames: replies, error: null });
    }
  });

  t.test('what is no reply', async (t) => {
    const cases: [string, RegExp][] = [
      ['x\r\n', /unknown reply type 'x'/],
      ['\r\n', /unknown reply type '\\x0d'/],
      ['$x\r\n', /invalid bulk length/],
      ['$-2\r\n', /invalid bulk length/],
      ['$-10\r\n', /invalid bulk length/],
      ['=-1\r\n', /invalid bulk length/],
      ['$?\r\n', /invalid bulk length/],
      ['*x\r\n', /invalid multibulk length/],
      ['*-2\r\n', /invalid multibulk length/],
      ['%-1\r\n', /invalid multibulk length/],
      ['*4294967296\r\n', /invalid multibulk length/],
      ['*1073741824\r\n', /invalid multibulk length/],
      ['$1\r\nabc', /expected CRLF/],
      ['=3\r\ntxt\r\n', /invalid verbatim string/],
      ['=-1\r\n', /invalid bulk length/],
      ['+a\rb', /expected LF/],
    ];
    for (const [bytes, error] of cases) {
      for (const sizes of [[], [1]])
        t.match(frame(`+OK\r\n${bytes}`, sizes), { frames: ['+OK\r\n'], error }, bytes);
    }
  });

  t.test('limits', async (t) => {
    const limits = { maxReplyBytes: 100, maxDepth: 3 };
    t.equal(frame(`$92\r\n${'x'.repeat(92)}\r\n`, [], limits).frames.length, 1);
    for (const sizes of [[], [1]]) {
      t.match(frame(`$94\r\n${'x'.repeat(94)}\r\n`, sizes, limits).error, /too big reply/);
      t.match(frame(`+${'x'.repeat(98)}\r\n`, sizes, limits).error, /too big reply/);
      t.match(frame(`*20\r\n${':1234\r\n'.repeat(20)}`, sizes, limits).error, /too big reply/);
      t.equal(frame('*1\r\n*1\r\n*1\r\n:1\r\n', sizes, limits).frames.length, 1);
      t.match(frame('*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n', sizes, limits).error, /nested too deep/);
      t.equal(
        frame('*1\r\n*1\r\n*1\r\n*0\r\n', sizes, limits).frames.length,
        1,
        'an empty one adds no depth',
      );
    }
    t.match(frame('$1000000\r\n', [], limits).error, /too big reply/, 'the announcement is enough');
  });

  t.test('random bytes: only protocol errors, limits hold, chunks make no difference', async () => {
    const token = fc.oneof(
      fc.constantFrom(...all),
      fc.constantFrom(
        '*2\r\n',
        '%1\r\n',
        '|1\r\n',
        '>3\r\n',
        '~1\r\n',
        '$3\r\nabc\r\n',
        '$3',
        '\r',
        '\n',
        '\r\n',
        '+',
        '*9',
        '$-1\r\n',
      ),
      fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes).latin1Slice()),
    );
    fc.assert(
      fc.property(
        fc.array(token, { maxLength: 20 }),
        fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 5 }),
        (tokens, sizes) => {
          const limits = { maxReplyBytes: 120, maxDepth: 4 };
          const whole = frame(tokens.join(''), [], limits);
          const chopped = frame(tokens.join(''), sizes, limits);
          if (whole.frames.some((one) => one.length > 120)) return false;
          // Cut up, a line may be too long before its end shows that it is wrong anyway.
          return (
            whole.frames.join() === chopped.frames.join() &&
            (whole.error === null) === (chopped.error === null)
          );
        },
      ),
      { numRuns: 1500 },
    );
  });

  t.test('what waits is bounded', async (t) => {
    const framer = new ReplyFramer({ maxReplyBytes: 1000 });
    framer.push(latin1('*100000\r\n'));
    let most = 0;
    t.throws(() => {
      for (let i = 0; i < 10_000; i++) {
        framer.push(latin1(':1\r\n'));
        framer.next();
        most = Math.max(most, framer.bufferedBytes);
      }
    }, new RespProtocolError('too big reply'));
    t.ok(most <= 1000 && most > 900, `${most}`);
  });
});

t.test('decoding', async (t) => {
  for (const [bytes, value] of samples) {
    const decoded = decodeReply(latin1(bytes));
    t.strictSame(decoded, value, JSON.stringify(bytes.slice(0, 40)));
  }
  t.equal((decodeReply(latin1('-NOREPLICAS x y\r\n')) as RespError).code, 'NOREPLICAS');
  t.throws(() => decodeReply(latin1('+OK\r\n+OK\r\n')), RespProtocolError);
  t.throws(() => decodeReply(latin1('x\r\n')), RespProtocolError);
  for (const half of ['+OK', ':12', '$3', '$3\r\nab', '*2\r\n+a\r\n'])
    t.throws(() => decodeReply(latin1(half)), half);
  const inside = latin1('....:5\r\n....');
  t.equal(decodeReply(inside, 4, 8), 5);
});

t.test('walking', async (t) => {
  const bytes = latin1('*3\r\n$3\r\nabc\r\n%1\r\n+k\r\n*1\r\n:5\r\n|1\r\n+a\r\n+b\r\n$-1\r\n:42\r\n');
  t.equal(replyNumber(bytes, 0), 3);
  let at = replyLineEnd(bytes, 0);
  const elements: string[] = [];
  for (let i = 0; i < 3; i++) {
    const next = skipReply(bytes, at);
    elements.push(bytes.latin1Slice(at, next));
    at = next;
  }
  t.strictSame(elements, ['$3\r\nabc\r\n', '%1\r\n+k\r\n*1\r\n:5\r\n', '|1\r\n+a\r\n+b\r\n$-1\r\n']);
  t.equal(replyNumber(bytes, at), 42);
  t.equal(replyNumber(latin1('$-1\r\n'), 0), -1);
});

t.test('writing', async (t) => {
  function written(write: (writer: RespWriter) => void, protocol: 2 | 3 = 2): string {
    const writer = new RespWriter(16);
    writer.protocol = protocol;
    write(writer);
    const bytes = writer.take();
    const { frames, error } = frame(bytes);
    if (error !== null || frames.join('') !== bytes.latin1Slice()) throw new Error(`unframeable: ${error}`);
    return bytes.latin1Slice();
  }

  t.test('each type in RESP2 and RESP3', async (t) => {
    const cases: [(writer: RespWriter) => void, string, string?][] = [
      [(w) => w.ok(), '+OK\r\n'],
      [(w) => w.simple('a\r\nb'), '+a  b\r\n'],
      [(w) => w.error('ERR é\n✓\r'), `-${Buffer.from('ERR é ✓ ').latin1Slice()}\r\n`],
      [(w) => w.integer(-12), ':-12\r\n'],
      [(w) => w.integer(2n ** 63n - 1n), ':9223372036854775807\r\n'],
      [(w) => w.integer(Number.MAX_SAFE_INTEGER), ':9007199254740991\r\n'],
      [(w) => w.bulk(latin1('a\r\n')), '$3\r\na\r\n\r\n'],
      [(w) => w.bulk(latin1('abcdef'), 2, 4), '$2\r\ncd\r\n'],
      [(w) => w.bulkLatin1('\xe9'), '$1\r\n\xe9\r\n'],
      [(w) => w.bulkUtf8('é'), '$2\r\n\xc3\xa9\r\n'],
      [(w) => w.nullBulk(), '$-1\r\n', '_\r\n'],
      [(w) => w.nullArray(), '*-1\r\n', '_\r\n'],
      [(w) => w.arrayHeader(0), '*0\r\n'],
      [(w) => w.mapHeader(0), '*0\r\n', '%0\r\n'],
      [(w) => w.setHeader(0), '*0\r\n', '~0\r\n'],
      [(w) => w.pushHeader(0), '*0\r\n', '>0\r\n'],
      [(w) => w.double(1.5), '$3\r\n1.5\r\n', ',1.5\r\n'],
      [(w) => w.double(Infinity), '$3\r\ninf\r\n', ',inf\r\n'],
      [(w) => w.double(-Infinity), '$4\r\n-inf\r\n', ',-inf\r\n'],
      [(w) => w.double(Number.NaN), '$3\r\nnan\r\n', ',nan\r\n'],
      [(w) => w.boolean(true), ':1\r\n', '#t\r\n'],
      [(w) => w.boolean(false), ':0\r\n', '#f\r\n'],
      [(w) => w.bigNumber(10n ** 20n), '$21\r\n100000000000000000000\r\n', '(100000000000000000000\r\n'],
      [(w) => w.verbatim('txt', 'hé'), '$3\r\nh\xc3\xa9\r\n', '=7\r\ntxt:h\xc3\xa9\r\n'],
      [(w) => w.raw(latin1('x+y\r\nz'), 1, 5), '+y\r\n'],
    ];
    for (const [write, resp2, resp3 = resp2] of cases) {
      t.equal(written(write), resp2);
      t.equal(written(write, 3), resp3);
    }
    const pair = (w: RespWriter) => {
      w.mapHeader(1);
      w.integer(1);
      w.integer(2);
    };
    t.equal(written(pair), '*2\r\n:1\r\n:2\r\n');
    t.equal(written(pair, 3), '%1\r\n:1\r\n:2\r\n');
    const attributed = (w: RespWriter) => {
      w.attributeHeader(1);
      w.simple('a');
      w.simple('b');
      w.ok();
    };
    t.equal(written(attributed, 3), '|1\r\n+a\r\n+b\r\n+OK\r\n');
  });

  t.test('numbers of every length', async (t) => {
    for (let power = 0; power <= 15; power++) {
      for (const value of [10 ** power - 1, 10 ** power, 10 ** power + 1, -(10 ** power)]) {
        t.equal(
          written((w) => w.integer(value)),
          `:${value}\r\n`,
        );
      }
    }
    for (const value of [0.5, Number.NaN, 2 ** 60])
      t.throws(() => written((w) => w.integer(value)), RangeError);
  });

  t.test('any sequence, taken at any time, comes out in order', async () => {
    const item = fc.oneof(
      fc.constant('take' as const),
      fc.constant('rewind' as const),
      fc.integer(),
      fc.nat({ max: 200 }).map((n) => 'v'.repeat(n)),
      fc.nat({ max: 50_000 }).map((n) => Buffer.alloc(n, 'b')),
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 60 }), fc.nat({ max: 2000 }), (items, slab) => {
        const writer = new RespWriter(slab);
        const out: Buffer[] = [];
        const expected: Buffer[] = [];
        let waiting = 0;
        const add = (text: Buffer) => {
          expected.push(text);
          waiting += text.length;
        };
        for (const one of items) {
          if (one === 'take') {
            out.push(Buffer.from(writer.take()));
            waiting = 0;
          } else if (one === 'rewind') {
            writer.rewind();
          } else if (typeof one === 'number') {
            writer.integer(one);
            add(latin1(`:${one}\r\n`));
          } else if (typeof one === 'string') {
            writer.bulkLatin1(one);
            add(latin1(`$${one.length}\r\n${one}\r\n`));
          } else {
            writer.bulk(one);
            add(Buffer.concat([latin1(`$${one.length}\r\n`), one, latin1('\r\n')]));
          }
          if (writer.length !== waiting) return false;
        }
        out.push(writer.take());
        return Buffer.concat(out).equals(Buffer.concat(expected));
      }),
      { numRuns: 150 },
    );
  });

  t.test('a header put before what is written already', async (t) => {
    for (const size of [0, 1, 5, 30, 5000]) {
      for (const before of ['', 'taken', 'waiting']) {
        const writer = new RespWriter(16);
        if (before !== '') writer.simple(before);
        if (before === 'taken') writer.take();
        const offset = writer.length;
        for (let i = 0; i < size; i++) writer.integer(i);
        writer.insertAt(offset, () => {
          writer.arrayHeader(2);
          writer.bulkLatin1('cursor'.repeat(20));
          writer.setHeader(size);
        });
        writer.ok();
        const body = Array.from({ length: size }, (_, i) => `:${i}\r\n`).join('');
        const head = `*2\r\n$120\r\n${'cursor'.repeat(20)}\r\n*${size}\r\n`;
        const first = before === 'waiting' ? '+waiting\r\n' : '';
        t.equal(writer.take().latin1Slice(), `${first}${head}${body}+OK\r\n`, `${size} behind ${before}`);
      }
    }
  });

  t.test('taken bytes stay true without a rewind', async (t) => {
    const writer = new RespWriter(64);
    const taken: Buffer[] = [];
    for (let i = 0; i < 100; i++) {
      writer.integer(i);
      taken.push(writer.take());
    }
    t.strictSame(
      taken.map((bytes) => bytes.latin1Slice()),
      Array.from({ length: 100 }, (_, i) => `:${i}\r\n`),
    );
  });

  t.test('a rewound slab is used again, a huge one is let go', async (t) => {
    const writer = new RespWriter(64);
    writer.ok();
    const first = writer.take();
    writer.rewind();
    writer.ok();
    t.equal(writer.take().byteOffset, first.byteOffset);
    writer.rewind();
    writer.bulk(Buffer.alloc(1024 * 1024));
    const huge = writer.take();
    writer.rewind();
    writer.ok();
    t.not(writer.take().buffer, huge.buffer);
    writer.integer(1);
    writer.rewind();
    t.equal(writer.take().latin1Slice(), ':1\r\n', 'a rewind with bytes waiting does nothing');
  });
});

t.test('an array can come without its header', async (t) => {
  const pushed = '>2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n';
  const elements = ['$3\r\nabc\r\n', '$-1\r\n', '_\r\n', `$2000\r\n${'x'.repeat(2000)}\r\n`, '*1\r\n:1\r\n'];
  /** What comes of `bytes` when the reply at this place is to be unwrapped. */
  const unwrap = (bytes: string, place: number, sizes: readonly number[]) => {
    const framer = new ReplyFramer();
    const frames: string[] = [];
    const unwrapped: number[] = [];
    let replies = 0;
    for (const chunk of cut(latin1(bytes), sizes)) {
      framer.push(chunk);
      for (;;) {
        framer.unwraps ||= replies === place && unwrapped.length === 0;
        framer.unwrapped = 0;
        const isThere = framer.next();
        if (framer.unwrapped > 0) unwrapped.push(framer.unwrapped);
        if (!isThere) break;
        frames.push(framer.buffer.latin1Slice(framer.frameStart, framer.frameEnd));
        if (framer.type === 0x3e) continue;
        framer.unwraps = false;
        replies++;
      }
    }
    return { frames, unwrapped };
  };
  const array = `*${elements.length}\r\n${elements.join('')}`;
  const whole = `+OK\r\n${pushed}${array}${array}`;
  for (const sizes of [[], [1], [2], [3, 7], [64], [1500]])
    t.same(
      unwrap(whole, 1, sizes),
      { frames: ['+OK\r\n', pushed, ...elements, array], unwrapped: [elements.length] },
      `in pieces of ${sizes}`,
    );
  t.same(unwrap(`-ERR no\r\n${array}`, 0, [4]), { frames: ['-ERR no\r\n', array], unwrapped: [] });
  for (const odd of ['*0\r\n', '*-1\r\n', '*x\r\n']) t.throws(() => unwrap(odd, 0, []), RespProtocolError);
});
