/**
 * Micro-benchmarks of key hash and ring, each beside a naive version of the same work.
 *
 *     npx node bench/micro/ring.ts
 */
import { bench, do_not_optimize, group, run, summary } from 'mitata';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { hashKey, murmur3x64_128, murmur3x86_32, Ring } from '../../lib/ring/index.ts';
import { referenceMurmur128, referencePoints } from '../../test/support/reference-ring.ts';

/** So many different keys that neither branch predictor nor cache learns them by heart. */
const KEYS = 65536;
const KEY_BYTES = 16;

const keys = Buffer.alloc(KEYS * KEY_BYTES);
for (let i = 0; i < KEYS; i++)
  keys.write(`key:${String((i * 7919) % 1e12).padStart(12, '0')}`, i * KEY_BYTES);
const value = Buffer.alloc(1024, 'x');

const shards = Array.from({ length: 16 }, (_, i) => ({ name: `shard-${i}`, weight: 1 }));
const ring = Ring.of(shards);
const naivePoints = referencePoints(shards.slice(0, 3), 16);

let next = 0;

/** Where the next key begins. */
function nextKey(): number {
  next = (next + 1) % KEYS;
  return next * KEY_BYTES;
}

/** What one would write first: BigInt, a copy of the key, a binary search over objects. */
function naiveShardOf(key: Buffer): string {
  const [hash] = referenceMurmur128(key, 0);
  let low = 0;
  let high = naivePoints.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (naivePoints[middle].position < hash) low = middle + 1;
    else high = middle;
  }
  return naivePoints[low % naivePoints.length].shard;
}

const out = new Uint32Array(4);

const command = argsOf(
  'MGET',
  ...Array.from({ length: 100 }, (_, i) => keys.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)),
);
const owners = new Uint16Array(100);

summary(() => {
  group('shards of 100 16-byte keys of one command', () => {
    bench('Ring.shardsOf: together', () => {
      ring.shardsOf(command, 1, 1, 100, owners);
      return do_not_optimize(owners[99]);
    });
    bench('Ring.shardOf: one by one', () => {
      for (let i = 1; i <= 100; i++)
        owners[i - 1] = ring.shardOf(command.buffer, command.start(i), command.end(i));
      return do_not_optimize(owners[99]);
    });
  });
});

summary(() => {
  group('shard of a 16-byte key', () => {
    bench('Ring.shardOf, 16 shards', () => {
      const at = nextKey();
      return do_not_optimize(ring.shardOf(keys, at, at + KEY_BYTES));
    });
    bench('naive: BigInt, 3 shards of 16 virtual nodes', () => {
      const at = nextKey();
      return do_not_optimize(naiveShardOf(keys.subarray(at, at + KEY_BYTES)));
    });
  });
});

group('hash', () => {
  bench('hashKey (tag rule and x64_128), 16 bytes', () => {
    const at = nextKey();
    hashKey(keys, at, at + KEY_BYTES, out);
    return do_not_optimize(out[0]);
  });
  bench('murmur3x64_128, 16 bytes', () => {
    const at = nextKey();
    murmur3x64_128(keys, at, at + KEY_BYTES, 0, out);
    return do_not_optimize(out[0]);
  });
  bench('murmur3x64_128, 1 kB', () => {
    murmur3x64_128(value, 0, value.length, 0, out);
    return do_not_optimize(out[0]);
  });
  bench('murmur3x86_32, 16 bytes', () => {
    const at = nextKey();
    return do_not_optimize(murmur3x86_32(keys, at, at + KEY_BYTES, 0));
  });
});

group('ring change', () => {
  bench('Ring.of, 16 shards', () => do_not_optimize(Ring.of(shards)));
});

await run();
