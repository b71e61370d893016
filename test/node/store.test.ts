import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { DataSet } from '../../node/data-set.ts';
import { Databases } from '../../node/databases.ts';
import type { Keyspace } from '../../node/keyspace.ts';
import { makeRoom } from '../../node/memory-limit.ts';
import { ReplicationLog } from '../../node/replication/replication-log.ts';
import { MemoryStore } from '../../node/store/index.ts';

/* The store against a naive one on random input, and what the cursor, the LRU order and the budget promise. */

const seed = Number(process.env.SEED ?? 20261121);
const bytes = (text: string) => Buffer.from(text, 'latin1');

/** The obvious store: a Map in the order of use. */
class NaiveStore {
  readonly entries = new Map<string, { value: string; expiresAt: number }>();

  touch(key: string): void {
    const entry = this.entries.get(key)!;
    this.entries.delete(key);
    this.entries.set(key, entry);
  }

  get oldest(): string {
    return this.entries.keys().next().value ?? '';
  }
}

function lookup(store: MemoryStore, key: string): number {
  const buffer = bytes(`<${key}>`);
  return store.find(buffer, 1, buffer.length - 1);
}

function add(store: MemoryStore, key: string): number {
  const buffer = bytes(`<${key}>`);
  return store.insert(buffer, 1, buffer.length - 1);
}

t.test('does what a naive store does, on random operations', async (t) => {
  const random = seededRandom(seed);
  const store = new MemoryStore({ hashSeed: random.u32() });
  const naive = new NaiveStore();
  const someValue = () => {
    const roll = random.int(200);
    const length = roll === 0 ? random.int(600_000) : roll < 10 ? random.int(7000) : random.int(60);
    return Array.from({ length: Math.min(length, 40) }, () => String.fromCharCode(random.int(256)))
      .join('')
      .padEnd(length, 'x');
  };
  const check = (step: number) => {
    if (store.size !== naive.entries.size) t.fail(`step ${step}: ${store.size} keys`);
    const slot = store.oldest();
    if ((slot === 0 ? '' : store.keyOf(slot)) !== naive.oldest) t.fail(`step ${step}: another oldest key`);
  };
  for (let step = 0; step < 60_000; step++) {
    // Phases of growth and of decline, so that the index is resized both ways.
    const growing = Math.floor(step / 10_000) % 2 === 0;
    const name = `k${random.int(growing ? 20_000 : 4000)}`;
    // Every third key is too long to be inline.
    const key = name.charCodeAt(name.length - 1) % 3 === 0 ? name.padEnd(40, '-') : name;
    const slot = lookup(store, key);
    const expected = naive.entries.get(key);
    if ((slot !== 0) !== (expected !== undefined)) t.fail(`step ${step}: presence of ${key}`);
    const roll = random.int(growing ? 12 : 24);
    if (roll < 5) {
      const value = someValue();
      const target = slot || add(store, key);
      store.setBytes(target, bytes(`::${value}`), 2, 2 + value.length);
      store.touch(target);
      naive.entries.delete(key);
      naive.entries.set(key, { value, expiresAt: store.expiresAt(target) });
    } else if (!expected) {
      continue;
    } else if (roll === 5) {
      const suffix = someValue();
      const length = store.append(slot, bytes(suffix), 0, suffix.length);
      expected.value += suffix;
      if (length !== expected.value.length) t.fail(`step ${step}: length after append`);
    } else if (roll === 6) {
      expected.expiresAt = random.int(3) === 0 ? 0 : 1 + random.int(1000);
      store.setExpiry(slot, expected.expiresAt);
    } else if (roll < 9) {
      store.touch(slot);
      naive.touch(key);
      if (store.latin1(slot) !== expected.value) t.fail(`step ${step}: value of ${key}`);
      if (store.length(slot) !== expected.value.length) t.fail(`step ${step}: length of ${key}`);
      const copy = Buffer.alloc(expected.value.length + 1);
      store.copyValue(slot, copy, 1);
      if (copy.latin1Slice(1) !== expected.value) t.fail(`step ${step}: copy of ${key}`);
      if (store.expiresAt(slot) !== expected.expiresAt) t.fail(`step ${step}: expiry of ${key}`);
    } else {
      store.remove(slot);
      naive.entries.delete(key);
    }
    check(step);
  }
  t.ok(naive.entries.size > 100, `${naive.entries.size} keys at the end`);
  const expiring = [...naive.entries.values()].filter(({ expiresAt }) => expiresAt !== 0).length;
  t.equal(store.expiringCount, expiring);
  const seen = new Set<string>();
  for (let i = 0; i < expiring; i++) seen.add(store.keyOf(store.nextExpiring()));
  t.equal(seen.size, expiring, 'a round over the expiring ones visits each');
  for (const key of [...naive.entries.keys()]) store.remove(lookup(store, key));
  t.equal(store.usedBytes, 0, 'nothing is charged for an empty store');
});

t.test('a scan visits all that stays, while the index grows and shrinks under it', async (t) => {
  const random = seededRandom(seed + 1);
  for (let round = 0; round < 60; round++) {
    const store = new MemoryStore({ hashSeed: random.u32() });
    const stays = new Set<string>();
    for (let i = 0; i < random.int(600); i++) stays.add(`stays-${random.int(100_000)}`);
    for (const key of stays) add(store, key);
    const comesAndGoes: string[] = [];
    const seen = new Set<string>();
    let cursor = 0;
    let steps = 0;
    do {
      cursor = store.scan(cursor, (slot) => seen.add(store.keyOf(slot)));
      for (let i = random.int(40); i > 0; i--) {
        if (round % 2 === 0 ? steps < 200 : steps < 20) {
          const key = `goes-${steps}-${i}`;
          add(store, key);
          comesAndGoes.push(key);
        }
      }
      for (let i = random.int(round % 3 === 0 ? 80 : 20); i > 0 && comesAndGoes.length > 0; i--) {
        store.remove(lookup(store, comesAndGoes.pop()!));
      }
    } while (cursor !== 0 && ++steps < 1e6);
    const missed = [...stays].filter((key) => !seen.has(key));
    if (missed.length > 0) t.fail(`round ${round}: missed ${missed.length} of ${stays.size}`);
  }
  t.pass('60 rounds');
});

t.test('memory follows what is held, whatever sizes come and go', async (t) => {
  const random = seededRandom(seed + 3);
  const { databases, keyspace } = databasesOf();
  const settings = { maxMemoryBytes: 12 << 20, maxMemoryPolicy: 'allkeys-lru' } as Parameters<
    typeof makeRoom
  >[1];
  const { store } = keyspace;
  const patternOf = (key: string, bytes: number) => key.repeat(Math.ceil(bytes / key.length)).slice(0, bytes);
  // A changed workload is what makes other allocators keep memory that nobody uses.
  for (const bytes of [10, 100, 3000, 200, 200_000, 1500, 20]) {
    for (let written = 0; written < 2 * settings.maxMemoryBytes; written += bytes + 100) {
      const size = 1 + random.int(2 * bytes);
      const key = `${bytes}:${size}:${random.int(100_000)}`;
      makeRoom(databases, settings);
      put(keyspace, key, patternOf(key, size));
      if (random.int(10) === 0) keyspace.evictOne();
      if (random.int(5) === 0) keyspace.setExpiry(store.oldest(), 1e12 + random.int(1e9));
    }
    const idle = store.reservedBytes - store.usedBytes;
    t.ok(
      idle < store.usedBytes / 5 + (4 << 20),
      `about ${bytes} bytes: ${store.size} keys, ${idle} bytes idle`,
    );
    let wrong = 0;
    let position = 0;
    do {
      position = store.scan(position, (slot) => {
        const key = store.keyOf(slot);
        if (store.latin1(slot) !== patternOf(key, Number(key.split(':')[1]))) wrong++;
      });
    } while (position !== 0);
    t.equal(wrong, 0, 'every value is what was written');
  }
  keyspace.clear();
  t.equal(store.usedBytes, 0);
  t.ok(store.reservedBytes < 4 << 20, 'given back');
});

t.test('keys that collide are told apart, and binary ones are exact', async (t) => {
  const store = new MemoryStore({ hashSeed: 1 });
  const odd = ['', '\0', '\xff\xfe\r\n', '\0\0', 'é', 'a'.repeat(5000)];
  for (const [i, key] of odd.entries()) store.setLatin1(add(store, key), `value ${i}`);
  for (const [i, key] of odd.entries()) t.equal(store.latin1(lookup(store, key)), `value ${i}`);
  t.equal(lookup(store, '\0\0\0'), 0);
  store.clear();
  for (const key of odd) t.equal(lookup(store, key), 0);
  t.equal(store.size, 0);
  store.setLatin1(add(store, 'again'), 'x');
  t.equal(store.latin1(lookup(store, 'again')), 'x');
});

t.test('random keys are spread over all entries', async (t) => {
  const random = seededRandom(seed + 2);
  const store = new MemoryStore({ hashSeed: 7 });
  t.equal(store.random(random), 0, 'none in an empty store');
  for (let i = 0; i < 1000; i++) add(store, `k${i}`);
  for (let i = 0; i < 990; i++) store.remove(lookup(store, `k${i}`));
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) seen.add(store.keyOf(store.random(random)));
  t.equal(seen.size, 10);
});

function databasesOf(): { databases: Databases; keyspace: Keyspace } {
  const data = new DataSet(new ReplicationLog({ backlogBytes: 1e6, replId: 'r' }));
  const databases = new Databases({ count: 16, data, newStore: () => new MemoryStore({ hashSeed: 3 }) });
  return { databases, keyspace: databases.at(0) };
}

const keyspaceOf = () => databasesOf().keyspace;

function put(keyspace: Keyspace, key: string, value: string, expiresAt = 0): void {
  const buffer = bytes(key);
  const slot = keyspace.write(buffer, 0, buffer.length) || keyspace.insert(buffer, 0, buffer.length);
  keyspace.setLatin1(slot, value, expiresAt);
}

const has = (keyspace: Keyspace, key: string) => keyspace.find(bytes(key), 0, key.length) !== 0;

t.test('the budget evicts exactly the least recently used, and noeviction refuses', async (t) => {
  const { databases, keyspace } = databasesOf();
  const settings = {
    maxMemoryBytes: 0,
    maxMemoryPolicy: 'allkeys-lru' as 'allkeys-lru' | 'noeviction',
  };
  const room = () => makeRoom(databases, settings as Parameters<typeof makeRoom>[1]);
  for (let i = 0; i < 1000; i++) put(keyspace, `k${i}`, 'v'.repeat(100));
  keyspace.read(bytes('k0'), 0, 2);
  settings.maxMemoryBytes = Math.floor(keyspace.store.usedBytes / 2);
  t.ok(room());
  t.ok(keyspace.store.usedBytes <= settings.maxMemoryBytes, 'within the budget');
  t.ok(has(keyspace, 'k0'), 'what was read last stays');
  const left = Array.from({ length: 999 }, (_, i) => has(keyspace, `k${i + 1}`));
  t.equal(left.indexOf(true), 999 - (keyspace.store.size - 1), 'of the others the newest stay');
  t.equal(keyspace.stats.evicted, 1000 - keyspace.store.size);

  settings.maxMemoryPolicy = 'noeviction';
  t.ok(room(), 'there is room');
  settings.maxMemoryBytes = 1000;
  t.notOk(room(), 'there is none');
});

t.test('expired entries are hidden at once, and removed by whoever leads', async (t) => {
  const keyspace = keyspaceOf();
  for (let i = 0; i < 300; i++) put(keyspace, `k${i}`, 'v', i < 200 ? 1000 + i : 0);
  keyspace.data.nowMs = 1099;
  keyspace.data.removesExpired = false;
  t.notOk(has(keyspace, 'k99'), 'over at its very millisecond');
  t.ok(has(keyspace, 'k100'));
  t.equal(keyspace.expireSome(1000), 0);
  t.equal(keyspace.store.size, 300, 'a follower waits for the leader to say so');
  keyspace.data.removesExpired = true;
  t.notOk(has(keyspace, 'k99'));
  t.equal(keyspace.store.size, 299);
  t.equal(keyspace.expireSome(1000), 99);
  t.equal(keyspace.store.size, 200);
  t.equal(keyspace.store.expiringCount, 100);
});

t.test('versions only grow, and carry the shard epoch on top', async (t) => {
  const { versions } = keyspaceOf();
  versions.startEpoch(5);
  versions.next();
  t.equal(versions.toString(), String((5n << 44n) + 1n));
  versions.startEpoch(4);
  versions.observe((5 << 12) >>> 0, 0);
  t.equal(versions.toString(), String((5n << 44n) + 1n), 'what is older changes nothing');
  versions.observe((5 << 12) >>> 0, 0xffffffff);
  versions.next();
  t.equal(versions.toString(), String((5n << 44n) + (1n << 32n)), 'the counter carries over');
  versions.startEpoch(2 ** 20 - 1);
  t.equal(versions.toString(), String(((1n << 20n) - 1n) << 44n));
});
