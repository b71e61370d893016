import { GhostTable, type SegmentLog, type SegmentQueue } from '../../lib/store/index.ts';
import { PlainPolicy } from './policy.ts';
import { MAX_FREQUENCY, type Records } from './records.ts';
import type { Space } from './space.ts';

/** Part of the bytes that is the small queue's: where it begins, and how far it may go. */
const FIRST_SMALL_PART = 0.5;
const LEAST_SMALL_PART = 0.1;
const MOST_SMALL_PART = 0.9;
/** What was evicted from a queue remains known for this part of the bytes. */
const GHOST_PART = 0.5;
/** At most so many entries one that comes back may count for. */
const MOST_WEIGHT = 4;
/** A use does not count before this part of the bytes has come after the entry: most often it belongs to the one that brought the entry. */
const YOUNG_PART = 0.05;
/** Used this often, an entry leaves the small queue for the main one. */
const PROMOTED_FREQUENCY = 1;
/** The main queue's ghosts are made ready once it has this part of the bytes from which on something goes from it. */
const NEARLY = 0.75;
/** Pages of memory that are made ready at a time: some 0.2 ms. */
const PAGES = 64;
/** Entries that one search for a victim may pass over; then whatever is next goes. */
const MAX_MOVES = 4096;

/** Moves the record at `ref` to the end of a queue. */
export type Reinsert = (ref: number, queue: SegmentQueue<Space>) => void;

/**
 * S3-FIFO with queues that adapt: a small queue for what is new, a main queue for what was used again, and for each a memory of what was
 * evicted from it lately, which goes to the main queue when it comes back. The queues are those of the log, so entries have no links: only two
 * bits that count their uses.
 *
 * Plain S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, SOSP '23) has a small queue of a tenth, and loses to LRU where the cache has room for
 * most of what is asked for. Here what comes back says which queue was too small, as in ARC (Megiddo and Modha, FAST '03); the small queue
 * begins with half of the bytes, where the policy does about as LRU does. One use is enough to stay, when it is not one of the first moments.
 */
export class S3FifoPolicy extends PlainPolicy {
  readonly #records: Records;
  readonly #log: SegmentLog<Space>;
  readonly #reinsert: Reinsert;
  readonly #smallGhost = new GhostTable();
  readonly #mainGhost = new GhostTable();
  #smallPart = FIRST_SMALL_PART;

  constructor(space: Space, records: Records, reinsert: Reinsert) {
    super(space);
    this.#records = records;
    this.#log = records.log;
    this.#reinsert = reinsert;
  }

  override get reservedBytes(): number {
    return this.#smallGhost.reservedBytes + this.#mainGhost.reservedBytes;
  }

  override queueFor(hash: number): SegmentQueue<Space> {
    const { small, main } = this.space;
    const isFromSmall = this.#smallGhost.take(hash);
    if (!isFromSmall && !this.#mainGhost.take(hash)) return small;
    const shift = isFromSmall
      ? this.#shift(this.#smallGhost, this.#mainGhost)
      : -this.#shift(this.#mainGhost, this.#smallGhost);
    this.#smallPart = Math.min(MOST_SMALL_PART, Math.max(LEAST_SMALL_PART, this.#smallPart + shift));
    return main;
  }

  /** What an entry that comes back moves: one of all entries, and more when its ghost queue remembers less than the other one. */
  #shift(own: GhostTable, other: GhostTable): number {
    const weight = other.heldBytes / Math.max(1, own.heldBytes);
    return Math.min(MOST_WEIGHT, Math.max(1, weight)) / (this.space.entries + 1);
  }

  #total(): number {
    return this.space.small.live + this.space.main.live;
  }

  override touched(ref: number): void {
    const records = this.#records;
    const { frequency } = records;
    if (frequency === MAX_FREQUENCY) return;
    const isYoung =
      records.segment.queue === this.space.small && this.#log.ageOf(ref) < this.#total() * YOUNG_PART;
    if (!isYoung) records.setFrequency(frequency + 1);
  }

  victim(): number {
    const { small, main } = this.space;
    for (let moves = 0; moves < MAX_MOVES; moves++) {
      const isMain = main.live > this.#total() * (1 - this.#smallPart) || small.live === 0;
      const ref = this.#log.oldest(isMain ? main : small);
      if (ref === 0) return 0;
      this.#records.locate(ref);
      const { frequency } = this.#records;
      if (frequency < PROMOTED_FREQUENCY)
        return this.#evict(ref, isMain ? this.#mainGhost : this.#smallGhost);
      if (isMain) this.#records.setFrequency(frequency - 1);
      this.#reinsert(ref, main);
    }
    return this.#log.oldest(small) || this.#log.oldest(main);
  }

  #evict(ref: number, ghost: GhostTable): number {
    const total = this.#total();
    const windowBytes = Math.floor(total * GHOST_PART);
    ghost.add(this.#records.hashOf(ref), this.#log.sizeOf(ref), windowBytes, total / this.space.entries);
    return ref;
  }

  /** Whatever the mean size, the budget is that which the entries do not fill yet. */
  override prepare(used: number): void {
    const total = this.#total();
    if (total === 0) return;
    const windowBytes = (total / used) * GHOST_PART;
    const meanBytes = total / this.space.entries;
    if (!this.#smallGhost.prepare(windowBytes, meanBytes, PAGES)) return;
    const isMainNear = this.space.main.live > total * (1 - this.#smallPart) * NEARLY;
    if (isMainNear) this.#mainGhost.prepare(windowBytes, meanBytes, PAGES);
  }

  override clear(): void {
    this.#smallGhost.clear();
    this.#mainGhost.clear();
    this.#smallPart = FIRST_SMALL_PART;
  }
}
