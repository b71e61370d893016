import { GhostTable, type SegmentLog, type SegmentQueue } from '../../lib/store/index.ts';
import { PlainPolicy } from './policy.ts';
import { MAX_FREQUENCY, type Records } from './records.ts';
import type { Space } from './space.ts';

/** Part of the bytes that new entries may take before they must have been used again. */
const SMALL_PART = 0.1;
/** What was evicted remains known for this part of the bytes. */
const GHOST_PART = 0.9;
/** Used this often, an entry leaves the small queue for the main one. */
const PROMOTED_FREQUENCY = 2;
/** Entries that one search for a victim may pass over; then whatever is next goes. */
const MAX_MOVES = 4096;

/** Moves the record at `ref` to the end of a queue. */
export type Reinsert = (ref: number, queue: SegmentQueue<Space>) => void;

/**
 * S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, SOSP '23): a small queue for what is new, a main queue for what was used again, and a memory
 * of what was evicted lately, which goes to the main queue when it comes back. The queues are those of the log, so entries have no links: only
 * two bits that count their uses.
 */
export class S3FifoPolicy extends PlainPolicy {
  readonly #records: Records;
  readonly #log: SegmentLog<Space>;
  readonly #reinsert: Reinsert;
  readonly #ghost = new GhostTable();

  constructor(space: Space, records: Records, reinsert: Reinsert) {
    super(space);
    this.#records = records;
    this.#log = records.log;
    this.#reinsert = reinsert;
  }

  override get reservedBytes(): number {
    return this.#ghost.reservedBytes;
  }

  override queueFor(hash: number): SegmentQueue<Space> {
    const { small, main } = this.space;
    return this.#ghost.take(hash) ? main : small;
  }

  get #total(): number {
    return this.space.small.live + this.space.main.live;
  }

  override touched(_ref: number): void {
    const records = this.#records;
    const { frequency } = records;
    if (frequency < MAX_FREQUENCY) records.setFrequency(frequency + 1);
  }

  victim(): number {
    const { small, main } = this.space;
    for (let moves = 0; moves < MAX_MOVES; moves++) {
      const isMain = main.live > this.#total * (1 - SMALL_PART) || small.live === 0;
      const ref = this.#log.oldest(isMain ? main : small);
      if (ref === 0) return 0;
      this.#records.locate(ref);
      const { frequency } = this.#records;
      if (isMain ? frequency === 0 : frequency < PROMOTED_FREQUENCY) return this.#evict(ref, isMain);
      this.#records.setFrequency(isMain ? frequency - 1 : 0);
      this.#reinsert(ref, main);
    }
    return this.#log.oldest(small) || this.#log.oldest(main);
  }

  #evict(ref: number, isMain: boolean): number {
    if (!isMain) {
      const bytes = this.#log.sizeOf(ref);
      const total = this.#total;
      const windowBytes = Math.floor(total * GHOST_PART);
      this.#ghost.add(this.#records.hashOf(ref), bytes, windowBytes, total / this.space.entries);
    }
    return ref;
  }

  override clear(): void {
    this.#ghost.clear();
  }
}
