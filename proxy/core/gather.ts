import type { Args } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from './frames.ts';
import { joinPieces } from './large-frame.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';
import type { ShardRoute } from './topology.ts';

/** The keys of one command that one shard owns. */
export interface KeyGroup {
  readonly route: ShardRoute;
  /** Positions of the keys among the keys of the command, ascending. */
  readonly positions: number[];
}

/** One part of a command that went to several shards, once answered. */
export interface AnsweredPart {
  readonly route: ShardRoute;
  readonly reply: Request;
}

/** Makes the reply of a command of the replies to its parts, in the order in which those were sent. */
export type Merge = (parts: readonly AnsweredPart[]) => Buffer;

/** As `Merge`, but answers the command itself. Must do so before it returns, and not keep the parts' requests. */
export type Finish = (parts: readonly AnsweredPart[], command: Request) => void;

/** Waits for the parts of one command and then answers the command itself. */
export class Gather implements Sink {
  /** The command to answer. */
  readonly command: Request;
  readonly #finish: Finish;
  readonly #parts: AnsweredPart[] = [];
  #waiting = 0;
  #isComplete = false;

  constructor(command: Request, finish: Finish) {
    this.command = command;
    this.#finish = finish;
  }

  /** One whose reply is a buffer of its own. */
  static merging(command: Request, merge: Merge): Gather {
    return new Gather(command, (parts) => command.answerWith(merge(parts)));
  }

  /** Sends a part; then, after the last one, `seal` must be called. */
  send(router: Router, route: ShardRoute, frame: Buffer, isWrite: boolean): void {
    this.sendRange(router, route, frame, 0, frame.length, isWrite);
  }

  /** As `send`, of a part that is `bytes[start, end)`. */
  sendRange(
    router: Router,
    route: ShardRoute,
    bytes: Buffer,
    start: number,
    end: number,
    isWrite: boolean,
  ): void {
    const request = acquireRequest();
    request.bytes = bytes;
    request.start = start;
    request.end = end;
    request.isWrite = isWrite;
    request.protocol = this.command.protocol;
    request.database = this.command.database;
    request.startedMs = this.command.startedMs;
    request.sink = this;
    this.#parts.push({ route, reply: request });
    this.#waiting++;
    router.submit(request, route);
  }

  /** No further parts. */
  seal(): void {
    this.#isComplete = true;
    this.#finishIfDone();
  }

  ready(request: Request): void {
    joinPieces(request);
    if (request.isWrite) this.command.sink.noteWritten?.(request.route);
    this.#waiting--;
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (!this.#isComplete || this.#waiting > 0) return;
    this.command.isPossiblyStale = this.#parts.some(({ reply }) => reply.isPossiblyStale);
    this.#finish(this.#parts, this.command);
    for (const { reply } of this.#parts) releaseRequest(reply);
  }
}

/** Groups the keys `first`, `first + step`, … of a command by the shard that owns them. */
export function groupByShard(router: Router, args: Args, first: number, step: number): KeyGroup[] {
  const byIndex: (KeyGroup | undefined)[] = [];
  const groups: KeyGroup[] = [];
  for (let i = first, position = 0; i < args.count; i += step, position++) {
    const route = router.routeOf(args.buffer, args.start(i), args.end(i));
    let group = byIndex[route.index];
    if (group === undefined) {
      group = { route, positions: [] };
      byIndex[route.index] = group;
      groups.push(group);
    }
    group.positions.push(position);
  }
  return groups;
}

/** The command with only the keys (and what follows each, up to `step`) of one group. */
export function partOf(args: Args, positions: readonly number[], first: number, step: number): Buffer {
  const header = Buffer.from(`*${first + positions.length * step}\r\n`);
  let bytes = header.length;
  const copied = (from: number, to: number) => args.end(to) - encodedStart(args, from) + 2;
  const name = copied(0, first - 1);
  bytes += name;
  for (const position of positions) {
    const i = first + position * step;
    bytes += copied(i, i + step - 1);
  }
  const part = Buffer.allocUnsafe(bytes);
  let at = header.copy(part);
  at += args.buffer.copy(part, at, encodedStart(args, 0), args.end(first - 1) + 2);
  for (const position of positions) {
    const i = first + position * step;
    at += args.buffer.copy(part, at, encodedStart(args, i), args.end(i + step - 1) + 2);
  }
  return part;
}

/** Where the encoded argument (its length line included) begins in the frame. */
function encodedStart(args: Args, i: number): number {
  if (i > 0) return args.end(i - 1) + 2;
  // Back from the name over its length line: `\r\n`, digits, `$`.
  let at = args.start(0) - 3;
  while (args.buffer[at] !== 0x24) at--;
  return at;
}

/** The sum of the integer replies among the parts. */
export function sumOfIntegers(parts: readonly AnsweredPart[]): number {
  let sum = 0;
  for (const { reply } of parts) {
    if (isErrorReply(reply.bytes, reply.start)) continue;
    sum += Number(reply.bytes.latin1Slice(reply.start + 1, reply.end - 2));
  }
  return sum;
}
