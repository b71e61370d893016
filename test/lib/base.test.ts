import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  BoundedQueue,
  copyWords,
  errorCatalogue,
  isRingsideError,
  ManualClock,
  MOST_WORD_BYTES,
  type Random,
  RecentViews,
  RingsideError,
  sameWords,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
  viewOf,
} from '../../lib/base/index.ts';
import { errorTable } from '../support/error-table.ts';
import { fc } from '../support/fast-check.ts';

t.test('clocks', async (t) => {
  t.test('the manual clock moves only when told', async (t) => {
    const clock = new ManualClock({ monotonicMs: 5, wallMs: 1000 });
    t.equal(clock.monotonicMs(), 5);
    t.equal(clock.wallMs(), 1000);
    clock.advance(2.5);
    t.equal(clock.monotonicMs(), 7.5);
    t.equal(clock.wallMs(), 1002, 'the wall clock tells whole milliseconds');
    clock.setWallMs(10);
    t.equal(clock.wallMs(), 10);
    t.equal(clock.monotonicMs(), 7.5, 'which does not touch the monotonic one');
    t.throws(() => clock.advance(-1), RangeError);
    t.throws(() => clock.advance(Number.NaN), RangeError);
  });

  t.test('the system clock', async (t) => {
    const before = systemClock.monotonicMs();
    t.ok(systemClock.monotonicMs() >= before);
    t.ok(Number.isInteger(systemClock.wallMs()));
  });
});

t.test('random', async (t) => {
  const sequence = (random: Random) => Array.from({ length: 8 }, () => random.u32());

  t.test('a seed gives the same sequence in every release', async (t) => {
    t.strictSame(sequence(seededRandom(1)), sequence(seededRandom(1)));
    t.notSame(sequence(seededRandom(1)), sequence(seededRandom(2)));
    t.strictSame(
      sequence(seededRandom(42)),
      [660444221, 3652823732, 77672526, 910233633, 2297337756, 3786072677, 3123505064, 1891482476],
    );
  });

  for (const [name, random] of [
    ['seeded', seededRandom(7)],
    ['system', systemRandom],
  ] as const) {
    t.test(`${name}: ranges hold`, async (t) => {
      const counts = new Array<number>(10).fill(0);
      for (let i = 0; i < 10_000; i++) {
        const next = random.next();
        if (!(next >= 0 && next < 1)) t.fail(`next() gave ${next}`);
        const word = random.u32();
        if (!(Number.isInteger(word) && word >= 0 && word < 2 ** 32)) t.fail(`u32() gave ${word}`);
        counts[random.int(10)]++;
      }
      t.ok(Math.min(...counts) > 800 && Math.max(...counts) < 1200, `int(10) is even: ${counts.join(' ')}`);
      t.equal(random.int(1), 0);
      t.match(random.hex(5), /^[0-9a-f]{10}$/);
      t.equal(random.hex(0), '');
      for (const n of [0, -1, 1.5, 2 ** 32 + 1, Number.NaN]) t.throws(() => random.int(n), RangeError);
      t.ok(random.int(2 ** 32) >= 0);
    });
  }
});

t.test('bounded queue', async (t) => {
  t.test('behaves like an array that refuses to grow beyond its limit', async () => {
    const operation = fc.oneof(
      { weight: 6, arbitrary: fc.nat().map((value) => ({ push: value })) },
      { weight: 5, arbitrary: fc.constant('shift' as const) },
      { weight: 1, arbitrary: fc.constant('clear' as const) },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.array(operation, { maxLength: 300 }),
        (limit, operations) => {
          const queue = new BoundedQueue<number>(limit);
          let model: number[] = [];
          for (const op of operations) {
            if (op === 'clear') {
              queue.clear();
              model = [];
            } else if (op === 'shift') {
              if (queue.shift() !== model.shift()) return false;
            } else {
              const fits = model.length < limit;
              if (fits) model.push(op.push);
              if (queue.push(op.push) !== fits) return false;
            }
            if (queue.length !== model.length || queue.peek() !== model[0]) return false;
          }
          return true;
        },
      ),
    );
  });

  t.test('refuses a limit that is none', async (t) => {
    for (const limit of [0, -1, 1.5, Number.NaN]) t.throws(() => new BoundedQueue(limit), RangeError);
  });
});

t.test('error catalogue', async (t) => {
  t.test('docs/errors.md holds it, word for word', async (t) => {
    const docs = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    t.equal(docs.match(/^\|.*\|$(?:\n^\|.*\|$)*/m)?.[0], errorTable());
  });

  t.test('every entry is complete and stands alone', async (t) => {
    for (const [code, entry] of Object.entries(errorCatalogue)) {
      t.equal(entry.httpCode, code);
      t.match(entry.resp, /^[A-Z]+ \S/, `${code}: a RESP code and a text`);
      t.match(
        entry.memcached,
        /^(SERVER_ERROR \S|CLIENT_ERROR \S|NOT_FOUND$|NOT_STORED$|EXISTS$)/,
        `${code}: a memcached line`,
      );
      t.ok(entry.http >= 400 && entry.http < 600);
      t.ok(entry.grpc >= 3 && entry.grpc <= 16);
      t.match(entry.meaning, /^[A-Z].*\.$/, `${code}: a sentence`);
      t.ok(Object.isFrozen(entry));
    }
    t.ok(Object.isFrozen(errorCatalogue));
  });

  t.test('the texts the brief promises', async (t) => {
    t.equal(
      new RingsideError('write_unknown', 'timed out').toResp(),
      'UNKNOWN write outcome unknown: timed out',
    );
    t.equal(new RingsideError('write_unknown').toMemcached(), 'SERVER_ERROR unknown outcome');
    t.equal(new RingsideError('no_replicas').toResp(), 'NOREPLICAS Not enough good replicas to write.');
    t.equal(new RingsideError('overloaded', 'see proxy.limits').toResp(), 'OVERLOADED see proxy.limits');
    t.equal(new RingsideError('shard_down', 's1').toResp(), 'CLUSTERDOWN s1');
    t.equal(new RingsideError('stale_ring', 's1').toResp(), 'STALERING s1');
    t.equal(new RingsideError('read_only').toResp(), "READONLY You can't write against a read only replica.");
    const { http, grpc } = errorCatalogue.write_unknown;
    t.strictSame([http, grpc], [504, 4]);
  });

  t.test('a message cannot break out of its line', async (t) => {
    const error = new RingsideError('bad_request', 'a\r\n+OK\n$1', { cause: 'why' });
    t.equal(error.toResp(), 'ERR a +OK $1');
    t.equal(error.toMemcached(), 'CLIENT_ERROR a +OK $1');
    t.equal(error.cause, 'why');
    t.equal(error.name, 'RingsideError');
    t.equal(new RingsideError('bad_request', '$& … $1').toResp(), 'ERR $& … $1');
  });

  t.test('isRingsideError', async (t) => {
    const error: unknown = new RingsideError('timeout');
    t.equal(isRingsideError(error), true);
    t.equal(isRingsideError(error, 'timeout'), true);
    t.equal(isRingsideError(error, 'fenced'), false);
    t.equal(isRingsideError(new Error('timeout'), 'timeout'), false);
  });
});

t.test('the silent logger takes everything', async (t) => {
  const log = silentLogger.child({ a: 1 });
  for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) {
    t.doesNotThrow(() => log[level]('message'));
    t.doesNotThrow(() => log[level]({ a: 1 }, 'message'));
  }
});

t.test('words', async (t) => {
  const random = seededRandom(3);
  const source = Buffer.from(Array.from({ length: 400 }, () => random.int(256)));
  for (let length = 0; length <= MOST_WORD_BYTES; length++) {
    const start = random.int(400 - length + 1);
    const at = 1 + random.int(9);
    const target = Buffer.alloc(at + length + 1, 0xee);
    copyWords(viewOf(source), start, length, viewOf(target), at);
    const expected = Buffer.concat([
      Buffer.alloc(at, 0xee),
      source.subarray(start, start + length),
      Buffer.of(0xee),
    ]);
    if (!target.equals(expected)) t.fail(`${length} bytes from ${start} to ${at}`);
    if (!sameWords(viewOf(target), at, viewOf(source), start, length)) t.fail(`${length} bytes are the same`);
    for (let i = 0; i < length; i++) {
      target[at + i] ^= 1 << random.int(8);
      if (sameWords(viewOf(target), at, viewOf(source), start, length))
        t.fail(`byte ${i} of ${length} differs`);
      target[at + i] = source[start + i];
    }
  }
  const part = Buffer.alloc(64).subarray(10, 20);
  viewOf(part).setUint8(0, 7);
  t.equal(part[0], 7, 'a view of a part');
  t.equal(viewOf(part).byteLength, 10);
});

t.test('words: views are of the buffer that is asked for, however many take turns', async (t) => {
  const views = new RecentViews();
  const buffers = Array.from({ length: 4 }, (_, i) => Buffer.alloc(8, i));
  for (const i of [0, 0, 1, 0, 1, 2, 0, 3, 3, 2, 1, 0, 1]) {
    const view = views.of(buffers[i]);
    t.equal(view.getUint8(7), i);
    t.equal(view.byteLength, 8);
    t.equal(views.of(buffers[i]), view);
  }
});
