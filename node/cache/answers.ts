import { LargeMap } from './large-map.ts';

/** How long the answer to a named write is kept. */
export const ANSWER_MS = 600_000;

/** Expired answers that each further one looks at, oldest first: more than it adds. */
const SWEPT_PER_ANSWER = 2;
/** So many that are gone may lie before the oldest before they are let go of, if they are the most. */
const MAX_GONE = 4096;

/** What a named write was answered. */
export interface Answer {
  readonly name: string;
  /** Of the request. */
  readonly digest: string;
  /** As it goes over the wire. */
  readonly reply: string;
  /** Unix milliseconds. */
  readonly untilMs: number;
}

/**
 * Answers to writes that carried a name, so that the same write is answered alike when it comes again, and done once. Part of the data set: an
 * answer goes where its write goes, to followers and to disk. Of more than `max` the oldest goes.
 *
 * Text is one byte a character.
 */
export class Answers {
  readonly #max: number;
  #held = new LargeMap<Answer>();
  /** Oldest first, from `#first` on; among them some that are held no more. */
  #queue: Answer[] = [];
  #first = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#held.size;
  }

  /** What the write of this name was answered; undefined when it has not come, or too long ago. */
  find(name: string, nowMs: number): Answer | undefined {
    const answer = this.#held.get(name);
    return answer === undefined || answer.untilMs <= nowMs ? undefined : answer;
  }

  /** The write of this name has been answered. Saying it again changes nothing. */
  keep(name: string, digest: string, reply: string, untilMs: number): void {
    const before = this.#held.get(name);
    if (before !== undefined && before.untilMs === untilMs && before.digest === digest) return;
    if (before !== undefined) this.#held.delete(name);
    const answer = { name, digest, reply, untilMs };
    this.#held.add(name, answer);
    this.#queue.push(answer);
    this.#sweep(untilMs - ANSWER_MS);
  }

  /** Those that are held now, oldest first, whatever comes while they are read. */
  entries(): Iterator<Answer> {
    return this.#heldOf(this.#queue.slice(this.#first));
  }

  *#heldOf(answers: readonly Answer[]): Generator<Answer> {
    for (const answer of answers) if (this.#held.get(answer.name) === answer) yield answer;
  }

  /** The writes are gone. */
  clear(): void {
    this.#held.clear();
    this.#queue = [];
    this.#first = 0;
  }

  #sweep(nowMs: number): void {
    for (let left = SWEPT_PER_ANSWER; this.#first < this.#queue.length; this.#first++) {
      const { name, untilMs } = this.#queue[this.#first];
      if (this.#held.get(name) !== this.#queue[this.#first]) continue;
      if (this.#held.size <= this.#max && (left-- === 0 || untilMs > nowMs)) break;
      this.#held.delete(name);
    }
    if (this.#first < MAX_GONE || this.#first * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#first);
    this.#first = 0;
  }
}
