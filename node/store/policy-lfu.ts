import { append, concat, relink, type SegmentQueue, unlink } from '../../lib/store/index.ts';
import type { Policy } from './policy.ts';
import type { RecordLinks } from './record-links.ts';
import type { Space } from './space.ts';

const MAX_FREQUENCY = 255;
/** After this many uses per entry all frequencies are halved, so that what was popular once does not stay for ever. */
const USES_PER_EPOCH = 10;
const EPOCH_BITS = 24;
const EPOCH_MASK = 2 ** EPOCH_BITS - 1;
/** Halved so often, any frequency is 0. */
const MAX_HALVINGS = 8;

/**
 * The least frequently used entry goes, of several the one that came to this frequency first. One list for each frequency, as in the O(1)
 * scheme of Shah, Mitra and Matani (2010).
 *
 * Frequencies stop at 255 and are halved in epochs, all at once: the lists of two neighbouring frequencies become one, and an entry's own count is
 * read with the halvings since it was written.
 */
export class LfuPolicy implements Policy {
  readonly links: 'all' | 'volatile';
  readonly reservedBytes = 0;
  readonly #space: Space;
  readonly #links: RecordLinks;
  #first = new Int32Array(MAX_FREQUENCY + 1);
  /** No list below this one has entries. */
  #lowest = 0;
  #epoch = 0;
  #uses = 0;
  #entries = 0;

  constructor(space: Space, links: RecordLinks, isVolatile: boolean) {
    this.links = isVolatile ? 'volatile' : 'all';
    this.#space = space;
    this.#links = links;
  }

  queueFor(_hash: number): SegmentQueue<Space> {
    return this.#space.main;
  }

  /** How often the entry was used, halved with each epoch since. */
  frequencyOf(ref: number): number {
    const word = this.#links.word(ref);
    const halvings = (this.#epoch - (word >>> 8)) & EPOCH_MASK;
    return halvings >= MAX_HALVINGS ? 0 : (word & MAX_FREQUENCY) >>> halvings;
  }

  added(ref: number, isOld: boolean): void {
    this.#entries++;
    this.#enter(ref, isOld ? 0 : 1);
  }

  #enter(ref: number, frequency: number): void {
    this.#links.setWord(ref, (this.#epoch << 8) | frequency);
    this.#first[frequency] = append(this.#links, this.#first[frequency], ref);
    if (frequency < this.#lowest) this.#lowest = frequency;
  }

  /** Puts the entry behind all others of this frequency, from 0 to 255. */
  setFrequency(ref: number, frequency: number): void {
    this.#leave(ref, this.frequencyOf(ref));
    this.#enter(ref, frequency);
  }

  #leave(ref: number, frequency: number): void {
    this.#first[frequency] = unlink(this.#links, this.#first[frequency], ref);
  }

  touched(ref: number): void {
    const frequency = this.frequencyOf(ref);
    this.#leave(ref, frequency);
    this.#enter(ref, Math.min(MAX_FREQUENCY, frequency + 1));
    this.#uses++;
    if (this.#uses > USES_PER_EPOCH * this.#entries) this.#halve();
  }

  #halve(): void {
    const former = this.#first;
    this.#first = new Int32Array(MAX_FREQUENCY + 1);
    for (let frequency = 0; frequency <= MAX_FREQUENCY; frequency += 2) {
      this.#first[frequency >>> 1] = concat(this.#links, former[frequency], former[frequency + 1]);
    }
    this.#epoch = (this.#epoch + 1) & EPOCH_MASK;
    this.#uses = 0;
    this.#lowest = 0;
  }

  removed(ref: number): void {
    this.#entries--;
    this.#leave(ref, this.frequencyOf(ref));
  }

  moved(from: number, to: number): void {
    relink(this.#links, from, to);
    const frequency = this.frequencyOf(to);
    if (this.#first[frequency] === from) this.#first[frequency] = to;
  }

  victim(): number {
    if (this.#entries === 0) return 0;
    while (this.#first[this.#lowest] === 0) this.#lowest++;
    return this.#first[this.#lowest];
  }

  prepare(_used: number): void {}

  clear(): void {
    this.#first.fill(0);
    this.#lowest = 0;
    this.#uses = 0;
    this.#entries = 0;
  }
}
