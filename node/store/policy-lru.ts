import { append, relink, type SegmentQueue, unlink } from '../../lib/store/index.ts';
import type { Policy } from './policy.ts';
import type { RecordLinks } from './record-links.ts';
import type { Space } from './space.ts';

/** The least recently used entry goes, exactly: a list through the entries in the order of their last use. */
export class LruPolicy implements Policy {
  readonly links: 'all' | 'volatile';
  readonly reservedBytes = 0;
  readonly #space: Space;
  readonly #links: RecordLinks;
  readonly #nowSeconds: () => number;
  #oldest = 0;

  /** `nowSeconds` is noted with each use. */
  constructor(space: Space, links: RecordLinks, isVolatile: boolean, nowSeconds: () => number) {
    this.links = isVolatile ? 'volatile' : 'all';
    this.#space = space;
    this.#links = links;
    this.#nowSeconds = nowSeconds;
  }

  queueFor(_hash: number): SegmentQueue<Space> {
    return this.#space.main;
  }

  added(ref: number, isOld: boolean): void {
    this.#links.setWord(ref, this.#nowSeconds());
    const oldest = append(this.#links, this.#oldest, ref);
    this.#oldest = isOld ? ref : oldest;
  }

  touched(ref: number): void {
    const links = this.#links;
    links.setWord(ref, this.#nowSeconds());
    // In a ring, the first becomes the last when the second becomes the first.
    if (ref === this.#oldest) {
      this.#oldest = links.next(ref);
      return;
    }
    if (links.next(ref) === this.#oldest) return;
    unlink(links, this.#oldest, ref);
    append(links, this.#oldest, ref);
  }

  removed(ref: number): void {
    this.#oldest = unlink(this.#links, this.#oldest, ref);
  }

  moved(from: number, to: number): void {
    relink(this.#links, from, to);
    if (this.#oldest === from) this.#oldest = to;
  }

  victim(): number {
    return this.#oldest;
  }

  prepare(_used: number): void {}

  clear(): void {
    this.#oldest = 0;
  }
}
