import { discard, type Request } from '../core/request.ts';
import type { Hedge } from './hedge.ts';
import type { KeyUses } from './key-uses.ts';
import type { PendingRead } from './pending-reads.ts';

/** A read under way that may be sent a second time. */
export class TrackedRead implements PendingRead {
  /** Not to be looked at when the read is over: it is somebody else's then. */
  readonly request: Request;
  readonly stalenessMs: number;
  isOver = false;
  /** What was sent to a follower as well. */
  hedge: Hedge | null = null;
  /** Of its key, as this client uses it, and as clients do that are not told from others. */
  readonly #own: number;
  readonly #common: number;

  constructor(request: Request, stalenessMs: number, own: number, common: number) {
    this.request = request;
    this.stalenessMs = stalenessMs;
    this.#own = own;
    this.#common = common;
  }

  get sinceMs(): number {
    const { link, queuedMs, startedMs } = this.request;
    return link === null ? startedMs : queuedMs;
  }

  /** Whether somebody waits for a node to answer it. */
  get isWaiting(): boolean {
    const { request } = this;
    return !this.isOver && request.sink !== discard && request.link?.queue.has(request) === true;
  }

  /** Whether whatever its client knows of the key, it knew before this moment. */
  isUntouched(uses: KeyUses, moment: number): boolean {
    const isShared = this.#own === this.#common;
    return uses.isUntouched(this.#own, 1, moment) && (isShared || uses.isUntouched(this.#common, 0, moment));
  }

  begin(uses: KeyUses): void {
    uses.add(this.#own);
  }

  /** It is answered, or given up. */
  end(uses: KeyUses): void {
    this.isOver = true;
    uses.leave(this.#own);
    this.hedge?.drop();
    this.hedge = null;
  }
}
