import { argumentRange } from '../core/frames.ts';
import { discard, type Request } from '../core/request.ts';
import type { Hedge } from './hedge.ts';
import type { KeyUses } from './key-uses.ts';
import type { PendingRead } from './pending-reads.ts';

/** A read under way that may be sent a second time. */
export abstract class TrackedRead implements PendingRead {
  /** Not to be looked at when the read is over: it is somebody else's then. */
  readonly request: Request;
  readonly stalenessMs: number;
  isOver = false;
  /** What was sent to a follower as well. */
  hedge: Hedge | null = null;

  constructor(request: Request, stalenessMs: number) {
    this.request = request;
    this.stalenessMs = stalenessMs;
  }

  get isMultiGet(): boolean {
    return false;
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

  /** Whether whatever its client knows of its keys, it knew before this moment. Asked first while the read waits. */
  abstract isUntouched(uses: KeyUses, moment: number): boolean;

  /** It is about to be sent. */
  abstract begin(uses: KeyUses): void;

  protected abstract leave(uses: KeyUses): void;

  /** It is answered, or given up. */
  end(uses: KeyUses): void {
    this.isOver = true;
    this.leave(uses);
    this.hedge?.drop();
    this.hedge = null;
  }
}

/** A read of one key. */
export class TrackedKey extends TrackedRead {
  /** The hash of its key, as this client uses it. */
  readonly #own: number;
  /** As clients do that are not told from others; -1 while nobody has asked. */
  #common: number;

  /** `client`: as for `KeyUses.hashOf`. */
  constructor(request: Request, stalenessMs: number, own: number, client: number) {
    super(request, stalenessMs);
    this.#own = own;
    this.#common = client === 0 ? own : -1;
  }

  isUntouched(uses: KeyUses, moment: number): boolean {
    if (this.#common < 0) this.#common = this.#commonHash(uses);
    const isShared = this.#own === this.#common;
    return uses.isUntouched(this.#own, 1, moment) && (isShared || uses.isUntouched(this.#common, 0, moment));
  }

  begin(uses: KeyUses): void {
    uses.add(this.#own);
  }

  protected leave(uses: KeyUses): void {
    uses.leave(this.#own);
  }

  #commonHash(uses: KeyUses): number {
    const { bytes, start, keyIndex } = this.request;
    const key = argumentRange(bytes, start, keyIndex);
    return uses.hashOf(bytes, key.start, key.end, 0);
  }
}
