import { type Request, RequestState, type Sink } from './request.ts';

interface Parked {
  readonly request: Request;
  /** What the client gets when the deadline comes first. */
  readonly failure: Buffer;
  /** The node said STALERING. */
  readonly isStale: boolean;
}

/** What leaves the parking at one moment. */
export interface Departures {
  /** To be sent now, of one client in order. */
  readonly due: readonly Request[];
  /** Their deadline has passed. */
  readonly expired: readonly { readonly request: Request; readonly failure: Buffer }[];
}

/**
 * Requests that wait for a newer ring, or for a moment to pass. Nobody overtakes an earlier request of the same client.
 *
 * Pure: times are arguments, in monotonic milliseconds.
 */
export class Parking {
  readonly #operationTimeoutMs: number;
  #parked: Parked[] = [];

  constructor(operationTimeoutMs: number) {
    this.#operationTimeoutMs = operationTimeoutMs;
  }

  get size(): number {
    return this.#parked.length;
  }

  /** Whether requests of this client wait here: later ones must not overtake them. */
  has(client: Sink): boolean {
    return this.#parked.length > 0 && this.#parked.some(({ request }) => clientOf(request) === client);
  }

  /** `retryAtMs`: when it may leave at the latest; Infinity: only with a new ring. */
  add(request: Request, retryAtMs: number, failure: Buffer, isStale = false): void {
    request.state = RequestState.PARKED;
    request.link = null;
    request.retryAtMs = retryAtMs;
    this.#parked.push({ request, failure, isStale });
  }

  /** Takes out this request; false when it is not here. */
  remove(request: Request): boolean {
    const before = this.#parked.length;
    this.#parked = this.#parked.filter((parked) => parked.request !== request);
    return this.#parked.length < before;
  }

  /** The ring is known to be right: those refused as STALERING need not wait any longer. */
  hurryStale(): void {
    for (const { request, isStale } of this.#parked) if (isStale) request.retryAtMs = 0;
  }

  /** Takes out what may leave: with `all` everybody, else those whose time has come. */
  leave(nowMs: number, all: boolean): Departures {
    const held = new Map<Sink, Sink>();
    const due: Request[] = [];
    const expired: Parked[] = [];
    this.#parked = this.#parked.filter((parked) => {
      const { request } = parked;
      if (nowMs - request.startedMs >= this.#operationTimeoutMs) return !expired.push(parked);
      const client = clientOf(request);
      // Parts of one command do not wait for each other.
      const isFirst = !held.has(client) || (request.sink !== client && held.get(client) === request.sink);
      if (isFirst && (all || request.retryAtMs <= nowMs)) return !due.push(request);
      if (!held.has(client)) held.set(client, request.sink);
      return true;
    });
    return { due, expired };
  }

  /** Takes out everybody, as expired. */
  clear(): Departures['expired'] {
    return this.#parked.splice(0);
  }
}

function clientOf({ sink }: Request): Sink {
  return sink.command?.sink ?? sink;
}
