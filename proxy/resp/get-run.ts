import { RecentViews } from '../../lib/base/index.ts';
import { replyLineEnd, replyNumber, skipBulk, skipReply } from '../../lib/codec/resp/index.ts';
import { errorReply, hasErrorCode, isErrorReply } from '../core/frames.ts';
import { type AnsweredPart, Gather } from '../core/gather.ts';
import { type Range, valuesInOrder } from '../core/merge-keys.ts';
import type { MissedShare } from '../core/missed-share.ts';
import { acquireRequest, discard, type Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { ShardRoute } from '../core/topology.ts';
import type { RespConnection } from './connection.ts';
import { copyOfReply } from './together.ts';

const NOTHING = Buffer.alloc(0);
const ARRAY = 0x2a;
/** `*2`, `$3` and `GET`, with their line ends. */
const HEAD_BYTES = 13;
const LINE_END_BYTES = 2;

/** What a run is of. */
export interface GetRunParts {
  readonly router: Router;
  readonly connection: RespConnection;
  /** Is told of the keys that are missing. */
  readonly share: MissedShare;
  /** The GETs as they came: `buffer[start, end)`, so many. */
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  readonly nowMs: number;
}

/**
 * GETs of one client that are under way as one MGET for each shard.
 *
 * Where an MGET has no value, GET may have an error: for a key that is no string. So what nothing came of is asked for once more, for the error alone: a value would be younger
 * than what others of the run were answered with.
 */
export class GetRun {
  /** By which part each goes, where there are several. */
  owners: Uint16Array = new Uint16Array(0);
  readonly #parts: GetRunParts;
  /** Stands for all of them in the order of the client's replies. */
  readonly #command: Request;
  readonly #gather: Gather;
  readonly #counts: number[] = [];

  constructor(parts: GetRunParts) {
    this.#parts = parts;
    this.#command = acquireRequest();
    this.#command.keyIndex = -1;
    this.#command.startedMs = parts.nowMs;
    this.#command.times = parts.count;
    parts.connection.append(this.#command);
    this.#gather = new Gather(this.#command, (answered) => this.#finish(answered));
  }

  /** Sends so many that go to one shard, as the MGET `bytes[start, end)`; after the last one `seal` must be called. */
  send(route: ShardRoute, bytes: Buffer, start: number, end: number, count: number): void {
    this.#counts.push(count);
    this.#gather.sendRange(this.#parts.router, route, bytes, start, end, false, count);
  }

  seal(): void {
    this.#gather.seal();
  }

  #finish(answered: readonly AnsweredPart[]): void {
    const { connection, count, share } = this.#parts;
    const failures = answered.map((part, i) => failureOf(part, this.#counts[i]));
    if (this.#command.sink === discard) {
      this.#command.answerWith(NOTHING);
    } else if (failures.some((failure) => failure !== null)) {
      connection.runs.failed();
      this.#answerApart(answered, failures);
    } else {
      connection.runs.went();
      const values = valuesInOrder(this.owners, answered, this.#counts);
      const missing = nullsIn(values, count);
      share.missed(missing.length);
      if (missing.length === 0) this.#command.answer(values.bytes, values.start, values.end);
      else this.#lookForErrors(values, missing);
    }
  }

  #lookForErrors(values: Range, missing: readonly number[]): void {
    const { connection } = this.#parts;
    const command = this.#command;
    this.#sendApart(missing, (answered) => {
      if (!answered.some(isFailed)) {
        command.answer(values.bytes, values.start, values.end);
        return;
      }
      const replies = elementsOf(values, this.#parts.count);
      for (const [n, part] of answered.entries())
        if (isFailed(part)) replies[missing[n]] = copyOfReply(part.reply);
      connection.divide(command, replies);
    });
  }

  /** Each is answered for itself: with what its part failed with, or with what comes when it is sent as it came if it is MGET that is refused. */
  #answerApart(answered: readonly AnsweredPart[], failures: readonly (Buffer | null)[]): void {
    const { connection, count, share } = this.#parts;
    const command = this.#command;
    const elements = answered.map((part, i) => {
      const keys = this.#counts[i];
      return failures[i] === null ? elementsOf(valuesInOrder(this.owners, [part], [keys]), keys) : null;
    });
    const mayAskAgain = failures.map((failure) => failure !== null && isForMget(failure));
    if (mayAskAgain.includes(true)) share.giveUp();
    const replies: Buffer[] = [];
    const again: number[] = [];
    for (let i = 0; i < count; i++) {
      const owner = this.owners[i] ?? 0;
      const element = elements[owner]?.shift();
      replies.push(element ?? failures[owner]!);
      if (element === undefined ? mayAskAgain[owner] : isNull(element)) again.push(i);
    }
    this.#sendApart(again, (parts) => {
      for (const [n, part] of parts.entries()) {
        const i = again[n];
        if (mayAskAgain[this.owners[i] ?? 0] || isFailed(part)) replies[i] = copyOfReply(part.reply);
      }
      connection.divide(command, replies);
    });
  }

  /** Sends some of the GETs, by position, as they came; `done` gets the replies in this order. */
  #sendApart(which: readonly number[], done: (answered: readonly AnsweredPart[]) => void): void {
    const { router, buffer, start } = this.#parts;
    const gather = new Gather(this.#command, done, { keyIndex: 1 });
    for (let i = 0, sent = 0, at = start; sent < which.length; i++) {
      const keyStart = replyLineEnd(buffer, at + HEAD_BYTES);
      const keyEnd = keyStart + replyNumber(buffer, at + HEAD_BYTES);
      const end = keyEnd + LINE_END_BYTES;
      if (i === which[sent]) {
        gather.sendRange(router, router.routeOf(buffer, keyStart, keyEnd), buffer, at, end, false);
        sent++;
      }
      at = end;
    }
    gather.seal();
  }
}

function isFailed({ reply }: AnsweredPart): boolean {
  return isErrorReply(reply.bytes, reply.start);
}

/** What a part failed with; null of one that brought so many elements. */
function failureOf(part: AnsweredPart, count: number): Buffer | null {
  if (isFailed(part)) return copyOfReply(part.reply);
  const { bytes, start } = part.reply;
  if (bytes[start] === ARRAY && replyNumber(bytes, start) === count) return null;
  return errorReply(
    'internal',
    `shard ${part.route.name} answered MGET with something else than ${count} values`,
  );
}

/** Whether the command is refused for what it is, and not for what is wrong with the node. */
function isForMget(failure: Buffer): boolean {
  return hasErrorCode(failure, 0, 'NOPERM') || hasErrorCode(failure, 0, 'ERR');
}

/** Whether an element is `$-1`, or `_` in RESP3. */
function isNull(element: Buffer): boolean {
  return element[0] === 0x5f || (element[0] === 0x24 && element[1] === 0x2d);
}

const NONE: readonly number[] = [];
const views = new RecentViews();

/** Which of so many elements are null. */
function nullsIn({ bytes, start, end }: Range, count: number): readonly number[] {
  const view = views.of(bytes);
  let nulls: number[] | null = null;
  let at = start;
  for (let i = 0; i < count; i++) {
    const next = skipBulk(view, at);
    if (next > 0) at = next;
    else {
      const element = at;
      at = skipReply(bytes, at);
      if (!isNull(bytes.subarray(element, at))) continue;
      nulls ??= [];
      nulls.push(i);
    }
  }
  if (at !== end) throw new Error('an array has another length than its header says');
  return nulls ?? NONE;
}

function elementsOf({ bytes, start }: Range, count: number): Buffer[] {
  const elements: Buffer[] = [];
  for (let at = start; elements.length < count; ) {
    const end = skipReply(bytes, at);
    elements.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return elements;
}
