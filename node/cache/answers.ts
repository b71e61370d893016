/** How long the answer to a named write is kept. */
export const ANSWER_MS = 600_000;

/** Expired answers that each further one looks at, oldest first: more than it adds. */
const SWEPT_PER_ANSWER = 2;

/** What a named write was answered. */
export interface Answer {
  /** Of the request. */
  readonly digest: string;
  /** As it goes over the wire. */
  readonly reply: string;
  /** Unix milliseconds. */
  readonly untilMs: number;
  /** Grows from answer to answer. */
  readonly place: number;
}

/**
 * Answers to writes that carried a name, so that the same write is answered alike when it comes again, and done once. Part of the data set: an
 * answer goes where its write goes, to followers and to disk. Of more than `max` the oldest goes.
 *
 * Text is one byte a character.
 */
export class Answers {
  readonly #max: number;
  readonly #held = new Map<string, Answer>();
  #place = 0;

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
    this.#held.delete(name);
    this.#held.set(name, { digest, reply, untilMs, place: ++this.#place });
    let left = SWEPT_PER_ANSWER;
    for (const [oldest, answer] of this.#held) {
      if (this.#held.size <= this.#max && (left-- === 0 || answer.untilMs > untilMs - ANSWER_MS)) break;
      this.#held.delete(oldest);
    }
  }

  /** Those that are held now, oldest first, whatever comes while they are read. */
  entries(): Generator<[name: string, answer: Answer]> {
    return this.#upTo(this.#place);
  }

  *#upTo(last: number): Generator<[name: string, answer: Answer]> {
    for (const entry of this.#held) {
      if (entry[1].place > last) return;
      yield entry;
    }
  }

  /** The writes are gone. */
  clear(): void {
    this.#held.clear();
  }
}
