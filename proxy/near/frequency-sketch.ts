const ROWS = 4;
const MAX_COUNT = 15;
/** All counts are halved after so many additions for each counter of a row. */
const ADDITIONS_PER_COUNTER = 8;
/** Odd numbers that spread a hash differently for each row. */
const SPREAD = Int32Array.of(0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f);

/**
 * Estimates how often a key was asked for of late, never too low: a count-min sketch of small counters that are halved now and then, as in
 * TinyLFU (Einziger, Friedman and Manes, 2017).
 */
export class FrequencySketch {
  readonly #counts: Uint8Array;
  readonly #shift: number;
  readonly #size: number;
  #untilHalved: number;

  /** `keys`: about how many keys are to be told apart. */
  constructor(keys: number) {
    const bits = Math.max(8, Math.ceil(Math.log2(keys)));
    this.#size = 2 ** bits;
    this.#shift = 32 - bits;
    this.#counts = new Uint8Array(ROWS * this.#size);
    this.#untilHalved = ADDITIONS_PER_COUNTER * this.#size;
  }

  get bytes(): number {
    return this.#counts.length;
  }

  add(hash: number): void {
    const counts = this.#counts;
    for (let row = 0; row < ROWS; row++) {
      const at = this.#placeOf(hash, row);
      if (counts[at] < MAX_COUNT) counts[at]++;
    }
    if (--this.#untilHalved <= 0) this.#halve();
  }

  /** 0 to 15. */
  estimate(hash: number): number {
    let least = MAX_COUNT;
    for (let row = 0; row < ROWS; row++) least = Math.min(least, this.#counts[this.#placeOf(hash, row)]);
    return least;
  }

  #placeOf(hash: number, row: number): number {
    return row * this.#size + (Math.imul(hash, SPREAD[row]) >>> this.#shift);
  }

  #halve(): void {
    const counts = this.#counts;
    for (let i = 0; i < counts.length; i++) counts[i] >>>= 1;
    this.#untilHalved = (ADDITIONS_PER_COUNTER * this.#size) / 2;
  }
}
