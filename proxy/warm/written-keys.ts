import { murmur3x64_128 } from '../../lib/ring/index.ts';

const BITS = 1 << 24;
const WORDS = BITS >>> 5;
/** That of now, the one before, and the one that comes next, which is empty. */
const PERIODS = 3;
const EPOCH = 0;
const LOCK = 1;
const END = 2;
const HEADER_WORDS = 4;

/** Why nothing is taken from the old cluster any more; the order is that of the numbers in shared memory. */
const ENDS = [null, 'share', 'time', 'flush', 'stopped'] as const;
/**
 * `share`: hardly anything came from there any more; `time`: it took too long; `flush`: a command of a client meant keys that it did not name; `stopped`:
 * somebody said so.
 */
export type WarmUpEnd = NonNullable<(typeof ENDS)[number]>;

/**
 * Remembers, for all threads of the process, which keys were written lately, and whether the warm-up is over. Keys are kept in Bloom filters, one for each
 * period of `holdOffMs`: a key is remembered for one to two of them; of a million keys in a period one in 500 is taken for written though it was not.
 */
export class WrittenKeys {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #holdOffMs: number;
  readonly #limbs = new Uint32Array(4);

  constructor(holdOffMs: number, memory = new SharedArrayBuffer(4 * (HEADER_WORDS + PERIODS * WORDS))) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.#holdOffMs = holdOffMs;
  }

  /** Null while the warm-up goes on. */
  get end(): WarmUpEnd | null {
    return ENDS[Atomics.load(this.#words, END)];
  }

  /** The warm-up is over, for all threads; a reason given before stays. */
  finish(end: WarmUpEnd): void {
    Atomics.compareExchange(this.#words, END, 0, ENDS.indexOf(end));
  }

  /** The key `buffer[start, end)` of this database is written now; `wallMs` is Unix time. */
  add(database: number, buffer: Buffer, start: number, end: number, wallMs: number): void {
    const base = baseOf(this.#epochAt(wallMs));
    this.#hash(database, buffer, start, end);
    for (const limb of this.#limbs) {
      const bit = limb >>> 8;
      Atomics.or(this.#words, base + (bit >>> 5), 1 << (bit & 31));
    }
  }

  /** Whether it was written lately. */
  has(database: number, buffer: Buffer, start: number, end: number, wallMs: number): boolean {
    const epoch = this.#epochAt(wallMs);
    this.#hash(database, buffer, start, end);
    return this.#holds(baseOf(epoch)) || this.#holds(baseOf(epoch + PERIODS - 1));
  }

  #hash(database: number, buffer: Buffer, start: number, end: number): void {
    murmur3x64_128(buffer, start, end, database, this.#limbs);
  }

  #holds(base: number): boolean {
    for (const limb of this.#limbs) {
      const bit = limb >>> 8;
      if ((Atomics.load(this.#words, base + (bit >>> 5)) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  /** The period of now. Whoever comes first in a new one forgets what is too old. */
  #epochAt(wallMs: number): number {
    const words = this.#words;
    const epoch = Math.floor(wallMs / this.#holdOffMs);
    const known = Atomics.load(words, EPOCH);
    if (epoch <= known || Atomics.compareExchange(words, LOCK, 0, 1) !== 0) return known;
    if (epoch > known + 1) {
      this.#clear(epoch);
      this.#clear(epoch + PERIODS - 1);
    }
    this.#clear(epoch + 1);
    Atomics.store(words, EPOCH, epoch);
    Atomics.store(words, LOCK, 0);
    return epoch;
  }

  #clear(epoch: number): void {
    const base = baseOf(epoch);
    this.#words.fill(0, base, base + WORDS);
  }
}

function baseOf(epoch: number): number {
  return HEADER_WORDS + (epoch % PERIODS) * WORDS;
}
