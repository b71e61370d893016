import type { RingsideError } from '../../lib/base/index.ts';
import { isErrorReply } from './frames.ts';
import { joinPieces } from './large-frame.ts';
import { errorOfReply } from './reply-errors.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';
import type { ShardRoute } from './topology.ts';
import type { Frame } from './value-frame.ts';
import { lengthOf } from './value-frame.ts';

/** A reply that outlives its request: it begins at `start` of `bytes`, and goes on in `rest`. */
export interface Reply {
  readonly bytes: Buffer;
  readonly start: number;
  readonly rest: readonly Buffer[] | null;
  readonly isPossiblyStale: boolean;
  /** As a request has them. */
  readonly nearAgeMs: number;
  readonly nearTtlMs: number;
}

/** Where a command goes, and what it is. */
export interface Target {
  readonly route: ShardRoute;
  readonly isWrite: boolean;
  /** Index of its only key among its arguments; 0: it belongs to its shard as a whole. */
  readonly keyIndex: number;
  /** 0 by default. */
  readonly database?: number;
}

/** Sends commands, and promises their replies. */
export class Caller {
  readonly router: Router;

  constructor(router: Router) {
    this.router = router;
  }

  /** Rejects with the RingsideError that an error reply stands for. The reply is in one piece unless `inPieces`. */
  call(
    { route, isWrite, keyIndex, database = 0 }: Target,
    { bytes, rest }: Frame,
    inPieces = false,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = acquireRequest();
      request.bytes = bytes;
      request.end = bytes.length;
      request.rest = rest;
      request.restBytes = rest === null ? 0 : lengthOf(rest);
      request.isWrite = isWrite;
      request.keyIndex = keyIndex;
      request.database = database;
      request.protocol = 2;
      request.startedMs = this.router.env.clock.monotonicMs();
      request.sink = new Call(resolve, reject, inPieces);
      this.router.submit(request, route);
    });
  }
}

class Call implements Sink {
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: RingsideError) => void;
  readonly #inPieces: boolean;

  constructor(resolve: (reply: Reply) => void, reject: (error: RingsideError) => void, inPieces: boolean) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#inPieces = inPieces;
  }

  ready(request: Request): void {
    if (!this.#inPieces) joinPieces(request);
    const { bytes, start, end, rest, isPossiblyStale, nearAgeMs, nearTtlMs } = request;
    releaseRequest(request);
    if (isErrorReply(bytes, start)) this.#reject(errorOfReply(bytes, start, end));
    else this.#resolve({ bytes, start, rest, isPossiblyStale, nearAgeMs, nearTtlMs });
  }
}
