import { RingsideError } from '../base/index.ts';
import { murmur3x64_128 } from './murmur3.ts';

/**
 * Hashes of each virtual node, with the seeds 0 to 7. Every hash gives two points, its first and its last 64 bits, as
 * in libketama, where one digest gives four: 16 points per virtual node, 4096 per unit of weight.
 *
 * Why not one: the part of the circle that a shard with P random points holds varies from ring to ring with a relative
 * standard deviation of 1/sqrt(P). With P = 256 that is 6.3 %; of 16 shards one is then above 1.15 x the mean in one ring
 * of eight, and the share of a joining shard is above 1.1 x the ideal once in 19 (measured over 3000 rings). With
 * P = 4096 it is 1.6 %, and both bounds are more than six deviations away.
 */
const HASHES_PER_VIRTUAL_NODE = 8;
const POINTS_PER_VIRTUAL_NODE = 2 * HASHES_PER_VIRTUAL_NODE;

/** More points would take seconds and hundreds of megabytes: 1024 units of weight at 256 virtual nodes. */
const MAX_POINTS = 2 ** 22;

/** Owners are 16-bit numbers. */
const MAX_SHARDS = 2 ** 16;

/** All points of a ring in ascending order, as parallel arrays. */
export class PointTable {
  /** Upper 32 bits of each position. */
  readonly highs: Uint32Array;
  /** Lower 32 bits of each position. */
  readonly lows: Uint32Array;
  /** The shard at each position. */
  readonly owners: Uint16Array;
  /** For each value of the top bits of a position: how many points are below the first position with these bits. */
  readonly firsts: Uint32Array;
  /** How far the upper 32 bits of a position are shifted for its top bits. */
  readonly shift: number;

  /** Takes the points unsorted. Of two at one position the one that comes first stays first. */
  constructor(highs: Uint32Array, lows: Uint32Array, owners: Uint16Array) {
    const count = owners.length;
    // About one point per bucket: a search then looks at one or two points, and sorting is one pass of insertion.
    const bits = Math.max(1, Math.ceil(Math.log2(count)));
    this.shift = 32 - bits;
    this.firsts = new Uint32Array(2 ** bits + 1);
    for (let i = 0; i < count; i++) this.firsts[(highs[i] >>> this.shift) + 1]++;
    for (let i = 1; i < this.firsts.length; i++) this.firsts[i] += this.firsts[i - 1];

    this.highs = new Uint32Array(count);
    this.lows = new Uint32Array(count);
    this.owners = new Uint16Array(count);
    const filled = new Uint32Array(2 ** bits);
    for (let i = 0; i < count; i++) {
      const bucket = highs[i] >>> this.shift;
      this.#insert(this.firsts[bucket], filled[bucket]++, highs[i], lows[i], owners[i]);
    }
  }

  /** The first point at or behind the position (halves of 32 bits, with or without sign), clockwise: past the last one it is the first of all. */
  find(high: number, low: number): number {
    const { highs, lows } = this;
    const upper = high >>> 0;
    const lower = low >>> 0;
    let at = this.firsts[upper >>> this.shift];
    while (at < highs.length && (highs[at] < upper || (highs[at] === upper && lows[at] < lower))) at++;
    return at === highs.length ? 0 : at;
  }

  /** Puts a point in order among the `count` that already stand from `first` on. */
  #insert(first: number, count: number, high: number, low: number, owner: number): void {
    const { highs, lows, owners } = this;
    let at = first + count;
    while (at > first && (highs[at - 1] > high || (highs[at - 1] === high && lows[at - 1] > low))) {
      highs[at] = highs[at - 1];
      lows[at] = lows[at - 1];
      owners[at] = owners[at - 1];
      at--;
    }
    highs[at] = high;
    lows[at] = low;
    owners[at] = owner;
  }
}

/**
 * The points of `shards`. Virtual node i, from 0 to virtualNodes x weight - 1, of a shard stands at the first and the
 * last 64 bits of MurmurHash3_x64_128 of the UTF-8 text `name-i` with each of the seeds. Every release must place them
 * alike: test/lib/vectors/ring.json holds them.
 */
export function placePoints(
  shards: readonly { readonly name: string; readonly weight: number }[],
  virtualNodes: number,
): PointTable {
  const counts = shards.map(({ weight }) => Math.max(1, Math.round(weight * virtualNodes)));
  const total = counts.reduce((sum, count) => sum + count, 0) * POINTS_PER_VIRTUAL_NODE;
  if (total > MAX_POINTS || shards.length > MAX_SHARDS) {
    const bounds = `at most ${MAX_POINTS} points and ${MAX_SHARDS} shards`;
    throw new RingsideError('config_invalid', `the ring is too large or its weights too high: ${bounds}`);
  }
  const highs = new Uint32Array(total);
  const lows = new Uint32Array(total);
  const owners = new Uint16Array(total);
  const hash = new Uint32Array(4);
  let at = 0;
  // In the order of names, so that equal positions fall to the same shard wherever it stands in the list.
  const order = shards.map((_, shard) => shard).sort((a, b) => (shards[a].name < shards[b].name ? -1 : 1));
  for (const shard of order) {
    for (let i = 0; i < counts[shard]; i++) {
      const text = Buffer.from(`${shards[shard].name}-${i}`);
      for (let seed = 0; seed < HASHES_PER_VIRTUAL_NODE; seed++) {
        murmur3x64_128(text, 0, text.length, seed, hash);
        for (let half = 0; half < 4; half += 2) {
          highs[at] = hash[half];
          lows[at] = hash[half + 1];
          owners[at++] = shard;
        }
      }
    }
  }
  return new PointTable(highs, lows, owners);
}
