const MIB = 2 ** 20;
/** By how much one sample raises what is taken to be the overhead, at most, so that a moment's garbage does not make entries go. */
const MOST_RISE_BYTES = 8 * MIB;
/** By which part of the difference a smaller one lowers it. */
const FADE_PART = 1 / 128;
/** Of the budget beyond the first figure, the process may take the part of the second one from the data. */
const SPARED_BYTES = 128 * MIB;
const MOST_PART = 1 / 2;
/** And this part of it stays free, for what garbage takes between two samples. */
const FREE_PARTS = 64;

/**
 * How much more a process takes from the system than its data accounts for: garbage and room of the JavaScript heap, code, what the
 * allocator keeps. It is what the resident size has grown by since the start, less the data. The heap breathes, so the figure follows the
 * largest of late.
 */
export class ProcessOverhead {
  readonly #startBytes: number;
  bytes = 0;

  /** `startBytes`: the resident size of the process while it holds nothing. */
  constructor(startBytes: number) {
    this.#startBytes = startBytes;
  }

  /** `residentBytes`: the present size of the process; `accountedBytes`: what its data and buffers are known to take of it. */
  sample(residentBytes: number, accountedBytes: number): void {
    const beside = Math.max(0, residentBytes - this.#startBytes - accountedBytes);
    const more = beside - this.bytes;
    this.bytes += more > 0 ? Math.min(more, MOST_RISE_BYTES) : more * FADE_PART;
  }
}

/**
 * What data may take of `maxBytes` (0: no limit), so that the process grows by no more than `maxBytes`. Of the first 128 MiB all is for data,
 * of what is beyond at least half: a small budget would be used up by what any process takes. Where the overhead is measured, a little stays
 * free for what it has not seen.
 */
export function dataBudget(maxBytes: number, overheadBytes: number): number {
  const shared = Math.max(0, maxBytes - SPARED_BYTES);
  const free = overheadBytes > 0 ? shared / FREE_PARTS : 0;
  return maxBytes - Math.min(overheadBytes + free, shared * MOST_PART);
}
