import t from 'tap';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { Ring } from '../../lib/ring/index.ts';
import { fc } from '../support/fast-check.ts';
import { referenceMurmur128 } from '../support/reference-ring.ts';

/* The keys of one command are sorted together, in WebAssembly, and belong to the same shards as alone. */

const ring = Ring.of(Array.from({ length: 5 }, (_, i) => ({ name: `s${i}`, weight: 1 + i / 3 })));

function together(parts: Buffer[], first: number, step: number): number[] {
  const args = argsOf('MSET', ...parts);
  const shards = new Uint16Array(parts.length);
  const count = Math.floor((args.count - first) / step);
  ring.shardsOf(args, first, step, count, shards);
  return [...shards.subarray(0, count)];
}

const encodedArg = (arg: Buffer) =>
  Buffer.concat([Buffer.from(`$${arg.length}\r\n`), arg, Buffer.from('\r\n')]);
const oneByOne = (keys: Buffer[]) => keys.map((key) => ring.shardOf(key, 0, key.length));

const someBytes = fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes));
const someKeys = fc.array(someBytes, { minLength: 1, maxLength: 40 });

t.test('parts have the keys of their shard, with what follows them', async (t) => {
  let sorted = 0;
  const property = fc.property(someKeys, fc.integer({ min: 1, max: 3 }), (keys, step) => {
    const parts = keys.flatMap((key) => [key, ...new Array(step - 1).fill(Buffer.from('value of it'))]);
    const args = argsOf('MSET', ...parts);
    const sorter = ring.sort(args, 1, step, keys.length);
    if (sorter === null) return keys.length < 4 || keys.some((key) => key.includes('{'));
    sorted++;
    const shards = oneByOne(keys);
    const named = [...new Set(shards)];
    t.equal(sorter.partCount, named.length);
    sorter.group();
    for (const [part, shard] of named.entries()) {
      t.equal(sorter.shardOf(part), shard, 'in the order in which they are named');
      const own = [...keys.keys()].filter((i) => shards[i] === shard);
      t.equal(sorter.countOf(part), own.length);
      t.same(
        [...sorter.places.subarray(0, keys.length)].flatMap((place, i) => (place === part ? [i] : [])),
        own,
      );
      const expected = Buffer.concat(
        own.flatMap((i) => parts.slice(i * step, i * step + step)).map((arg) => encodedArg(arg)),
      );
      const target = Buffer.alloc(expected.length + 20, 'x');
      t.equal(sorter.bytesOf(part), expected.length);
      t.equal(sorter.copy(part, target, 7), 7 + expected.length);
      t.same(target, Buffer.concat([Buffer.alloc(7, 'x'), expected, Buffer.alloc(13, 'x')]));
    }
    return true;
  });
  fc.assert(property, { numRuns: 500 });
  t.ok(sorted > 100, `${sorted} commands`);
});

t.test('shards are those of hashes in BigInt', async (t) => {
  const property = fc.property(fc.array(someBytes, { minLength: 4, maxLength: 100 }), (keys) => {
    const found = together(keys, 1, 1);
    return keys.every((key, i) => {
      if (key.includes('{')) return true;
      const hash = referenceMurmur128(key, 0)[0];
      return found[i] === ring.shardOfHash(Number(hash >> 32n), Number(hash & 0xffffffffn));
    });
  });
  fc.assert(property, { numRuns: 300 });
  t.pass();
});

t.test('shards are those of the keys alone, with braces, few and many, values between them', async (t) => {
  fc.assert(
    fc.property(someKeys, (keys) => {
      t.same(together(keys, 1, 1), oneByOne(keys));
      return true;
    }),
  );
  fc.assert(
    fc.property(someKeys, fc.integer({ min: 0, max: 2000 }), (keys, valueBytes) => {
      const value = Buffer.alloc(valueBytes, 'v');
      const pairs = keys.flatMap((key) => [key, value]);
      t.same(together(pairs, 1, 2), oneByOne(keys));
      return true;
    }),
  );
  const tagged = Array.from({ length: 50 }, (_, i) => Buffer.from(`{user ${i % 3}}:${i}`));
  t.equal(new Set(together(tagged, 1, 1)).size, new Set(oneByOne(tagged.slice(0, 3))).size);
  const many = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`key:${i}`));
  t.same(together(many, 1, 1), oneByOne(many), 'more than fit');
  const long = Array.from({ length: 10 }, (_, i) => Buffer.alloc(30_000, `key ${i}, `));
  t.same(together(long, 1, 1), oneByOne(long), 'longer than fit');
});

const single = Ring.of([{ name: 'only', weight: 1 }]);
const commandOf = (...words: (string | Buffer)[]) =>
  Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...words.map((word) => encodedArg(Buffer.from(word)))]);
const NAMES = { 1: 'GET', 2: 'SET' } as const;

for (const [name, of] of Object.entries({ 'several shards': ring, 'one shard': single })) {
  for (const args of [1, 2] as const) {
    t.test(`${NAMES[args]}s one behind the other are sorted as their keys are (${name})`, async (t) => {
      let sorted = 0;
      const property = fc.property(someKeys, fc.nat(30), (keys, before) => {
        const argsOfKey = keys.map((key) => [key, Buffer.from(`{value} of ${key.length}`)].slice(0, args));
        const text = Buffer.concat(argsOfKey.map((some) => commandOf(NAMES[args], ...some)));
        const bytes = Buffer.concat([Buffer.alloc(before, '*'), text, Buffer.from('*2\r\n')]);
        const { sorter } = of;
        const found = sorter.sortCommands(bytes, before, before + text.length, args);
        if (of !== single && keys.some((key) => key.includes('{'))) return found === 0;
        t.equal(found, keys.length);
        const shards = keys.map((key) => of.shardOf(key, 0, key.length));
        const named = [...new Set(shards)];
        t.equal(sorter.partCount, named.length);
        sorter.group();
        for (const [part, shard] of named.entries()) {
          t.equal(sorter.shardOf(part), shard);
          const own = argsOfKey.filter((_, i) => shards[i] === shard);
          t.equal(sorter.countOf(part), own.length);
          const target = Buffer.alloc(sorter.bytesOf(part) + 2, 'x');
          t.equal(sorter.copy(part, target, 1), target.length - 1);
          const expected = Buffer.concat(own.flat().map((arg) => encodedArg(arg)));
          t.same(target, Buffer.concat([Buffer.from('x'), expected, Buffer.from('x')]));
        }
        sorted++;
        return true;
      });
      fc.assert(property, { numRuns: 300 });
      t.ok(sorted > 50, `${sorted} runs`);
    });
  }
}

t.test('only GETs, or SETs, that have come whole are a run', async (t) => {
  const { sorter } = ring;
  for (const args of [1, 2] as const) {
    const count = (text: string | Buffer) => {
      const bytes = Buffer.from(text);
      return sorter.sortCommands(bytes, 0, bytes.length, args);
    };
    const name = NAMES[args];
    const values = ['value'].slice(0, args - 1);
    const of = (key: Buffer) => commandOf(name, key, ...values);
    const whole = of(Buffer.from('key')).toString();
    t.equal(count(whole), 1);
    t.equal(count(whole.repeat(3)), 3);
    t.equal(count(whole.replace(name, name[0] + name.slice(1).toLowerCase())), 1, 'in any case');
    t.equal(count(of(Buffer.alloc(0))), 1, 'an empty key');
    t.equal(count(of(Buffer.alloc(999, 'k'))), 1);
    t.equal(count(of(Buffer.alloc(1000, 'k'))), 0, 'a long one');
    for (let end = 0; end < whole.length; end++) {
      t.equal(count(whole.slice(0, end)), 0, 'alone in part');
      t.equal(count(whole + whole.slice(0, end)), end === 0 ? 1 : 0, 'in part behind another');
    }
    const others = [NAMES[args === 1 ? 2 : 1], 'GES', 'G\x05T', 'GET\r', 'GE'].map((word) =>
      whole.replace(name, word),
    );
    for (let at = 0; at < whole.length; at++)
      if (!'getskyvalu'.includes(whole[at].toLowerCase()))
        others.push(`${whole.slice(0, at)}!${whole.slice(at + 1)}`);
    for (const length of ['03', '', '4', '2', '-1', '3x'])
      others.push(whole.replace('$3\r\nkey', `$${length}\r\nkey`));
    others.push(
      `${name} key\r\n`,
      commandOf(name, 'a', 'b', 'EX', '1').toString(),
      commandOf(name).toString(),
    );
    for (const other of others) {
      t.equal(count(other), 0, JSON.stringify(other));
      t.equal(count(whole + other), 0);
      t.equal(count(other + whole), 0);
    }
  }
});
