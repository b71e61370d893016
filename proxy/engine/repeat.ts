/** Does something again and again, one time after the other: a while after it ended, or sooner when it is hurried. */
export class Repeat {
  readonly #task: () => Promise<void>;
  readonly #everyMs: () => number;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isHurried = false;
  #isClosed = false;

  /** Begins at once. `task` must not reject; `everyMs` is asked after each time. */
  constructor(task: () => Promise<void>, everyMs: () => number) {
    this.#task = task;
    this.#everyMs = everyMs;
    this.hurry();
  }

  /** Does it now; while it is being done, once more right behind: what it finds out now may be too old. */
  hurry(): void {
    if (this.#isClosed) return;
    if (this.#isRunning) this.#isHurried = true;
    else void this.#run();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#isRunning = true;
    await this.#task();
    this.#isRunning = false;
    if (this.#isClosed) return;
    const delayMs = this.#isHurried ? 0 : this.#everyMs();
    this.#isHurried = false;
    this.#timer = setTimeout(() => void this.#run(), delayMs);
  }
}
