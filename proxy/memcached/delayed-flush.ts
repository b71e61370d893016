import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { errorText, isErrorReply } from '../core/frames.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { Desk } from '../workers/questions.ts';

/** The longest that a timer runs. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * A `flush_all` with a delay: the items that are there when it is over go. One is pending at most in the whole process, the one asked for last; it
 * is this proxy's alone and ends with it.
 */
export class DelayedFlush implements Sink {
  readonly #router: Router;
  #timer: NodeJS.Timeout | undefined;

  /** In the main thread, where it answers for all threads. */
  constructor(router: Router, desk: Desk) {
    this.#router = router;
    desk.on('delayFlush', ({ delayMs }) => {
      this.cancel();
      if (delayMs !== null) this.#schedule(delayMs);
      return null;
    });
  }

  #schedule(delayMs: number): void {
    const waitMs = Math.min(delayMs, LONGEST_MS);
    this.#timer = setTimeout(() => {
      if (delayMs > waitMs) this.#schedule(delayMs - waitMs);
      else this.#flush();
    }, waitMs);
    this.#timer.unref();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  ready(request: Request): void {
    const { bytes, start, end, route } = request;
    if (isErrorReply(bytes, start)) {
      const fields = { shard: route?.name, reply: errorText(bytes, start, end) };
      this.#router.env.log.error(fields, 'a delayed flush_all failed on a shard');
    }
    releaseRequest(request);
  }

  #flush(): void {
    this.#timer = undefined;
    const nowMs = this.#router.env.clock.monotonicMs();
    for (const route of this.#router.routes) {
      const request = acquireRequest();
      request.bytes = encodeCommand('FLUSHDB');
      request.end = request.bytes.length;
      request.isWrite = true;
      request.startedMs = nowMs;
      request.sink = this;
      this.#router.submit(request, route);
    }
  }
}
