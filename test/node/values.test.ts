import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { DataSet } from '../../node/data-set.ts';
import { Databases } from '../../node/databases.ts';
import type { Keyspace } from '../../node/keyspace.ts';
import { ReplicationLog } from '../../node/replication/replication-log.ts';
import { MemoryStore } from '../../node/store/index.ts';
import { HashValue, ListValue, SetValue, ZsetValue } from '../../node/values/index.ts';

/* Each kind of value against the obvious one on random operations, small ones and large ones and what makes the one the other. */

const seed = Number(process.env.SEED ?? 20261121);
const steps = process.env.RINGSIDE_LONG_SEEDS ? 400_000 : 40_000;
const bytes = (text: string) => Buffer.from(text, 'latin1');
const KEY = bytes('<key>');

function keyspaceOf(hashSeed = 3): Keyspace {
  const data = new DataSet(new ReplicationLog({ backlogBytes: 1e6, replId: 'r' }));
  data.hashSeed = hashSeed;
  return new Databases({ count: 1, data, newStore: () => new MemoryStore({ hashSeed }) }).at(0);
}

/** Calls `use` with a range in a larger buffer, as arguments are. */
function given<T>(text: string, use: (buffer: Buffer, start: number, end: number) => T): T {
  return use(bytes(`[${text}]`), 1, 1 + text.length);
}

const textOf = (buffer: Buffer, start: number, end: number) => buffer.latin1Slice(start, end);

/** Opens the value under the key, or makes it. */
function opened<T>(
  keyspace: Keyspace,
  type: {
    open(keyspace: Keyspace, slot: number): T;
    create(keyspace: Keyspace, b: Buffer, s: number, e: number): T;
  },
): T {
  const slot = keyspace.find(KEY, 1, 4);
  return slot === 0 ? type.create(keyspace, KEY, 1, 4) : type.open(keyspace, slot);
}

/** Other entries come, change and go, so that the bytes of the one under test are moved about. */
function disturb(keyspace: Keyspace, random: Random): void {
  const key = bytes(`other${random.int(50)}`);
  const slot = keyspace.find(key, 0, key.length) || keyspace.insert(key, 0, key.length);
  const value = Buffer.alloc(random.int(300), 'v');
  if (random.int(3) === 0) keyspace.remove(slot);
  else keyspace.setBytes(slot, value, 0, value.length, 0);
}

/** Ends a command as handlers do: the value is marked as changed, or removed when it has become empty. */
function finish(keyspace: Keyspace, value: { slot: number; size: number }): void {
  if (value.size === 0) keyspace.remove(value.slot);
  else keyspace.modified(value.slot);
}

/** Members of all lengths, any bytes; from a set of about `names`, so that they are met again. */
function member(random: Random, names: number): string {
  const n = random.int(names);
  if (n === 0) return '';
  const name = `${String.fromCharCode(n & 255)}m${n}`;
  if (n % 97 === 0) return name.padEnd(300 + (n % 1000), 'x');
  return n % 10 === 0 ? name.padEnd(20 + (n % 50), '\0') : name;
}

/** Phases of a run: how many names there are, and how often something is removed. */
const phases = [
  { names: 12, removes: 0.5 },
  { names: 200, removes: 0.1 },
  { names: 3000, removes: 0.1 },
  { names: 3000, removes: 0.9 },
  { names: 40, removes: 0.6 },
];

function phaseOf(step: number): { names: number; removes: number } {
  return phases[Math.floor((step * phases.length * 2) / steps) % phases.length];
}

/** What a whole scan sees, in steps of `count`; changes between the calls are up to `between`. */
function scanned(
  scan: (cursor: number, add: (name: string) => void) => number,
  between: () => void = () => {},
): string[] {
  const names: string[] = [];
  let cursor = 0;
  do {
    cursor = scan(cursor, (name) => names.push(name));
    between();
  } while (cursor !== 0);
  return names;
}

t.test('a hash does what a Map does', async (t) => {
  const random = seededRandom(seed);
  const keyspace = keyspaceOf();
  const naive = new Map<string, string>();
  const contents = (hash: HashValue) => {
    const found: [string, string][] = [];
    hash.forEach((fb, fs, fe, vb, vs, ve) => {
      found.push([textOf(fb, fs, fe), textOf(vb, vs, ve)]);
    });
    return found;
  };
  const sorted = (entries: Iterable<[string, string]>) => [...entries].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  for (let step = 0; step < steps; step++) {
    const { names, removes } = phaseOf(step);
    if (random.int(4) === 0) disturb(keyspace, random);
    const hash = opened(keyspace, HashValue);
    const field = member(random, names);
    const roll = random.next();
    if (roll < removes) {
      const was = naive.delete(field);
      if (given(field, (b, s, e) => hash.delete(b, s, e)) !== was) t.fail(`step ${step}: delete`);
    } else {
      const value = member(random, 5000);
      const isNew = given(field, (fb, fs, fe) => given(value, (b, s, e) => hash.set(fb, fs, fe, b, s, e)));
      if (isNew === naive.has(field)) t.fail(`step ${step}: set`);
      naive.set(field, value);
    }
    const probe = member(random, names);
    const found = given(probe, (b, s, e) => hash.find(b, s, e));
    const value = found ? textOf(hash.value.buffer, hash.value.start, hash.value.end) : undefined;
    if (value !== naive.get(probe)) t.fail(`step ${step}: find`);
    if (hash.size !== naive.size) t.fail(`step ${step}: ${hash.size} fields, not ${naive.size}`);
    if (step % 500 === 0) t.same(sorted(contents(hash)), sorted(naive), `step ${step}`);
    if (step % 500 === 0 && hash.size > 0) {
      hash.random(random);
      const { field, value } = hash;
      t.equal(
        naive.get(textOf(field.buffer, field.start, field.end)),
        textOf(value.buffer, value.start, value.end),
      );
    }
    finish(keyspace, hash);
  }
});

t.test('a set does what a Set does', async (t) => {
  const random = seededRandom(seed + 1);
  const keyspace = keyspaceOf();
  const naive = new Set<string>();
  for (let step = 0; step < steps; step++) {
    const { names, removes } = phaseOf(step);
    if (random.int(4) === 0) disturb(keyspace, random);
    const set = opened(keyspace, SetValue);
    const isIntegers = Math.floor(step / 3000) % 2 === 0;
    const name = isIntegers ? String(random.int(names) - 20) : member(random, names);
    if (random.next() < removes) {
      if (given(name, (b, s, e) => set.delete(b, s, e)) !== naive.delete(name))
        t.fail(`step ${step}: delete`);
    } else {
      if (given(name, (b, s, e) => set.add(b, s, e)) === naive.has(name)) t.fail(`step ${step}: add`);
      naive.add(name);
    }
    const probe = isIntegers ? String(random.int(names) - 20) : member(random, names);
    if (given(probe, (b, s, e) => set.has(b, s, e)) !== naive.has(probe)) t.fail(`step ${step}: has`);
    if (set.size !== naive.size) t.fail(`step ${step}: ${set.size} members, not ${naive.size}`);
    if (step % 500 === 0) {
      const found: string[] = [];
      set.forEach((b, s, e) => {
        found.push(textOf(b, s, e));
      });
      if (set.encoding === 'intset') {
        t.same(
          found,
          [...naive].sort((a, b) => Number(a) - Number(b)),
          `step ${step}: ascending`,
        );
      } else t.same(found.sort(), [...naive].sort(), `step ${step}`);
    }
    finish(keyspace, set);
  }
});

t.test('a list does what an array does', async (t) => {
  const random = seededRandom(seed + 2);
  const keyspace = keyspaceOf();
  const naive: string[] = [];
  const element = () => {
    const roll = random.int(300);
    if (roll === 0) return 'large'.padEnd(8000 + random.int(9000), '.');
    return roll < 10 ? `e${roll}`.padEnd(random.int(1000), '.') : `e${random.int(12)}`;
  };
  const operations: ((list: ListValue, isShrinking: boolean) => void)[] = [
    (list, isShrinking) => {
      const atHead = random.int(2) === 0;
      for (let i = isShrinking ? 1 : random.int(30); i > 0; i--) {
        const text = element();
        given(text, (b, s, e) => list.push(atHead, b, s, e));
        if (atHead) naive.unshift(text);
        else naive.push(text);
      }
    },
    (list) => {
      if (naive.length === 0) return;
      const index = random.int(naive.length);
      const text = element();
      given(text, (b, s, e) => list.set(index, b, s, e));
      naive[index] = text;
    },
    (list) => {
      const index = random.int(naive.length + 1);
      const text = element();
      given(text, (b, s, e) => list.insert(index, b, s, e));
      naive.splice(index, 0, text);
    },
    (list, isShrinking) => {
      if (naive.length === 0) return;
      const index = [0, naive.length - 1, random.int(naive.length)][random.int(3)];
      const count = random.int(3) === 0 ? 1 + random.int(isShrinking ? 500 : 20) : 1;
      list.remove(index, count);
      naive.splice(index, count);
    },
    (list) => {
      const text = element();
      const fromTail = random.int(2) === 0;
      const count = 1 + random.int(5);
      const from = fromTail ? naive.map((_, i) => naive.length - 1 - i) : naive.map((_, i) => i);
      const gone = from.filter((i) => naive[i] === text).slice(0, count);
      const removed = given(text, (b, s, e) => list.removeEqual(count, fromTail, b, s, e));
      if (removed !== gone.length) t.fail(`${removed} equal elements went, not ${gone.length}`);
      for (const i of gone.sort((a, b) => b - a)) naive.splice(i, 1);
    },
  ];
  for (let step = 0; step < steps; step++) {
    const isShrinking = Math.floor(step / 1500) % 2 === 1;
    if (random.int(4) === 0) disturb(keyspace, random);
    const list = opened(keyspace, ListValue);
    operations[random.int(isShrinking && random.int(2) ? 5 : operations.length)](list, isShrinking);
    if (list.size !== naive.length) t.fail(`step ${step}: ${list.size} elements, not ${naive.length}`);
    if (naive.length > 0) {
      const index = random.int(naive.length);
      list.at(index);
      const { element } = list;
      if (textOf(element.buffer, element.start, element.end) !== naive[index])
        t.fail(`step ${step}: at ${index}`);
    }
    if (step % 250 === 0) {
      for (const backwards of [false, true]) {
        const start = naive.length === 0 ? 0 : random.int(naive.length);
        const found: string[] = [];
        list.walk(start, backwards, (b, s, e, i) => {
          if (textOf(b, s, e) !== naive[i]) t.fail(`step ${step}: walk at ${i}`);
          return found.push(textOf(b, s, e)) > 0;
        });
        const expected = backwards ? naive.slice(0, start + 1).reverse() : naive.slice(start);
        t.equal(found.length, expected.length, `step ${step}: ${expected.length} walked`);
      }
    }
    finish(keyspace, list);
  }
});

t.test('a sorted set does what a sorted array does', async (t) => {
  const random = seededRandom(seed + 3);
  const keyspace = keyspaceOf();
  const naive = new Map<string, number>();
  const inOrder = () =>
    [...naive].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([name, score]) => ({ name, score }));
  const score = () =>
    [random.int(5), random.int(1000) / 8, -random.int(9), Infinity, -Infinity][random.int(5)];
  for (let step = 0; step < steps; step++) {
    const { names, removes } = phaseOf(step);
    if (random.int(4) === 0) disturb(keyspace, random);
    const zset = opened(keyspace, ZsetValue);
    const name = member(random, names);
    if (random.int(400) === 0 && naive.size > 0) {
      const rank = random.int(naive.size);
      const count = Math.min(naive.size - rank, random.int(random.int(10) === 0 ? 1000 : 5));
      for (const gone of inOrder().slice(rank, rank + count)) naive.delete(gone.name);
      zset.remove(rank, count);
    } else if (random.next() < removes) {
      if (given(name, (b, s, e) => zset.delete(b, s, e)) !== naive.delete(name))
        t.fail(`step ${step}: delete`);
    } else {
      const to = score();
      if (given(name, (b, s, e) => zset.set(to, b, s, e)) === naive.has(name)) t.fail(`step ${step}: set`);
      naive.set(name, to);
    }
    if (zset.size !== naive.size) t.fail(`step ${step}: ${zset.size} members, not ${naive.size}`);
    const probe = member(random, names);
    if (given(probe, (b, s, e) => zset.scoreOf(b, s, e)) !== naive.get(probe)) t.fail(`step ${step}: score`);
    if (step % 400 === 0) {
      const expected = inOrder();
      for (const backwards of [false, true]) {
        const found: { name: string; score: number }[] = [];
        const start = backwards ? naive.size - 1 : 0;
        zset.walk(start, backwards, (b, s, e, score) => found.push({ name: textOf(b, s, e), score }) > 0);
        t.same(found, backwards ? [...expected].reverse() : expected, `step ${step}: in order`);
      }
      for (let i = 0; i < 20; i++) {
        const limit = score();
        const below = expected.filter((m) => m.score < limit).length;
        const upTo = expected.filter((m) => m.score <= limit).length;
        t.equal(zset.countBelow(limit, false), below, `step ${step}: below ${limit}`);
        t.equal(zset.countBelow(limit, true), upTo, `step ${step}: up to ${limit}`);
        if (expected.length === 0) continue;
        const rank = random.int(expected.length);
        zset.at(rank);
        t.equal(textOf(zset.member.buffer, zset.member.start, zset.member.end), expected[rank].name);
        t.equal(zset.score, expected[rank].score);
        t.equal(
          given(expected[rank].name, (b, s, e) => zset.rankOf(b, s, e)),
          rank,
        );
      }
      t.equal(
        given('never there', (b, s, e) => zset.rankOf(b, s, e)),
        -1,
      );
    }
    finish(keyspace, zset);
  }
});

t.test('members of one score are counted in the order of their bytes', async (t) => {
  for (const size of [1, 60, 3000]) {
    const random = seededRandom(seed + size);
    const keyspace = keyspaceOf();
    const zset = ZsetValue.create(keyspace, KEY, 1, 4);
    const names = new Set<string>();
    while (names.size < size) names.add(member(random, 30_000));
    for (const name of names) given(name, (b, s, e) => zset.set(7, b, s, e));
    for (let i = 0; i < 200; i++) {
      const probe = random.int(2) === 0 ? [...names][random.int(size)] : member(random, 30_000);
      const before = [...names].filter((name) => name < probe).length;
      t.equal(
        given(probe, (b, s, e) => zset.countBefore(b, s, e, false)),
        before,
      );
      t.equal(
        given(probe, (b, s, e) => zset.countBefore(b, s, e, true)),
        before + (names.has(probe) ? 1 : 0),
      );
    }
  }
});

t.test('a scan sees each member that stays exactly once, while others come and go', async (t) => {
  const random = seededRandom(seed + 4);
  for (const [from, to] of [
    [50, 60_000],
    [60_000, 50],
    [20_000, 20_000],
  ]) {
    const keyspace = keyspaceOf(from);
    const set = SetValue.create(keyspace, KEY, 1, 4);
    const stay = Array.from({ length: 2000 }, (_, i) => `stays${i}`);
    for (const name of stay) given(name, (b, s, e) => set.add(b, s, e));
    const others: string[] = [];
    const add = () => {
      const name = `other${random.u32()}`;
      others.push(name);
      given(name, (b, s, e) => set.add(b, s, e));
    };
    while (others.length < from) add();
    const seen = scanned(
      (cursor, push) => set.scan(cursor, 10, (b, s, e) => push(textOf(b, s, e))),
      () => {
        for (let i = 0; i < 300; i++) {
          if (others.length > to || (from === to && random.int(2) === 0)) {
            const gone = others.pop();
            if (gone) given(gone, (b, s, e) => set.delete(b, s, e));
          } else add();
        }
      },
    ).filter((name) => name.startsWith('stays'));
    t.same(seen.sort(), [...stay].sort(), `${from} to ${to}`);
  }
});

t.test('every member is as likely to be chosen', async (t) => {
  for (const size of [10, 300, 9000]) {
    const random = seededRandom(seed + 5);
    const keyspace = keyspaceOf();
    const set = SetValue.create(keyspace, KEY, 1, 4);
    for (let i = 0; i < size; i++) given(`m${i}`, (b, s, e) => set.add(b, s, e));
    const draws = size * 20;
    const times = new Map<string, number>();
    for (let i = 0; i < draws; i++) {
      set.random(random);
      const name = textOf(set.member.buffer, set.member.start, set.member.end);
      times.set(name, (times.get(name) ?? 0) + 1);
    }
    let chiSquare = 0;
    for (let i = 0; i < size; i++) chiSquare += ((times.get(`m${i}`) ?? 0) - 20) ** 2 / 20;
    // Mean size - 1, standard deviation sqrt(2 (size - 1)).
    t.ok(chiSquare < size + 5 * Math.sqrt(2 * size), `chi square ${chiSquare.toFixed(0)} of ${size}`);
  }
});

t.test('encodings have the names that Redis would give them', async (t) => {
  const keyspace = keyspaceOf();
  const { limits } = keyspace.data;
  const hash = HashValue.create(keyspace, bytes('h'), 0, 1);
  const put = (field: string, value: string) =>
    given(field, (fb, fs, fe) => given(value, (b, s, e) => hash.set(fb, fs, fe, b, s, e)));
  for (let i = 0; i < limits.hashEntries; i++) put(`f${i}`, 'v'.repeat(limits.hashValueBytes));
  t.equal(hash.encoding, 'listpack', 'also where ours has become a table');
  put('one more', '');
  t.equal(hash.encoding, 'hashtable');
  given('one more', (b, s, e) => hash.delete(b, s, e));
  t.equal(hash.encoding, 'hashtable', 'for good');
  limits.hashValueBytes = 1e6;
  const long = HashValue.create(keyspace, bytes('long'), 0, 4);
  const lengths = [31, 8191, 65_535, 200, 7935, 7936];
  for (const length of lengths) {
    const value = Buffer.alloc(length, 'x');
    given(`f${length}`, (b, s, e) => long.set(b, s, e, value, 0, length));
  }
  const found: number[] = [];
  long.forEach((_b, _s, _e, _vb, start, end) => {
    found.push(end - start);
  });
  t.same(found, lengths, 'a small hash of long values keeps their order');

  const set = SetValue.create(keyspace, bytes('s'), 0, 1);
  for (let i = 0; i < limits.setIntegers; i++) given(`${-i}`, (b, s, e) => set.add(b, s, e));
  t.equal(set.encoding, 'intset');
  given('9223372036854775807', (b, s, e) => set.add(b, s, e));
  t.equal(set.encoding, 'hashtable', 'one too many');
  for (const odd of ['9223372036854775808', '-9223372036854775809', '01', '-0', '+1', '', '1 ', '1.0']) {
    const strings = SetValue.create(keyspace, bytes(`s${odd}`), 0, odd.length + 1);
    given('-9223372036854775808', (b, s, e) => strings.add(b, s, e));
    t.equal(strings.encoding, 'intset');
    given(odd, (b, s, e) => strings.add(b, s, e));
    t.equal(strings.encoding, 'hashtable', `'${odd}' is no integer`);
    t.equal(strings.size, 2);
  }

  limits.zsetEntries = 3;
  const zset = ZsetValue.create(keyspace, bytes('z'), 0, 1);
  for (const name of ['a', 'b', 'c']) given(name, (b, s, e) => zset.set(-0, b, s, e));
  t.equal(zset.encoding, 'listpack');
  limits.zsetEntries = 2;
  given('a', (b, s, e) => zset.set(5, b, s, e));
  t.equal(zset.encoding, 'listpack', 'only what is new counts');
  given('d', (b, s, e) => zset.set(5, b, s, e));
  t.equal(zset.encoding, 'skiplist');
  limits.zsetEntries = 100;
  t.equal(zset.encoding, 'skiplist');
});

t.test('members of 64 MB come and go', async (t) => {
  const keyspace = keyspaceOf();
  const large = Buffer.alloc(64 * 1024 * 1024, 'x');
  const hash = HashValue.create(keyspace, bytes('h'), 0, 1);
  const set = SetValue.create(keyspace, bytes('s'), 0, 1);
  const list = ListValue.create(keyspace, bytes('l'), 0, 1);
  const zset = ZsetValue.create(keyspace, bytes('z'), 0, 1);
  const slot = (name: string) => keyspace.find(bytes(name), 0, 1);
  const field = bytes('f');
  hash.set(field, 0, 1, large, 0, large.length);
  set.add(large, 0, large.length);
  zset.set(1, large, 0, large.length);
  list.push(true, field, 0, 1);
  list.insert(1, large, 0, large.length);
  list.push(false, field, 0, 1);
  t.ok(hash.find(field, 0, 1));
  t.equal(hash.value.end - hash.value.start, large.length);
  t.ok(set.has(large, 0, large.length));
  t.equal(zset.rankOf(large, 0, large.length), 0);
  list.at(1);
  t.equal(list.element.end - list.element.start, large.length);
  for (const name of ['h', 's', 'l', 'z']) {
    keyspace.store.objectChanged(slot(name));
    const object = keyspace.store.objectOf(slot(name))!;
    t.ok(
      object.bytes >= large.length && object.bytes < large.length + 10_000,
      `${name}: ${object.bytes} bytes`,
    );
  }
  hash.set(field, 0, 1, field, 0, 1);
  t.ok(set.delete(large, 0, large.length));
  t.ok(zset.delete(large, 0, large.length));
  list.remove(1, 1);
  for (const name of ['h', 's', 'l', 'z']) {
    t.ok(keyspace.store.objectOf(slot(name))!.bytes < 10_000, `${name} gave its memory back`);
  }
});
