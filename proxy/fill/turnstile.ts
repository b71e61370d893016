import { BoundedQueue } from '../../lib/base/index.ts';

/** Lets so many in at once; so many more wait for their turn, in the order in which they came. */
export class Turnstile {
  readonly #maxInside: number;
  readonly #queue: BoundedQueue<() => void> | null;
  #inside = 0;

  constructor(maxInside: number, maxQueued: number) {
    this.#maxInside = maxInside;
    this.#queue = maxQueued === 0 ? null : new BoundedQueue(maxQueued);
  }

  /** How many are inside. */
  get inside(): number {
    return this.#inside;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue?.length ?? 0;
  }

  /** Resolves with true once inside, and then `leave` must be called; with false at once when too many wait. */
  enter(): Promise<boolean> {
    if (this.#inside < this.#maxInside) {
      this.#inside++;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      if (!this.#queue?.push(() => resolve(true))) resolve(false);
    });
  }

  /** Whoever waited longest is inside now. */
  leave(): void {
    const next = this.#queue?.shift();
    if (next === undefined) this.#inside--;
    else next();
  }
}
