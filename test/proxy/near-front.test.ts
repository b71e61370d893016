import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand, RequestParser } from '../../lib/codec/resp/index.ts';
import { murmur3x86_32 } from '../../lib/ring/index.ts';
import { Found, FoundKind } from '../../proxy/near/found.ts';
import { FrontRecords } from '../../proxy/near/front-records.ts';
import { FrontTable } from '../../proxy/near/front-table.ts';
import { L1Store } from '../../proxy/near/l1-store.ts';

/* Runs of GETs that are answered from the front table: what it answers, where it stops, and that it never knows more than L1. */

const MB = 1 << 20;
const SEED = 7;
const LIMITS = {
  maxBulkBytes: MB,
  maxArrayLength: 1024,
  maxInlineBytes: 65536,
  maxBufferedBytes: 4 * MB,
};

const get = (...keys: string[]) => Buffer.concat(keys.map((key) => encodeCommand('GET', key)));
const frameOf = (value: string) => `$${value.length}\r\n${value}\r\n`;
const hashOf = (key: string) => murmur3x86_32(Buffer.from(key), 0, Buffer.byteLength(key), SEED) | 0;

interface Asked {
  readonly commands: number;
  readonly inputBytes: number;
  readonly replies: string;
}

function asked(table: FrontTable, input: Buffer, nowMs: number, most: number, to = input.length): Asked {
  const isAny = table.answer(input, 0, to, most, nowMs);
  table.forgetInput();
  if (!isAny) return { commands: 0, inputBytes: 0, replies: '' };
  const { commands, inputBytes, bytes, start, end } = table;
  return { commands, inputBytes, replies: bytes.latin1Slice(start, end) };
}

function tableOf(bytes = 256 << 10) {
  const table = new FrontTable(FrontTable.sizeFor(bytes), SEED);
  return {
    table,
    add(key: string, value: string, { ends = 1000, namespace = 1, hash = hashOf(key), nowMs = 0 } = {}) {
      const frame = frameOf(value);
      const source = { bytes: Buffer.from(`??${key}${frame}`), start: 2, hash, namespace, endsMs: ends | 0 };
      const lengths = { keyBytes: Buffer.byteLength(key), frameBytes: Buffer.byteLength(frame) };
      table.add({ ...source, ...lengths }, nowMs);
    },
    ask: (input: Buffer, nowMs = 0, most = 1000, to?: number) => asked(table, input, nowMs, most, to),
    has: (key: string, nowMs = 0) => asked(table, get(key), nowMs, 1).commands === 1,
  };
}

t.test('a run is answered up to the first GET of something else', async (t) => {
  const { table, add, ask } = tableOf();
  add('a', 'one', { namespace: 3 });
  add('bb', '', { namespace: 9 });
  add('', 'of no key');
  const input = Buffer.concat([
    get('a', 'bb', 'a'),
    Buffer.from('*2\r\n$3\r\ngEt\r\n$0\r\n\r\n'),
    get('c', 'a'),
  ]);
  const run = ask(input);
  t.same(run, {
    commands: 4,
    inputBytes: input.length - get('c', 'a').length,
    replies: ['one', '', 'one', 'of no key'].map(frameOf).join(''),
  });
  t.same(
    [0, 1, 2, 3].map((i) => [
      table.namespaceOf(i),
      table.hashOf(i),
      table.bytes.latin1Slice(table.keyStart(i), table.keyEnd(i)),
    ]),
    [
      [3, hashOf('a'), 'a'],
      [9, hashOf('bb'), 'bb'],
      [3, hashOf('a'), 'a'],
      [1, hashOf(''), ''],
    ],
  );
  t.same([table.namespaceEnd(0), table.namespaceEnd(3)], [1, 4]);
  t.equal(ask(get('c', 'a')).commands, 0);
  t.equal(ask(input, 0, 2).replies, frameOf('one') + frameOf(''), 'no more than asked for');
});

t.test('keys of every length', async (t) => {
  const { table, add, ask } = tableOf();
  for (let length = 0; length <= 1001; length++) {
    const key = 'k'.repeat(length);
    table.clear();
    add(key, `${length}`);
    const { replies } = ask(get(key));
    const expected = length < 1000 ? frameOf(`${length}`) : '';
    if (replies !== expected) t.equal(replies, expected, `${length}`);
  }
});

t.test('a key that differs in any byte is another one, though its hash is the same', async (t) => {
  const { table, add, has } = tableOf();
  for (let length = 1; length <= 40; length++) {
    const key = 'k'.repeat(length);
    for (let at = 0; at < length; at++) {
      const other = `${key.slice(0, at)}j${key.slice(at + 1)}`;
      table.clear();
      add(key, 'one', { hash: hashOf(other) });
      if (has(other)) t.fail(`byte ${at} of ${length}`);
    }
    add(key, 'one', { hash: hashOf(`${key}k`) });
    if (has(`${key}k`)) t.fail(`a longer key than ${length}`);
    add(`${key}k`, 'one', { hash: hashOf(key) });
    if (has(key)) t.fail(`the beginning of a key, ${length}`);
  }
});

t.test('a value ends to the millisecond, whatever the clock shows', async (t) => {
  for (const base of [0, 2 ** 31 - 5, 2 ** 32 - 5, 5 * 2 ** 32]) {
    const { add, has } = tableOf();
    add('a', 'one', { ends: base + 100, nowMs: base });
    t.ok(has('a', base + 99), `at ${base}`);
    t.notOk(has('a', base + 99.5), 'less than a millisecond is left');
    t.notOk(has('a', base + 100));
    t.notOk(has('a', base + 2 ** 30));
  }
});

t.test('GETs that have not come whole are left', async (t) => {
  const { add, ask } = tableOf();
  add('key:1', 'one');
  add('x'.repeat(300), 'two');
  const input = get('key:1', 'x'.repeat(300), 'key:1');
  const ends = [get('key:1').length, get('key:1', 'x'.repeat(300)).length, input.length];
  for (let to = input.length; to >= 0; to--) {
    const whole = ends.filter((end) => end <= to).length;
    // What lies behind, of this one and of those before, is right.
    const { commands, inputBytes } = ask(input, 0, 1000, to);
    if (commands !== whole || inputBytes !== (ends[whole - 1] ?? 0)) t.fail(`${to} bytes`);
  }
});

t.test('what is no such GET stops a run, and the parser says what it is', async (t) => {
  const { table, add, ask } = tableOf();
  for (const key of ['a', 'key', '', '0000000000', 'k'.repeat(12)]) add(key, 'value');
  const cases: [string, string[] | string | null][] = [
    ['*1\r\n$3\r\nGET\r\n', ['GET']],
    ['*3\r\n$3\r\nGET\r\n$1\r\na\r\n$1\r\nb\r\n', ['GET', 'a', 'b']],
    ['*2\r\n$3\r\nTTL\r\n$1\r\na\r\n', ['TTL', 'a']],
    ['*2\r\n$3\r\nGE4\r\n$1\r\na\r\n', ['GE4', 'a']],
    ['*2\r\n$4\r\nMGET\r\n$1\r\na\r\n', ['MGET', 'a']],
    ['*2\r\n$3\r\nGETx$1\r\na\r\n', 'expected CRLF behind a bulk string'],
    ['*2\r\n$3\r\nGET\r\n:1\r\na\r\n', "expected '$', got ':'"],
    ['*2\r\n$3\r\nGET\r\n$-1\r\na\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$03\r\nkey\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$00\r\n\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$\r\nkey\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$3x\r\nkey\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$1xxa\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$1x\na\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$1\rxa\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$:\r\n0000000000\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$12x\r\nkkkkkkkkkkkk\r\n', 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n$3\r\nkeyxx', 'expected CRLF behind a bulk string'],
    ['*2\r\n$3\r\nGET\r\n$3\r\nkey\rx', 'expected CRLF behind a bulk string'],
    ['*2\r\n$3\r\nGET\r\n$1\r\nkey\r\n', 'expected CRLF behind a bulk string'],
    ['*2\r\n$3\r\nGET\r\n$9\r\nkey\r\n', null],
    ['*2\r\n$3\r\nGET\r\n$1000\r\nkey\r\n', null],
    ['*2\r\n$03\r\nGET\r\n$3\r\nkey\r\n', 'invalid bulk length'],
    ['*02\r\n$3\r\nGET\r\n$3\r\nkey\r\n', 'invalid multibulk length'],
    ['*2\n\n$3\r\nGET\r\n$3\r\nkey\r\n', 'invalid multibulk length'],
    ['GET key\r\n', ['GET', 'key']],
    ['\r\nGET key\r\n', ['GET', 'key']],
  ];
  for (const [text, expected] of cases) {
    const input = Buffer.concat([get('a'), Buffer.from(text)]);
    t.equal(ask(input).commands, 1, JSON.stringify(text));
    const parser = new RequestParser(LIMITS);
    parser.push(input);
    t.ok(parser.mayPass);
    table.answer(parser.input, parser.head, parser.filled, 1000, 0);
    parser.pass(table.inputBytes);
    table.forgetInput();
    if (typeof expected === 'string') {
      t.throws(() => parser.next(), { message: `Protocol error: ${expected}` });
      continue;
    }
    t.equal(parser.next(), expected !== null);
    if (expected !== null)
      t.same(
        Array.from({ length: parser.count }, (_, i) => parser.latin1(i)),
        expected,
      );
  }
});

t.test('the parser lets nobody take what it has begun itself', async (t) => {
  const bytes = get('key:1', 'key:2');
  for (let split = 0; split <= bytes.length; split++) {
    const parser = new RequestParser(LIMITS);
    parser.push(bytes.subarray(0, split));
    while (parser.next());
    parser.push(bytes.subarray(split));
    const isBegun = split % get('key:1').length > 4;
    if (isBegun) t.notOk(parser.mayPass, `${split} bytes`);
    if (!parser.mayPass) continue;
    const left = (bytes.length - split) / get('key:1').length;
    if (Number.isInteger(left)) {
      t.equal(parser.filled - parser.head, bytes.length - split);
      parser.pass(left * get('key:1').length);
      t.notOk(parser.next());
      t.equal(parser.bufferedBytes, 0);
    }
  }
  const small = new RequestParser({ ...LIMITS, maxBufferedBytes: 100 });
  small.push(get('key:1'));
  t.notOk(small.mayPass, 'a limit that such a command might break');
});

t.test('what is longer than the windows is answered in pieces', async (t) => {
  const { table, add } = tableOf(MB);
  const keys = Array.from({ length: 100 }, (_, i) => `key:${i}:${'k'.repeat(i * 3)}`);
  const contentOf = (key: string) => `${key} is `.repeat(80).slice(0, 2000);
  for (const key of keys) add(key, contentOf(key));
  const names = Array.from({ length: 2000 }, (_, i) => keys[(i * 7) % keys.length]);
  const input = get(...names);
  const replies: string[] = [];
  let [at, runs, commands] = [0, 0, 0];
  while (at < input.length && table.answer(input, at, input.length, 10_000, 0)) {
    replies.push(table.bytes.latin1Slice(table.start, table.end));
    at += table.inputBytes;
    commands += table.commands;
    runs++;
  }
  t.same([at, commands], [input.length, names.length]);
  t.ok(runs > (names.length * 2000) / 65536, `${runs} runs`);
  t.ok(replies.join('') === names.map((key) => frameOf(contentOf(key))).join(''));
  const short = tableOf();
  short.add('a', '1');
  const many = short.ask(get(...Array.from({ length: 700 }, () => 'a')));
  t.equal(many.commands, 512, 'so many are told of');
  t.equal(many.replies, frameOf('1').repeat(512));
  short.add('long', 'x'.repeat(3000));
  t.notOk(short.has('long'));
});

t.test('bytes that change are looked at anew once they are forgotten', async (t) => {
  const { table, add } = tableOf();
  add('a', '1');
  add('b', '2');
  const input = get('a');
  t.ok(table.answer(input, 0, input.length, 10, 0));
  get('b').copy(input);
  table.forgetInput();
  t.ok(table.answer(input, 0, input.length, 10, 0));
  t.equal(table.bytes.latin1Slice(table.start, table.end), frameOf('2'));
});

t.test('two keys with one hash are told apart', async (t) => {
  const names = new Map<number, string>();
  let pair: [string, string] | null = null;
  for (let i = 1_000_000; pair === null; i++) {
    const [name, former] = [`key:${i}`, names.get(hashOf(`key:${i}`))];
    if (former !== undefined) pair = [former, name];
    names.set(hashOf(name), name);
  }
  const { add, has, table } = tableOf();
  const [first, second] = pair;
  add(first, 'one');
  t.same([has(first), has(second)], [true, false], pair.join(' and '));
  add(second, 'two', { ends: 1001 });
  t.same([has(first), has(second)], [false, true], 'the latter takes the place');
  table.remove(hashOf(first));
  t.same([has(first), has(second)], [false, false]);
});

t.test('the log is written round and round', async (t) => {
  const { table, add, ask, has } = tableOf();
  const random = seededRandom(5);
  const contentOf = (i: number) => `${i}:`.repeat(1 + ((i * 13) % 97));
  let nowMs = 0;
  let known = 0;
  for (let i = 0; i < 30_000; i++) {
    nowMs++;
    // All that is there has ended: everything is let in.
    add(`key:${i}`, contentOf(i), { ends: nowMs + 50, nowMs });
    if (i % 20 === 0) table.remove(hashOf(`key:${i}`));
    const back = random.int(60);
    const one = i - back;
    if (one < 0) continue;
    const { replies } = ask(get(`key:${one}`), nowMs);
    if (replies !== '') known++;
    if (replies !== '' && (replies !== frameOf(contentOf(one)) || one % 20 === 0 || back >= 50))
      t.fail(`key ${one} at ${i}`);
  }
  t.ok(known > 20_000, `${known} of 30,000`);
  table.clear();
  for (let i = 29_900; i < 30_000; i++) t.notOk(has(`key:${i}`, nowMs));
  add('key:1', 'again', { ends: nowMs + 50, nowMs });
  t.equal(ask(get('key:1'), nowMs).replies, frameOf('again'));
});

t.test('the index leads to the beginnings of records, whatever values look like', async (t) => {
  const start = 1 << 16;
  const memory = new ArrayBuffer(start + (64 << 10));
  const records = new FrontRecords(memory, start);
  const words = new Int32Array(memory);
  const random = seededRandom(11);
  const hashes = Array.from({ length: 700 }, () => random.int(2 ** 32) | 0);
  const made = new Map<number, number>();
  const placesOf = () => {
    const first = records.indexAt >> 2;
    return Array.from({ length: 4 * (records.mask + 1) }, (_, i) => [
      words[first + 2 * i],
      words[first + 2 * i + 1],
    ]).filter(([, at]) => at !== 0);
  };
  for (let i = 0; i < 20_000; i++) {
    const hash = hashes[random.int(hashes.length)];
    const entry = {
      hash,
      keyBytes: random.int(20),
      frameBytes: random.int(900),
      endsMs: i + 500,
      namespace: 1,
    };
    if (random.int(10) === 0) {
      records.remove(hash);
      made.delete(hash);
      continue;
    }
    const at = records.add(entry, i);
    if (at === 0) continue;
    made.set(hash, at - 20);
    t.equal(records.add(entry, i), 0, 'the same one is there');
    words.fill(-1, at >> 2, (at + entry.keyBytes + entry.frameBytes) >> 2);
    if (i % 50 > 0) continue;
    const places = placesOf();
    const isRight = places.every(
      ([one, place]) => made.get(one) === place && words[(place >> 2) + 1] === one,
    );
    if (!isRight) return t.fail(`step ${i}`);
    t.equal(new Set(places.map(([one]) => one)).size, places.length, 'each key is there once');
  }
  t.ok(placesOf().length > 30, `${placesOf().length} keys`);
});

t.test('what counts makes room for one newcomer of eight', async (t) => {
  const { add, has } = tableOf();
  const count = 3000;
  const names = Array.from({ length: count }, (_, i) => `key:${i}`);
  for (const name of names) add(name, 'v'.repeat(200));
  const firsts = names.filter((name) => has(name)).length;
  for (const name of names) add(`new ${name}`, 'v'.repeat(200));
  const news = names.filter((name) => has(`new ${name}`)).length;
  t.ok(firsts > 500, `${firsts} of the first`);
  t.ok(news > count / 10 && news < count / 6, `${news} of the others`);
});

t.test('sizes', async (t) => {
  t.equal(FrontTable.sizeFor(200 << 10), 0, 'too little for one');
  t.equal(FrontTable.sizeFor(300_000), 256 << 10);
  t.equal(FrontTable.sizeFor(2 ** 40), 256 << 20);
  const store = new L1Store({ maxBytes: MB, hashSeed: SEED, onEvicted: () => {} });
  put(store, 'a', 'one', { source: 0, ends: 1000, nowMs: 0 });
  const { bytes } = store;
  lookUp(store, 'a', 0);
  t.equal(store.answer(get('a'), 0, get('a').length, 1, 0), null, 'a small store has none');
  t.equal(store.bytes, bytes);
});

interface Life {
  readonly source: number;
  readonly ends: number;
  readonly nowMs: number;
  readonly softTtlMs?: number;
}

const found = new Found();

function put(store: L1Store, name: string, value: string | null, life: Life): boolean {
  const key = Buffer.from(name);
  const given = new Found();
  given.kind = value === null ? FoundKind.MISS : FoundKind.VALUE;
  given.bytes = Buffer.from(value === null ? '' : frameOf(value));
  given.end = given.bytes.length;
  given.softTtlMs = life.softTtlMs ?? -1;
  const provenance = { source: life.source, namespace: 1, enteredMs: life.nowMs, endsMs: life.ends };
  return store.put(hashOf(name), key, given, provenance);
}

/** As a GET looks a key up: what is found is answered from the front from then on. */
function lookUp(store: L1Store, name: string, nowMs: number): string | null {
  const key = Buffer.from(name);
  if (!store.find(hashOf(name), key, 0, key.length, nowMs, found)) return null;
  const frame = found.bytes.latin1Slice(found.start, found.end);
  if (found.isStale) return 'stale';
  store.promote(hashOf(name), key.length, found, nowMs);
  return frame;
}

function inFront(store: L1Store, name: string, nowMs: number): string | null {
  const input = get(name);
  const run = store.answer(input, 0, input.length, 1, nowMs);
  store.forgetInput();
  return run === null ? null : run.bytes.latin1Slice(run.start, run.end);
}

t.test('the front forgets what L1 forgets', async (t) => {
  const store = new L1Store({ maxBytes: 4 * MB, hashSeed: SEED, onEvicted: () => {} });
  const life = { source: 3, ends: 1000, nowMs: 0 };
  const promoted = (softTtlMs = -1) => {
    put(store, 'a', 'one', { ...life, softTtlMs });
    t.equal(inFront(store, 'a', 0), null, 'it was not asked for yet');
    lookUp(store, 'a', 0);
    t.equal(inFront(store, 'a', 0), frameOf('one'));
  };
  promoted();
  store.remove(hashOf('a'), Buffer.from('a'), 0, 1);
  t.equal(inFront(store, 'a', 0), null, 'removed');
  promoted();
  put(store, 'a', 'two', life);
  t.equal(inFront(store, 'a', 0), null, 'there is another value');
  t.equal(lookUp(store, 'a', 0), frameOf('two'));
  t.equal(inFront(store, 'a', 0), frameOf('two'));
  put(store, 'a', null, life);
  t.equal(inFront(store, 'a', 0), null, 'there is none');
  lookUp(store, 'a', 0);
  t.equal(inFront(store, 'a', 0), null, 'that there is none is told by L1');
  promoted();
  store.dropSource(3);
  t.equal(inFront(store, 'a', 0), null, 'the source was dropped');
  promoted();
  store.clear();
  t.equal(inFront(store, 'a', 0), null, 'all was forgotten');
  promoted();
  t.equal(inFront(store, 'a', 999), frameOf('one'));
  t.equal(inFront(store, 'a', 1000), null, 'its time is up');
  promoted(400);
  t.equal(inFront(store, 'a', 399), frameOf('one'));
  t.equal(inFront(store, 'a', 400), null, 'it is stale');
  promoted(5000);
  t.equal(inFront(store, 'a', 999), frameOf('one'));
  t.equal(inFront(store, 'a', 1000), null);
});

t.test('the front says what a Map says, and nothing that L1 does not know', async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.comment(`SEED=${seed}`);
  const random = seededRandom(seed);
  for (const [maxBytes, keys, longest] of [
    [8 * MB, 300, 300],
    [2 * MB, 4000, 1500],
  ]) {
    const store = new L1Store({ maxBytes, hashSeed: SEED, onEvicted: () => {} });
    const model = new Map<string, { frame: string; ends: number; source: number }>();
    let nowMs = 2 ** 32 - 2000;
    let [answered, most] = [0, 0];
    for (let i = 0; i < 30_000; i++) {
      const key = `key:${Math.floor(keys * (random.int(1000) / 1000) ** 3)}`;
      const dice = random.int(1000);
      if (random.int(10) === 0) nowMs++;
      if (dice < 250) {
        const value = `${i}${'v'.repeat(random.int(longest))}`;
        const [ends, source] = [nowMs + 1 + random.int(3000), random.int(20)];
        model.delete(key);
        if (put(store, key, value, { source, ends, nowMs }))
          model.set(key, { frame: frameOf(value), ends, source });
      } else if (dice < 300) {
        store.remove(hashOf(key), Buffer.from(key), 0, key.length);
        model.delete(key);
      } else if (dice < 302) {
        const source = random.int(20);
        store.dropSource(source);
        for (const [name, one] of model) if (one.source === source) model.delete(name);
      } else if (dice === 302) {
        store.clear();
        model.clear();
      } else if (dice < 700) {
        lookUp(store, key, nowMs);
      }
      most = Math.max(most, store.bytes);
      const one = model.get(key);
      const frame = inFront(store, key, nowMs);
      if (frame === null) continue;
      answered++;
      const ofL1 = lookUp(store, key, nowMs);
      if (one === undefined || one.ends <= nowMs || frame !== one.frame || frame !== ofL1)
        return t.fail(`${key} at step ${i}`);
    }
    t.ok(answered > 3000, `${answered} were answered`);
    t.ok(most <= maxBytes, `${most} bytes`);
  }
});
