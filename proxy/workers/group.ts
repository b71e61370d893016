import type { Desk, Group, QuestionName, Questions } from './questions.ts';
import { isForMain } from './questions.ts';

/** Puts a question to all worker threads. */
export type AskWorkers = (name: QuestionName, asked: unknown) => Promise<readonly unknown[]>;

/** All threads, seen from the main one. */
export class MainGroup implements Group {
  readonly isImmediate: boolean;
  readonly #desk: Desk;
  readonly #askWorkers: AskWorkers | null;

  /** `askWorkers` is null where there are no workers. */
  constructor(desk: Desk, askWorkers: AskWorkers | null) {
    this.#desk = desk;
    this.isImmediate = askWorkers === null;
    this.#askWorkers = askWorkers;
  }

  ask<Q extends QuestionName>(
    name: Q,
    asked: Questions[Q]['asked'],
    then: (answers: readonly Questions[Q]['answer'][]) => void,
  ): void {
    const own = this.#desk.answer(name, asked);
    if ((this.#askWorkers === null || isForMain(name)) && !(own instanceof Promise)) {
      then(own === undefined ? [] : [own as Questions[Q]['answer']]);
      return;
    }
    void this.answers(own, name, asked).then(then as (answers: readonly unknown[]) => void);
  }

  /** What the workers answer, behind what this thread does. */
  async answers(own: unknown, name: QuestionName, asked: unknown): Promise<readonly unknown[]> {
    const others = this.#askWorkers === null || isForMain(name) ? [] : this.#askWorkers(name, asked);
    const ofMain = await own;
    return [...(ofMain === undefined ? [] : [ofMain]), ...(await others)];
  }
}

/** All threads, seen from a worker: its questions go through the main thread, which asks everybody. */
export class WorkerGroup implements Group {
  readonly isImmediate = false;
  readonly #post: (id: number, name: QuestionName, asked: unknown) => void;
  readonly #waiting = new Map<number, (answers: readonly never[]) => void>();
  #lastId = 0;

  /** `post` sends a question to the main thread, whose answers come back by `answered`. */
  constructor(post: (id: number, name: QuestionName, asked: unknown) => void) {
    this.#post = post;
  }

  ask<Q extends QuestionName>(
    name: Q,
    asked: Questions[Q]['asked'],
    then: (answers: readonly Questions[Q]['answer'][]) => void,
  ): void {
    const id = ++this.#lastId;
    this.#waiting.set(id, then as (answers: readonly never[]) => void);
    this.#post(id, name, asked);
  }

  answered(id: number, answers: readonly unknown[]): void {
    const then = this.#waiting.get(id);
    this.#waiting.delete(id);
    then?.(answers as readonly never[]);
  }
}
