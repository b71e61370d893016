import { hasErrorCode, isErrorReply } from '../core/frames.ts';
import { type AnsweredPart, Gather } from '../core/gather.ts';
import { acquireRequest, discard, type Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { ShardRoute } from '../core/topology.ts';
import type { RespConnection } from './connection.ts';
import { copyOfReply } from './together.ts';

/** SETs that go together at most. */
export const MOST_SETS = 128;

const OK = Buffer.from('+OK\r\n');
const OKS = Buffer.from('+OK\r\n'.repeat(MOST_SETS));
const NOTHING = Buffer.alloc(0);

/** SETs as they came: where each begins, its key begins and ends, and it ends, in `buffer`. */
export interface SetFrames {
  readonly buffer: Buffer;
  readonly starts: Int32Array;
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  readonly ends: Int32Array;
}

/** What a batch is of. */
export interface SetBatchParts {
  readonly router: Router;
  readonly connection: RespConnection;
  readonly frames: SetFrames;
  readonly nowMs: number;
}

/** SETs of one client that are under way as one MSET for each shard. */
export class SetBatch {
  /** By which part each goes, where there are several. */
  owners: Uint16Array | null = null;
  readonly #parts: SetBatchParts;
  /** Stands for all of them in the order of the client's replies. */
  readonly #command: Request;
  readonly #gather: Gather;

  constructor(parts: SetBatchParts) {
    this.#parts = parts;
    this.#command = acquireRequest();
    this.#command.keyIndex = -1;
    this.#command.startedMs = parts.nowMs;
    this.#command.times = parts.frames.starts.length;
    parts.connection.append(this.#command);
    this.#gather = new Gather(this.#command, (answered) => this.#finish(answered));
  }

  /** Sends so many that go to one shard, `bytes[start, end)`; after the last one `seal` must be called. */
  send(route: ShardRoute, bytes: Buffer, start: number, end: number, count: number): void {
    this.#gather.sendRange(this.#parts.router, route, bytes, start, end, true, count);
  }

  seal(): void {
    this.#gather.seal();
  }

  #finish(answered: readonly AnsweredPart[]): void {
    const { joining } = this.#parts.connection;
    if (answered.some(isFailed)) {
      joining.failed();
      this.#answerApart(answered);
    } else {
      joining.went();
      this.#command.answer(OKS, 0, OK.length * this.#command.times);
    }
  }

  /** Each is answered for itself; those that were certainly not executed by what comes when they are sent as they came, while there is time. */
  #answerApart(answered: readonly AnsweredPart[]): void {
    const { router, connection, frames } = this.#parts;
    const command = this.#command;
    if (command.sink === discard) {
      command.answerWith(NOTHING);
      return;
    }
    const mayAskAgain = answered.map((part) => this.#mayAskAgain(part));
    const replies = Array.from(frames.starts, (_, i) => {
      const owner = this.owners?.[i] ?? 0;
      if (!isFailed(answered[owner])) return OK;
      return mayAskAgain[owner] ? null : copyOfReply(answered[owner].reply);
    });
    const again = Array.from(replies.keys()).filter((i) => replies[i] === null);
    const gather = new Gather(
      command,
      (parts) => {
        for (const [n, { reply }] of parts.entries()) replies[again[n]] = copyOfReply(reply);
        connection.divide(command, replies as Buffer[]);
      },
      { keyIndex: 1 },
    );
    for (const i of again) {
      const route = router.routeOf(frames.buffer, frames.keyStarts[i], frames.keyEnds[i]);
      gather.sendRange(router, route, frames.buffer, frames.starts[i], frames.ends[i], true);
    }
    gather.seal();
  }

  #mayAskAgain({ reply }: AnsweredPart): boolean {
    if (hasErrorCode(reply.bytes, reply.start, 'UNKNOWN')) return false;
    const { clock, settings } = this.#parts.router.env;
    return clock.monotonicMs() - this.#command.startedMs <= settings.operationTimeoutMs / 2;
  }
}

function isFailed({ reply }: AnsweredPart): boolean {
  return isErrorReply(reply.bytes, reply.start);
}
