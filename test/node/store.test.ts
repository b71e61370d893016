import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { argsOf, encodeCommand, FramesAhead, RequestParser, RespWriter } from '../../lib/codec/resp/index.ts';
import { commandTable } from '../../lib/commands/index.ts';
import { DataSet } from '../../node/data-set.ts';
import { Databases } from '../../node/databases.ts';
import type { Keyspace } from '../../node/keyspace.ts';
import { beginEvictions, makeRoom, memoryRefusal, prepareEviction } from '../../node/memory-limit.ts';
import { ReplicationLog } from '../../node/replication/replication-log.ts';
import type { Settings } from '../../node/settings.ts';
import { type EvictionRule, LIST, MemoryStore, ZSET } from '../../node/store/index.ts';

/* The store against a naive one on random input, and what slots, cursor and budget promise. */

const seed = Number(process.env.SEED ?? 20261121);
const bytes = (text: string) => Buffer.from(text, 'latin1');

/** What the obvious store, a Map, has of an entry. */
interface NaiveEntry {
  value: string;
  expiresAt: number;
  version: number;
  clientFlags: number;
  softExpiresAt: number;
  hasTags: boolean;
  wasEdited: boolean;
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.int(256)));
}

function lookup(store: Pick<MemoryStore, 'find'>, key: string): number {
  const buffer = bytes(`<${key}>`);
  return store.find(buffer, 1, buffer.length - 1);
}

function add(store: MemoryStore, key: string): number {
  const buffer = bytes(`<${key}>`);
  return store.insert(buffer, 1, buffer.length - 1);
}

const rules: EvictionRule[] = [
  { policy: 'lru', volatileOnly: false },
  { policy: 'none', volatileOnly: false },
  { policy: 'lfu', volatileOnly: false },
  { policy: 'lru', volatileOnly: true },
  { policy: 's3-fifo', volatileOnly: false },
  { policy: 'ttl', volatileOnly: true },
  { policy: 'lfu', volatileOnly: true },
  { policy: 'random', volatileOnly: false },
  { policy: 'random', volatileOnly: true },
];

/** A store beside the obvious one, and random operations on both. */
class Twins {
  readonly random: Random;
  readonly store: MemoryStore;
  readonly naive = new Map<string, NaiveEntry>();
  #version = 0;

  constructor(twinSeed: number, maxBytes: number) {
    this.random = seededRandom(twinSeed);
    this.store = new MemoryStore({ hashSeed: this.random.u32(), maxBytes });
  }

  #someValue(): string {
    const { random } = this;
    const roll = random.int(400);
    const length = random.int(roll === 0 ? 2_500_000 : roll < 4 ? 30_000 : roll < 40 ? 600 : 120);
    return String.fromCharCode(33 + random.int(200))
      .repeat(Math.min(length, 5))
      .padEnd(length, 'y');
  }

  /** Names of three lengths, so that lengths are told in one byte and in four. */
  someKey(count: number): string {
    const number = this.random.int(count);
    const tail = number % 7 === 0 ? '-'.repeat(40) : number % 501 === 0 ? '+'.repeat(400) : '';
    return `k${number}${tail}`;
  }

  #someTime(): number {
    const { random } = this;
    return 1 + (random.int(2) === 0 ? random.int(5000) : random.int(2 ** 31) * 512);
  }

  set(key: string, slot: number): void {
    const { random, store, naive } = this;
    const value = this.#someValue();
    const target = slot || add(store, key);
    const former = naive.get(key);
    store.setBytes(target, bytes(`::${value}`), 2, 2 + value.length);
    store.touch(target);
    let expiresAt = former?.expiresAt ?? 0;
    if (random.int(2) === 0) {
      expiresAt = random.int(3) === 0 ? this.#someTime() : 0;
      store.setExpiry(target, expiresAt);
    }
    // Now and then so far ahead that the version must be told in full.
    this.#version += 1 + (random.int(500) === 0 ? 2 ** 23 : 0);
    store.setVersion(target, Math.floor(this.#version / 2 ** 32), this.#version % 2 ** 32);
    naive.set(key, {
      value,
      expiresAt,
      version: this.#version,
      clientFlags: former?.clientFlags ?? 0,
      softExpiresAt: former?.softExpiresAt ?? 0,
      hasTags: former?.hasTags ?? false,
      wasEdited: false,
    });
  }

  edit(slot: number, entry: NaiveEntry): void {
    const { random, store } = this;
    entry.wasEdited = true;
    if (random.int(2) === 0) {
      const suffix = this.#someValue();
      entry.value += suffix;
      if (store.append(slot, bytes(suffix), 0, suffix.length) !== entry.value.length)
        throw new Error('length after append');
      return;
    }
    const length = random.int(2 * entry.value.length + 3);
    store.resize(slot, length);
    entry.value = entry.value.slice(0, length).padEnd(length, '\0');
    if (length < 4) return;
    store.writeAt(slot, 1, bytes('ab'), 0, 2);
    entry.value = `${entry.value[0]}ab${entry.value.slice(3)}`;
  }

  mark(slot: number, entry: NaiveEntry): void {
    const { random, store } = this;
    const roll = random.int(4);
    if (roll === 0) {
      store.clearMarks(slot);
      Object.assign(entry, { clientFlags: 0, softExpiresAt: 0, hasTags: false });
    } else if (roll === 1) {
      entry.clientFlags = random.u32();
      store.setClientFlags(slot, entry.clientFlags);
    } else if (roll === 2) {
      entry.softExpiresAt = this.#someTime();
      store.setSoftExpiry(slot, entry.softExpiresAt);
    } else {
      entry.hasTags = random.int(2) === 0;
      store.setHasTags(slot, entry.hasTags);
    }
  }

  check(slot: number, key: string, entry: NaiveEntry): void {
    const { store } = this;
    const found: NaiveEntry = {
      value: store.latin1(slot),
      expiresAt: store.expiresAt(slot),
      version: store.versionHigh(slot) * 2 ** 32 + store.versionLow(slot),
      clientFlags: store.clientFlags(slot),
      softExpiresAt: store.softExpiresAt(slot),
      hasTags: store.hasTags(slot),
      wasEdited: store.wasEdited(slot),
    };
    if (store.keyOf(slot) !== key || store.length(slot) !== entry.value.length)
      throw new Error('key or length');
    for (const name of Object.keys(found) as (keyof NaiveEntry)[])
      if (found[name] !== entry[name]) throw new Error(`${name} of ${key}`);
    const view = { buffer: Buffer.alloc(0), start: 0, end: 0 };
    store.view(slot, view);
    const copy = Buffer.alloc(entry.value.length + 1);
    store.copyValue(slot, copy, 1);
    if (copy.compare(view.buffer, view.start, view.end, 1) !== 0) throw new Error('view and copy');
  }

  /** Removes what expires next, which must be what the obvious store says. */
  expireNext(): void {
    const { store, naive } = this;
    let next = Infinity;
    for (const { expiresAt } of naive.values()) if (expiresAt !== 0) next = Math.min(next, expiresAt);
    if (next === Infinity) return;
    if (store.nextExpired(next - 1) !== 0) throw new Error('expired too early');
    let slot = store.nextExpired(next);
    while (slot === 0 && store.isSearchingExpired) slot = store.nextExpired(next);
    if (slot === 0 || store.expiresAt(slot) !== next) throw new Error('not what expires next');
    naive.delete(store.keyOf(slot));
    store.remove(slot);
  }

  evict(): void {
    const slot = this.store.victim(0);
    if (slot === 0) return;
    if (!this.naive.delete(this.store.keyOf(slot))) throw new Error('evicted what is not there');
    this.store.remove(slot);
  }

  /** Every entry comes up exactly once in a scan. */
  checkScan(): void {
    const seen = new Set<string>();
    let visits = 0;
    let cursor = 0;
    do {
      cursor = this.store.scan(cursor, (slot) => {
        seen.add(this.store.keyOf(slot));
        visits++;
      });
    } while (cursor !== 0);
    if (visits !== seen.size || seen.size !== this.naive.size) throw new Error(`scan: ${visits} visits`);
    for (const key of seen) if (!this.naive.has(key)) throw new Error(`scan: ${key} is not there`);
  }

  step(keys: number): void {
    const { random, store, naive } = this;
    const key = this.someKey(keys);
    const slot = lookup(store, key);
    const entry = naive.get(key);
    if ((slot !== 0) !== (entry !== undefined)) throw new Error(`presence of ${key}`);
    const roll = random.int(24);
    if (roll < 8) this.set(key, slot);
    else if (roll === 8) this.evict();
    else if (roll === 9 && random.int(20) === 0) this.expireNext();
    else if (!entry) return;
    else if (roll < 12) this.edit(slot, entry);
    else if (roll < 14) this.mark(slot, entry);
    else if (roll < 20) this.check(slot, key, entry);
    else if (keys < 5000 || roll === 20) {
      store.remove(slot);
      naive.delete(key);
    } else store.touch(slot);
  }
}

t.test('does what a naive store does, on random operations', async (t) => {
  for (const maxBytes of [0, 30 << 20]) {
    const twins = new Twins(seed + maxBytes, maxBytes);
    const { random, store, naive } = twins;
    for (let step = 0; step < 60_000; step++) {
      if (random.int(2000) === 0) store.setEviction(0, rules[random.int(rules.length)]);
      // Phases of growth and of decline, so that the index is resized both ways.
      twins.step(Math.floor(step / 10_000) % 2 === 0 ? 20_000 : 3000);
      if (random.int(2) === 0) store.maintain();
      if (store.size !== naive.size) t.fail(`step ${step}: ${store.size} keys`);
      if (step % 10_000 === 0) twins.checkScan();
    }
    t.ok(naive.size > 100, `${naive.size} keys at the end`);
    for (const [key, entry] of naive) twins.check(lookup(store, key), key, entry);
    const expiring = [...naive.values()].filter(({ expiresAt }) => expiresAt !== 0).length;
    t.equal(store.expiringCount, expiring);
    for (const key of [...naive.keys()]) store.remove(lookup(store, key));
    t.equal(store.usedBytes, 0, 'nothing is charged for an empty store');
    while (store.reservedBytes > 1 << 20) store.maintain(1);
    t.ok(store.fragmentationBytes < 1 << 20, 'all is given back');
  }
});

t.test(
  'a slot stays valid while its entry is resized, and using one of a removed entry throws',
  async (t) => {
    const store = new MemoryStore({ hashSeed: 1 });
    const slot = add(store, 'grows');
    const other = add(store, 'other');
    store.setLatin1(other, 'as it was');
    for (const length of [10, 300, 20, 70_000, 3, 3_000_000, 100]) {
      store.setLatin1(slot, 'x'.repeat(length));
      store.setExpiry(slot, length);
      store.setVersion(slot, length, 7);
      t.same([store.length(slot), store.expiresAt(slot), store.versionHigh(slot)], [length, length, length]);
      t.equal(store.find(bytes('grows'), 0, 5) === 0, false);
    }
    t.equal(store.latin1(other), 'as it was');
    store.remove(slot);
    t.throws(() => store.latin1(slot), /has been removed/);
  },
);

t.test('objects take the place of bytes, and count', async (t) => {
  const store = new MemoryStore({ hashSeed: 1 });
  const object = { bytes: 5000 };
  let slot = add(store, 'o');
  store.setLatin1(slot, 'a string');
  const before = store.usedBytes;
  slot = store.setObject(slot, LIST, object);
  t.same([store.typeOf(slot), store.objectOf(slot), store.length(slot)], [LIST, object, 0]);
  t.ok(store.usedBytes > before + 4900 && store.bytesOf(slot) > 5000);
  object.bytes = 9000;
  store.objectChanged(slot);
  t.ok(store.usedBytes > before + 8900 && store.chargedBytes > 9000);
  store.setLatin1(slot, 'a string');
  t.same([store.objectOf(slot), store.usedBytes], [null, before]);
  slot = store.setObject(slot, ZSET, object);
  store.remove(slot);
  t.equal(store.usedBytes, 0);
});

t.test('a scan visits all that stays exactly once, while the index grows and shrinks under it', async (t) => {
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
      cursor = store.scan(cursor, (slot) => {
        const key = store.keyOf(slot);
        if (stays.has(key) && seen.has(key)) t.fail(`round ${round}: ${key} came up twice`);
        seen.add(key);
      });
      store.maintain();
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
      if (random.int(5) === 0) keyspace.setExpiry(store.random(random), 1e12 + random.int(1e9));
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
  for (let i = 0; i < 200; i++) store.maintain(1);
  t.ok(store.reservedBytes < 4 << 20, 'given back');
});

t.test(
  'more may lie idle while there is room; as the budget fills it is won back before much is evicted',
  async (t) => {
    for (const maxMemoryPolicy of ['allkeys-lru', 'allkeys-s3-fifo', 'allkeys-random']) {
      const random = seededRandom(seed + 4);
      const { databases, keyspace } = databasesOf();
      const settings = { maxMemoryBytes: 16 << 20, maxMemoryPolicy } as Parameters<typeof makeRoom>[1];
      const { store } = keyspace;
      const share = () => store.fragmentationBytes / store.usedBytes;
      const grow = () => {
        const key = `grows:${random.int(12_000)}`;
        const slot = lookup(store, key);
        if (slot === 0) put(keyspace, key, 'x');
        else store.setLatin1(slot, 'x'.repeat(1 + random.int(1000)));
      };
      for (let i = 0; i < 60_000; i++) {
        makeRoom(databases, settings);
        grow();
      }
      t.ok(
        share() > 0.1 && share() < 0.3,
        `${maxMemoryPolicy}: ${share().toFixed(3)} lies idle with room left`,
      );
      const { size } = store;
      let most = 0;
      let usedAtEviction = 0;
      for (let i = 0; i < 60_000; i++) {
        makeRoom(databases, settings);
        if (usedAtEviction === 0 && store.size < size + i) usedAtEviction = store.usedBytes;
        put(keyspace, `fills:${i}`, 'x'.repeat(random.int(400)));
        most = Math.max(most, store.reservedBytes);
      }
      const part = (bytes: number) => (bytes / settings.maxMemoryBytes).toFixed(3);
      t.ok(most < 1.03 * settings.maxMemoryBytes, `at most ${part(most)} of the budget is reserved`);
      t.ok(
        usedAtEviction > 0.82 * settings.maxMemoryBytes,
        `${part(usedAtEviction)} is used when the first one goes`,
      );
      t.ok(share() < 0.1, `${share().toFixed(3)} lies idle in the end`);
    }
  },
);

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

t.test('looking ahead changes nothing but the time it takes', async (t) => {
  const random = seededRandom(seed + 9);
  const stores = [1, 2].map((hashSeed) => new MemoryStore({ hashSeed }));
  const naive = stores.map(() => new Map<string, string>());
  const frames = new FramesAhead();
  const parser = new RequestParser({
    maxBulkBytes: 2 ** 20,
    maxArrayLength: 100,
    maxInlineBytes: 1000,
    maxBufferedBytes: 2 ** 20,
  });
  // As a socket's: used for every chunk.
  const memory = Buffer.alloc(65_536);
  for (let turn = 0; turn < 3000; turn++) {
    const commands = Array.from({ length: random.int(24) }, () => {
      const key = `key${'-'.repeat(random.int(30))}${random.int(300)}`;
      return encodeCommand('SET', key, randomBytes(random, random.int(random.int(5) === 0 ? 400 : 60)));
    });
    const chunk = Buffer.concat(commands);
    chunk.copy(memory);
    parser.push(memory, 0, chunk.length);
    for (;;) {
      if (parser.scanAhead(frames)) stores[random.int(2)].lookAhead(frames);
      if (!parser.next()) break;
      // Whoever looked ahead, another one may be asked, and for the other argument.
      const which = random.int(2);
      const store = stores[which];
      const key = parser.latin1(1);
      const slot = store.find(parser.buffer, parser.start(1), parser.end(1));
      const found = slot === 0 ? undefined : store.latin1(slot);
      if (found !== naive[which].get(key)) t.fail(`${key}: ${found}`);
      if (store.find(parser.buffer, parser.start(2), parser.end(2)) !== 0)
        t.fail('a value was found as a key');
      if (random.int(8) === 0) {
        if (slot !== 0) store.remove(slot);
        naive[which].delete(key);
        continue;
      }
      const target = slot || store.insert(parser.buffer, parser.start(1), parser.end(1));
      store.setBytes(target, parser.buffer, parser.start(2), parser.end(2));
      naive[which].set(key, parser.latin1(2));
    }
    parser.forgetAhead(frames);
    parser.own();
    memory.fill('!');
    if (turn % 100 === 0) for (const store of stores) store.maintain(64);
  }
  for (const [i, store] of stores.entries()) {
    t.equal(store.size, naive[i].size);
    for (const [key, value] of naive[i]) {
      const writer = new RespWriter();
      store.writeValue(lookup(store, key), writer);
      if (writer.take().latin1Slice() !== `$${value.length}\r\n${value}\r\n`) t.fail(`value of ${key}`);
    }
  }
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
  t.ok(room());
  for (let i = 0; i < 10_000; i++) put(keyspace, `k${i}`, 'v'.repeat(100));
  keyspace.read(bytes('k0'), 0, 2);
  settings.maxMemoryBytes = Math.floor(keyspace.store.usedBytes * 0.9);
  for (let i = 0; i < 3; i++) t.ok(room());
  t.ok(keyspace.store.chargedBytes <= settings.maxMemoryBytes, 'within the budget');
  t.ok(has(keyspace, 'k0'), 'what was read last stays');
  const left = Array.from({ length: 9999 }, (_, i) => has(keyspace, `k${i + 1}`));
  t.equal(left.indexOf(true), 9999 - (keyspace.store.size - 1), 'of the others the newest stay');
  t.equal(keyspace.stats.evicted, 10_000 - keyspace.store.size);

  settings.maxMemoryPolicy = 'noeviction';
  t.ok(room(), 'there is room');
  settings.maxMemoryBytes = 1000;
  t.notOk(room(), 'there is none');
});

t.test(
  'a smaller budget does not stop the node: so many entries go in a slice of time, and for what comes',
  async (t) => {
    const { databases, keyspace } = databasesOf();
    const settings = { maxMemoryBytes: 0, maxMemoryPolicy: 'allkeys-lru' as const };
    for (let i = 0; i < 10_000; i++) put(keyspace, `k${i}`, 'v'.repeat(100));
    settings.maxMemoryBytes = Math.floor(keyspace.store.usedBytes / 2);
    const { stats } = keyspace;
    let most = 0;
    let nowMs = 1;
    for (; databases.chargedBytes > settings.maxMemoryBytes && nowMs < 1000; nowMs++) {
      const before = stats.evicted;
      beginEvictions(databases, settings, nowMs);
      for (let i = 0; i < 100; i++) t.ok(makeRoom(databases, settings));
      most = Math.max(most, stats.evicted - before);
    }
    t.ok(most > 400 && most < 2200, `${most} in a turn, while it is far over the budget`);
    t.ok(nowMs < 200, `within the budget after ${nowMs} ms`);

    settings.maxMemoryBytes = Math.floor(keyspace.store.usedBytes / 2);
    beginEvictions(databases, settings, nowMs + 10);
    for (let i = 0; i < 100; i++) makeRoom(databases, settings);
    const before = stats.evicted;
    makeRoom(databases, settings);
    t.equal(stats.evicted, before + 1, 'what could go in this slice has gone');
    makeRoom(databases, settings, 10_000);
    t.ok(stats.evicted - before > 80, `${stats.evicted - before} more go for 10 kB that come`);
    for (let i = 0; i < 3; i++)
      t.notOk(makeRoom(databases, { ...settings, maxMemoryPolicy: 'noeviction' }), 'nothing may go');
  },
);

t.test('evicting takes its memory while there is still room', async (t) => {
  const settings = { maxMemoryBytes: 16 << 20, maxMemoryPolicy: 'allkeys-s3-fifo' as const };
  const indexBytesAt = (part: number, prepare: typeof prepareEviction) => {
    const { databases, keyspace } = databasesOf();
    for (let i = 0; databases.chargedBytes < part * settings.maxMemoryBytes; i++) {
      makeRoom(databases, settings);
      put(keyspace, `k${i}`, 'v'.repeat(100));
      if (i % 100 === 0) prepare(databases, settings);
    }
    t.equal(keyspace.stats.evicted, 0);
    return keyspace.store.bytesByClass.index;
  };
  const nothing = () => {};
  t.equal(indexBytesAt(0.65, prepareEviction), indexBytesAt(0.65, nothing), 'nothing yet');
  const more = indexBytesAt(0.85, prepareEviction) - indexBytesAt(0.85, nothing);
  t.ok(more > 200_000, `${more} bytes`);
});

t.test('writes that need not ask for room are over once a turn finds none', async (t) => {
  const { databases, keyspace } = databasesOf();
  const settings = { maxMemoryBytes: 1e6, maxMemoryPolicy: 'noeviction' } as Settings;
  const write = argsOf('SET', 'key', 'value');
  const refusal = () => memoryRefusal(databases, settings, keyspace, commandTable.get('SET')!, write);
  t.equal(refusal(), null);
  databases.others = { budgetedBytes: 2e6 };
  t.notOk(makeRoom(databases, settings));
  t.match(refusal(), /^OOM /);
  databases.others = { budgetedBytes: 0 };
  t.ok(makeRoom(databases, settings));
  t.equal(refusal(), null);
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

t.test('versions without a shard epoch go on where no earlier process was', async (t) => {
  const at = (wallMs: number) => {
    const { versions } = keyspaceOf();
    versions.startAtTime(wallMs);
    return versions;
  };
  const startMs = Date.UTC(2026, 10, 21);
  const first = at(startMs);
  t.equal(first.toString(), String(BigInt(startMs) << 22n));
  for (let i = 0; i < 1_000_000; i++) first.next();
  t.ok(BigInt(at(startMs + 1).toString()) > BigInt(first.toString()), 'a million writes in a millisecond');
  t.equal(at(Date.UTC(2109)).toString(), String(BigInt(Date.UTC(2109)) << 22n), 'up to the last year');
});

t.test('versions only grow, and carry the shard epoch on top', async (t) => {
  const { versions } = keyspaceOf();
  versions.startEpoch(5);
  versions.next();
  t.equal(versions.toString(), String((5n << 44n) + 1n));
  versions.observe((5 << 12) >>> 0, 0);
  t.equal(versions.toString(), String((5n << 44n) + 1n), 'what is older changes nothing');
  versions.observe((5 << 12) >>> 0, 0xffffffff);
  versions.next();
  t.equal(versions.toString(), String((5n << 44n) + (1n << 32n)), 'the counter carries over');
  versions.startEpoch(4);
  t.equal(
    versions.toString(),
    String((5n << 44n) + (2n << 32n)),
    'an epoch below leaves a gap for what was not heard of',
  );
  versions.startEpoch(2 ** 20 - 1);
  t.equal(versions.toString(), String(((1n << 20n) - 1n) << 44n));
});
