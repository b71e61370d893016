import { RingsideError } from '../../lib/base/index.ts';
import type { CallDeadlines, HurriedCall } from './call-deadlines.ts';
import { isErrorReply } from './frames.ts';
import { joinPieces } from './large-frame.ts';
import { errorOfReply } from './reply-errors.ts';
import { acquireRequest, discard, type Request, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';
import type { ShardRoute } from './topology.ts';
import type { Frame } from './value-frame.ts';
import { lengthOf } from './value-frame.ts';

const PASSED = 'the deadline of the call has passed; nothing was sent';

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
  /** Monotonic milliseconds at which whoever calls waits no longer; Infinity: no sooner than the router gives up. */
  readonly deadlineMs: number;

  constructor(router: Router, deadlineMs = Number.POSITIVE_INFINITY) {
    this.router = router;
    this.deadlineMs = deadlineMs;
  }

  /** Why nothing may be sent any more; null: it may. */
  refusal(nowMs: number): RingsideError | null {
    return this.deadlineMs <= nowMs ? new RingsideError('timeout', PASSED) : null;
  }

  /**
   * Rejects with the RingsideError that an error reply stands for: `timeout` when the deadline has come, `write_unknown` for a write that was sent by
   * then. The reply is in one piece unless `inPieces`.
   */
  call(
    { route, isWrite, keyIndex, database = 0 }: Target,
    { bytes, rest }: Frame,
    inPieces = false,
  ): Promise<Reply> {
    const { clock, settings } = this.router.env;
    const nowMs = clock.monotonicMs();
    const { deadlineMs } = this;
    const refusal = this.refusal(nowMs);
    if (refusal !== null) return Promise.reject(refusal);
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
      request.startedMs = nowMs;
      const call = new Call(resolve, reject, inPieces);
      request.sink = call;
      if (deadlineMs < nowMs + settings.operationTimeoutMs)
        call.hurry(request, deadlineMs, this.router.calls);
      this.router.submit(request, route);
    });
  }
}

class Call implements Sink, HurriedCall {
  #request: Request | null = null;
  deadlineMs = Number.POSITIVE_INFINITY;
  #deadlines: CallDeadlines | null = null;
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: RingsideError) => void;
  readonly #inPieces: boolean;

  constructor(resolve: (reply: Reply) => void, reject: (error: RingsideError) => void, inPieces: boolean) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#inPieces = inPieces;
  }

  /** It has a deadline of its own. */
  hurry(request: Request, deadlineMs: number, deadlines: CallDeadlines): void {
    this.#request = request;
    this.deadlineMs = deadlineMs;
    this.#deadlines = deadlines;
    deadlines.add(this, request.startedMs);
  }

  get underWay(): readonly Request[] {
    return this.#request === null ? [] : [this.#request];
  }

  leave(request: Request, error: RingsideError): void {
    request.sink = discard;
    this.#request = null;
    this.#reject(error);
  }

  ready(request: Request): void {
    this.#request = null;
    this.#deadlines?.delete(this);
    if (!this.#inPieces) joinPieces(request);
    const { bytes, start, end, rest, isPossiblyStale, nearAgeMs, nearTtlMs } = request;
    releaseRequest(request);
    if (isErrorReply(bytes, start)) this.#reject(errorOfReply(bytes, start, end));
    else this.#resolve({ bytes, start, rest, isPossiblyStale, nearAgeMs, nearTtlMs });
  }
}
