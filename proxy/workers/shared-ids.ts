const CLIENTS = 0;
const SLOW_ENTRIES = 1;
const COUNT = 2;

/** Numbers that are given out once in the whole process: counters in memory that all threads share. */
export class SharedIds {
  readonly memory: SharedArrayBuffer;
  readonly #last: BigInt64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(COUNT * 8)) {
    this.memory = memory;
    this.#last = new BigInt64Array(memory);
  }

  /** For a client; from 1 on, later ones get higher ones. */
  nextClient(): number {
    return Number(Atomics.add(this.#last, CLIENTS, 1n)) + 1;
  }

  /** For an entry of the slow log; from 0 on. */
  nextSlowEntry(): number {
    return Number(Atomics.add(this.#last, SLOW_ENTRIES, 1n));
  }
}
