import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { acquireRequest } from '../../proxy/core/request.ts';
import { mayMiss, missingIn, readCommandOf } from '../../proxy/warm/read-command.ts';
import { WarmProgress } from '../../proxy/warm/warm-progress.ts';
import { writtenIn } from '../../proxy/warm/written-in.ts';
import { WrittenKeys } from '../../proxy/warm/written-keys.ts';

/* The parts of a warm-up that decide. */

const HOLD_OFF_MS = 10_000;

function written() {
  const keys = new WrittenKeys(HOLD_OFF_MS);
  const of = (text: string) => [Buffer.from(text), 0, Buffer.byteLength(text)] as const;
  return {
    keys,
    add: (key: string, atMs: number, database = 0) => keys.add(database, ...of(key), atMs),
    has: (key: string, atMs: number, database = 0) => keys.has(database, ...of(key), atMs),
  };
}

t.test('a written key is remembered for one to two hold-off times, by database', async (t) => {
  const { add, has } = written();
  const startMs = 1_000_000_000_000;
  t.notOk(has('a', startMs));
  add('a', startMs);
  t.ok(has('a', startMs));
  t.notOk(has('a', startMs, 1), 'of another database');
  t.notOk(has('b', startMs));
  t.ok(has('a', startMs + HOLD_OFF_MS), 'after one');
  add('b', startMs + HOLD_OFF_MS);
  t.notOk(has('a', startMs + 2 * HOLD_OFF_MS), 'after two');
  t.ok(has('b', startMs + 2 * HOLD_OFF_MS));
  t.notOk(has('b', startMs + 9 * HOLD_OFF_MS), 'nothing was asked for long');
  t.notOk(has('a', startMs + 10 * HOLD_OFF_MS));
});

t.test('written keys against a plain map, through many periods', async (t) => {
  const { add, has } = written();
  const random = seededRandom(7);
  const last = new Map<string, number>();
  let nowMs = 1_000_000_000_000;
  let wrong = 0;
  let forgotten = 0;
  for (let i = 0; i < 20_000; i++) {
    nowMs += random.int(20);
    const key = `k${random.int(2000)}`;
    if (random.int(3) === 0) {
      add(key, nowMs);
      last.set(key, nowMs);
      continue;
    }
    const since = nowMs - (last.get(key) ?? Number.NEGATIVE_INFINITY);
    const found = has(key, nowMs);
    if (!found && since <= HOLD_OFF_MS) forgotten++;
    if (found && since > 2 * HOLD_OFF_MS) wrong++;
  }
  t.equal(forgotten, 0, 'none too early');
  t.ok(wrong < 3, `${wrong} too late`);
});

t.test('threads share what was written, and the end', async (t) => {
  const one = new WrittenKeys(HOLD_OFF_MS);
  const other = new WrittenKeys(HOLD_OFF_MS, one.memory);
  one.add(0, Buffer.from('k'), 0, 1, 5000);
  t.ok(other.has(0, Buffer.from('k'), 0, 1, 6000));
  t.equal(other.end, null);
  other.finish('flush');
  one.finish('share');
  t.equal(one.end, 'flush', 'the first reason stays');
});

t.test('which keys a frame writes', async (t) => {
  const heard = (...commands: string[][]) => {
    const keys: string[] = [];
    const frame = Buffer.concat(commands.map((words) => encodeCommand(...words)));
    const meansAny = writtenIn(frame, (buffer, start, end) => keys.push(buffer.latin1Slice(start, end)));
    return [keys.join(' '), meansAny];
  };
  t.same(heard(['MSET', 'a', '1', 'b', '2']), ['a b', false]);
  t.same(heard(['MULTI'], ['GET', 'r'], ['SET', 'w', '1'], ['DEL', 'x', 'y'], ['EXEC']), ['w x y', false]);
  t.same(heard(['FLUSHALL']), ['', true]);
  t.same(heard(['flushdb']), ['', true]);
  t.same(heard(['RS.PURGE', 'TAG', 'a']), ['', true]);
});

t.test('what a reply says is missing', async (t) => {
  const missing = (words: string[], reply: string, keyIndex = 1) => {
    const request = acquireRequest();
    request.bytes = encodeCommand(...words);
    request.end = request.bytes.length;
    request.keyIndex = keyIndex;
    const bytes = Buffer.from(reply);
    if (!mayMiss(bytes, 0)) return 'found';
    const read = readCommandOf(request);
    return read === null ? null : missingIn(read, bytes, 0);
  };
  t.same(missing(['GET', 'a'], '$-1\r\n'), [0]);
  t.same(missing(['get', 'a'], '_\r\n'), [0]);
  t.same(missing(['GET', 'a'], '$0\r\n\r\n'), [], 'an empty string is a value');
  t.same(missing(['GET', 'a'], '$1\r\nx\r\n'), 'found');
  t.same(missing(['MGET', 'a', 'b', 'c'], '*3\r\n$-1\r\n$1\r\nx\r\n$-1\r\n', 0), [0, 2]);
  t.same(missing(['RS.MCGETS', 'a', 'b'], '*2\r\n*3\r\n$1\r\n7\r\n:0\r\n$1\r\nx\r\n_\r\n', 0), [1]);
  const element = (value: string, state: string) =>
    `*4\r\n${value}$1\r\n0\r\n:-2\r\n$${state.length}\r\n${state}\r\n`;
  t.same(
    missing(['RS.MGET', 'a', 'b'], `*2\r\n${element('$-1\r\n', 'miss')}${element('$1\r\nx\r\n', 'hit')}`, 0),
    [0],
  );
  const rsGet = (state: string) =>
    `*8\r\n$1\r\n0\r\n:0\r\n:-2\r\n:-2\r\n$${state.length}\r\n${state}\r\n$-1\r\n:0\r\n$-1\r\n`;
  t.same(missing(['RS.GET', 'a', 'TAIL'], rsGet('miss')), [0]);
  t.same(missing(['RS.GET', 'a', 'TAIL'], rsGet('absent')), []);
  t.same(missing(['RS.GET', 'a', 'LEASE', 'TAIL'], rsGet('miss')), [], 'whoever wants a lease fills it');
  t.same(missing(['HGETALL', 'h'], '*0\r\n'), [0]);
  t.same(missing(['HMGET', 'h', 'f', 'g'], '*2\r\n$-1\r\n$-1\r\n'), [0]);
  t.same(missing(['HMGET', 'h', 'f', 'g'], '*2\r\n$-1\r\n$1\r\nx\r\n'), []);
  t.same(missing(['TTL', 'h'], ':-2\r\n'), [0]);
  t.same(missing(['TYPE', 'h'], '+none\r\n'), [0]);
  t.same(missing(['LLEN', 'h'], ':3\r\n'), 'found');
  t.same(missing(['SCAN', '0'], '*2\r\n$1\r\n0\r\n*0\r\n', 0), null, 'no key');
});

t.test('progress: the share falls, and tells when it is over', async (t) => {
  const progress = new WarmProgress({ share: 0.01, forMs: 5000, atLatestMs: null }, 0);
  let hits = 0;
  let warmed = 0;
  let end = null;
  let guessMs: number | null = null;
  let seconds = 0;
  while (end === null && seconds < 1000) {
    seconds++;
    const share = Math.exp(-seconds / 20);
    warmed += 1000 * share;
    hits += 1000 * (1 - share);
    end = progress.note({ hits, warmed }, seconds * 1000);
    if (seconds === 40) guessMs = progress.view(seconds * 1000).etaMs;
  }
  t.equal(end, 'share');
  // e^(-s/20) is 0.01 at 92 s; the window of 10 s comes 5 s behind, and 5 s more must pass.
  t.ok(seconds >= 95 && seconds <= 110, `over after ${seconds} s`);
  t.ok(Math.abs(guessMs! / 1000 - (seconds - 40)) < 10, `foreseen after 40 s: ${guessMs! / 1000} s`);
  const idle = new WarmProgress({ share: 0.01, forMs: 5000, atLatestMs: 60_000 }, 0);
  for (let s = 1; s < 60; s++) t.equal(idle.note({ hits: 0, warmed: 0 }, s * 1000), null);
  t.same(idle.view(50_000), { share: null, etaMs: 10_000 });
  t.equal(idle.note({ hits: 0, warmed: 0 }, 60_000), 'time', 'nothing is read: only the time ends it');
});
