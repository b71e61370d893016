import { isRingsideError, type Logger, RingsideError } from '../../lib/base/index.ts';
import type { LeaseWish } from '../core/api.ts';
import type { NamespaceMatcher } from '../core/namespace-rules.ts';
import type { Router } from '../core/router.ts';
import { valueIn } from '../core/value-frame.ts';
import type { OriginFigures } from './figures.ts';
import { Fill, type FillOutcome, type FillWaiter } from './fill.ts';
import { KeyLeases, type Place } from './key-leases.ts';
import type { LeaseReply } from './lease-reply.ts';
import { type Fetched, Origin } from './origin.ts';

/** How often deadlines of those who wait are looked at: what an answer may be late by. */
const TICK_MS = 10;
/** Between two looks at whether somebody else has filled a key. */
const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 50;
/** Of reads over the connections that everybody but RESP clients shares. */
export const LANE = 'resp2';

/** What a read that found nothing was told of the lease. */
export interface FoundLease {
  readonly token: string | null;
  readonly leaseMs: number;
}

/** Whoever waits, and for how long. */
export interface Claim {
  readonly waiter: FillWaiter;
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** All reads that come in the order of one connection to the node; a fill is joined only by those that its lease was handed out before. */
  readonly lane: string;
}

/** A value as a bulk string of RESP: `head`, and behind it `rest`. Times as RS.GET says them. */
export interface WarmFound {
  readonly head: Buffer;
  readonly rest: readonly Buffer[] | null;
  /** Length of the value alone. */
  readonly bytes: number;
  readonly ttlMs: number;
  readonly softTtlMs: number;
}

/** An old cluster that may have what a new one misses. */
export interface WarmSource {
  /** Null: it has nothing that holds. Never rejects. */
  find(place: Place): Promise<WarmFound | null>;
}

interface Task {
  readonly id: string;
  readonly lane: string;
  readonly place: Place;
  readonly origin: Origin;
  readonly fill: Fill;
  /** There was nothing: an old value is better than a fetch. */
  readonly isMiss: boolean;
}

/**
 * Fills keys from the origins of their namespaces, in one thread. The leases of the nodes see to it that a key has one fill at a time in the whole cluster:
 * whoever got the token asks the origin, everybody else looks again now and then, and those of this thread wait together.
 *
 * A fill goes on when those who wait for it have gone. What it brings is refused by the node when the key was written, or the lease ran out, meanwhile.
 */
export class Fills {
  readonly #leases: KeyLeases;
  readonly #router: Router;
  readonly #log: Logger;
  readonly #namespaces: NamespaceMatcher;
  /** By number of the namespace. */
  readonly #origins: readonly (Origin | null)[];
  readonly #tasks = new Map<string, Task>();
  readonly #waitedFor = new Set<Task>();
  /** Where values are looked for before an origin is asked; null: nowhere. */
  warmUp: WarmSource | null = null;
  #ticker: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(router: Router) {
    const { settings, clock, random, log, health } = router.env;
    this.#router = router;
    this.#leases = new KeyLeases(router);
    this.#log = log;
    this.#namespaces = settings.namespaces;
    this.#origins = settings.namespaces.all.map(({ name: namespace, index, config }) => {
      const origin = config?.origin ?? null;
      return origin === null
        ? null
        : new Origin({ namespace, path: `namespaces.${index - 1}.origin` }, origin, {
            clock,
            random,
            log,
            limits: health.limits,
          });
    });
  }

  /** Whether any namespace has an origin: without one nobody need ask. */
  static areNeeded({ all }: NamespaceMatcher): boolean {
    return all.some(({ config }) => (config?.origin ?? null) !== null);
  }

  /** The origin of the key `buffer[start, end)`; null: it has none, or lives where there are no leases. */
  originOf(buffer: Buffer, start: number, end: number): Origin | null {
    const origin = this.#origins[this.#namespaces.rulesOf(buffer, start, end).index];
    if (origin === null || this.#router.routes.length === 0) return null;
    return this.#router.routeOf(buffer, start, end).engine === 'ringside' ? origin : null;
  }

  get figures(): OriginFigures[] {
    return this.#origins.flatMap((origin) => (origin === null ? [] : [origin.figures]));
  }

  /** All counters begin again at 0. */
  resetFigures(): void {
    for (const origin of this.#origins) origin?.resetCounts();
  }

  /** A read found nothing: the value is got, by this thread when the read has brought the lease. */
  missed(origin: Origin, place: Place, lease: FoundLease, { waiter, deadlineMs, lane }: Claim): void {
    const id = `${lane} ${place.database} ${place.key.latin1Slice()}`;
    const task = lease.token === null ? this.#tasks.get(id) : undefined;
    if (task !== undefined) {
      origin.counts.joined++;
      this.#wait(task, waiter, deadlineMs);
      return;
    }
    if (lease.token === null && !origin.isAsked) {
      void origin.fetch(place.key).then((fetched) => waiter.filled(outcomeOf(fetched)));
      return;
    }
    const begun: Task = { id, lane, place, origin, fill: new Fill(), isMiss: true };
    this.#tasks.set(id, begun);
    this.#wait(begun, waiter, deadlineMs);
    void this.#run(begun, lease);
  }

  /** A read found a stale value, or one that is nearly over, and got the lease: a new one is fetched, and nobody waits for it. */
  refresh(origin: Origin, place: Place, token: string, lane: string, isStale: boolean): void {
    origin.counts[isStale ? 'refreshes' : 'earlyRefreshes']++;
    const id = `${lane} ${place.database} ${place.key.latin1Slice()}`;
    const task: Task = { id, lane, place, origin, fill: new Fill(), isMiss: false };
    this.#tasks.set(id, task);
    void this.#run(task, { token, leaseMs: origin.leaseMs });
  }

  /** What a read of a key of this origin asks for. */
  wishOf(origin: Origin): LeaseWish | null {
    return origin.isAsked ? { leaseMs: origin.leaseMs, belowMs: origin.earlyWindowMs() } : null;
  }

  /** Whether reads of the key may be answered from the proxy's own memory: then the first look is one that can be. */
  isKeptNear(key: Buffer): boolean {
    return this.#router.near !== null && this.#namespaces.rulesOf(key, 0, key.length).nearCache !== 'off';
  }

  /** Sees to it that a key is there before it is read. Resolves with why it is not, where the read would not tell. Never rejects. */
  async ensure(origin: Origin, place: Place, deadlineMs: number): Promise<RingsideError | null> {
    try {
      if (this.isKeptNear(place.key)) {
        const { state } = (await this.#leases.read(place, null)).found;
        if (state === 'hit' || state === 'absent') return null;
      }
      const found = await this.#lookOnce(origin, place, LANE);
      if (found.state !== 'miss') return null;
      const outcome = await new Promise<FillOutcome>((filled) =>
        this.missed(origin, place, found, { waiter: { filled }, deadlineMs, lane: LANE }),
      );
      return outcome.kind === 'failed' ? outcome.error : null;
    } catch {
      // The read that comes now is told by the node itself.
      return null;
    }
  }

  /** A stale value has come from somewhere that hands out no leases: whoever gets the lease fetches a new one. */
  refreshIfFree(origin: Origin, place: Place): void {
    this.#lookOnce(origin, place, LANE).catch((error) =>
      this.#log.debug({ namespace: origin.namespace, err: error }, 'a stale value was not looked at again'),
    );
  }

  /** Looks at a key without its value, and refreshes it if it is to be. */
  async #lookOnce(origin: Origin, place: Place, lane: string): Promise<LeaseReply> {
    const { found } = await this.#leases.read(place, this.wishOf(origin), false);
    const isThere = found.state === 'hit' || found.state === 'stale';
    if (isThere && found.token !== null)
      this.refresh(origin, place, found.token, lane, found.state === 'stale');
    return found;
  }

  /** Everybody who waits is told so; requests to origins end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    const error = new RingsideError('shard_down', 'the proxy is shutting down');
    for (const { fill } of this.#waitedFor) fill.settle({ kind: 'failed', error });
    this.#waitedFor.clear();
    await Promise.all(this.#origins.map((origin) => origin?.close()));
  }

  #wait(task: Task, waiter: FillWaiter, deadlineMs: number): void {
    task.fill.join(waiter, deadlineMs);
    if (task.fill.waiting === 0 || this.#waitedFor.has(task)) return;
    this.#waitedFor.add(task);
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const nowMs = this.#router.env.clock.monotonicMs();
    for (const task of this.#waitedFor) {
      const { fill, origin } = task;
      if (fill.waiting > 0) origin.counts.gaveUp += fill.expire(nowMs, tooLate(origin));
      if (fill.waiting === 0) this.#waitedFor.delete(task);
    }
    if (this.#waitedFor.size > 0) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  async #run(task: Task, found: FoundLease): Promise<void> {
    try {
      const token = found.token ?? (await this.#look(task, found.leaseMs));
      if (token !== null) await this.#fetch(task, token === '' ? null : token);
    } catch (error) {
      task.fill.settle({ kind: 'failed', error: error as RingsideError });
    }
    if (this.#tasks.get(task.id) === task) this.#tasks.delete(task.id);
  }

  /**
   * Looks until somebody has filled the key, and tells those who wait. Returns the token when it comes to this thread after all, '' when no lease is to
   * be had by anybody, null when nothing is left to do.
   */
  async #look({ place, origin, fill, lane }: Task, leaseMs: number): Promise<string | null> {
    let delayMs = FIRST_LOOK_MS;
    let othersMs = leaseMs;
    while (othersMs > 0) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(delayMs, othersMs)));
      delayMs = Math.min(2 * delayMs, LAST_LOOK_MS);
      if (fill.waiting === 0 || this.#isClosed) return null;
      const { found, outcome } = await this.#leases.read(place, this.wishOf(origin));
      if (found.token !== null) {
        if (outcome === null) return found.token;
        this.refresh(origin, place, found.token, lane, found.state === 'stale');
      }
      if (outcome !== null) {
        fill.settle(outcome);
        return null;
      }
      othersMs = found.leaseMs;
    }
    return '';
  }

  async #fetch(task: Task, token: string | null): Promise<void> {
    const fetched =
      (await this.#warmed(task)) ??
      (await task.origin.fetch(task.place.key, (value) => task.fill.begin(value)));
    // Sent first: a read that is sent because of the outcome comes behind it.
    const concluded = token === null ? null : this.#conclude(task, token, fetched);
    task.fill.settle(outcomeOf(fetched));
    await concluded;
  }

  /** What an old cluster has; null: the origin is asked. */
  async #warmed({ isMiss, place }: Task): Promise<Fetched | null> {
    const found = isMiss && this.warmUp !== null ? await this.warmUp.find(place) : null;
    if (found === null) return null;
    const { ttlMs, softTtlMs, bytes, head, rest } = found;
    const lifetime = {
      ttlMs: ttlMs < 0 ? null : Math.max(1, ttlMs),
      softTtlMs: softTtlMs < 0 ? null : Math.max(1, softTtlMs),
      isStorable: true,
    };
    return { kind: 'value', value: valueIn(head, 0, rest) ?? [], bytes, lifetime };
  }

  /** The node hears how it ended: others wait for that. */
  async #conclude({ place, origin }: Task, token: string, fetched: Fetched): Promise<void> {
    try {
      if (fetched.kind === 'value' && fetched.lifetime.isStorable)
        await this.#leases.store(place, token, fetched);
      else {
        const absentMs = fetched.kind === 'absent' ? origin.settings.negativeTtlSeconds * 1000 : 0;
        await this.#leases.forgo(place, token, absentMs);
      }
    } catch (error) {
      const isLate = isRingsideError(error, 'lease_void');
      origin.counts[isLate ? 'late' : 'unstored']++;
      if (!isLate)
        this.#log.warn({ namespace: origin.namespace, err: error }, 'a value of an origin was not stored');
    }
  }
}

function outcomeOf(fetched: Fetched): FillOutcome {
  if (fetched.kind !== 'value') return fetched;
  const { value, bytes, lifetime } = fetched;
  return { kind: 'value', value, bytes, ttlMs: lifetime.ttlMs };
}

function tooLate({ namespace }: Origin): FillOutcome {
  const why = `the key has not been filled from the origin of namespace ${namespace} within proxy.operationTimeoutMs, or the deadline of the call`;
  return { kind: 'failed', error: new RingsideError('timeout', why) };
}
