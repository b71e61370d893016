import { encodeCommand } from '../../lib/codec/resp/index.ts';
import type { Link } from './link.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';

const PING = encodeCommand('PING');

/** Waits until all that nodes had said over some links when they were asked has been heard, or the links are lost. */
export class Fence implements Sink {
  readonly #router: Router;
  readonly #done: () => void;
  /** Links that have not answered, and one for `seal`. */
  #waiting = 1;

  constructor(router: Router, done: () => void) {
    this.#router = router;
    this.#done = done;
  }

  /** Waits for this link too. Then, after the last one, `seal` must be called. */
  ask(link: Link): void {
    const request = acquireRequest();
    request.bytes = PING;
    request.end = PING.length;
    request.protocol = link.protocol;
    request.database = link.database;
    request.startedMs = this.#router.env.clock.monotonicMs();
    // Nobody else can answer it.
    request.retries = 1;
    request.sink = this;
    this.#waiting++;
    this.#router.submitOver(request, link);
  }

  seal(): void {
    this.#answered();
  }

  ready(request: Request): void {
    releaseRequest(request);
    this.#answered();
  }

  handBack(request: Request): void {
    this.ready(request);
  }

  #answered(): void {
    if (--this.#waiting === 0) this.#done();
  }
}
