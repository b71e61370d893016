import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { type EvictionRule, MemoryStore, type NewEntry, STRING } from '../../node/store/index.ts';

/* Entries added in numbers against the same added one by one: same content, same bytes, same order in which they go. */

const seed = Number(process.env.SEED ?? 20261121);
const random = seededRandom(seed);
const ENTRIES = 5000;
/** Some that a segment cannot tell by their distance. */
const FAR = 2 ** 31;

const rules: readonly EvictionRule[] = [
  { policy: 'none', volatileOnly: false },
  { policy: 'lru', volatileOnly: false },
  { policy: 'lru', volatileOnly: true },
  { policy: 'lfu', volatileOnly: false },
  { policy: 's3-fifo', volatileOnly: false },
  { policy: 'ttl', volatileOnly: true },
];

interface Item extends NewEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

function someItem(i: number): Item {
  const isLong = random.int(100) === 0;
  return {
    key: Buffer.from(`<${i}${isLong ? '-'.repeat(300) : ''}>`),
    value: Buffer.alloc(random.int(isLong ? 40_000 : 400), i),
    type: STRING,
    space: random.int(3),
    expiresAt: random.int(3) === 0 ? 1_800_000_000_000 + random.int(1e9) : 0,
    high: 7,
    low: random.int(50) === 0 ? FAR + random.int(FAR) : 2 ** 23 + i,
    idleSeconds: random.int(2) === 0 ? random.int(1000) : null,
    frequency: random.int(2) === 0 ? random.int(256) : null,
  };
}

function build(rule: EvictionRule): MemoryStore {
  const store = new MemoryStore({ hashSeed: 1, maxBytes: 2 ** 28 });
  store.nowSeconds = 10_000;
  for (let space = 0; space < 3; space++) store.setEviction(space, rule);
  return store;
}

function addOne(store: MemoryStore, item: Item): void {
  const { key, value, expiresAt } = item;
  const find = () => store.find(key, 1, key.length - 1);
  store.setBytes(store.insert(key, 1, key.length - 1, item.space), value, 0, value.length);
  store.setVersion(find(), item.high, item.low);
  if (expiresAt !== 0) store.setExpiry(find(), expiresAt);
  store.setUse(find(), item.idleSeconds, item.frequency);
}

function addInNumbers(store: MemoryStore, { key, value, ...entry }: Item): string | null {
  return store.inserts.add(key, 1, key.length - 1, value, 0, value.length, entry);
}

function content(store: MemoryStore): string[] {
  const lines: string[] = [];
  for (let cursor = 0; ; ) {
    cursor = store.scan(cursor, (slot) => {
      const facts = [store.versionHigh(slot), store.versionLow(slot), store.expiresAt(slot)];
      const use = [store.idleSeconds(slot), store.frequencyOf(slot)];
      lines.push(`${store.keyOf(slot)} ${facts} ${use} ${store.typeOf(slot)} ${store.latin1(slot)}`);
    });
    if (cursor === 0) return lines.sort();
  }
}

/** The keys in the order in which the spaces give them up. */
function drained(store: MemoryStore): string[] {
  const keys: string[] = [];
  for (let space = 0; space < store.spaces; space++) {
    for (let slot = store.victim(space); slot !== 0; slot = store.victim(space)) {
      keys.push(store.keyOf(slot));
      store.remove(slot);
    }
  }
  return keys;
}

t.test(`what is added in numbers is as if added one by one (SEED=${seed})`, async (t) => {
  for (const rule of rules) {
    const name = `${rule.policy}${rule.volatileOnly ? ', volatile' : ''}`;
    const items = Array.from({ length: ENTRIES }, (_, i) => someItem(i));
    const [one, many] = [build(rule), build(rule)];
    for (const item of items) addOne(one, item);
    const twice = items.map((item) => addInNumbers(many, item)).filter((key) => key !== null);
    t.equal(many.inserts.flush(), null);
    t.same(twice, [], name);
    t.same(content(many), content(one), `${name}: content`);
    t.same([many.size, many.expiringCount], [one.size, one.expiringCount], `${name}: counts`);
    if (rule.policy === 'none') continue;
    t.same(drained(many).sort(), drained(one).sort(), `${name}: all go that may`);
  }
});

t.test('the order of use is that of adding', async (t) => {
  const store = build({ policy: 'lru', volatileOnly: false });
  const items = Array.from({ length: 300 }, (_, i) => ({ ...someItem(i), space: 0, idleSeconds: null }));
  for (const item of items) addInNumbers(store, item);
  store.inserts.flush();
  t.same(
    drained(store),
    items.map(({ key }) => key.latin1Slice(1, key.length - 1)),
  );
});

t.test('a key that is there already is told, and keeps its former value', async (t) => {
  for (const between of [0, 1, 500]) {
    const store = build({ policy: 'lru', volatileOnly: false });
    const [first, ...others] = Array.from({ length: between + 1 }, (_, i) => someItem(i));
    for (const item of [first, ...others]) addInNumbers(store, item);
    if (between === 0) store.inserts.flush();
    const before = first.value.latin1Slice();
    const told = [addInNumbers(store, { ...first, value: Buffer.from('other') }), store.inserts.flush()];
    t.ok(told.includes(first.key.latin1Slice(1, first.key.length - 1)), `${between} between`);
    t.equal(store.size, between + 1);
    t.equal(store.latin1(store.find(first.key, 1, first.key.length - 1)), before);
    t.equal(store.expiringCount, [first, ...others].filter(({ expiresAt }) => expiresAt !== 0).length);
  }
});
