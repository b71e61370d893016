import type { Request, Sink } from './request.ts';
import { RequestState } from './request.ts';

/**
 * Requests that wait while their shard moves to another server: writes, and whatever the same client sends behind one. They leave
 * together, in the order in which they came.
 */
export class HeldRequests {
  readonly #limit: number;
  readonly #clients = new Set<Sink>();
  #requests: Request[] = [];

  /** `limit`: so many requests at most. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#requests.length;
  }

  /** Whether it has to wait here: it may change something, or its client already waits. */
  wants(request: Request): boolean {
    return request.isWrite || (this.#clients.size > 0 && this.#clients.has(clientOf(request)));
  }

  /** False when there is no room for it. */
  add(request: Request): boolean {
    if (this.#requests.length >= this.#limit) return false;
    request.state = RequestState.PARKED;
    request.link = null;
    this.#requests.push(request);
    this.#clients.add(clientOf(request));
    return true;
  }

  /** Takes out this request; false when it is not here. */
  remove(request: Request): boolean {
    const before = this.#requests.length;
    this.#requests = this.#requests.filter((held) => held !== request);
    const client = clientOf(request);
    if (!this.#requests.some((held) => clientOf(held) === client)) this.#clients.delete(client);
    return this.#requests.length < before;
  }

  takeAll(): Request[] {
    this.#clients.clear();
    return this.#requests.splice(0);
  }
}

/** Parts of one command are of the client that sent it. */
function clientOf({ sink }: Request): Sink {
  return sink.command?.sink ?? sink;
}
