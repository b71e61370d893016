import { readFileSync } from 'node:fs';
import t from 'tap';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { Ring } from '../../lib/ring/index.ts';
import { KeyBatch } from '../../lib/ring/key-batch.ts';
import { fc } from '../support/fast-check.ts';
import { murmur3Module } from '../support/murmur3-module.ts';
import { referenceMurmur128 } from '../support/reference-ring.ts';

/* The keys of one command are hashed together, in WebAssembly, and belong to the same shards as alone. */

const ring = Ring.of(Array.from({ length: 5 }, (_, i) => ({ name: `s${i}`, weight: 1 + i / 3 })));

function together(parts: Buffer[], first: number, step: number): number[] {
  const args = argsOf('MSET', ...parts);
  const shards = new Uint16Array(parts.length);
  const count = Math.floor((args.count - first) / step);
  ring.shardsOf(args, first, step, count, shards);
  return [...shards.subarray(0, count)];
}

const oneByOne = (keys: Buffer[]) => keys.map((key) => ring.shardOf(key, 0, key.length));

const someBytes = fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes));
const someKeys = fc.array(someBytes, { minLength: 1, maxLength: 40 });

t.test('the module is what its source says', async (t) => {
  const written = readFileSync(new URL('../../lib/ring/murmur3-wasm.ts', import.meta.url), 'utf8');
  t.equal(written, await murmur3Module(), 'node scripts/write-murmur3-wasm.ts');
});

t.test('hashes are those of MurmurHash3 in BigInt', async (t) => {
  const batch = new KeyBatch();
  let compared = 0;
  const property = fc.property(someKeys, (keys) => {
    const args = argsOf('MGET', ...keys);
    const hasBrace = keys.some((key) => key.includes('{'));
    if (batch.hash(args, 1, 1, keys.length) === hasBrace) return false;
    return keys.every((key, i) => {
      const hash = BigInt.asUintN(32, BigInt(batch.high(i))) * 2n ** 32n + BigInt(batch.low(i) >>> 0);
      compared++;
      return hasBrace || hash === referenceMurmur128(key, 0)[0];
    });
  });
  fc.assert(property, { numRuns: 500 });
  t.ok(compared > 1000, `${compared} keys`);
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
