/** Seed of the hash that Redis uses for HyperLogLogs. */
const SEED = 0xadc83b19;
/** The multiplier 0xc6a4a7935bd1e995. */
const M_HIGH = 0xc6a4a793;
const M_LOW = 0x5bd1e995;
const SHIFT = 47 - 32;
/** Bits of the hash that choose a register. */
const INDEX_BITS = 14;
/** The longest run of zero bits that a register can tell, with the one behind it. */
const MAX_RUN = 64 - INDEX_BITS + 1;

/** The hash being made, and what it comes to. */
let high = 0;
let low = 0;

/** The upper 32 bits of a product of two unsigned 32-bit numbers. */
function highProduct(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) | 0;
}

/** The upper 32 bits of a 64-bit number times the multiplier; the lower ones are `Math.imul(low, M_LOW)`. */
function timesM(high: number, low: number): number {
  return (highProduct(low, M_LOW) + Math.imul(high, M_LOW) + Math.imul(low, M_HIGH)) | 0;
}

function multiply(): void {
  const upper = timesM(high, low);
  low = Math.imul(low, M_LOW);
  high = upper;
}

/** MurmurHash64A (Austin Appleby, public domain) of the bytes, into `high` and `low`. */
function murmur(buffer: Uint8Array, start: number, end: number): void {
  const length = end - start;
  // The seed xor length x m.
  high = timesM(0, length);
  low = Math.imul(length, M_LOW) ^ SEED;
  const wholeEnd = end - (length & 7);
  for (let at = start; at < wholeEnd; at += 8) {
    let kLow = word(buffer, at);
    let kHigh = timesM(word(buffer, at + 4), kLow);
    kLow = Math.imul(kLow, M_LOW);
    kLow ^= kHigh >>> SHIFT;
    kHigh = timesM(kHigh, kLow);
    high ^= kHigh;
    low ^= Math.imul(kLow, M_LOW);
    multiply();
  }
  for (let i = 0; wholeEnd + i < end; i++) {
    if (i < 4) low ^= buffer[wholeEnd + i] << (8 * i);
    else high ^= buffer[wholeEnd + i] << (8 * (i - 4));
  }
  if (wholeEnd < end) multiply();
  low ^= high >>> SHIFT;
  multiply();
  low ^= high >>> SHIFT;
}

function word(buffer: Uint8Array, at: number): number {
  return buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16) | (buffer[at + 3] << 24);
}

/** Zero bits from the lowest on. */
function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** What an element means to a HyperLogLog: a register and the value it is to have at least. Used again for each element. */
export class Observation {
  /** From 0 to below 16384. */
  register = 0;
  /** From 1 to 51: how many bits of the hash behind those for the register are zero, and one. */
  value = 0;

  of(buffer: Uint8Array, start: number, end: number): void {
    murmur(buffer, start, end);
    this.register = low & ((1 << INDEX_BITS) - 1);
    const rest = (low >>> INDEX_BITS) | (high << (32 - INDEX_BITS));
    const top = high >>> INDEX_BITS;
    if (rest !== 0) this.value = trailingZeros(rest) + 1;
    else this.value = top === 0 ? MAX_RUN : Math.min(32 + trailingZeros(top) + 1, MAX_RUN);
  }
}
