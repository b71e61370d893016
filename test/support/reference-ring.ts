/** Obvious versions of what lib/ring does fast: 64-bit arithmetic in BigInt, whole strings, linear search. */

const MASK = 2n ** 64n - 1n;

function rotateLeft(x: bigint, by: bigint): bigint {
  return ((x << by) | (x >> (64n - by))) & MASK;
}

function finalMix(x: bigint): bigint {
  let k = x;
  k ^= k >> 33n;
  k = (k * 0xff51afd7ed558ccdn) & MASK;
  k ^= k >> 33n;
  k = (k * 0xc4ceb9fe1a85ec53n) & MASK;
  return k ^ (k >> 33n);
}

/** MurmurHash3_x64_128, both halves, line by line as SMHasher has it. */
export function referenceMurmur128(bytes: Uint8Array, seed: number): [bigint, bigint] {
  const c1 = 0x87c37b91114253d5n;
  const c2 = 0x4cf5ad432745937fn;
  const mixK1 = (k: bigint) => (rotateLeft((k * c1) & MASK, 31n) * c2) & MASK;
  const mixK2 = (k: bigint) => (rotateLeft((k * c2) & MASK, 33n) * c1) & MASK;
  const read = (from: number, to: number) => {
    let value = 0n;
    for (let i = Math.min(to, bytes.length) - 1; i >= from; i--) value = (value << 8n) | BigInt(bytes[i]);
    return value;
  };
  let h1 = BigInt(seed >>> 0);
  let h2 = h1;
  const blocks = Math.floor(bytes.length / 16);
  for (let i = 0; i < blocks; i++) {
    h1 ^= mixK1(read(i * 16, i * 16 + 8));
    h1 = (rotateLeft(h1, 27n) + h2) & MASK;
    h1 = (h1 * 5n + 0x52dce729n) & MASK;
    h2 ^= mixK2(read(i * 16 + 8, i * 16 + 16));
    h2 = (rotateLeft(h2, 31n) + h1) & MASK;
    h2 = (h2 * 5n + 0x38495ab5n) & MASK;
  }
  h2 ^= mixK2(read(blocks * 16 + 8, blocks * 16 + 16));
  h1 ^= mixK1(read(blocks * 16, blocks * 16 + 8));
  h1 ^= BigInt(bytes.length);
  h2 ^= BigInt(bytes.length);
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  return [h1, h2];
}

/** What of a key is hashed: the rule of the Redis cluster specification, on a string of one character per byte. */
export function referenceRoutedPart(key: Uint8Array): Buffer {
  const text = Buffer.from(key).toString('latin1');
  const open = text.indexOf('{');
  if (open >= 0) {
    const close = text.indexOf('}', open + 1);
    if (close > open + 1) return Buffer.from(text.slice(open + 1, close), 'latin1');
  }
  return Buffer.from(key);
}

export interface ReferencePoint {
  readonly position: bigint;
  readonly shard: string;
}

/** All points of a ring, ascending. */
export function referencePoints(
  shards: readonly { name: string; weight: number }[],
  virtualNodes: number,
): ReferencePoint[] {
  const points = shards.flatMap(({ name, weight }) =>
    Array.from({ length: virtualNodes * weight }, (_, i) => i).flatMap((i) =>
      [0, 1, 2, 3, 4, 5, 6, 7].flatMap((seed) =>
        referenceMurmur128(Buffer.from(`${name}-${i}`), seed).map((position) => ({ position, shard: name })),
      ),
    ),
  );
  return points.sort((a, b) => (a.position < b.position ? -1 : 1));
}

/** The distinct shards clockwise from a hash. */
export function referenceWalk(points: readonly ReferencePoint[], hash: bigint): string[] {
  const behind = points.filter(({ position }) => position >= hash);
  const before = points.filter(({ position }) => position < hash);
  return [...new Set([...behind, ...before].map(({ shard }) => shard))];
}
