import { joinPieces } from './large-frame.ts';
import type { Link } from './link.ts';
import { acquireRequest, type Request, RequestState, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';
import type { UnitLane, UnitSink } from './transaction-lanes.ts';
import type { Unit } from './unit.ts';
import { UnitReplies } from './unit-replies.ts';

const NOTHING = Buffer.alloc(0);
/** Whoever waits for the unit knows when to give up. */
const NO_DEADLINE = Number.POSITIVE_INFINITY;

/**
 * Runs one unit over a link that is one client's own: the node tracks what it reads, and invalidations come in order with EXEC's reply. The last of
 * its requests holds all the bytes; those before it only stand for the replies that come before EXEC's.
 */
export class LinkLane implements UnitLane, Sink {
  readonly length = 0;
  lastAnsweredMs = 0;
  readonly #router: Router;
  readonly #link: Link;
  #replies = new UnitReplies(0);
  /** While it waits to be sent, nothing was. */
  #first: Request | null = null;
  /** Null: nobody waits, or not any more. */
  #waiter: UnitSink | null = null;

  constructor(router: Router, link: Link) {
    this.#router = router;
    this.#link = link;
  }

  /** To be called once. */
  run(unit: Unit, waiter: UnitSink): void {
    this.#waiter = waiter;
    this.#replies = new UnitReplies(unit.commands);
    for (let i = 0; i < this.#replies.total; i++) {
      const request = acquireRequest();
      request.bytes = i === this.#replies.total - 1 ? unit.frame : NOTHING;
      request.end = request.bytes.length;
      request.isWrite = true;
      request.protocol = unit.protocol;
      request.database = unit.database;
      request.startedMs = NO_DEADLINE;
      request.sink = this;
      if (i === 0) this.#first = request;
      this.#router.submitOver(request, this.#link);
    }
  }

  ready(request: Request): void {
    if (request === this.#first) this.#first = null;
    joinPieces(request);
    const { bytes, start, end } = request;
    releaseRequest(request);
    const answer = this.#replies.take(bytes, start, end);
    if (this.#replies.isBroken) this.#link.reset('the node refused MULTI');
    if (answer === null) return;
    this.lastAnsweredMs = this.#router.env.clock.monotonicMs();
    this.#leave()?.answered(answer);
  }

  handBack(request: Request, reason: string, wasSent: boolean): void {
    releaseRequest(request);
    this.#leave()?.lost(reason, wasSent);
  }

  giveUp(): boolean {
    const isUnsent = this.#first?.state === RequestState.QUEUED;
    this.#leave();
    if (!isUnsent) return false;
    for (const request of this.#link.takeUnsent(({ sink }) => sink === this)) releaseRequest(request);
    return true;
  }

  close(reason: string): void {
    this.#link.reset(reason);
  }

  #leave(): UnitSink | null {
    const waiter = this.#waiter;
    this.#waiter = null;
    this.#first = null;
    return waiter;
  }
}

/** A lane that takes no unit, for this reason (an error text). */
export function laneWithoutLink(reason: string): UnitLane {
  return {
    length: 0,
    lastAnsweredMs: Number.POSITIVE_INFINITY,
    run: (_unit, sink) => sink.lost(reason, false),
    giveUp: () => true,
    close: () => {},
  };
}
