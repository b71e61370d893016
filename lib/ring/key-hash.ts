import { murmur3x64_128 } from './murmur3.ts';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Hash of the key `bytes[start, end)`: MurmurHash3_x64_128, seed 0, over its routed part, to `out` as four 32-bit limbs.
 * The first two, upper half first, are the 64 bits that place the key on the ring.
 *
 * The routed part is Redis's hash tag (Redis cluster specification, "Hash tags"): what is between the first `{` and the
 * first `}` behind it, if that is not empty; else the whole key. Keys of one tag share a shard.
 */
export function hashKey(bytes: Uint8Array, start: number, end: number, out: Uint32Array): void {
  const open = find(bytes, OPEN_BRACE, start, end);
  const close = find(bytes, CLOSE_BRACE, open + 1, end);
  if (close < end && close > open + 1) murmur3x64_128(bytes, open + 1, close, 0, out);
  else murmur3x64_128(bytes, start, end, 0, out);
}

/** Where `byte` first stands in `bytes[start, end)`; when it does not, the end of the search, which is never below `end`. */
function find(bytes: Uint8Array, byte: number, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at++;
  return at;
}

/** The 64 bits that place `key` on the ring, as 16 lower-case hex digits. */
export function keyHashHex(key: Uint8Array): string {
  const limbs = new Uint32Array(4);
  hashKey(key, 0, key.length, limbs);
  return limbs[0].toString(16).padStart(8, '0') + limbs[1].toString(16).padStart(8, '0');
}
