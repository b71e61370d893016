import { murmur3x86_32 } from '../../lib/ring/index.ts';

/** Numbers tried for each shard: enough to find nearly all. */
const TRIES_PER_SHARD = 4;

/**
 * The shards that take reads of the key when its own has too much to do, by their positions: hash(key, 1), hash(key, 2), … over `shards`, each once, without
 * `owner`. Every proxy finds the same ones, and each key others, so that no neighbour inherits all that one shard cannot take.
 */
export function overflowOrder(key: Buffer, owner: number, shards: number): number[] {
  const found = new Set([owner]);
  for (let i = 1; found.size < shards && i <= shards * TRIES_PER_SHARD; i++)
    found.add(murmur3x86_32(key, 0, key.length, i) % shards);
  found.delete(owner);
  return [...found];
}
