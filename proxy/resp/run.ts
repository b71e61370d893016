import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from '../core/frames.ts';
import { type AnsweredPart, Gather } from '../core/gather.ts';
import { acquireRequest, discard, type Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { ShardRoute } from '../core/topology.ts';
import type { RespConnection } from './connection.ts';

/** Commands that go together at most. */
export const MOST_COMMANDS = 256;

const NOTHING = Buffer.alloc(0);
/** `*2`, `$3` and the name of three letters, with their line ends. */
const HEAD_BYTES = 13;
const LINE_END_BYTES = 2;

/** What a run is of. */
export interface RunParts {
  readonly router: Router;
  readonly connection: RespConnection;
  /** The commands as they came, one behind the other from `buffer[start]` on: so many, each with `args` arguments behind its name, of which the first is its key. */
  readonly buffer: Buffer;
  readonly start: number;
  readonly count: number;
  readonly args: 1 | 2;
  /** By which part each goes; null: there is one. */
  readonly owners: Uint16Array | null;
  readonly nowMs: number;
}

/** Commands of one client about one key each that are under way as one command for each shard. */
export abstract class Run {
  protected readonly parts: RunParts;
  /** Stands for all of them in the order of the client's replies. */
  protected readonly command: Request;
  /** How many of them each part has. */
  protected readonly counts: number[] = [];
  readonly #gather: Gather;
  readonly #isWrite: boolean;

  constructor(parts: RunParts, isWrite: boolean) {
    this.parts = parts;
    this.#isWrite = isWrite;
    this.command = acquireRequest();
    this.command.keyIndex = -1;
    this.command.startedMs = parts.nowMs;
    this.command.times = parts.count;
    parts.connection.append(this.command);
    this.#gather = new Gather(this.command, (answered) => {
      if (this.command.sink === discard) this.command.answerWith(NOTHING);
      else this.finish(answered);
    });
  }

  /** Answers all of them, now or later. */
  protected abstract finish(answered: readonly AnsweredPart[]): void;

  /** Sends so many that go to one shard as `bytes[start, end)`; after the last one `seal` must be called. */
  send(route: ShardRoute, bytes: Buffer, start: number, end: number, count: number): void {
    this.counts.push(count);
    this.#gather.sendRange(this.parts.router, route, bytes, start, end, this.#isWrite, count);
  }

  seal(): void {
    this.#gather.seal();
  }

  /** The part that this one goes by. */
  protected ownerOf(i: number): number {
    return this.parts.owners === null ? 0 : this.parts.owners[i];
  }

  /** Whether there is time to send some of them again. */
  protected get hasTime(): boolean {
    const { clock, settings } = this.parts.router.env;
    return clock.monotonicMs() - this.command.startedMs <= settings.operationTimeoutMs / 2;
  }

  /** Sends some of them, by position in ascending order, as they came; `done` gets the replies in this order, and must not keep them. */
  protected sendApart(which: readonly number[], done: (answered: readonly AnsweredPart[]) => void): void {
    const { router, buffer, start, args } = this.parts;
    const gather = new Gather(this.command, done, { keyIndex: 1 });
    for (let i = 0, sent = 0, at = start; sent < which.length; i++) {
      const keyStart = replyLineEnd(buffer, at + HEAD_BYTES);
      const keyEnd = keyStart + replyNumber(buffer, at + HEAD_BYTES);
      let end = keyEnd + LINE_END_BYTES;
      if (args === 2) end = replyLineEnd(buffer, end) + replyNumber(buffer, end) + LINE_END_BYTES;
      if (i === which[sent]) {
        const route = router.routeOf(buffer, keyStart, keyEnd);
        gather.sendRange(router, route, buffer, at, end, this.#isWrite);
        sent++;
      }
      at = end;
    }
    gather.seal();
  }
}

/** Whether a part was answered with an error. */
export function isFailed({ reply }: AnsweredPart): boolean {
  return isErrorReply(reply.bytes, reply.start);
}

/** The reply in memory of its own. */
export function copyOfReply({ bytes, start, end }: Request): Buffer {
  return Buffer.from(bytes.subarray(start, end));
}
