import type { RingsideError } from '../../lib/base/index.ts';
import { isErrorReply } from '../core/frames.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { FillOutcome, FillWaiter } from './fill.ts';
import type { Fills } from './fills.ts';
import { leaseRead, type Place } from './key-leases.ts';
import { type LeaseReply, leaseReplyOf } from './lease-reply.ts';
import type { Origin } from './origin.ts';

/** A reply in the protocol of the client: a bulk string, a null or an error. It goes on in `rest`. */
export interface FoundValue {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly rest: readonly Buffer[] | null;
  readonly restBytes: number;
}

/** Who reads. */
export interface Reader {
  /** The command that the read is a part of, or all of. */
  readonly command: Request;
  readonly router: Router;
  /** As of `Claim`. */
  readonly lane: string;
}

const NULL_BULK = whole(Buffer.from('$-1\r\n'));
const NULL = whole(Buffer.from('_\r\n'));
const CRLF = Buffer.from('\r\n');

/**
 * The read of one key that has an origin, for a RESP client: answered by the node, or with what the origin gives. What the node answers is passed on as
 * it lies.
 */
export class OriginRead implements Sink, FillWaiter {
  readonly command: Request;
  readonly #fills: Fills;
  readonly #origin: Origin;
  readonly #place: Place;
  readonly #reader: Reader;
  readonly #done: (found: FoundValue) => void;
  /** The first look is one that the proxy's own memory may answer. */
  #isFirst: boolean;

  /** `done` is called once; it may be from within `send`. */
  constructor(fills: Fills, origin: Origin, key: Buffer, reader: Reader, done: (found: FoundValue) => void) {
    const { command } = reader;
    this.command = command;
    this.#fills = fills;
    this.#origin = origin;
    this.#place = { database: command.database, key };
    this.#reader = reader;
    this.#done = done;
    this.#isFirst = fills.isKeptNear(key);
  }

  /** Asks the node. */
  send(): void {
    const { command, router } = this.#reader;
    const { key, database } = this.#place;
    const request = acquireRequest();
    request.bytes = leaseRead(key, this.#isFirst ? null : this.#fills.wishOf(this.#origin));
    request.end = request.bytes.length;
    request.keyIndex = 1;
    request.protocol = command.protocol;
    request.database = database;
    request.fromLeader = command.fromLeader;
    request.startedMs = command.startedMs;
    request.sink = this;
    router.submit(request, router.routeOf(key, 0, key.length));
  }

  ready(request: Request): void {
    const { bytes, start, end, rest, restBytes } = request;
    this.command.isPossiblyStale ||= request.isPossiblyStale;
    releaseRequest(request);
    if (isErrorReply(bytes, start)) {
      this.#done({ bytes, start, end, rest, restBytes });
      return;
    }
    const found = leaseReplyOf(bytes, start);
    if (found.state === 'miss') {
      this.#missed(found);
      return;
    }
    if (found.state === 'stale') this.#origin.counts.stale++;
    if (this.#isFirst && found.state === 'stale') this.#fills.refreshIfFree(this.#origin, this.#place);
    if (found.token !== null)
      this.#fills.refresh(this.#origin, this.#place, found.token, this.#reader.lane, found.state === 'stale');
    this.#done({ bytes, start: found.valueAt, end, rest, restBytes });
  }

  #missed(found: LeaseReply): void {
    if (this.#isFirst) {
      this.#isFirst = false;
      this.send();
      return;
    }
    const { command, router, lane } = this.#reader;
    const deadlineMs = command.startedMs + router.env.settings.operationTimeoutMs;
    this.#fills.missed(this.#origin, this.#place, found, { waiter: this, deadlineMs, lane });
  }

  filled(outcome: FillOutcome): void {
    this.#done(replyOf(outcome, this.command.protocol));
  }
}

function replyOf(outcome: FillOutcome, protocol: 2 | 3): FoundValue {
  if (outcome.kind === 'absent') return protocol === 3 ? NULL : NULL_BULK;
  if (outcome.kind === 'failed') return whole(errorOf(outcome.error));
  const head = Buffer.from(`$${outcome.bytes}\r\n`);
  const rest = [...outcome.value, CRLF];
  return { bytes: head, start: 0, end: head.length, rest, restBytes: outcome.bytes + CRLF.length };
}

function errorOf(error: RingsideError): Buffer {
  return Buffer.from(`-${error.toResp()}\r\n`);
}

function whole(bytes: Buffer): FoundValue {
  return { bytes, start: 0, end: bytes.length, rest: null, restBytes: 0 };
}
