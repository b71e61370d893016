import { type Request, RequestState } from './request.ts';

/** A place in the order that nobody waits for any more: its reply will come and is dropped. */
const ABANDONED = null;

/**
 * The order of one pipelined connection: first what was sent and awaits replies, behind it what is yet to be sent.
 *
 * A ring of requests; positions (`seq`) are 32-bit and wrap around. All operations are O(1) but `takeAll` and `closeGaps`.
 */
export class RequestQueue {
  #slots: (Request | null)[] = new Array(64).fill(null);
  #mask = 63;
  #head = 0;
  #sent = 0;
  #tail = 0;

  /** Everything in the order, abandoned places included. */
  get length(): number {
    return (this.#tail - this.#head) | 0;
  }

  /** Replies that are still to come. */
  get sentCount(): number {
    return (this.#sent - this.#head) | 0;
  }

  get unsentCount(): number {
    return (this.#tail - this.#sent) | 0;
  }

  /** The position of the next reply. */
  get headSeq(): number {
    return this.#head;
  }

  /** The position that the next request to be sent will have. */
  get sentSeq(): number {
    return this.#sent;
  }

  push(request: Request): void {
    if (this.length > this.#mask) this.#grow();
    request.seq = this.#tail;
    request.state = RequestState.QUEUED;
    this.#slots[this.#tail & this.#mask] = request;
    this.#tail = (this.#tail + 1) | 0;
  }

  /** The request that the next reply belongs to; null when nobody waits for it any more. Only while `sentCount` > 0. */
  shift(): Request | null {
    const index = this.#head & this.#mask;
    const request = this.#slots[index];
    this.#slots[index] = null;
    this.#head = (this.#head + 1) | 0;
    return request;
  }

  /** The next request to be sent moves to the sent ones; null when it was taken away meanwhile (the place is gone then). Only while `unsentCount` > 0. */
  moveToSent(): Request | null {
    const request = this.#slots[this.#sent & this.#mask];
    if (request === null) {
      this.closeGaps();
      return null;
    }
    request.state = RequestState.SENT;
    this.#sent = (this.#sent + 1) | 0;
    return request;
  }

  /** How many of the next requests to be sent, `most` at most, are as `wanted` says. */
  countNext(wanted: (request: Request) => boolean, most: number): number {
    const end = Math.min(this.unsentCount, most);
    for (let i = 0; i < end; i++) {
      const request = this.#slots[(this.#sent + i) & this.#mask];
      if (request === null || !wanted(request)) return i;
    }
    return end;
  }

  /** Whether the request has its place here. */
  has(request: Request): boolean {
    return this.#slots[request.seq & this.#mask] === request;
  }

  /** Takes a request out. If it was sent its place stays, for the reply that will come. */
  take(request: Request): void {
    this.takeAt(request.seq);
  }

  /** Takes out the request at a position. */
  takeAt(seq: number): void {
    this.#slots[seq & this.#mask] = ABANDONED;
  }

  /** Visits the requests from the oldest on, until `visit` returns false. `visit` may take the visited one out. */
  scan(visit: (request: Request) => boolean): void {
    for (let seq = this.#head; seq !== this.#tail; seq = (seq + 1) | 0) {
      const request = this.#slots[seq & this.#mask];
      if (request !== null && !visit(request)) return;
    }
  }

  /** Empties the order; the requests that somebody waits for, oldest first. */
  takeAll(): Request[] {
    const all: Request[] = [];
    this.scan((request) => {
      all.push(request);
      return true;
    });
    this.#slots.fill(null);
    this.#head = this.#sent = this.#tail;
    return all;
  }

  /** Removes the places of requests that were taken out before they were sent. Linear, so not for every one. */
  closeGaps(): void {
    let to = this.#sent;
    for (let from = to; from !== this.#tail; from = (from + 1) | 0) {
      const request = this.#slots[from & this.#mask];
      if (request === null) continue;
      request.seq = to;
      this.#slots[to & this.#mask] = request;
      to = (to + 1) | 0;
    }
    for (let seq = to; seq !== this.#tail; seq = (seq + 1) | 0) this.#slots[seq & this.#mask] = null;
    this.#tail = to;
  }

  #grow(): void {
    const mask = this.#mask * 2 + 1;
    const slots: (Request | null)[] = new Array(mask + 1).fill(null);
    for (let seq = this.#head; seq !== this.#tail; seq = (seq + 1) | 0) {
      slots[seq & mask] = this.#slots[seq & this.#mask];
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}
