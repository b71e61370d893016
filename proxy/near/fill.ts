import { hasErrorCode } from '../core/frames.ts';
import type { NamespaceRules } from '../core/namespace-rules.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from '../core/request.ts';
import { Slab } from '../core/slab.ts';
import type { ShardRoute } from '../core/topology.ts';
import { readFilled, readPlain } from './fill-reply.ts';
import type { Found } from './found.ts';
import type { Form } from './read-form.ts';
import type { Flight } from './single-flight.ts';

const GET = '*2\r\n$3\r\nGET\r\n';
const PTTL = '*2\r\n$4\r\nPTTL\r\n';
const RS_GET = '*3\r\n$6\r\nRS.GET\r\n';
const TAIL = '$4\r\nTAIL\r\n';
const slab = new Slab();

/** A client's read that waits for a fill. */
export interface Waiter {
  readonly request: Request;
  readonly form: Form;
}

/** What a fill is about. */
export interface FillParts {
  readonly key: Buffer;
  readonly hash: number;
  readonly bucket: number;
  readonly rules: NamespaceRules;
  readonly route: ShardRoute;
  readonly beganMs: number;
}

/**
 * Fetches one key for all who wait for it. First it may have to wait until no ordinary command on the key is on its way; then its request is sent
 * over a link on which the node tells of changes.
 */
export class Fill implements Sink, Flight<Waiter> {
  /** One character a byte. */
  readonly key: string;
  readonly waiters: Waiter[] = [];
  readonly parts: FillParts;
  /** Number of the link that it was sent over; -1: it was not sent yet. */
  source = -1;
  /** Monotonic milliseconds. */
  sentMs = 0;
  /** What it brings may be outdated: it answers those who wait, and is not kept. */
  isVoid = false;
  readonly #answered: (fill: Fill) => void;
  /** The replies so far, and how many there will be. */
  readonly #replies: Request[] = [];
  #awaited = 0;

  constructor(parts: FillParts, key: string, answered: (fill: Fill) => void) {
    this.parts = parts;
    this.key = key;
    this.#answered = answered;
  }

  get isSent(): boolean {
    return this.source >= 0;
  }

  /** The requests to be sent, next to each other on one link. */
  requests(nowMs: number): Request[] {
    const isNode = this.parts.route.engine === 'ringside';
    this.sentMs = nowMs;
    this.#awaited = isNode ? 1 : 2;
    if (isNode) return [this.#request(RS_GET, TAIL, nowMs)];
    return [this.#request(GET, '', nowMs), this.#request(PTTL, '', nowMs)];
  }

  /** The command of this encoded name, with what follows the key. */
  #request(name: string, tail: string, nowMs: number): Request {
    const { key, route } = this.parts;
    const text = `${name}$${key.length}\r\n${this.key}\r\n${tail}`;
    const start = slab.reserve(text.length);
    const request = acquireRequest();
    request.bytes = slab.bytes;
    request.start = start;
    request.end = start + slab.bytes.latin1Write(text, start);
    request.keyIndex = 1;
    request.protocol = 3;
    request.startedMs = nowMs;
    request.route = route;
    request.sink = this;
    return request;
  }

  ready(reply: Request): void {
    // Another node, or another connection, answered in place of the one that would tell of changes.
    if (reply.retries > 0 || reply.isPossiblyStale) this.isVoid = true;
    this.#replies.push(reply);
    if (this.#replies.length === this.#awaited) this.#answered(this);
  }

  /** Whether a follower answered. */
  get isPossiblyStale(): boolean {
    return this.#replies.some(({ isPossiblyStale }) => isPossiblyStale);
  }

  /** Whether the node refused because the key holds no string. */
  get isOfOtherType(): boolean {
    const [{ bytes, start }] = this.#replies;
    return hasErrorCode(bytes, start, 'WRONGTYPE');
  }

  /** Reads what was answered. False: an error. */
  read(found: Found): boolean {
    const [first, second] = this.#replies;
    return second === undefined ? readFilled(first, found) : readPlain(first, second, found);
  }

  /** Gives the replies back. */
  release(): void {
    for (const reply of this.#replies) releaseRequest(reply);
    this.#replies.length = 0;
  }
}
