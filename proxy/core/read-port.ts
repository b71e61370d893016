import type { Request } from './request.ts';

/** No mark: nobody has to hear of the end of this request. */
export const NO_MARK = -1;

/**
 * Answers reads in another way than the leader of their shard does, and therefore has to hear of every command on its way to a node: of those that the
 * router sends, by `takes`, and of those that go over connections of their own, by `bypassed`.
 */
export interface ReadPort {
  /** A request is about to be sent for the first time. True: it is answered, or will be; else it is sent. */
  takes(request: Request): boolean;
  /** The commands in `frame` (encoded, one behind the other) are about to be sent. `settled` must be called with the mark once they are answered, or given up. */
  bypassed(frame: Buffer): number;
  settled(mark: number): void;
}

/** Two of them, neither of which takes what the other one marks for itself; a command on several keys may concern both. */
export class BothReadPorts implements ReadPort {
  readonly #first: ReadPort;
  readonly #second: ReadPort;
  /** The marks of both, by the one that stands for them. */
  readonly #marks = new Map<number, readonly [first: number, second: number]>();
  #lastMark = 0;

  constructor(first: ReadPort, second: ReadPort) {
    this.#first = first;
    this.#second = second;
  }

  takes(request: Request): boolean {
    if (this.#first.takes(request)) return true;
    const { near, nearMark } = request;
    if (near === null) return this.#second.takes(request);
    request.near = null;
    if (this.#second.takes(request)) {
      near.settled(nearMark);
      return true;
    }
    const mark = request.near === null ? NO_MARK : request.nearMark;
    request.near = this;
    request.nearMark = this.#join(nearMark, mark);
    return false;
  }

  bypassed(frame: Buffer): number {
    return this.#join(this.#first.bypassed(frame), this.#second.bypassed(frame));
  }

  settled(mark: number): void {
    const marks = this.#marks.get(mark);
    if (marks === undefined) return;
    this.#marks.delete(mark);
    this.#first.settled(marks[0]);
    this.#second.settled(marks[1]);
  }

  #join(first: number, second: number): number {
    if (first === NO_MARK && second === NO_MARK) return NO_MARK;
    const mark = ++this.#lastMark;
    this.#marks.set(mark, [first, second]);
    return mark;
  }
}
