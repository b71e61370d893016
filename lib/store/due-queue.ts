import { type TimedLinks, TimingWheel } from './timing-wheel.ts';

/**
 * Finds what is due next also when what comes later is due earlier. A wheel that has been asked for what is due next has turned its time there;
 * what is due before that goes to a second wheel, or else the first would have to turn back, and spread its lists again, each time. So
 * asking stays cheap as long as few are due earlier than what is known, and such go first anyway when memory is short.
 */
export class DueQueue {
  readonly #links: TimedLinks;
  /** Due before the time of `#late`. */
  readonly #early: TimingWheel;
  readonly #late: TimingWheel;

  constructor(links: TimedLinks) {
    this.#links = links;
    this.#early = new TimingWheel(links);
    this.#late = new TimingWheel(links);
  }

  get size(): number {
    return this.#early.size + this.#late.size;
  }

  /** What is due may not be known yet. */
  get isSpreading(): boolean {
    return this.#early.isSpreading || this.#late.isSpreading;
  }

  /** The time of `#late` only ever goes on while anything is held, so an entry is always found where it was put. */
  #wheelOf(ref: number): TimingWheel {
    return this.#links.dueMs(ref) < this.#late.timeMs ? this.#early : this.#late;
  }

  add(ref: number): void {
    if (this.size === 0) this.clear();
    this.#wheelOf(ref).add(ref);
  }

  /** To be called before the time of an entry changes, too. */
  remove(ref: number): void {
    this.#wheelOf(ref).remove(ref);
  }

  /** The record that was at `from` is now at `to`, with its links. */
  moved(from: number, to: number): void {
    this.#wheelOf(to).moved(from, to);
  }

  clear(): void {
    this.#early.clear();
    this.#late.clear();
  }

  /** An entry that is due at `nowMs` or before, or 0: there is none, or (`isSpreading`) another call may find one. */
  due(nowMs: number): number {
    return this.#early.due(nowMs) || this.#late.due(nowMs);
  }

  /** The entry that is due next, or 0; as exact as `TimingWheel.nearest`. */
  nearest(): number {
    return this.#early.size > 0 ? this.#early.nearest() : this.#late.nearest();
  }
}
