import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { seededRandom, viewOf } from '../../lib/base/index.ts';
import {
  hashKey,
  keyHashHex,
  murmur3x64_128,
  murmur3x86_32,
  murmur3x86_32Hash,
  Ring,
  type RingShard,
} from '../../lib/ring/index.ts';
import { PointTable, placePoints } from '../../lib/ring/points.ts';
import { fc } from '../support/fast-check.ts';
import {
  referenceMurmur128,
  referencePoints,
  referenceRoutedPart,
  referenceWalk,
} from '../support/reference-ring.ts';

const hex64 = (value: bigint) => value.toString(16).padStart(16, '0');
const hex32 = (value: number) => value.toString(16).padStart(8, '0');
const utf8 = (text: string) => Buffer.from(text);

function murmurHex(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): string {
  const out = new Uint32Array(4);
  murmur3x64_128(bytes, start, end, seed, out);
  return [...out].map(hex32).join('');
}

t.test('MurmurHash3 gives the verification values of SMHasher', async (t) => {
  // VerificationTest of SMHasher: keys {0}, {0,1}, … with the seeds 256 - length, then the hash of all hashes.
  const key = Uint8Array.from({ length: 256 }, (_, i) => i);
  const all128 = Buffer.alloc(256 * 16);
  const all32 = Buffer.alloc(256 * 4);
  const out = new Uint32Array(4);
  for (let length = 0; length < 256; length++) {
    murmur3x64_128(key, 0, length, 256 - length, out);
    for (const [i, limb] of [1, 0, 3, 2].entries()) all128.writeUInt32LE(out[limb], length * 16 + i * 4);
    all32.writeUInt32LE(murmur3x86_32(key, 0, length, 256 - length), length * 4);
  }
  murmur3x64_128(all128, 0, all128.length, 0, out);
  t.equal(hex32(out[1]), '6384ba69');
  t.equal(hex32(murmur3x86_32(all32, 0, all32.length, 0)), 'b0f57ee3');
});

t.test('MurmurHash3 gives values that are published', async (t) => {
  const fox = utf8('The quick brown fox jumps over the lazy dog');
  t.equal(murmurHex(fox), 'e34bbc7bbc071b6c7a433ca9c49a9347');
  t.equal(hex32(murmur3x86_32(fox, 0, fox.length, 0x9747b28c)), '2fa826cd');
  t.equal(hex32(murmur3x86_32(fox, 0, 0, 1)), '514e28b7');
  t.equal(hex32(murmur3x86_32(utf8('test'), 0, 4, 0)), 'ba6bd213');
});

/** Some bytes, `held[start, end)`, and a seed. */
const somewhere = fc
  .tuple(fc.uint8Array({ maxLength: 70 }), fc.nat(9), fc.integer({ min: 0, max: 0xffffffff }))
  .map(([bytes, start, seed]) => {
    const held = Buffer.concat([Buffer.alloc(start, 0xee), bytes, Buffer.alloc(5, 0xee)]);
    return { bytes, held, start, end: start + bytes.length, seed };
  });

t.test('MurmurHash3 of a view equals that of bytes, wherever they stand', async (t) => {
  fc.assert(
    fc.property(somewhere, ({ held, start, end, seed }) => {
      const ofBytes = murmur3x86_32(held, start, end, seed) | 0;
      return murmur3x86_32Hash.ofView(viewOf(held), start, end, seed) === ofBytes;
    }),
    { numRuns: 500 },
  );
  t.pass('500 random inputs');
});

t.test('MurmurHash3 in 32-bit limbs equals the version in BigInt, wherever the bytes stand', async (t) => {
  fc.assert(
    fc.property(somewhere, ({ bytes, held, start, end, seed }) => {
      const expected = referenceMurmur128(bytes, seed).map(hex64).join('');
      return murmurHex(held, start, end, seed) === expected;
    }),
    { numRuns: 500 },
  );
  t.pass('500 random inputs');
});

t.test('hash tags follow the rule of Redis', async (t) => {
  const routedAs = (key: string, part: string) =>
    t.equal(keyHashHex(utf8(key)), murmurHex(utf8(part)).slice(0, 16), key);
  // The examples of the Redis cluster specification.
  routedAs('{user1000}.following', 'user1000');
  routedAs('{user1000}.followers', 'user1000');
  routedAs('foo{}{bar}', 'foo{}{bar}');
  routedAs('foo{{bar}}zap', '{bar');
  routedAs('foo{bar}{zap}', 'bar');
  // Edges.
  routedAs('}{a}', 'a');
  routedAs('{a', '{a');
  routedAs('a}', 'a}');
  routedAs('{', '{');
  routedAs('{}', '{}');
  routedAs('', '');
  routedAs('{}a}', '{}a}');

  const braces = fc.array(fc.constantFrom(0x7b, 0x7d, 0x61, 0xff), { maxLength: 12 });
  fc.assert(
    fc.property(braces, (bytes) => {
      const key = Buffer.from(bytes);
      const expected = referenceMurmur128(referenceRoutedPart(key), 0)[0];
      const inside = Buffer.concat([utf8('{}'), key, utf8('}{')]);
      const out = new Uint32Array(4);
      hashKey(inside, 2, 2 + key.length, out);
      return keyHashHex(key) === hex64(expected) && hex32(out[0]) + hex32(out[1]) === hex64(expected);
    }),
    { numRuns: 1000 },
  );
});

interface Vectors {
  hashes: { keyHex: string; x64_128: string; keyHash: string }[];
  rings: {
    shards: RingShard[];
    virtualNodes: number;
    points: number;
    pointsSha256: string;
    firstPoints: string[];
    walks: Record<string, string>;
  }[];
}

t.test('every release places keys and points alike (frozen vectors)', async (t) => {
  const vectors: Vectors = JSON.parse(readFileSync(new URL('vectors/ring.json', import.meta.url), 'utf8'));
  for (const { keyHex, x64_128, keyHash } of vectors.hashes) {
    const key = Buffer.from(keyHex, 'hex');
    t.same([murmurHex(key), keyHashHex(key)], [x64_128, keyHash], `key ${keyHex.slice(0, 40)}`);
  }
  for (const { shards, virtualNodes, points, pointsSha256, firstPoints, walks } of vectors.rings) {
    const table = placePoints(shards, virtualNodes);
    const lines = [...table.owners].map(
      (owner, i) => `${hex32(table.highs[i])}${hex32(table.lows[i])} ${shards[owner].name}`,
    );
    t.equal(lines.length, points);
    t.same(lines.slice(0, firstPoints.length), firstPoints);
    t.equal(
      createHash('sha256')
        .update(lines.map((line) => `${line}\n`).join(''))
        .digest('hex'),
      pointsSha256,
    );
    const ring = Ring.of(shards, { virtualNodes });
    const walked = Object.keys(walks).map((key) => {
      const bytes = utf8(key);
      const names = [...ring.walk(bytes, 0, bytes.length)].map((shard) => shards[shard].name);
      return [key, names.join(' ')];
    });
    t.same(Object.fromEntries(walked), walks);
  }
});

t.test('lookup and walk equal a linear search over BigInt positions', async (t) => {
  const name = fc.string({ minLength: 1, maxLength: 8, unit: 'binary' });
  const shards = fc.uniqueArray(fc.record({ name, weight: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
    maxLength: 6,
    selector: (shard) => shard.name,
  });
  fc.assert(
    fc.property(
      shards,
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.uint8Array({ maxLength: 40 })),
      (shards, virtualNodes, keys) => {
        const ring = Ring.of(shards, { virtualNodes });
        const points = referencePoints(shards, virtualNodes);
        const names = (order: Iterable<number>) => [...order].map((shard) => ring.shards[shard].name);
        for (const key of keys) {
          const expected = referenceWalk(points, referenceMurmur128(referenceRoutedPart(key), 0)[0]);
          t.strictSame(names(ring.walk(key, 0, key.length)), expected);
          t.strictSame(names([ring.shardOf(key, 0, key.length)]), expected.slice(0, 1));
        }
        // On a point, one behind and one before it, and at both ends of the circle.
        const edges = points.slice(0, 20).flatMap(({ position }) => [position, position + 1n, position - 1n]);
        for (const edge of [...edges, 0n, 2n ** 64n - 1n]) {
          const hash = BigInt.asUintN(64, edge);
          const shard = ring.shardOfHash(Number(hash >> 32n), Number(hash & 0xffffffffn));
          t.equal(ring.shards[shard].name, referenceWalk(points, hash)[0]);
        }
      },
    ),
    { numRuns: 40 },
  );
});

t.test('of two points at one position the first placed wins, whatever stands around', async (t) => {
  const highs = Uint32Array.of(7, 0xffffffff, 7, 7, 0);
  const lows = Uint32Array.of(9, 0xffffffff, 9, 8, 1);
  const table = new PointTable(highs, lows, Uint16Array.of(0, 1, 2, 3, 4));
  const ownerAt = (high: number, low: number) => table.owners[table.find(high, low)];
  t.same([...table.owners], [4, 3, 0, 2, 1]);
  t.equal(ownerAt(7, 9), 0);
  t.equal(ownerAt(7, 8), 3);
  t.equal(ownerAt(7, 10), 1);
  t.equal(ownerAt(0xffffffff, 0xffffffff), 1);
  t.equal(ownerAt(0, 2), 3);
});

t.test('the order in which shards are listed moves no key', async (t) => {
  const shards = ['a', 'b', 'c', 'd'].map((name, i) => ({ name, weight: 1 + (i % 2) }));
  const forwards = Ring.of(shards);
  const backwards = Ring.of(shards.toReversed());
  const keys = Array.from({ length: 500 }, (_, i) => utf8(`key:${i}`));
  const owners = (ring: Ring) => keys.map((key) => ring.shards[ring.shardOf(key, 0, key.length)].name);
  t.same(owners(forwards), owners(backwards));
});

t.test('a ring that cannot be is refused', async (t) => {
  const refused = (shards: RingShard[], message: RegExp) =>
    t.throws(() => Ring.of(shards), { code: 'config_invalid', message });
  refused([], /at least one shard/);
  refused(
    [
      { name: 'a', weight: 1 },
      { name: 'a', weight: 2 },
    ],
    /two shards of the ring are called a/,
  );
  for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    refused([{ name: 'a', weight }], /weight of shard a/);
  refused([{ name: 'a', weight: 1025 }], /at most 4194304 points/);
});

/*
 * Balance. A shard of P points holds a part of the circle with a relative standard deviation of 1/sqrt(P), 1.6 % at 4096
 * points per unit of weight. Names drawn anew at every run are judged by that part (`shares`), where both bounds are six
 * deviations away; keys, which add a deviation of 1/sqrt(keys per shard), are counted on names that stay the same.
 */

const KEYS = 100_000;

/** Keys as applications write them, one behind the other: `object:id`, hashed ids, and raw bytes. */
function makeKeys(seed: number): { bytes: Buffer; ends: number[] } {
  const random = seededRandom(seed);
  const chunks: Buffer[] = [];
  const ends: number[] = [];
  let end = 0;
  for (let i = 0; i < KEYS; i++) {
    const kind = i % 3;
    const text = kind === 0 ? `user:${i}` : kind === 1 ? `session:${random.hex(16)}` : '';
    const key = kind < 2 ? utf8(text) : Buffer.from(Uint32Array.of(random.u32(), i).buffer);
    chunks.push(key);
    end += key.length;
    ends.push(end);
  }
  return { bytes: Buffer.concat(chunks), ends };
}

function ownersOf(ring: Ring, keys: { bytes: Buffer; ends: number[] }): string[] {
  let start = 0;
  return keys.ends.map((end) => {
    const owner = ring.shards[ring.shardOf(keys.bytes, start, end)].name;
    start = end;
    return owner;
  });
}

/** Load of each shard relative to what its weight entitles it to; the highest counts. */
function worstLoad(shards: readonly RingShard[], owners: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const perUnit = owners.length / totalWeight(shards);
  return Math.max(...shards.map(({ name, weight }) => (counts.get(name) ?? 0) / (perUnit * weight)));
}

const totalWeight = (shards: readonly RingShard[]) => shards.reduce((sum, { weight }) => sum + weight, 0);

const anyShards = (minLength: number, maxLength: number) =>
  fc.uniqueArray(
    fc.record({ name: fc.string({ minLength: 1, maxLength: 20 }), weight: fc.integer({ min: 1, max: 5 }) }),
    { minLength, maxLength, selector: (shard) => shard.name },
  );

const sixteen = (name: (i: number) => string, weight = (_: number) => 1): RingShard[] =>
  Array.from({ length: 16 }, (_, i) => ({ name: name(i), weight: weight(i) }));

t.test('the fullest of 16 shards holds at most 1.15 x the mean, whatever they are called', async (t) => {
  const keys = makeKeys(1);
  const sets: Record<string, RingShard[]> = {
    letters: sixteen((i) => String.fromCharCode(97 + i)),
    numbers: sixteen((i) => String(i)),
    'shard-N': sixteen((i) => `shard-${i}`),
    'N-shard': sixteen((i) => `${i}-shard`),
    addresses: sixteen((i) => `10.0.${i}.17:6379`),
    'one prefix of the other': sixteen((i) => 'x'.repeat(i + 1)),
    'long names': sixteen((i) => `cache-prod-eu-west-1a-statefulset-${i}.ringside.svc.cluster.local`),
    'weights 1 to 4': sixteen(
      (i) => `w${i}`,
      (i) => 1 + (i % 4),
    ),
    'one large among small': sixteen(
      (i) => `big${i}`,
      (i) => (i === 7 ? 20 : 1),
    ),
  };
  for (const [what, shards] of Object.entries(sets)) {
    const worst = worstLoad(shards, ownersOf(Ring.of(shards), keys));
    t.ok(worst <= 1.15, `${what}: ${worst.toFixed(3)}`);
  }
});

t.test('the largest share of 16 shards of any names and weights is at most 1.15 x its due', async (t) => {
  fc.assert(
    fc.property(anyShards(16, 16), (shards) => {
      const shares = Ring.of(shards).shares();
      const total = totalWeight(shards);
      return shards.every(({ weight }, i) => shares[i] <= (1.15 * weight) / total);
    }),
    { numRuns: 30 },
  );
  t.pass('30 random sets');
});

t.test('a join takes keys for the new shard only, a leave gives away its own only', async (t) => {
  const keys = makeKeys(2);
  for (const count of [1, 2, 3, 5, 15, 16]) {
    const shards = Array.from({ length: count + 1 }, (_, i) => ({ name: `shard-${i}`, weight: 1 + (i % 3) }));
    const joining = shards[count];
    const before = ownersOf(Ring.of(shards.slice(0, count)), keys);
    const after = ownersOf(Ring.of(shards), keys);
    // Read from `after` to `before` this is the leave of the same shard: the same keys move, the other way.
    const moved = after.filter((owner, i) => owner !== before[i]);
    t.same([...new Set(moved)], [joining.name], 'no key moves between shards that stay');
    const ideal = (keys.ends.length * joining.weight) / totalWeight(shards);
    const relative = moved.length / ideal;
    t.ok(
      relative <= 1.1,
      `${count} + 1 shards, weight ${joining.weight}: ${relative.toFixed(3)} x the ideal`,
    );
  }
});

t.test('of any shards, a join or leave moves at most 1.1 x the share of the one shard', async (t) => {
  fc.assert(
    fc.property(anyShards(2, 17), (shards) => {
      const [changing, ...rest] = shards;
      const withIt = Ring.of(shards);
      const without = Ring.of(rest);
      const random = seededRandom(4);
      for (let i = 0; i < 2000; i++) {
        const [high, low] = [random.u32(), random.u32()];
        const owner = shards[withIt.shardOfHash(high, low)];
        if (owner !== changing && owner !== rest[without.shardOfHash(high, low)]) return false;
      }
      return withIt.shares()[0] <= (1.1 * changing.weight) / totalWeight(shards);
    }),
    { numRuns: 30 },
  );
  t.pass('30 random sets');
});

t.test('shares() is the part of the circle that lookups give to each shard', async (t) => {
  const shards = [1, 2, 5].map((weight) => ({ name: `s${weight}`, weight }));
  const ring = Ring.of(shards);
  const shares = ring.shares();
  t.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
  const random = seededRandom(3);
  const hits = [0, 0, 0];
  for (let i = 0; i < 200_000; i++) hits[ring.shardOfHash(random.u32(), random.u32())]++;
  for (const [i, share] of shares.entries()) t.ok(Math.abs(hits[i] / 200_000 - share) < 0.006, `${share}`);
});
