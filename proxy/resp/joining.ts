const FIRST_PAUSE = 4;
const LONGEST_PAUSE = 1024;

/** When the commands of one client go together again after they had to be sent once more: each time twice as much passes before. */
export class Joining {
  /** Times that are to pass. */
  #left = 0;
  #pause = FIRST_PAUSE;

  /** Whether they may go together now. */
  isDue(): boolean {
    if (this.#left === 0) return true;
    this.#left--;
    return false;
  }

  /** They went together, and were answered so. */
  went(): void {
    this.#pause = Math.max(FIRST_PAUSE, this.#pause / 2);
  }

  /** It was in vain. */
  failed(): void {
    this.#left = this.#pause;
    this.#pause = Math.min(LONGEST_PAUSE, 2 * this.#pause);
  }
}
