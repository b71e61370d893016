import type { Request } from './request.ts';

/** No mark: nobody has to hear of the end of this request. */
export const NO_MARK = -1;

/** Has marked commands that are on their way. */
export interface MarkKeeper {
  /** The command with this mark is answered, or given up. */
  settled(mark: number): void;
}

/**
 * Answers reads in another way than the leader of their shard does, and therefore has to hear of every command on its way to a node: of those that the
 * router sends, by `takes`, and of those that go over connections of their own, by `bypassed`.
 */
export interface ReadPort extends MarkKeeper {
  /** A request is about to be sent for the first time. True: it is answered, or will be; else it is sent. */
  takes(request: Request): boolean;
  /** The commands in `frame` (encoded, one behind the other) are about to be sent. `settled` must be called with the mark once they are answered, or given up. */
  bypassed(frame: Buffer): number;
}

/** Has `keeper` hear of the end of the request by this mark, beside whoever was to hear of it before. */
export function markRequest(request: Request, keeper: MarkKeeper, mark: number): void {
  if (mark === NO_MARK) return;
  const { near, nearMark } = request;
  request.near = near === null ? keeper : new BothKeepers(near, nearMark, keeper);
  request.nearMark = mark;
}

/** Stands for two that have marked one request: the mark that it carries is the second one's. */
class BothKeepers implements MarkKeeper {
  readonly #first: MarkKeeper;
  readonly #firstMark: number;
  readonly #second: MarkKeeper;

  constructor(first: MarkKeeper, firstMark: number, second: MarkKeeper) {
    this.#first = first;
    this.#firstMark = firstMark;
    this.#second = second;
  }

  settled(mark: number): void {
    this.#first.settled(this.#firstMark);
    this.#second.settled(mark);
  }
}

/** Two of them: what the first one does not take is the second one's, whatever the first has marked. */
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
    return this.#first.takes(request) || this.#second.takes(request);
  }

  bypassed(frame: Buffer): number {
    const first = this.#first.bypassed(frame);
    const second = this.#second.bypassed(frame);
    if (first === NO_MARK && second === NO_MARK) return NO_MARK;
    const mark = ++this.#lastMark;
    this.#marks.set(mark, [first, second]);
    return mark;
  }

  settled(mark: number): void {
    const marks = this.#marks.get(mark);
    if (marks === undefined) return;
    this.#marks.delete(mark);
    this.#first.settled(marks[0]);
    this.#second.settled(marks[1]);
  }
}
