import { RdbFormatError } from './format-error.ts';

/* LibLZF's format (Marc Lehmann): a byte below 32 begins that many literals and one; any other a copy of what lies `distance` back. */

const MAX_LITERALS = 32;
const MIN_MATCH = 3;
const MAX_MATCH = 264;
const MAX_DISTANCE = 8192;
const HASH_BITS = 14;
const HASH_FACTOR = 0x9e3779b1;
/** A copy of three bytes gives at most so many: what claims more is refused before memory is taken for it. */
const MAX_GAIN = MAX_MATCH / 3;

/** From so many bytes on a call into native code beats a loop. */
const MIN_NATIVE = 64;

const lastSeen = new Int32Array(1 << HASH_BITS);
/** Places in `lastSeen` count on from call to call, so that what earlier calls left is too far back and need not be wiped. */
let base = MAX_DISTANCE + 1;
const MAX_BASE = 2 ** 30;

/** The first place of a call that looks at `length` bytes. */
function nextBase(length: number): number {
  if (base > MAX_BASE) {
    lastSeen.fill(0);
    base = MAX_DISTANCE + 1;
  }
  const first = base;
  base += length + MAX_DISTANCE + 1;
  return first;
}

/** Expands the bytes to exactly `length` ones, in `room` when that is long enough. Throws RdbFormatError when they do not give that. */
export function lzfExpand(
  source: Uint8Array,
  start: number,
  end: number,
  length: number,
  room: Buffer | null = null,
): Buffer {
  if (length > (end - start) * MAX_GAIN) throw new RdbFormatError('a compressed string claims too much');
  const target = room !== null && room.length >= length ? room : Buffer.allocUnsafe(length);
  let from = start;
  let to = 0;
  while (from < end) {
    const control = source[from++];
    if (control < MAX_LITERALS) {
      const next = from + control + 1;
      if (next > end || to + control + 1 > length) throw new RdbFormatError('a compressed string is broken');
      while (from < next) target[to++] = source[from++];
      continue;
    }
    let count = (control >> 5) + 2;
    if (count === 9) count += source[from++];
    if (from >= end) throw new RdbFormatError('a compressed string is cut off');
    const back = to - ((control & 31) << 8) - source[from++] - 1;
    if (back < 0 || to + count > length) throw new RdbFormatError('a compressed string is broken');
    repeat(target, back, to, count);
    to += count;
  }
  if (to !== length) throw new RdbFormatError('a compressed string is too short');
  return target;
}

/** Copies `count` bytes from `back` to `to`; where they overlap, what has just been copied is copied again. */
function repeat(target: Buffer, back: number, to: number, count: number): void {
  const isLong = count >= MIN_NATIVE;
  if (isLong && to - back === 1) target.fill(target[back], to, to + count);
  else if (isLong && to - back >= count) target.copyWithin(to, back, back + count);
  else for (let i = 0; i < count; i++) target[to + i] = target[back + i];
}

/** Writes the bytes compressed to `target` and returns how many that took; 0 when they do not fit into `room` bytes. */
export function lzfCompress(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  room: number,
): number {
  const shift = nextBase(end - start) - start;
  let at = 0;
  let literals = start;
  let from = start;
  while (from + MIN_MATCH <= end) {
    const hash =
      Math.imul(source[from] | (source[from + 1] << 8) | (source[from + 2] << 16), HASH_FACTOR) >>>
      (32 - HASH_BITS);
    const match = lastSeen[hash] - shift;
    lastSeen[hash] = from + shift;
    const count = from - match <= MAX_DISTANCE ? matching(source, match, from, end) : 0;
    if (count < MIN_MATCH) {
      from++;
      continue;
    }
    at = writeLiterals(source, literals, from, target, at, room);
    if (at < 0 || at + 3 > room) return 0;
    at = writeCopy(target, at, from - match - 1, count - 2);
    from += count;
    literals = from;
  }
  at = writeLiterals(source, literals, end, target, at, room);
  return Math.max(at, 0);
}

function matching(source: Uint8Array, a: number, b: number, end: number): number {
  const most = Math.min(MAX_MATCH, end - b);
  let count = 0;
  while (count < most && source[a + count] === source[b + count]) count++;
  return count;
}

function writeCopy(target: Uint8Array, at: number, distance: number, count: number): number {
  target[at++] = (Math.min(count, 7) << 5) | (distance >> 8);
  if (count >= 7) target[at++] = count - 7;
  target[at++] = distance & 255;
  return at;
}

/** Where the next byte goes; -1 when there is no room. */
function writeLiterals(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
  room: number,
): number {
  let to = at;
  for (let from = start; from < end; ) {
    const count = Math.min(MAX_LITERALS, end - from);
    if (to < 0 || to + count + 1 > room) return -1;
    target[to++] = count - 1;
    for (const next = from + count; from < next; ) target[to++] = source[from++];
  }
  return to;
}
