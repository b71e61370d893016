import type { AnswerHook } from '../core/onlooker.ts';
import type { Request } from '../core/request.ts';

/** Keeps the answer to a write back until something else is done too. */
export class HeldWrite implements AnswerHook {
  #isDone = false;
  #release: () => void = () => {};

  /** `done` must resolve, and soon: a client waits for it. */
  constructor(done: Promise<unknown>) {
    void done.then(() => {
      this.#isDone = true;
      this.#release();
    });
  }

  answered(
    request: Request,
    bytes: Buffer,
    start: number,
    end: number,
    rest: readonly Buffer[] | null,
    restBytes: number,
  ): boolean {
    if (this.#isDone) return false;
    const reply = Buffer.from(bytes.subarray(start, end));
    this.#release = () => request.answerInPieces(reply, 0, reply.length, rest, restBytes);
    return true;
  }
}
