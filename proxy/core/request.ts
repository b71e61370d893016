import { recycle } from '../../lib/net/index.ts';
import type { Trace } from '../watch/trace.ts';
import type { Link } from './link.ts';
import type { AnswerHook } from './onlooker.ts';
import { type MarkKeeper, NO_MARK } from './read-port.ts';
import type { ShardRoute } from './topology.ts';

/** Where a request is on its way. */
export const RequestState = {
  /** In nobody's hands: new, or back in the pool. */
  IDLE: 0,
  /** Waits at a link; none of its bytes was handed to a socket. */
  QUEUED: 1,
  /** Its bytes were handed to a socket. */
  SENT: 2,
  /** Waits in the router for a newer ring or a moment to pass. */
  PARKED: 3,
  /** Holds its reply. */
  READY: 4,
} as const;
export type RequestState = (typeof RequestState)[keyof typeof RequestState];

/** Whether a GET goes to its node as it is, or as a part of an MGET: see `JoinedGets`. */
export const Joined = {
  NO: 0,
  /** It may be joined with others, should there be any when it leaves. */
  MAY: 1,
  /** It was sent as a part of an MGET. */
  YES: 2,
  /** The MGET had no value for it: it is sent once more, as it is, in case that its key is no string. Any value is younger than what was asked for. */
  ONLY_FOR_ERROR: 3,
} as const;
export type Joined = (typeof Joined)[keyof typeof Joined];

/** Whoever waits for a reply. */
export interface Sink {
  /**
   * `request` holds its reply now, `grewBytes` more (or fewer) than its command had. The sink owns the request again and
   * releases it. Called from within the router: it may submit other requests, and must not throw.
   */
  ready(request: Request, grewBytes: number): void;
  /** Number of the client's connection, from 1; undefined of one that is not told from others. */
  readonly id?: number;
  /** The client's command that the sink's requests are parts of; undefined when they are commands themselves. */
  readonly command?: Request;
  /**
   * The answer of `part` is about to take the place of its bytes, and it is slow or has a trace. `whole` is the client's command that it is a part of, or
   * the same.
   */
  noted?(whole: Request, part: Request): void;
  /**
   * Takes back a request that belonged to one link alone, which is lost or closed, instead of its being sent elsewhere; releases it. `wasSent`: the
   * node may have executed it.
   */
  handBack?(request: Request, reason: string, wasSent: boolean): void;
  /** A part of one of the sink's requests was a write to this shard. */
  noteWritten?(route: ShardRoute | null): void;
}

const NO_BYTES = Buffer.alloc(0);

/**
 * One command on its way through the proxy. Pooled and reused: nobody may hold one after `release`.
 *
 * Bytes are a range of a buffer that somebody else allocated (the client's chunk, then the upstream's): nothing is copied
 * between arrival and departure. First the range is the command, complete and encoded; once READY, it is the reply.
 */
export class Request {
  bytes: Buffer = NO_BYTES;
  start = 0;
  end = 0;
  /** What follows `bytes[start, end)` of a long command or reply, in the pieces in which it came. */
  rest: readonly Buffer[] | null = null;
  restBytes = 0;
  /** The pieces of `rest` are in no other request's hands: whoever is done with this one may recycle them. Cleared by who lets a second request share them. */
  ownsRest = false;
  state: RequestState = RequestState.IDLE;
  /** Changes data: repeated only when it certainly was not executed. */
  isWrite = false;
  /** Index of the key among the arguments of the command; 0: has none, or several (belongs to its shard as a whole). */
  keyIndex = 0;
  /** 2 or 3: the protocol version its reply has to be in. */
  protocol: 2 | 3 = 2;
  /** The database it is about, 0 to 15. */
  database = 0;
  /** A read that no follower may answer. */
  fromLeader = false;
  /** How often it was tried again. */
  retries = 0;
  /** A follower was asked because the leader did not answer. */
  isPossiblyStale = false;
  /** Monotonic milliseconds when the client's bytes were read: the deadline counts from here. */
  startedMs = 0;
  /** Monotonic milliseconds when it joined the queue of its present link. */
  queuedMs = 0;
  /** Monotonic milliseconds when a parked request is tried again at the latest. */
  retryAtMs = 0;
  sink: Sink = discard;
  /** Next in the order of the sink, or of the pool. */
  next: Request | null = null;
  route: ShardRoute | null = null;
  link: Link | null = null;
  /** Position in the link's order. */
  seq = 0;
  /** Id of the client's command, for whoever counts. */
  commandId = 0;
  /** It stands for so many commands of one client. */
  times = 1;
  joined: Joined = Joined.NO;
  /** The client does not want to hear the reply. */
  isMuted = false;
  /** Kept of a command that somebody wants to hear of; null for nearly all. */
  trace: Trace | null = null;
  /** Who is to hear when it is answered or given up, by `nearMark`; null for most. */
  near: MarkKeeper | null = null;
  nearMark = NO_MARK;
  /** Sees the answer first; null for most. */
  hook: AnswerHook | null = null;
  /** Milliseconds since a node was asked, of a reply from the near cache; -1: a node answered. */
  nearAgeMs = -1;
  /** Milliseconds that are left to the value of a reply that the near cache knows more about, -1: for ever; -2: it knows nothing. */
  nearTtlMs = -2;

  /** Bytes of the command, or of the reply. */
  get length(): number {
    return this.end - this.start + this.restBytes;
  }

  /** Puts the reply in place of the command and tells the sink. */
  answer(bytes: Buffer, start: number, end: number): void {
    this.answerInPieces(bytes, start, end, null, 0);
  }

  /** As `answer`, with a reply that goes on in `rest`. `ownsRest`: nobody else holds it. */
  answerInPieces(
    bytes: Buffer,
    start: number,
    end: number,
    rest: readonly Buffer[] | null,
    restBytes: number,
    ownsRest = false,
  ): void {
    const { hook } = this;
    // A hook may keep them.
    this.ownsRest = ownsRest && hook === null;
    if (hook !== null) {
      this.hook = null;
      if (hook.answered(this, bytes, start, end, rest, restBytes)) return;
    }
    const grewBytes = end - start + restBytes - this.length;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.rest = rest;
    this.restBytes = restBytes;
    this.state = RequestState.READY;
    this.link = null;
    if (this.near !== null) settle(this, this.near);
    this.sink.ready(this, grewBytes);
  }

  /** Answers with a buffer of its own. */
  answerWith(reply: Buffer): void {
    this.answer(reply, 0, reply.length);
  }
}

/** Once only, whatever becomes of the request. */
function settle(request: Request, near: MarkKeeper): void {
  request.near = null;
  near.settled(request.nearMark);
}

const POOL_LIMIT = 16_384;
let pool: Request | null = null;
let pooled = 0;

/** A request of which nothing is set but the defaults. */
export function acquireRequest(): Request {
  const request = pool;
  if (request === null) return new Request();
  pool = request.next;
  pooled--;
  request.next = null;
  return request;
}

/** Gives a request back. It must be in no link's, router's or sink's hands. */
export function releaseRequest(request: Request): void {
  if (request.near !== null) settle(request, request.near);
  request.bytes = NO_BYTES;
  request.start = 0;
  request.end = 0;
  request.rest = null;
  request.restBytes = 0;
  request.ownsRest = false;
  request.state = RequestState.IDLE;
  request.isWrite = false;
  request.keyIndex = 0;
  request.database = 0;
  request.fromLeader = false;
  request.retries = 0;
  request.isPossiblyStale = false;
  request.sink = discard;
  request.route = null;
  request.link = null;
  request.times = 1;
  request.joined = Joined.NO;
  request.isMuted = false;
  request.trace = null;
  request.nearAgeMs = -1;
  request.nearTtlMs = -2;
  request.hook = null;
  if (pooled >= POOL_LIMIT) return;
  request.next = pool;
  pool = request;
  pooled++;
}

/** Tells whoever sent the command that `part` belongs to that it is about to be answered. */
export function noteAnswered(part: Request): void {
  let whole = part;
  while (whole.sink.command !== undefined) whole = whole.sink.command;
  whole.sink.noted?.(whole, part);
}

/** The sink of requests whose client has gone. */
export const discard: Sink = { ready: dropReply };

/** Gives back a request whose reply nobody wants, and what that lies in. */
export function dropReply(request: Request): void {
  if (request.ownsRest && request.rest !== null) recycle(request.rest);
  releaseRequest(request);
}
