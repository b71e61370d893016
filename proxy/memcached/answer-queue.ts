import type { Answer } from './answer.ts';

/** The answers to one client's commands, in their order: a ring that grows. */
export class AnswerQueue {
  #slots: (Answer | null)[] = new Array(16).fill(null);
  #mask = 15;
  #head = 0;
  #length = 0;

  push(answer: Answer): void {
    if (this.#length > this.#mask) this.#grow();
    this.#slots[(this.#head + this.#length++) & this.#mask] = answer;
  }

  /** The next one. Only while there is one. */
  shift(): Answer {
    const answer = this.#slots[this.#head]!;
    this.#slots[this.#head] = null;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    return answer;
  }

  /** Takes all that are left. */
  *drain(): Iterable<Answer> {
    while (this.#length > 0) yield this.shift();
  }

  #grow(): void {
    const slots: (Answer | null)[] = new Array(2 * (this.#mask + 1)).fill(null);
    for (let i = 0; i < this.#length; i++) slots[i] = this.#slots[(this.#head + i) & this.#mask];
    this.#slots = slots;
    this.#mask = slots.length - 1;
    this.#head = 0;
  }
}
