import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { keysInFrame } from '../../proxy/near/command-keys.ts';
import { Found, FoundKind } from '../../proxy/near/found.ts';
import { FrequencySketch } from '../../proxy/near/frequency-sketch.ts';
import { HotKeys } from '../../proxy/near/hot-keys.ts';
import { L1Store } from '../../proxy/near/l1-store.ts';
import { Form, ReadForm } from '../../proxy/near/read-form.ts';
import { SingleFlight } from '../../proxy/near/single-flight.ts';
import { CommandsUnderWay } from '../../proxy/near/under-way.ts';

/* What the near cache is made of, without any I/O. */

const MB = 1 << 20;

function storeOf(maxBytes: number) {
  const evicted: number[] = [];
  const store = new L1Store({ maxBytes, hashSeed: 7, onEvicted: (namespace) => evicted.push(namespace) });
  const hash = (key: Buffer) => store.hash(key, 0, key.length);
  const found = new Found();
  return {
    store,
    evicted,
    put(name: string, value: string, { source = 0, at = 0, ends = 1000 } = {}): boolean {
      const key = Buffer.from(name);
      const given = new Found();
      given.kind = FoundKind.VALUE;
      given.bytes = Buffer.from(`$${value.length}\r\n${value}\r\n`);
      given.end = given.bytes.length;
      given.version = BigInt(value.length) << 40n;
      given.ttlMs = 2 ** 40 + 5;
      return store.put(hash(key), key, given, { source, namespace: 1, enteredMs: at, endsMs: ends });
    },
    get(name: string, nowMs = 0): string | undefined {
      const key = Buffer.from(name);
      if (!store.find(hash(key), key, 0, key.length, nowMs, found)) return undefined;
      return found.bytes.toString('latin1', found.end - 2 - found.valueBytes, found.end - 2);
    },
    remove(name: string): boolean {
      const key = Buffer.from(name);
      return store.remove(hash(key), key, 0, key.length);
    },
    found,
  };
}

t.test('the store does what a Map does, until something ends', async (t) => {
  const random = seededRandom(3);
  const { store, put, get, remove } = storeOf(4 * MB);
  const model = new Map<string, { value: string; ends: number; source: number }>();
  let nowMs = 2 ** 32 - 5000;
  for (let i = 0; i < 40_000; i++) {
    const key = `key:${random.int(300)}`;
    const dice = random.int(100);
    nowMs += random.int(3);
    if (dice < 35) {
      const value = 'v'.repeat(random.int(400)) + i;
      const [ends, source] = [nowMs + 1 + random.int(500), random.int(20)];
      t.ok(put(key, value, { source, at: nowMs, ends }));
      model.set(key, { value, ends, source });
    } else if (dice < 40) {
      remove(key);
      model.delete(key);
    } else if (dice === 40) {
      const source = random.int(20);
      store.dropSource(source);
      for (const [name, one] of model) if (one.source === source) model.delete(name);
    }
    const one = model.get(key);
    const expected = one !== undefined && one.ends > nowMs ? one.value : undefined;
    if (get(key, nowMs) !== expected) t.fail(`${key} at step ${i}`);
  }
  store.clear();
  t.equal(get('key:1', nowMs), undefined);
  t.equal(store.size, 0);
});

t.test('what a node said of a value comes back, older by as long as it was kept', async (t) => {
  const { put, get, found } = storeOf(MB);
  put('a', 'value', { at: 100, ends: 900 });
  t.equal(get('a', 400), 'value');
  t.match(found, { kind: FoundKind.VALUE, ageMs: 300, ttlMs: 2 ** 40 + 5, softTtlMs: -1, clientFlags: 0 });
  t.equal(found.version, 5n << 40n);
  t.equal(found.ttlLeftMs, 2 ** 40 + 5 - 300);
  t.equal(get('a', 900), undefined, 'its time is up');
});

t.test('memory stays inside its bound, and what is asked for often stays while much passes by', async (t) => {
  const bound = 2 * MB;
  const { store, put, get, evicted } = storeOf(bound);
  const hot = Array.from({ length: 50 }, (_, i) => `hot:${i}`);
  let most = 0;
  let hits = 0;
  let asked = 0;
  for (let i = 0; i < 60_000; i++) {
    const cold = `cold:${i}`;
    if (get(cold) === undefined) put(cold, 'x'.repeat(100 + (i % 900)));
    const key = hot[i % hot.length];
    asked++;
    if (get(key) !== undefined) hits++;
    else put(key, 'x'.repeat(100));
    most = Math.max(most, store.bytes);
  }
  t.ok(most <= bound, `${most} of ${bound}`);
  t.ok(hits > asked * 0.95, `${hits} of ${asked}`);
  t.ok(evicted.length > 1000);
  t.notOk(put('huge', 'x'.repeat(bound / 2)), 'a value that would displace everything');
});

t.test('the sketch never tells too little, up to its limit', async (t) => {
  const sketch = new FrequencySketch(4096);
  const random = seededRandom(9);
  const counts = new Map<number, number>();
  for (let i = 0; i < 4000; i++) {
    const hash = Math.imul(random.int(500), 0x9e3779b1);
    sketch.add(hash);
    counts.set(hash, (counts.get(hash) ?? 0) + 1);
  }
  for (const [hash, count] of counts) t.ok(sketch.estimate(hash) >= Math.min(15, count));
  t.equal(sketch.estimate(12345), 0);
});

t.test('a key is found hot within a second, and cold within ten', async (t) => {
  const hash = (key: string) => Number(key.slice(1));
  for (const rate of [550, 5000, 50_000]) {
    const random = seededRandom(rate);
    const hot = new HotKeys(500, random, hash);
    const key = Buffer.from('k7');
    let nowMs = 0;
    let foundMs = Number.POSITIVE_INFINITY;
    // Beside it comes a crowd of keys that are read about ten times a second each.
    for (; nowMs < 5000; nowMs++) {
      for (let i = 0; i < rate / 1000; i++) hot.saw(key, 0, 2, nowMs);
      for (let i = 0; i < 20; i++) {
        const other = Buffer.from(`k${1000 + random.int(2000)}`);
        hot.saw(other, 0, other.length, nowMs);
      }
      if (hot.isHot(7)) foundMs = Math.min(foundMs, nowMs);
    }
    t.ok(foundMs <= 1000, `${rate} reads a second: ${foundMs} ms`);
    t.ok(hot.isHot(7), 'and stays hot');
    t.equal(hot.size, 1, 'nothing else is');
    const endMs = nowMs;
    for (; hot.isHot(7); nowMs += 100) hot.tick(nowMs);
    t.ok(nowMs - endMs <= 10_000, `cold after ${nowMs - endMs} ms`);
  }
});

t.test('commands under way on the keys of a bucket', async (t) => {
  const idle: number[] = [];
  const underWay = new CommandsUnderWay((bucket) => idle.push(bucket));
  const marks = [underWay.add(5), underWay.addSeveral([5, 6, 6]), underWay.addSeveral([]), underWay.addAll()];
  t.same([underWay.count(5), underWay.count(6), underWay.concernsAll], [2, 2, true]);
  underWay.settle(marks[3]);
  t.notOk(underWay.concernsAll);
  underWay.settle(marks[0]);
  underWay.settle(marks[2]);
  t.same(idle, []);
  underWay.settle(marks[1]);
  t.same(idle, [5, 6]);
  t.same([underWay.count(5), underWay.count(6)], [0, 0]);
});

t.test('reads that can be answered are known by their frames', async (t) => {
  const form = new ReadForm();
  const cases: [string[], Form][] = [
    [['GET', 'key'], Form.GET],
    [['get', ''], Form.GET],
    [['GeT', 'k'.repeat(3000)], Form.GET],
    [['MGET', 'key'], Form.MGET],
    [['MGET', 'key', 'other'], Form.NONE],
    [['RS.MGET', 'key'], Form.RS_MGET],
    [['RS.MGET', 'key', 'other'], Form.NONE],
    [['RS.MCGET', 'key'], Form.MCGET],
    [['RS.MCGETS', 'key'], Form.MCGETS],
    [['RS.MCMETA', 'key'], Form.MCMETA],
    [['RS.MCMETA', 'key', 'NOVALUE'], Form.NONE],
    [['RS.GET', 'key', 'TAIL'], Form.RS_GET],
    [['RS.GET', 'key', 'LEASE'], Form.NONE],
    [['RS.GET', 'key'], Form.NONE],
    [['TTL', 'key'], Form.NONE],
    [['SET', 'a', 'b'], Form.NONE],
    [['PING'], Form.NONE],
  ];
  for (const [parts, expected] of cases) {
    const frame = Buffer.concat([Buffer.from('??'), encodeCommand(...parts)]);
    t.equal(form.recognize(frame, 2, frame.length), expected !== Form.NONE, parts[0]);
    t.equal(form.form, expected);
    if (expected !== Form.NONE) t.equal(frame.latin1Slice(form.keyStart, form.keyEnd), parts[1]);
  }
});

t.test('keys of commands that are sent in one piece', async (t) => {
  const keysOf = (...commands: string[][]) => {
    const keys: string[] = [];
    const frame = Buffer.concat(commands.map((parts) => encodeCommand(...parts)));
    const concernsAll = keysInFrame(frame, (buffer, start, end) => keys.push(buffer.latin1Slice(start, end)));
    return [keys, concernsAll];
  };
  t.same(keysOf(['MULTI'], ['SET', 'a', '1'], ['MGET', 'b', 'c'], ['EXEC']), [['a', 'b', 'c'], false]);
  t.same(keysOf(['RENAME', 'a', 'b']), [['a', 'b'], false]);
  t.same(keysOf(['OBJECT', 'ENCODING', 'a']), [['a'], false]);
  t.same(keysOf(['DBSIZE']), [[], false]);
  t.same(keysOf(['FLUSHALL']), [[], true]);
  t.same(keysOf(['SWAPDB', '0', '1']), [[], true]);
  t.same(keysOf(['RS.PURGE', 'PREFIX', 'a']), [[], true]);
  t.same(keysOf(['NOSUCHCOMMAND']), [[], true]);
});

t.test('one errand for all who come while it is under way', async (t) => {
  const flights = new SingleFlight<string>();
  const errand = { key: 'a', waiters: ['first'] };
  flights.start(errand);
  flights.of('a')!.waiters.push('second');
  t.equal(flights.of('b'), undefined);
  t.same(flights.land(errand), ['first', 'second']);
  t.notOk(flights.has(errand));
  const next = { key: 'a', waiters: ['third'] };
  flights.start(next);
  t.same(flights.land(errand), [], 'one that was given up does not end its successor');
  t.ok(flights.has(next));
});
