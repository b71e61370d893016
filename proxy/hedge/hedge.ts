import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from '../core/frames.ts';
import { joinPieces } from '../core/large-frame.ts';
import type { Link } from '../core/link.ts';
import { acquireRequest, discard, type Request, releaseRequest, type Sink } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import { type Mark, placeIn, type StreamPlace } from './stream-place.ts';
import type { TrackedRead } from './tracked-read.ts';

/** Asks a node how far it has come. */
export const ASK_PLACE = encodeCommand('INFO', 'replication');

/** What a node answered to that; releases the reply. */
export function takePlace(reply: Request): StreamPlace | null {
  joinPieces(reply);
  const { bytes, start, end } = reply;
  const place = isErrorReply(bytes, start) ? null : placeIn(bytes.latin1Slice(start, end));
  releaseRequest(reply);
  return place;
}

/** Hears what a follower answered. */
export interface HedgeListener {
  /** `reply` holds the answer, which is no error; whoever hears it releases it. `place`: how far the follower had come before that; null: unknown. */
  answered(hedge: Hedge, reply: Request, place: StreamPlace | null): void;
}

/** One read sent to a follower as well, which is asked first, on the same connection, how far it has come: what it answers then is at least as new. */
export class Hedge implements Sink {
  readonly read: TrackedRead;
  /** What the follower must have reached. */
  readonly mark: Mark;
  readonly #listener: HedgeListener;
  #asking: Request | null = null;
  #reading: Request | null = null;
  #place: StreamPlace | null = null;

  constructor(read: TrackedRead, mark: Mark, listener: HedgeListener) {
    this.read = read;
    this.mark = mark;
    this.#listener = listener;
  }

  send(router: Router, link: Link, nowMs: number): void {
    const { bytes, start, end, protocol, keyIndex, route } = this.read.request;
    const request = (frame: Buffer) => {
      const made = acquireRequest();
      made.bytes = frame;
      made.end = frame.length;
      made.protocol = protocol;
      made.startedMs = nowMs;
      made.route = route;
      made.sink = this;
      return made;
    };
    this.#asking = request(ASK_PLACE);
    router.submitOver(this.#asking, link);
    // The client's bytes may be gone before this one leaves.
    this.#reading = request(Buffer.from(bytes.subarray(start, end)));
    this.#reading.keyIndex = keyIndex;
    router.submitOver(this.#reading, link);
  }

  ready(reply: Request): void {
    if (reply === this.#asking) {
      this.#asking = null;
      this.#place = takePlace(reply);
      return;
    }
    this.#reading = null;
    if (!isErrorReply(reply.bytes, reply.start)) this.#listener.answered(this, reply, this.#place);
    else {
      releaseRequest(reply);
      this.drop();
    }
  }

  handBack(request: Request): void {
    if (request === this.#asking) this.#asking = null;
    else this.#reading = null;
    releaseRequest(request);
    this.drop();
  }

  /** Nobody waits any more for what is on its way. */
  drop(): void {
    for (const request of [this.#asking, this.#reading]) if (request !== null) request.sink = discard;
    this.#asking = this.#reading = null;
  }
}
