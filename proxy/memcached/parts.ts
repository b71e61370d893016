import { acquireRequest, type Request, releaseRequest, type Sink } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { ShardRoute } from '../core/topology.ts';

const NO_BYTES = Buffer.alloc(0);

/**
 * The requests that one command was split into. Once all are answered the command, whose place in the client's order it keeps, is ready; its
 * `Answer` then finds the replies here, as they came.
 */
export class Parts implements Sink {
  readonly command: Request;
  readonly requests: Request[] = [];
  /** Bytes of the replies. */
  bytes = 0;
  readonly #onGrown: (bytes: number) => void;
  #waiting = 0;
  #isComplete = false;
  #isAbandoned = false;

  /** `onGrown` hears of every reply, how many bytes it has. */
  constructor(command: Request, onGrown: (bytes: number) => void) {
    this.command = command;
    this.#onGrown = onGrown;
  }

  /** Sends `bytes[start, end)`; after the last one `seal` must be called. `keyIndex` as for `Request`. */
  send(
    router: Router,
    route: ShardRoute,
    frame: { readonly buffer: Buffer; readonly start: number; readonly end: number },
    isWrite: boolean,
    keyIndex: number,
  ): void {
    const request = acquireRequest();
    request.bytes = frame.buffer;
    request.start = frame.start;
    request.end = frame.end;
    request.isWrite = isWrite;
    request.keyIndex = keyIndex;
    request.startedMs = this.command.startedMs;
    request.sink = this;
    this.requests.push(request);
    this.#waiting++;
    router.submit(request, route);
  }

  /** No further parts. */
  seal(): void {
    this.#isComplete = true;
    this.#finishIfDone();
  }

  ready(request: Request): void {
    this.bytes += request.length;
    if (request.isPossiblyStale) this.command.isPossiblyStale = true;
    this.#waiting--;
    if (!this.#isAbandoned) this.#onGrown(request.length);
    this.#finishIfDone();
  }

  /** Gives the requests back, once the answer is written. */
  release(): void {
    for (const request of this.requests) releaseRequest(request);
    this.requests.length = 0;
  }

  /** The client has gone. */
  abandon(): void {
    this.#isAbandoned = true;
    if (this.#isComplete && this.#waiting === 0) this.release();
  }

  #finishIfDone(): void {
    if (!this.#isComplete || this.#waiting > 0) return;
    if (this.#isAbandoned) this.release();
    this.command.answer(NO_BYTES, 0, 0);
  }
}
