import type { RingsideError } from '../../lib/base/index.ts';
import { replyNumber } from '../../lib/codec/resp/index.ts';
import type { CallDeadlines, HurriedCall } from './call-deadlines.ts';
import { errorReply, isErrorReply } from './frames.ts';
import { joinPieces } from './large-frame.ts';
import { acquireRequest, discard, type Request, RequestState, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';
import type { ShardRoute } from './topology.ts';

/** One part of a command that went to several shards, once answered. */
export interface AnsweredPart {
  readonly route: ShardRoute;
  readonly reply: Request;
}

/** Makes the reply of a command of the replies to its parts, in the order in which those were sent. */
export type Merge = (parts: readonly AnsweredPart[]) => Buffer;

/** As `Merge`, but answers the command itself, as the last thing it does; must not keep the parts' requests. */
export type Finish = (parts: readonly AnsweredPart[], command: Request) => void;

/** How parts are fetched whose replies are not passed on but computed with. */
export interface GatherOptions {
  /** The protocol version of the parts' replies; that of the command by default. */
  readonly protocol?: 2 | 3;
  /** What the replies may weigh together; what would go beyond is an error reply instead (`overloaded`). No limit by default. */
  readonly maxBytes?: number;
  /** Of parts that are about one key each: where that is among the arguments. 0 by default, of parts with several. */
  readonly keyIndex?: number;
}

/** Waits for the parts of one command and then answers the command itself. */
export class Gather implements Sink, HurriedCall {
  /** The command to answer. */
  readonly command: Request;
  readonly #finish: Finish;
  readonly #parts: AnsweredPart[] = [];
  #waiting = 0;
  #isComplete = false;
  readonly #protocol: 2 | 3;
  readonly #maxBytes: number;
  readonly #keyIndex: number;
  /** By the name of the shard: parts that leave when the one before them is answered. */
  #later: Map<string, Request[]> | null = null;
  #router: Router | null = null;
  #bytes = 0;
  deadlineMs = Number.POSITIVE_INFINITY;
  #deadlines: CallDeadlines | null = null;

  constructor(command: Request, finish: Finish, options: GatherOptions = {}) {
    this.command = command;
    this.#finish = finish;
    this.#protocol = options.protocol ?? command.protocol;
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.#keyIndex = options.keyIndex ?? 0;
  }

  /** One whose reply is a buffer of its own. */
  static merging(command: Request, merge: Merge, options?: GatherOptions): Gather {
    return new Gather(command, (parts) => command.answerWith(merge(parts)), options);
  }

  /** To be called ahead of the first part: those that are not answered by then are given up. */
  hurry(deadlineMs: number, deadlines: CallDeadlines): void {
    this.deadlineMs = deadlineMs;
    this.#deadlines = deadlines;
    deadlines.add(this, this.command.startedMs);
  }

  get underWay(): readonly Request[] {
    const later = new Set(Array.from(this.#later?.values() ?? []).flat());
    const isUnderWay = (part: Request) =>
      part.sink === this && part.state !== RequestState.READY && !later.has(part);
    return this.#parts.map(({ reply }) => reply).filter(isUnderWay);
  }

  /** Another request takes the place of this part, with the error. */
  leave(part: Request, { code, message }: RingsideError): void {
    const at = this.#parts.findIndex(({ reply }) => reply === part);
    const failed = acquireRequest();
    failed.sink = this;
    failed.route = part.route;
    this.#parts[at] = { route: this.#parts[at].route, reply: failed };
    part.sink = discard;
    failed.answerWith(errorReply(code, message));
  }

  /** Sends a part; then, after the last one, `seal` must be called. */
  send(router: Router, route: ShardRoute, frame: Buffer, isWrite: boolean): void {
    this.sendRange(router, route, frame, 0, frame.length, isWrite);
  }

  /** As `send`, of a part that is `bytes[start, end)` and stands for so many commands. */
  sendRange(
    router: Router,
    route: ShardRoute,
    bytes: Buffer,
    start: number,
    end: number,
    isWrite: boolean,
    times = 1,
  ): void {
    const request = this.#prepare(route, bytes, start, end, isWrite);
    request.times = times;
    router.submit(request, route);
  }

  /** As `sendRange`, of a read that leaves when the parts before it for the same shard are answered. */
  sendNext(router: Router, route: ShardRoute, bytes: Buffer, start: number, end: number): void {
    const request = this.#prepare(route, bytes, start, end, false);
    this.#later ??= new Map();
    this.#router = router;
    const waiting = this.#later.get(route.name);
    if (waiting !== undefined) {
      request.route = route;
      waiting.push(request);
      return;
    }
    this.#later.set(route.name, []);
    router.submit(request, route);
  }

  /** A part whose reply is at hand. */
  add(route: ShardRoute, reply: Buffer): void {
    const request = acquireRequest();
    request.bytes = reply;
    request.end = reply.length;
    this.#parts.push({ route, reply: request });
  }

  #prepare(route: ShardRoute, bytes: Buffer, start: number, end: number, isWrite: boolean): Request {
    const request = acquireRequest();
    request.bytes = bytes;
    request.start = start;
    request.end = end;
    request.isWrite = isWrite;
    request.keyIndex = this.#keyIndex;
    request.protocol = this.#protocol;
    request.database = this.command.database;
    request.fromLeader = this.command.fromLeader;
    request.startedMs = this.command.startedMs;
    request.sink = this;
    this.#parts.push({ route, reply: request });
    this.#waiting++;
    return request;
  }

  /** No further parts. */
  seal(): void {
    this.#isComplete = true;
    this.#finishIfDone();
  }

  ready(request: Request): void {
    joinPieces(request);
    this.#bytes += request.length;
    if (this.#bytes > this.#maxBytes) refuse(request);
    if (request.isWrite) this.command.sink.noteWritten?.(request.route);
    this.#waiting--;
    if (this.#later !== null) this.#sendLater(request);
    this.#finishIfDone();
  }

  /** A part is answered: the next one for its shard leaves. After an error nothing more is asked of the shard: the command fails anyway. */
  #sendLater({ route, bytes, start, end }: Request): void {
    const shard = route!.name;
    const waiting = this.#later?.get(shard);
    if (waiting === undefined || waiting.length === 0) return;
    if (isErrorReply(bytes, start)) {
      for (const skipped of waiting.splice(0)) skipped.answer(bytes, start, end);
      return;
    }
    const next = waiting.shift()!;
    // The ring may have changed since the command was split.
    this.#router!.submit(next, this.#router!.routes.find(({ name }) => name === shard) ?? route!);
  }

  #finishIfDone(): void {
    if (!this.#isComplete || this.#waiting > 0) return;
    this.#deadlines?.delete(this);
    this.command.isPossiblyStale = this.#parts.some(({ reply }) => reply.isPossiblyStale);
    try {
      this.#finish(this.#parts, this.command);
    } catch (error) {
      // A node that answers something else than what was asked costs this command alone.
      const why = `the replies of the shards make no sense: ${(error as Error).message}`;
      this.command.answerWith(errorReply('internal', why));
    }
    for (const { reply } of this.#parts) releaseRequest(reply);
  }
}

const TOO_MUCH = errorReply(
  'overloaded',
  'the values that this command needs are larger than proxy.limits.maxBufferedBytesPerConnection',
);

/** Lets the reply go. */
function refuse(request: Request): void {
  request.bytes = TOO_MUCH;
  request.start = 0;
  request.end = TOO_MUCH.length;
}

const INTEGER = 0x3a;
const ARRAY = 0x2a;

function checkType({ route, reply }: AnsweredPart, type: number): void {
  if (reply.bytes[reply.start] === type) return;
  const line = reply.bytes.latin1Slice(reply.start, Math.min(reply.end - 2, reply.start + 40));
  throw new Error(`shard ${route.name} answered ${line}`);
}

/** The number that a part's reply is. Throws when it is none. */
export function integerOf(part: AnsweredPart): number {
  checkType(part, INTEGER);
  return replyNumber(part.reply.bytes, part.reply.start);
}

/** The number of elements of a part's reply, an array. Throws when it is none. */
export function countOf(part: AnsweredPart): number {
  checkType(part, ARRAY);
  return Math.max(0, replyNumber(part.reply.bytes, part.reply.start));
}

/** The sum of the integer replies among the parts, errors aside. */
export function sumOfIntegers(parts: readonly AnsweredPart[]): number {
  let sum = 0;
  for (const part of parts) if (!isErrorReply(part.reply.bytes, part.reply.start)) sum += integerOf(part);
  return sum;
}
