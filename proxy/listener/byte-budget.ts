import { RingsideError } from '../../lib/base/index.ts';

/**
 * Bytes that the requests and responses of all clients of a listener may hold at once. Clients are not known by their
 * good manners: without it, each connection could have a request of the largest size half sent.
 */
export class ByteBudget {
  readonly #limit: number;
  readonly #setting: string;
  readonly #onReached: (setting: string) => void;
  #used = 0;

  /** `setting` is the configuration path that clients are told at the limit, and `onReached` each time. */
  constructor(limit: number, setting: string, onReached: (setting: string) => void = () => {}) {
    this.#limit = limit;
    this.#setting = setting;
    this.#onReached = onReached;
  }

  get used(): number {
    return this.#used;
  }

  /** Takes `bytes`, to be given back; false, and nothing taken, when they are not there. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }

  /** The error for a `take` that failed. */
  exceeded(): RingsideError {
    this.#onReached(this.#setting);
    const message = `requests and responses under way hold all of ${this.#setting} (${this.#limit} bytes)`;
    return new RingsideError('overloaded', message);
  }
}
