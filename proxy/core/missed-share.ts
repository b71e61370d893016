/** So many GETs tell how many of them ask for what is missing. */
const SAMPLE = 512;
/** More than every sixteenth is too many: each of those is asked for twice. */
const MOST_MISSED = 1 / 16;
const SHORTEST_REST = 16 * SAMPLE;
const LONGEST_REST = 128 * SHORTEST_REST;

/** Whether it pays to have GETs go as MGETs: not while many of their keys are missing. */
export class MissedShare {
  #asked = 0;
  #missed = 0;
  /** GETs that are to go apart before it is tried again. */
  #rest = 0;
  #nextRest = SHORTEST_REST;

  /** Whether the next GETs, so many, are to go apart. */
  rests(count: number): boolean {
    if (this.#rest === 0) return false;
    this.#rest = Math.max(0, this.#rest - count);
    return true;
  }

  /** So many were sent together. */
  asked(count: number): void {
    this.#asked += count;
    if (this.#asked >= SAMPLE) this.#judge();
  }

  /** There was no value for so many of them. */
  missed(count: number): void {
    this.#missed += count;
  }

  /** They were refused together: it is long before it is tried again. */
  giveUp(): void {
    this.#rest = LONGEST_REST;
  }

  /** Tries again. */
  clear(): void {
    this.#rest = 0;
  }

  #judge(): void {
    if (this.#missed <= this.#asked * MOST_MISSED) {
      this.#nextRest = Math.max(SHORTEST_REST, this.#nextRest / 2);
    } else {
      this.#rest = this.#nextRest;
      this.#nextRest = Math.min(LONGEST_REST, 2 * this.#nextRest);
    }
    this.#asked = 0;
    this.#missed = 0;
  }
}
