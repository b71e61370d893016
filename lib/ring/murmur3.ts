/**
 * MurmurHash3 by Austin Appleton (public domain, SMHasher `MurmurHash3.cpp`), on bytes, in 32-bit limbs: no BigInt, no
 * allocation. Held to SMHasher's verification values by test/lib/ring.test.ts.
 */

const C1_HIGH = 0x87c37b91;
const C1_LOW = 0x114253d5;
const C2_HIGH = 0x4cf5ad43;
const C2_LOW = 0x2745937f;
const F1_HIGH = 0xff51afd7;
const F1_LOW = 0xed558ccd;
const F2_HIGH = 0xc4ceb9fe;
const F2_LOW = 0x1a85ec53;

const TO_UPPER = 2 ** -32;

/**
 * Upper 32 bits of a 64-bit product, modulo 2^64, of which `low` is the lower ones: `Math.imul(aLow, bLow)`. The double that holds
 * `aLow * bLow` is wrong by 2^11 at most, so that without its lower half it rounds to the right multiple of 2^32; twice as fast as
 * adding up products of 16 bits.
 */
function mulHigh(aHigh: number, aLow: number, bHigh: number, bLow: number, low: number): number {
  const product = (aLow >>> 0) * (bLow >>> 0);
  const upper = ((product - (low >>> 0)) * TO_UPPER + 0.5) | 0;
  return (upper + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
}

/** 1 when the sum that gave `sum` (its low 32 bits) went over 2^32, one of its terms being `term`. */
function carry(sum: number, term: number): number {
  return sum >>> 0 < term >>> 0 ? 1 : 0;
}

/** Four bytes, little-endian. All of them must lie inside. */
function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** Up to four bytes, little-endian; what lies at or behind `end` counts as zero. */
function tailWord(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let i = Math.min(at + 4, end) - 1; i >= at; i--) value = (value << 8) | bytes[i];
  return value;
}

/** As `mulHigh`, times five. */
function fiveHigh(high: number, low: number): number {
  return (Math.imul(high, 5) + (((low >>> 0) * 5 * TO_UPPER) | 0)) | 0;
}

/**
 * MurmurHash3_x64_128 of `bytes[start, end)` with a 32-bit `seed`. Writes four 32-bit limbs to `out`: upper and lower
 * half of the first 64 bits (`h1`), then of the last 64 (`h2`).
 *
 * Cut up so that V8 makes one piece of machine code of each part: it gives up inlining in a function that grows too large.
 */
export function murmur3x64_128(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  out: Uint32Array,
): void {
  let h1High = 0;
  let h1Low = seed | 0;
  let h2High = 0;
  let h2Low = seed | 0;
  let at = start;

  for (; end - at >= 16; at += 16) {
    // k1 = rotl(k1 * c1, 31) * c2
    let low = word(bytes, at);
    let product = Math.imul(low, C1_LOW);
    let upper = mulHigh(word(bytes, at + 4), low, C1_HIGH, C1_LOW, product);
    let high = (upper << 31) | (product >>> 1);
    low = (product << 31) | (upper >>> 1);
    product = Math.imul(low, C2_LOW);
    h1High ^= mulHigh(high, low, C2_HIGH, C2_LOW, product);
    h1Low ^= product;

    // h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729
    high = (h1High << 27) | (h1Low >>> 5);
    low = (h1Low << 27) | (h1High >>> 5);
    h1Low = (low + h2Low) | 0;
    h1High = (high + h2High + carry(h1Low, low)) | 0;
    low = Math.imul(h1Low, 5);
    h1High = fiveHigh(h1High, h1Low);
    h1Low = (low + 0x52dce729) | 0;
    h1High = (h1High + carry(h1Low, low)) | 0;

    // k2 = rotl(k2 * c2, 33) * c1
    low = word(bytes, at + 8);
    product = Math.imul(low, C2_LOW);
    upper = mulHigh(word(bytes, at + 12), low, C2_HIGH, C2_LOW, product);
    high = (product << 1) | (upper >>> 31);
    low = (upper << 1) | (product >>> 31);
    product = Math.imul(low, C1_LOW);
    h2High ^= mulHigh(high, low, C1_HIGH, C1_LOW, product);
    h2Low ^= product;

    // h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5
    high = (h2High << 31) | (h2Low >>> 1);
    low = (h2Low << 31) | (h2High >>> 1);
    h2Low = (low + h1Low) | 0;
    h2High = (high + h1High + carry(h2Low, low)) | 0;
    low = Math.imul(h2Low, 5);
    h2High = fiveHigh(h2High, h2Low);
    h2Low = (low + 0x38495ab5) | 0;
    h2High = (h2High + carry(h2Low, low)) | 0;
  }
  if (at === end) finish(h1High, h1Low, h2High, h2Low, end - start, out);
  else finishWithTail(bytes, at, end, h1High, h1Low, h2High, h2Low, end - start, out);
}

/** Takes in the last bytes, fewer than 16, from `at` on. */
function finishWithTail(
  bytes: Uint8Array,
  at: number,
  end: number,
  h1High: number,
  h1Low: number,
  h2High: number,
  h2Low: number,
  length: number,
  out: Uint32Array,
): void {
  // k1 = rotl(k1 * c1, 31) * c2
  let low = tailWord(bytes, at, end);
  let product = Math.imul(low, C1_LOW);
  let upper = mulHigh(tailWord(bytes, at + 4, end), low, C1_HIGH, C1_LOW, product);
  let high = (upper << 31) | (product >>> 1);
  low = (product << 31) | (upper >>> 1);
  const k1Low = Math.imul(low, C2_LOW);
  const k1High = mulHigh(high, low, C2_HIGH, C2_LOW, k1Low);

  // k2 = rotl(k2 * c2, 33) * c1
  low = tailWord(bytes, at + 8, end);
  product = Math.imul(low, C2_LOW);
  upper = mulHigh(tailWord(bytes, at + 12, end), low, C2_HIGH, C2_LOW, product);
  high = (product << 1) | (upper >>> 31);
  low = (upper << 1) | (product >>> 31);
  const k2Low = Math.imul(low, C1_LOW);
  const k2High = mulHigh(high, low, C1_HIGH, C1_LOW, k2Low);

  finish(h1High ^ k1High, h1Low ^ k1Low, h2High ^ k2High, h2Low ^ k2Low, length, out);
}

function finish(
  h1High: number,
  h1Low: number,
  h2High: number,
  h2Low: number,
  length: number,
  out: Uint32Array,
): void {
  let aLow = h1Low ^ length;
  const bLow = h2Low ^ length;
  let low = (aLow + bLow) | 0;
  let aHigh = (h1High + h2High + carry(low, aLow)) | 0;
  aLow = low;
  low = (bLow + aLow) | 0;
  let bHigh = (h2High + aHigh + carry(low, aLow)) | 0;
  let b = low;

  // fmix64 of both halves: k ^= k >>> 33; k *= f1; k ^= k >>> 33; k *= f2; k ^= k >>> 33
  aLow ^= aHigh >>> 1;
  low = Math.imul(aLow, F1_LOW);
  aHigh = mulHigh(aHigh, aLow, F1_HIGH, F1_LOW, low);
  aLow = low ^ (aHigh >>> 1);
  low = Math.imul(aLow, F2_LOW);
  aHigh = mulHigh(aHigh, aLow, F2_HIGH, F2_LOW, low);
  aLow = low ^ (aHigh >>> 1);
  b ^= bHigh >>> 1;
  low = Math.imul(b, F1_LOW);
  bHigh = mulHigh(bHigh, b, F1_HIGH, F1_LOW, low);
  b = low ^ (bHigh >>> 1);
  low = Math.imul(b, F2_LOW);
  bHigh = mulHigh(bHigh, b, F2_HIGH, F2_LOW, low);
  b = low ^ (bHigh >>> 1);

  low = (aLow + b) | 0;
  aHigh = (aHigh + bHigh + carry(low, b)) | 0;
  out[0] = aHigh;
  out[1] = low;
  const last = (b + low) | 0;
  out[2] = bHigh + aHigh + carry(last, b);
  out[3] = last;
}

/** MurmurHash3_x86_32 of `bytes[start, end)` with a 32-bit `seed`; an unsigned 32-bit number. */
export function murmur3x86_32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed | 0;
  for (let at = start; at < end; at += 4) {
    const whole = end - at >= 4;
    let k = Math.imul(whole ? word(bytes, at) : tailWord(bytes, at, end), 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    hash ^= k;
    if (whole) hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= end - start;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** As `murmur3x86_32`, reading words: twice as fast. Signed. */
function murmur3x86_32Of(view: DataView, start: number, end: number, seed: number): number {
  let hash = seed | 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    let k = Math.imul(view.getInt32(at, true), 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    hash ^= k;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  if (at < end) {
    let k = 0;
    for (let i = end - 1; i >= at; i--) k = (k << 8) | view.getUint8(i);
    k = Math.imul(k, 0xcc9e2d51);
    hash ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  }
  hash ^= end - start;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** `murmur3x86_32` of bytes and of views. */
export const murmur3x86_32Hash = { ofBytes: murmur3x86_32, ofView: murmur3x86_32Of };
