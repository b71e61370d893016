import { acquireRequest, discard, type Request, type Sink } from '../core/request.ts';
import type { Form } from '../near/index.ts';
import type { Lane, Place, SpreadKey } from './spread-key.ts';

/** Number of a read that does not teach the floor. */
export const NO_TEACHER = -1;

/** Hears how a read went. */
export interface ReadListener {
  /** `reply` holds what was answered; whoever hears it releases it. */
  answered(read: SpreadRead, reply: Request): void;
  /** What was sent to a place that is not the leader came to nothing. */
  lost(read: SpreadRead): void;
}

/** One client's read of a spread key, and the request that is on its way in its stead. */
export class SpreadRead implements Sink {
  readonly key: SpreadKey;
  readonly lane: Lane;
  /** The client's. */
  readonly request: Request;
  readonly form: Form;
  place: Place;
  seq = NO_TEACHER;
  sentMs = 0;
  /** Where a copy is missing of what this read brings. */
  copyTo: Place | null = null;
  readonly #listener: ReadListener;
  #sub: Request | null = null;

  constructor(key: SpreadKey, lane: Lane, request: Request, form: Form, listener: ReadListener) {
    this.key = key;
    this.lane = lane;
    this.request = request;
    this.form = form;
    this.place = lane.at;
    this.#listener = listener;
  }

  /** The request to be sent, made of an encoded command with the key at `keyIndex`. */
  ask(frame: Buffer, keyIndex: number): Request {
    const sub = acquireRequest();
    const { protocol, startedMs, route } = this.request;
    sub.bytes = frame;
    sub.end = frame.length;
    sub.keyIndex = keyIndex;
    sub.protocol = protocol;
    sub.startedMs = startedMs;
    sub.route = route;
    sub.sink = this.place.kind === 'leader' ? this : new Elsewhere(this);
    this.#sub = sub;
    return sub;
  }

  /** Nobody waits any more for what is on its way. */
  recall(): void {
    if (this.#sub !== null) this.#sub.sink = discard;
    this.#sub = null;
  }

  ready(reply: Request): void {
    this.#sub = null;
    this.#listener.answered(this, reply);
  }

  lost(): void {
    this.#sub = null;
    this.#listener.lost(this);
  }
}

/** Takes back what was sent to a place that is not the leader, where it must not be sent again. */
class Elsewhere implements Sink {
  readonly #read: SpreadRead;

  constructor(read: SpreadRead) {
    this.#read = read;
  }

  ready(reply: Request): void {
    this.#read.ready(reply);
  }

  handBack(request: Request): void {
    request.sink = discard;
    discard.ready(request, 0);
    this.#read.lost();
  }
}
