import { PlainPolicy } from './policy.ts';
import type { Space } from './space.ts';

/** Random tries to find an entry that may go. */
const TRIES = 32;

/** Draws any entry of the store. */
export interface Draw {
  any(): number;
  /** Whether the entry is one of the space, and (`isVolatile`) has an expiry. */
  mayGo(ref: number, space: Space, isVolatile: boolean): boolean;
  oldest(space: Space): number;
}

/** Any entry, or any with an expiry, each as likely; when there are few among many others, the oldest or the one due next. */
export class RandomPolicy extends PlainPolicy {
  readonly #draw: Draw;
  readonly #isVolatile: boolean;

  constructor(space: Space, draw: Draw, isVolatile: boolean) {
    super(space);
    this.#draw = draw;
    this.#isVolatile = isVolatile;
  }

  victim(): number {
    const { space } = this;
    const candidates = this.#isVolatile ? space.wheel.size : space.entries;
    for (let tries = 0; tries < TRIES && candidates > 0; tries++) {
      const ref = this.#draw.any();
      if (this.#draw.mayGo(ref, space, this.#isVolatile)) return ref;
    }
    return this.#isVolatile ? space.wheel.nearest() : this.#draw.oldest(space);
  }
}
