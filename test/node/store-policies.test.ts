import t from 'tap';
import { simulate } from '../../bench/support/cache-simulator.ts';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { type EvictionRule, MemoryStore } from '../../node/store/index.ts';

/* What each policy gives up, beside the obvious implementation of it; policies that change; spaces. */

const seed = Number(process.env.SEED ?? 20261121);
const LRU: EvictionRule = { policy: 'lru', volatileOnly: false };
const keyOf = (number: number) => `key:${String(number).padStart(8, '0')}`;

/** A store of entries of one size, by number. */
class Numbered {
  readonly store: MemoryStore;

  constructor(rule: EvictionRule, budgetBytes = 0) {
    this.store = new MemoryStore({ hashSeed: 7 });
    this.store.setEviction(0, rule, budgetBytes);
  }

  find(number: number): number {
    const key = Buffer.from(keyOf(number));
    return this.store.find(key, 0, key.length);
  }

  add(number: number, expiresAt = 0, space = 0): void {
    const key = Buffer.from(keyOf(number));
    const slot = this.store.insert(key, 0, key.length, space);
    this.store.setLatin1(slot, 'v'.repeat(50));
    if (expiresAt !== 0) this.store.setExpiry(slot, expiresAt);
  }

  touch(number: number): void {
    this.store.touch(this.find(number));
  }

  remove(number: number): void {
    this.store.remove(this.find(number));
  }

  /** Removes what the policy gives up; -1 for nothing. */
  evict(space = 0): number {
    const slot = this.store.victim(space);
    if (slot === 0) return -1;
    const number = Number(this.store.keyOf(slot).slice(4));
    this.store.remove(slot);
    return number;
  }

  evictAll(space = 0): number[] {
    const evicted: number[] = [];
    for (let number = this.evict(space); number >= 0; number = this.evict(space)) evicted.push(number);
    return evicted;
  }
}

/** An obvious policy: what it has, in the order in which it would go. */
interface Reference {
  added(number: number): void;
  touched(number: number): void;
  removed(number: number): void;
  victim(): number;
}

class NaiveLru implements Reference {
  readonly #order = new Set<number>();
  added = (number: number) => void this.#order.add(number);
  removed = (number: number) => void this.#order.delete(number);
  victim = () => this.#order.values().next().value ?? -1;

  touched(number: number): void {
    this.#order.delete(number);
    this.#order.add(number);
  }
}

class NaiveLfu implements Reference {
  readonly #entries = new Map<number, { frequency: number; since: number }>();
  #clock = 0;
  #uses = 0;

  added(number: number): void {
    this.#entries.set(number, { frequency: 1, since: this.#clock++ });
  }

  removed(number: number): void {
    this.#entries.delete(number);
  }

  touched(number: number): void {
    const { frequency } = this.#entries.get(number)!;
    this.#entries.set(number, { frequency: Math.min(255, frequency + 1), since: this.#clock++ });
    if (++this.#uses <= 10 * this.#entries.size) return;
    this.#uses = 0;
    // Of two frequencies that become one, the entries of the lower one are counted as there first.
    const sorted = [...this.#entries].sort(([, a], [, b]) => a.frequency - b.frequency || a.since - b.since);
    for (const [, entry] of sorted) {
      entry.frequency >>= 1;
      entry.since = this.#clock++;
    }
  }

  victim(): number {
    let victim = -1;
    let least = { frequency: Infinity, since: 0 };
    for (const [number, entry] of this.#entries) {
      const isLess =
        entry.frequency < least.frequency ||
        (entry.frequency === least.frequency && entry.since < least.since);
      if (isLess) [victim, least] = [number, entry];
    }
    return victim;
  }
}

function compare(rule: EvictionRule, reference: Reference, random: Random, keys: number): string {
  const numbered = new Numbered(rule);
  for (let step = 0; step < 30_000; step++) {
    const number = Math.floor(keys * random.next() ** 3);
    const isThere = numbered.find(number) !== 0;
    const roll = random.int(20);
    if (!isThere) {
      numbered.add(number);
      reference.added(number);
    } else if (roll < 17) {
      numbered.touch(number);
      reference.touched(number);
    } else if (roll === 17) {
      numbered.store.setLatin1(numbered.find(number), 'w'.repeat(random.int(90)));
    } else if (roll === 18) {
      numbered.remove(number);
      reference.removed(number);
    }
    if (random.int(3) === 0) numbered.store.maintain();
    if (random.int(6) !== 0) continue;
    const expected = reference.victim();
    const evicted = numbered.evict();
    if (evicted !== expected) return `step ${step}: ${evicted} instead of ${expected}`;
    reference.removed(expected);
  }
  return '';
}

t.test('lru gives up what was not used for the longest time', async (t) => {
  t.equal(compare(LRU, new NaiveLru(), seededRandom(seed), 2000), '');
});

t.test('lfu gives up what was used least often, the first of several; and forgets', async (t) => {
  for (const keys of [2000, 30]) {
    const rule: EvictionRule = { policy: 'lfu', volatileOnly: false };
    t.equal(compare(rule, new NaiveLfu(), seededRandom(seed + keys), keys), '');
  }
});

t.test('ttl gives up what expires next, and nothing that does not', async (t) => {
  const random = seededRandom(seed);
  const numbered = new Numbered({ policy: 'ttl', volatileOnly: true });
  const times = Array.from({ length: 3000 }, () => 1e12 + random.int(1e9));
  for (const [i, time] of times.entries()) numbered.add(i, i % 3 === 0 ? 0 : time);
  const evicted = numbered.evictAll().map((i) => times[i]);
  t.same(
    evicted,
    times.filter((_, i) => i % 3 !== 0).sort((a, b) => a - b),
  );
  t.equal(numbered.store.size, 1000);
});

t.test('the volatile policies take only what expires, in the order of their policy', async (t) => {
  for (const policy of ['lru', 'lfu', 'random'] as const) {
    const numbered = new Numbered({ policy, volatileOnly: true });
    for (let i = 0; i < 100; i++) numbered.add(i, i % 2 === 0 ? 1e12 : 0);
    for (let i = 0; i < 50; i++) numbered.touch(i);
    numbered.store.setExpiry(numbered.find(99), 1e12);
    numbered.store.setExpiry(numbered.find(98), 0);
    const evicted = numbered.evictAll();
    if (policy === 'random') evicted.sort((a, b) => a - b);
    const old = Array.from({ length: 24 }, (_, i) => 50 + 2 * i);
    const used = Array.from({ length: 25 }, (_, i) => 2 * i);
    const expected = {
      lru: [...old, ...used, 99],
      lfu: [...old, 99, ...used],
      random: [...used, ...old, 99],
    };
    t.same(evicted, expected[policy], policy);
  }
});

t.test('random gives up any, as likely; noeviction none', async (t) => {
  const numbered = new Numbered({ policy: 'random', volatileOnly: false });
  for (let i = 0; i < 2000; i++) numbered.add(i);
  let sum = 0;
  for (let i = 0; i < 1000; i++) sum += numbered.evict();
  t.ok(Math.abs(sum / 1000 - 1000) < 100, `mean ${sum / 1000}`);
  t.equal(numbered.evictAll().length, 1000);
  const full = new Numbered({ policy: 'none', volatileOnly: false });
  full.add(1);
  t.equal(full.evict(), -1);
});

t.test('s3-fifo hits as often as its obvious form', async (t) => {
  for (const capacity of [200, 3000]) {
    const random = seededRandom(seed);
    const numbered = new Numbered({ policy: 's3-fifo', volatileOnly: false });
    const obvious = simulate('s3-fifo', capacity);
    let hits = 0;
    let obviousHits = 0;
    const requests = 150_000;
    for (let i = 0; i < requests; i++) {
      const number = Math.floor(20_000 * random.next() ** 4) + (random.int(4) === 0 ? i : 0);
      if (obvious.access(number, 1)) obviousHits++;
      const slot = numbered.find(number);
      if (slot !== 0) {
        numbered.store.touch(slot);
        hits++;
        continue;
      }
      numbered.store.maintain();
      while (numbered.store.size >= capacity) numbered.evict();
      numbered.add(number);
    }
    const difference = (100 * (hits - obviousHits)) / requests;
    t.ok(
      Math.abs(difference) < 0.1,
      `${capacity} entries: ${obviousHits} hits of the obvious form, ${difference.toFixed(3)} points more`,
    );
  }
});

t.test('s3-fifo turns to new keys that are asked for in turn, though all it holds was used', async (t) => {
  const capacity = 1000;
  const numbered = new Numbered({ policy: 's3-fifo', volatileOnly: false });
  const { store } = numbered;
  const round = (from: number, to: number) => {
    let hits = 0;
    for (let number = from; number < to; number++) {
      const slot = numbered.find(number);
      if (slot !== 0) {
        store.touch(slot);
        hits++;
        continue;
      }
      while (store.size >= capacity) numbered.evict();
      numbered.add(number);
    }
    return hits / (to - from);
  };
  for (let i = 0; i < 4; i++) round(0, capacity);
  const ratios = Array.from({ length: 8 }, () => round(5000, 5000 + 0.6 * capacity));
  t.equal(ratios[0], 0);
  t.ok(ratios[7] > 0.95, ratios.join(' '));
});

t.test(
  'a policy may change: what it does not know yet is oldest, and is made known little by little',
  async (t) => {
    const rules: EvictionRule[] = [
      LRU,
      { policy: 'none', volatileOnly: false },
      { policy: 'lfu', volatileOnly: false },
      LRU,
      { policy: 's3-fifo', volatileOnly: false },
      LRU,
    ];
    const numbered = new Numbered(rules[0]);
    const { store } = numbered;
    let next = 0;
    for (; next < 5000; next++) numbered.add(next);
    for (const rule of rules) {
      store.setEviction(0, rule);
      for (const end = next + 1000; next < end; next++) {
        numbered.add(next);
        store.maintain(next % 3);
      }
    }
    const first = numbered.evict();
    t.ok(first < 2000, `${first} goes first`);
    for (let i = 0; i < 100; i++) store.maintain(1000);
    for (let i = 3000; i < 3500; i++) numbered.touch(i);
    const evicted = numbered.evictAll();
    t.equal(evicted.length, next - 1);
    t.same(
      evicted.slice(-500),
      Array.from({ length: 500 }, (_, i) => 3000 + i),
      'what was used last goes last',
    );
    t.same(
      evicted.slice(-1500, -500),
      Array.from({ length: 1000 }, (_, i) => next - 1000 + i),
      'before it the newest',
    );
  },
);

t.test('spaces have a policy, victims and bytes of their own', async (t) => {
  const numbered = new Numbered(LRU);
  const { store } = numbered;
  store.setEviction(2, { policy: 'ttl', volatileOnly: true });
  t.equal(store.spaces, 3);
  for (let i = 0; i < 300; i++) numbered.add(i, 1e12 - i, i % 3);
  store.setEviction(1, { policy: 's3-fifo', volatileOnly: false });
  t.same(
    [0, 1, 2].map((space) => numbered.evict(space)),
    [0, 1, 299],
  );
  const bytes = [0, 1, 2].map((space) => store.spaceBytes(space));
  t.equal(bytes[0] + bytes[1] + bytes[2], store.usedBytes);
  t.equal(store.expiringCount, 297);
  t.equal(numbered.evictAll(1).length, 99);
  t.same([store.spaceBytes(1), store.spaceBytes(0)], [0, bytes[0]]);
  t.equal(numbered.evict(7), -1, 'a space that nobody has made');
});

t.test('charges: each eviction brings them down, whatever the policy', async (t) => {
  for (const policy of ['lru', 'lfu', 'ttl', 'random', 's3-fifo'] as const) {
    const random = seededRandom(seed);
    const numbered = new Numbered({ policy, volatileOnly: false }, 4 << 20);
    const { store } = numbered;
    let most = 0;
    for (let i = 0; i < 45_000; i++) {
      store.maintain();
      while (store.chargedBytes > 4 << 20) {
        const before = store.chargedBytes;
        if (numbered.evict() < 0 || store.chargedBytes >= before) t.fail(`${policy}: ${store.chargedBytes}`);
      }
      numbered.add(i, 1e12 + random.int(1e9));
      if (random.int(4) === 0) store.setLatin1(numbered.find(i), 'x'.repeat(random.int(300)));
      most = Math.max(most, store.reservedBytes);
    }
    t.ok(
      most < 1.03 * (4 << 20),
      `${policy}: at most ${(most / (4 << 20)).toFixed(3)} of the budget is reserved`,
    );
    t.ok(store.chargedBytes > 0.95 * (4 << 20), `${policy}: the budget is made use of`);
  }
});
