import { murmur3x86_32 } from '../../lib/ring/index.ts';

/** What keys are told by: hashes are below. Keys of the same hash are taken for one. */
export const HASHES = 2 ** 30;
const SLOT_BITS = 18;
const SLOT_MASK = (1 << SLOT_BITS) - 1;
const SECOND_SLOT_SHIFT = 30 - SLOT_BITS;

/**
 * When commands on keys were last under way, in moments: time goes on to the next one whenever somebody says so. Does no I/O.
 *
 * A use is noted in two slots, each of which other keys use as well: a key whose first or second slot is untouched is untouched, and one whose slots both
 * are not is taken for touched, as in a Bloom filter (B. H. Bloom, CACM 1970). So a use is never overlooked, and of the many keys of a multi-get there is
 * seldom one that is taken for another.
 */
export class KeyUses {
  readonly #hashSeed: number;
  /**
   * Of each slot, side by side: commands under way, and the lower 32 bits of the moment in which one was last answered, or given up. A slot that was not used
   * for half of what they can tell is taken for touched.
   */
  readonly #slots = new Int32Array(2 << SLOT_BITS);
  #allUnderWay = 0;
  #allOver = 0;
  #moment: number;

  /** `hashSeed`: what makes it hard to find keys that are taken for each other. */
  constructor(hashSeed: number, firstMoment = 1) {
    this.#hashSeed = hashSeed;
    this.#moment = firstMoment;
  }

  /** Begins the next moment, and returns it. */
  begin(): number {
    return ++this.#moment;
  }

  /** The hash of the key `buffer[start, end)` as this client uses it; 0: clients that are not told from others. */
  hashOf(buffer: Buffer, start: number, end: number, client: number): number {
    return murmur3x86_32(buffer, start, end, (this.#hashSeed ^ client) >>> 0) & (HASHES - 1);
  }

  /** A command on a key of this hash is about to be sent. */
  add(hash: number): void {
    this.#count(hash, 1);
  }

  /** It is answered, or given up. */
  leave(hash: number): void {
    this.#leaveSlot(firstSlot(hash));
    this.#leaveSlot(secondSlot(hash));
  }

  /** A command that may concern any key is about to be sent. */
  addAll(): void {
    this.#allUnderWay++;
  }

  leaveAll(): void {
    this.#allUnderWay--;
    this.#allOver = this.#moment;
  }

  /** Whether every command on the keys of this hash, but for `own` that are under way, was over before the moment began, and none has come since. */
  isUntouched(hash: number, own: number, moment: number): boolean {
    if (this.#allUnderWay > 0 || this.#allOver >= moment) return false;
    return this.#isFree(firstSlot(hash), own, moment) || this.#isFree(secondSlot(hash), own, moment);
  }

  /** Whether that is so of all these hashes, but for one command under way for each time that a hash is in `own`. */
  areUntouched(own: readonly number[], others: readonly number[], moment: number): boolean {
    const isUntouched = (hash: number) => this.isUntouched(hash, 0, moment);
    for (const hash of own) this.#count(hash, -1);
    const are = own.every(isUntouched) && others.every(isUntouched);
    for (const hash of own) this.#count(hash, 1);
    return are;
  }

  #count(hash: number, more: number): void {
    this.#slots[firstSlot(hash)] += more;
    this.#slots[secondSlot(hash)] += more;
  }

  #leaveSlot(slot: number): void {
    this.#slots[slot]--;
    this.#slots[slot + 1] = this.#moment;
  }

  #isFree(slot: number, own: number, moment: number): boolean {
    return this.#slots[slot] <= own && ((moment - this.#slots[slot + 1]) | 0) > 0;
  }
}

/** Where the counter of the slot lies. */
function firstSlot(hash: number): number {
  return 2 * (hash & SLOT_MASK);
}

function secondSlot(hash: number): number {
  return 2 * (hash >>> SECOND_SLOT_SHIFT);
}
