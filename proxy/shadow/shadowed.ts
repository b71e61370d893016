import { errorCodeOf } from '../core/frames.ts';
import type { AnswerHook } from '../core/onlooker.ts';
import { type Request, releaseRequest, type Sink } from '../core/request.ts';
import { type Comparison, digestOf } from './reply-digest.ts';

/** What routers say themselves when nobody answers. */
const NO_ANSWER: ReadonlySet<string> = new Set(['TIMEOUT', 'CLUSTERDOWN', 'OVERLOADED', 'UNKNOWN']);

/** What came of a command that two clusters were sent. */
export type ShadowOutcome = 'equal' | 'different' | 'failed' | 'uncompared';

/** Hears how shadowed commands end. */
export interface ShadowListener {
  /** The other cluster has nothing more to do with it. */
  left(shadowed: Shadowed): void;
  /** Both have answered, or the other one will not. Not called when the own answer never comes, since nobody waits for it any more. */
  judged(shadowed: Shadowed, outcome: ShadowOutcome): void;
}

/** One command that goes to the other cluster too: hears both answers, and never keeps one from whoever waits for it. */
export class Shadowed implements AnswerHook, Sink {
  /** Its key, for people. */
  readonly key: string;
  readonly name: string;
  /** Bytes of the command. */
  readonly bytes: number;
  readonly #comparison: Comparison;
  /** Whoever wanted to see the answer before. */
  readonly #inner: AnswerHook | null;
  readonly #listener: ShadowListener;
  /** Undefined: it has not come; null: it cannot be compared. */
  #own: string | null | undefined;
  #other: string | null | undefined;

  constructor(
    parts: { readonly key: string; readonly name: string; readonly bytes: number },
    comparison: Comparison,
    inner: AnswerHook | null,
    listener: ShadowListener,
  ) {
    this.key = parts.key;
    this.name = parts.name;
    this.bytes = parts.bytes;
    this.#comparison = comparison;
    this.#inner = inner;
    this.#listener = listener;
    if (comparison === null) this.#own = null;
  }

  answered(
    request: Request,
    bytes: Buffer,
    start: number,
    end: number,
    rest: readonly Buffer[] | null,
    restBytes: number,
  ): boolean {
    if (this.#inner?.answered(request, bytes, start, end, rest, restBytes)) {
      // It is going to be another answer.
      this.#own = null;
      this.#judge();
      return true;
    }
    if (this.#own === undefined) {
      this.#own = this.#digest(bytes, start, end, rest);
      this.#judge();
    }
    return false;
  }

  /** The other cluster has answered. */
  ready(request: Request): void {
    const { bytes, start, end, rest } = request;
    const code = errorCodeOf(bytes, start);
    this.#listener.left(this);
    if (code !== null && NO_ANSWER.has(code)) this.#listener.judged(this, 'failed');
    else {
      this.#other = this.#digest(bytes, start, end, rest);
      this.#judge();
    }
    releaseRequest(request);
  }

  #digest(bytes: Buffer, start: number, end: number, rest: readonly Buffer[] | null): string | null {
    return this.#comparison === null ? null : digestOf(this.#comparison, bytes, start, end, rest);
  }

  #judge(): void {
    if (this.#own === undefined || this.#other === undefined) return;
    if (this.#own === null || this.#other === null) this.#listener.judged(this, 'uncompared');
    else this.#listener.judged(this, this.#own === this.#other ? 'equal' : 'different');
  }
}
