const FIRST_PAUSE = 4;
/** After what cannot go together. */
const REST = 8;
const LONGEST_PAUSE = 1024;

/** When it is looked again whether what has come of a client can go together. After it had to be sent once more, each time twice as much passes before. */
export class Joining {
  /** Times that are to pass. */
  #left = 0;
  #pause = FIRST_PAUSE;

  /** Whether it is to be looked at now. */
  isDue(): boolean {
    if (this.#left === 0) return true;
    this.#left--;
    return false;
  }

  /** What has come is of another kind: more of that will come. */
  rest(): void {
    this.#left = REST;
  }

  /** It went together, and was answered so. */
  went(): void {
    this.#pause = Math.max(FIRST_PAUSE, this.#pause / 2);
  }

  /** It was in vain. */
  failed(): void {
    this.#left = this.#pause;
    this.#pause = Math.min(LONGEST_PAUSE, 2 * this.#pause);
  }
}
