import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { DataSet } from '../../node/data-set.ts';
import { Databases } from '../../node/databases.ts';
import type { Keyspace } from '../../node/keyspace.ts';
import { ReplicationLog } from '../../node/replication/replication-log.ts';
import { MemoryStore, type Slot } from '../../node/store/index.ts';
import { EntryBuilder } from '../../node/values/entry-builder.ts';
import { HashValue, ListValue, SetValue, ZsetValue } from '../../node/values/index.ts';
import { SeenHashes } from '../../node/values/seen-hashes.ts';
import { dumpEntry } from '../../node/values/serialize.ts';

/* Values built in one go against the same built by commands, element by element: same content, same encoding, small ones and large ones. */

const seed = Number(process.env.SEED ?? 20261121);
const rounds = 300;
const BUILT = Buffer.from('built');
const GROWN = Buffer.from('grown');

function keyspaceOf(): Keyspace {
  const data = new DataSet(new ReplicationLog({ backlogBytes: 1e6, replId: 'r' }));
  data.hashSeed = 3;
  return new Databases({ count: 1, data, newStore: () => new MemoryStore({ hashSeed: 3 }) }).at(0);
}

/** Element `i` of a value: all are different. `style` decides what they look like. */
function text(i: number, style: number, random: Random): Buffer {
  if (style === 0) return Buffer.from(String((i - 5) * 7));
  if (style === 1) return Buffer.from(`member:${i}`);
  const filler = random.int(20) === 0 ? random.int(9000) : random.int(70);
  return Buffer.concat([Buffer.from(`${i}:`), Buffer.alloc(style === 2 ? filler : filler & 15, i)]);
}

function texts(random: Random): Buffer[] {
  const style = random.int(4);
  const count = 1 + random.int(random.int(10) === 0 ? 3000 : 40);
  const all = Array.from({ length: count }, (_, i) => text(i, style, random));
  return random.int(2) === 0 ? all : shuffled(all, random);
}

function shuffled<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
  return items;
}

function score(i: number, random: Random): number {
  return [i, -i, 7, random.int(10) - 5, -0, 1 / (i + 1), -Infinity][random.int(7)];
}

/** A kind of collection: how a value of these elements is built, and how it is grown; both say whether an element was new. */
interface Kind {
  readonly name: string;
  readonly isUnique: boolean;
  readonly begin: (builder: EntryBuilder) => void;
  readonly build: (builder: EntryBuilder, element: Buffer, other: Buffer, score: number) => boolean;
  readonly create: (keyspace: Keyspace) => Grown;
}

interface Grown {
  readonly slot: Slot;
  readonly encoding: string;
  add(element: Buffer, other: Buffer, score: number): boolean;
}

const open = <V extends { readonly slot: Slot; readonly encoding: string }>(
  value: V,
  add: (value: V, element: Buffer, other: Buffer, score: number) => boolean,
): Grown => ({
  get slot() {
    return value.slot;
  },
  get encoding() {
    return value.encoding;
  },
  add: (element, other, score) => add(value, element, other, score),
});

const kinds: readonly Kind[] = [
  {
    name: 'list',
    isUnique: false,
    begin: (builder) => builder.begin('list'),
    build: (builder, element) => builder.element(element, 0, element.length),
    create: (keyspace) =>
      open(ListValue.create(keyspace, GROWN, 0, GROWN.length), (list, element) => {
        list.push(false, element, 0, element.length);
        return true;
      }),
  },
  {
    name: 'set',
    isUnique: true,
    begin: (builder) => builder.begin('set'),
    build: (builder, element) => builder.element(element, 0, element.length),
    create: (keyspace) =>
      open(SetValue.create(keyspace, GROWN, 0, GROWN.length), (set, element) =>
        set.add(element, 0, element.length),
      ),
  },
  {
    name: 'zset',
    isUnique: true,
    begin: (builder) => builder.begin('zset'),
    build: (builder, element, _, score) => builder.member(element, 0, element.length, score),
    create: (keyspace) =>
      open(ZsetValue.create(keyspace, GROWN, 0, GROWN.length), (zset, element, _, score) =>
        zset.set(score, element, 0, element.length),
      ),
  },
  {
    name: 'hash',
    isUnique: true,
    begin: (builder) => builder.begin('hash'),
    build: (builder, field, value) => builder.field(field, 0, field.length, value, 0, value.length),
    create: (keyspace) =>
      open(HashValue.create(keyspace, GROWN, 0, GROWN.length), (hash, field, value) =>
        hash.set(field, 0, field.length, value, 0, value.length),
      ),
  },
];

const openers = { list: ListValue, set: SetValue, zset: ZsetValue, hash: HashValue };

/** Limits that are met by many of the values. */
function setLimits(keyspace: Keyspace, random: Random): void {
  const { limits } = keyspace.data;
  limits.hashEntries = [512, 10, 100_000][random.int(3)];
  limits.hashValueBytes = [64, 9000][random.int(2)];
  limits.setIntegers = [512, 10, 100_000][random.int(3)];
  limits.zsetEntries = [128, 10, 100_000][random.int(3)];
  limits.zsetValueBytes = [64, 9000][random.int(2)];
}

for (const kind of kinds) {
  t.test(`${kind.name}: built is as good as grown`, async (t) => {
    const random = seededRandom(seed);
    const keyspace = keyspaceOf();
    const builder = new EntryBuilder(keyspace.data);
    for (let round = 0; round < rounds; round++) {
      setLimits(keyspace, random);
      const elements = texts(random);
      const values = shuffled([...elements], random);
      const scores = elements.map((_, i) => score(i, random));
      const again = random.int(elements.length);
      kind.begin(builder);
      const grown = kind.create(keyspace);
      const isNew: boolean[] = [];
      for (const [i, element] of elements.entries()) {
        isNew.push(kind.build(builder, element, values[i], scores[i]));
        grown.add(element, values[i], scores[i]);
      }
      builder.complete();
      const slot = builder.addTo(keyspace, BUILT, 0, BUILT.length);
      const label = `round ${round}: ${elements.length} elements like ${elements[0].toString('latin1', 0, 20)}`;
      if (isNew.includes(false)) t.fail(`${label}: one was there already`);
      const wanted = dumpEntry(keyspace, keyspace.find(GROWN, 0, GROWN.length));
      if (!dumpEntry(keyspace, slot).equals(wanted)) t.fail(`${label}: not the same`);
      const opened = openers[kind.name as keyof typeof openers].open(keyspace, slot);
      if (opened.encoding !== grown.encoding) t.fail(`${label}: ${opened.encoding}, not ${grown.encoding}`);
      if (opened.size !== elements.length) t.fail(`${label}: ${opened.size} elements`);
      keyspace.remove(keyspace.find(BUILT, 0, BUILT.length));
      keyspace.remove(keyspace.find(GROWN, 0, GROWN.length));
      if (!kind.isUnique) continue;
      kind.begin(builder);
      for (const [i, element] of elements.entries()) kind.build(builder, element, values[i], scores[i]);
      if (kind.build(builder, elements[again], values[0], 5)) t.fail(`${label}: ${again} was taken twice`);
    }
    t.equal(keyspace.store.size, 0);
    t.equal(keyspace.store.usedBytes, 0, 'nothing is left');
  });
}

t.test('built values grow on', async (t) => {
  const keyspace = keyspaceOf();
  const builder = new EntryBuilder(keyspace.data);
  builder.begin('hash');
  const [one, two] = [Buffer.from('one'), Buffer.from('two')];
  builder.field(one, 0, 3, two, 0, 3);
  builder.complete();
  const hash = HashValue.open(keyspace, builder.addTo(keyspace, BUILT, 0, BUILT.length));
  t.equal(hash.set(two, 0, 3, one, 0, 3), true);
  t.equal(hash.set(one, 0, 3, one, 0, 3), false);
  t.equal(hash.size, 2);
  t.equal(hash.delete(one, 0, 3), true);
  t.equal(hash.find(two, 0, 3), true);
});

t.test('hashes that come again are seen, whatever their number', async (t) => {
  const random = seededRandom(seed);
  const seen = new SeenHashes();
  for (let round = 0; round < 50; round++) {
    const naive = new Set<number>();
    const range = 2 ** random.int(32);
    seen.clear();
    for (let i = random.int(3000); i > 0; i--) {
      const hash = random.int(range) | 0;
      if (seen.note(hash) !== naive.has(hash || 1)) t.fail(`round ${round}: ${hash}`);
      naive.add(hash || 1);
    }
  }
});
