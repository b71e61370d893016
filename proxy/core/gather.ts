import { type Args, replyLineEnd, skipReply } from '../../lib/codec/resp/index.ts';
import { errorText, isErrorReply, plainError } from './frames.ts';
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

/**
 * Waits for the parts of one command and then answers the command itself.
 *
 * The parts are released after `merge` has made one reply of them; `merge` must copy what it keeps.
 */
export class Gather implements Sink {
  /** The command to answer. */
  readonly command: Request;
  readonly #merge: (parts: readonly AnsweredPart[]) => Buffer;
  readonly #parts: AnsweredPart[] = [];
  #waiting = 0;
  #isComplete = false;

  constructor(command: Request, merge: (parts: readonly AnsweredPart[]) => Buffer) {
    this.command = command;
    this.#merge = merge;
  }

  /** Sends a part; then, after the last one, `seal` must be called. */
  send(router: Router, route: ShardRoute, frame: Buffer, isWrite: boolean): void {
    const request = acquireRequest();
    request.bytes = frame;
    request.end = frame.length;
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
    const reply = this.#merge(this.#parts);
    this.command.isPossiblyStale = this.#parts.some(({ reply: part }) => part.isPossiblyStale);
    for (const part of this.#parts) releaseRequest(part.reply);
    this.command.answerWith(reply);
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

/** MGET: the values in the order of the keys, or one error that names the shards and keys that failed. */
export function mergeValues(groups: readonly KeyGroup[], keyCount: number, command: string) {
  return (parts: readonly AnsweredPart[]): Buffer => {
    const failed = failedParts(groups, parts);
    if (failed.length > 0)
      return partialFailure(
        command,
        failed,
        keyCount,
        'the other keys were read, but their values are not returned',
      );
    const starts = new Array<number>(keyCount);
    const ends = new Array<number>(keyCount);
    const sources = new Array<Buffer>(keyCount);
    let bytes = 0;
    groups.forEach(({ positions }, index) => {
      const { reply } = parts[index];
      let at = replyLineEnd(reply.bytes, reply.start);
      for (const position of positions) {
        sources[position] = reply.bytes;
        starts[position] = at;
        at = skipReply(reply.bytes, at);
        ends[position] = at;
        bytes += at - starts[position];
      }
    });
    const header = Buffer.from(`*${keyCount}\r\n`);
    const merged = Buffer.allocUnsafe(header.length + bytes);
    let at = header.copy(merged);
    for (let i = 0; i < keyCount; i++) at += sources[i].copy(merged, at, starts[i], ends[i]);
    return merged;
  };
}

/** DEL, EXISTS and their like: the sum, or an error that says how much was done and which keys failed. */
export function mergeSums(groups: readonly KeyGroup[], keyCount: number, command: string) {
  return (parts: readonly AnsweredPart[]): Buffer => {
    const failed = failedParts(groups, parts);
    const sum = sumOfIntegers(parts);
    if (failed.length === 0) return Buffer.from(`:${sum}\r\n`);
    const done = keyCount - countKeys(failed);
    return partialFailure(
      command,
      failed,
      keyCount,
      `done for the other ${done} keys, with the result ${sum}`,
    );
  };
}

/** MSET: OK, or an error that says which keys were written and which were not. */
export function mergeOks(groups: readonly KeyGroup[], keyCount: number, command: string) {
  return (parts: readonly AnsweredPart[]): Buffer => {
    const failed = failedParts(groups, parts);
    if (failed.length === 0) return Buffer.from('+OK\r\n');
    return partialFailure(
      command,
      failed,
      keyCount,
      `the other ${keyCount - countKeys(failed)} keys were written`,
    );
  };
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

interface FailedPart {
  readonly shard: string;
  readonly positions: readonly number[];
  readonly error: string;
}

function failedParts(groups: readonly KeyGroup[], parts: readonly AnsweredPart[]): FailedPart[] {
  return groups.flatMap(({ positions }, index) => {
    const { route, reply } = parts[index];
    if (!isErrorReply(reply.bytes, reply.start)) return [];
    return [{ shard: route.name, positions, error: errorText(reply.bytes, reply.start, reply.end) }];
  });
}

function countKeys(failed: readonly FailedPart[]): number {
  return failed.reduce((sum, { positions }) => sum + positions.length, 0);
}

/** At most this many keys are named, by their place in the command (1 is the first). */
const NAMED_KEYS = 20;

/**
 * The code is that of the first failure, but UNKNOWN if the outcome of any part is: then the client must not believe that nothing
 * happened to those keys.
 */
function partialFailure(
  command: string,
  failed: readonly FailedPart[],
  keyCount: number,
  rest: string,
): Buffer {
  const unknown = failed.find(({ error }) => error.startsWith('UNKNOWN '));
  const code = unknown ? 'UNKNOWN write outcome unknown:' : failed[0].error.split(' ', 1)[0];
  const details = failed.map(({ shard, positions, error }) => {
    const named = positions.slice(0, NAMED_KEYS).map((position) => position + 1);
    const more = positions.length > NAMED_KEYS ? ', …' : '';
    return `shard ${shard} (keys ${named.join(', ')}${more}): ${error}`;
  });
  return plainError(
    `${code} ${command} failed for ${countKeys(failed)} of ${keyCount} keys: ${details.join('; ')}; ${rest}`,
  );
}
