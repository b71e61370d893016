import { randomBytes } from 'node:crypto';

/** The only source of randomness. Everything that rolls dice takes one as an argument. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A whole number in [0, n), for n in [1, 2^32]. */
  int(n: number): number;
  /** 32 random bits as an unsigned number. */
  u32(): number;
  /** `bytes` random bytes as 2 x `bytes` lower-case hex digits. */
  hex(bytes: number): string;
}

abstract class Random32 implements Random {
  abstract u32(): number;

  next(): number {
    return (this.u32() >>> 5) / 2 ** 27 + (this.u32() >>> 6) / 2 ** 53;
  }

  int(n: number): number {
    if (!(Number.isInteger(n) && n >= 1 && n <= 2 ** 32)) throw new RangeError(`no whole number below ${n}`);
    // Values from the incomplete last run of n would come up more often: draw again.
    const limit = 2 ** 32 - (2 ** 32 % n);
    let value = this.u32();
    while (value >= limit) value = this.u32();
    return value % n;
  }

  hex(bytes: number): string {
    let text = '';
    while (text.length < bytes * 2) text += this.u32().toString(16).padStart(8, '0');
    return text.slice(0, bytes * 2);
  }
}

/** xoshiro128** (Blackman and Vigna, 2018), its state filled from the seed by splitmix32. */
class Xoshiro128 extends Random32 {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    super();
    let z = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) >>> 0;
      let t = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      t = Math.imul(t ^ (t >>> 15), 0x735a2d97);
      this.#state[i] = t ^ (t >>> 15);
    }
  }

  override u32(): number {
    const s = this.#state;
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }
}

const POOL_BYTES = 4096;

/** Draws from the operating system, one pool of bytes at a time. */
class SystemRandom extends Random32 {
  #pool: Buffer = Buffer.alloc(0);
  #at = 0;

  override u32(): number {
    if (this.#at === this.#pool.length) {
      this.#pool = randomBytes(POOL_BYTES);
      this.#at = 0;
    }
    const value = this.#pool.readUInt32LE(this.#at);
    this.#at += 4;
    return value;
  }
}

/** A repeatable generator: the same `seed` (its low 32 bits count) gives the same sequence in every release. */
export function seededRandom(seed: number): Random {
  return new Xoshiro128(seed);
}

/** Cryptographically strong randomness of this host. */
export const systemRandom: Random = new SystemRandom();
