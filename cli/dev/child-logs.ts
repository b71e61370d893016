const MAX_HELD = 500;
const HOLD_MS = 5000;

/**
 * What the children log, on its way to the terminal. While a fleet comes up or goes down its members miss each other, which
 * is no news: those lines are held back and dropped, unless coming up takes 5 s.
 */
export class ChildLogs {
  readonly #write: (line: string) => void;
  #held: string[] | null = [];
  #isEnding = false;
  readonly #timer: NodeJS.Timeout;

  /** `showsAll`: nothing is held back, because somebody wants to see it. */
  constructor(write: (line: string) => void, showsAll: boolean) {
    this.#write = write;
    this.#timer = setTimeout(() => this.release(), HOLD_MS);
    if (showsAll) this.release();
  }

  line(text: string): void {
    if (this.#held === null) {
      if (!this.#isEnding) this.#write(text);
    } else if (this.#held.length < MAX_HELD) {
      this.#held.push(text);
    }
  }

  /** Shows what was held back, and from now on every line. */
  release(): void {
    clearTimeout(this.#timer);
    for (const line of this.#held ?? []) this.#write(line);
    this.#held = null;
  }

  /** The fleet is up: what was held back is forgotten, from now on every line is shown. */
  forget(): void {
    this.#held = this.#held === null ? null : [];
    this.release();
  }

  /** The fleet is told to end. */
  end(): void {
    clearTimeout(this.#timer);
    this.#isEnding = true;
  }
}
