import { type MarkKeeper, markRequest, type ReadPort } from '../core/read-port.ts';
import { discard, noteAnswered, type Request, releaseRequest } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import { Fill, type FillParts, type Waiter } from './fill.ts';
import type { FillLinks } from './fill-links.ts';
import { Found, FoundKind } from './found.ts';
import { type NearFigures, NearStat } from './near-figures.ts';
import { answerRead, canTell } from './read-answer.ts';
import type { Form } from './read-form.ts';
import { SingleFlight } from './single-flight.ts';
import type { CommandsUnderWay } from './under-way.ts';

/**
 * How long a fill waits for the ordinary commands on its key to be over. No longer than those take, unless others on keys of the same bucket come
 * without end; then its key is left alone for a while.
 */
const PATIENCE_MS = 100;
const REST_MS = 100;

/** What fills need. */
export interface FillsParts {
  readonly router: Router;
  readonly links: FillLinks;
  readonly underWay: CommandsUnderWay;
  readonly figures: NearFigures;
  /** Marks the reads that are sent on. */
  readonly keeper: MarkKeeper;
  /** Is offered the reads that are sent on, and hears of what is fetched; null: nobody is. */
  readonly onward: ReadPort | null;
  /** Keeps what was found. */
  readonly keep: (fill: Fill, found: Found) => void;
}

/**
 * The fills under way, at most one for each key, and who waits for them.
 *
 * What a fill brings may be older or newer than what an ordinary command on the key sees that is under way at the same time, since they go over different
 * connections. So a fill is sent while there is none, and when one comes, the fill is given up: those who wait for it are sent on as ordinary reads,
 * ahead of the newcomer. Whoever else answers reads (`onward`) hears of a fill as of any command over a connection of its own.
 */
export class Fills {
  readonly #parts: FillsParts;
  readonly #flights = new SingleFlight<Waiter, Fill>();
  /** Fills that wait, by bucket. */
  readonly #held = new Map<number, Fill[]>();
  /** Until when the key of this name is not fetched, monotonic milliseconds. */
  readonly #resting = new Map<string, number>();
  readonly #found = new Found();

  constructor(parts: FillsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#flights.size;
  }

  /** Whether a fill of this key (one character a byte) is under way. */
  has(key: string): boolean {
    return this.#flights.of(key) !== undefined;
  }

  /** The read waits for the fill of its key that is under way; false when there is none. */
  join(key: string, request: Request, form: Form): boolean {
    const fill = this.#flights.of(key);
    if (fill === undefined) return false;
    fill.waiters.push({ request, form });
    this.#parts.figures.add(NearStat.joined, fill.parts.rules.index);
    return true;
  }

  /** Begins a fill for this read, the first that waits; false when that cannot be now. There must be none of the key. */
  begin(parts: FillParts, key: string, request: Request, form: Form): boolean {
    const { leader } = parts.route;
    if (leader === null || leader.isSuspect || (this.#resting.get(key) ?? 0) > parts.beganMs) return false;
    if (this.#parts.links.readyLink(leader) === null) return false;
    const fill = new Fill(parts, key, (done) => this.#answered(done));
    fill.waiters.push({ request, form });
    this.#flights.start(fill);
    if (this.#parts.underWay.count(parts.bucket) === 0) this.#send(fill, parts.beganMs);
    else this.#hold(fill);
    return true;
  }

  /** A command on the key is about to be sent: who waits is sent ahead of it, and what comes is not kept. */
  giveUp(key: string): void {
    const fill = this.#flights.of(key);
    if (fill !== undefined) this.#giveUp(fill);
  }

  giveUpAll(): void {
    for (const fill of this.#flights.all()) this.#giveUp(fill);
  }

  /** The value has changed: what comes may be what was before. */
  outdate(key: string): void {
    const fill = this.#flights.of(key);
    if (fill?.isSent) fill.isVoid = true;
  }

  /** As `outdate`, of everything that comes over this link. */
  outdateSource(source: number): void {
    for (const fill of this.#flights.all()) if (fill.source === source) fill.isVoid = true;
  }

  /** No ordinary command on the keys of this bucket is under way any more. */
  idle(bucket: number): void {
    const held = this.#held.get(bucket);
    if (held === undefined) return;
    this.#held.delete(bucket);
    for (const fill of held)
      if (this.#flights.has(fill)) this.#send(fill, this.#parts.router.env.clock.monotonicMs());
  }

  /** Gives up what has waited for too long. */
  tick(nowMs: number): void {
    for (const [key, untilMs] of this.#resting) if (untilMs <= nowMs) this.#resting.delete(key);
    if (this.#held.size === 0) return;
    for (const fill of [...this.#held.values()].flat())
      if (this.#flights.has(fill) && nowMs - fill.parts.beganMs > PATIENCE_MS) {
        this.#resting.set(fill.key, nowMs + REST_MS);
        this.#giveUp(fill);
      }
  }

  #hold(fill: Fill): void {
    const { bucket } = fill.parts;
    const held = this.#held.get(bucket);
    if (held === undefined) this.#held.set(bucket, [fill]);
    else held.push(fill);
  }

  #send(fill: Fill, nowMs: number): void {
    const { leader } = fill.parts.route;
    const source = leader === null ? null : this.#parts.links.readyLink(leader);
    if (source === null) {
      this.#giveUp(fill);
      return;
    }
    fill.source = source.source;
    this.#parts.figures.add(NearStat.fills, fill.parts.rules.index);
    const { router, onward } = this.#parts;
    for (const request of fill.requests(nowMs)) {
      if (onward !== null)
        markRequest(request, onward, onward.bypassed(request.bytes.subarray(request.start, request.end)));
      router.submitOver(request, source.link);
    }
  }

  #giveUp(fill: Fill): void {
    fill.isVoid = true;
    this.#sendAllOn(fill, this.#flights.land(fill));
  }

  #sendAllOn(fill: Fill, waiters: readonly Waiter[]): void {
    for (const { request } of waiters) this.#sendOn(fill, request);
  }

  #sendOn({ parts: { key, bucket, rules } }: Fill, request: Request): void {
    const { router, underWay, figures, keeper, onward } = this.#parts;
    if (request.sink === discard) {
      releaseRequest(request);
      return;
    }
    figures.add(NearStat.bypasses, rules.index);
    markRequest(request, keeper, underWay.add(bucket));
    const route = router.routeOf(key, 0, key.length);
    request.route = route;
    if (!onward?.takes(request)) router.sendFirst(request, route, router.env.clock.monotonicMs());
  }

  #answered(fill: Fill): void {
    const found = this.#found;
    const { figures, keep } = this.#parts;
    const isNews = this.#flights.has(fill) && !fill.isVoid;
    const waiters = this.#flights.land(fill);
    if (!isNews) figures.add(NearStat.voidedFills, fill.parts.rules.index);
    if (!fill.read(found)) {
      // The key holds no string, or the node failed: the ordinary way tells which.
      found.kind = FoundKind.PASS;
      if (isNews && fill.isOfOtherType) keep(fill, found);
      this.#sendAllOn(fill, waiters);
    } else if (this.#isFinal(fill, found)) {
      if (isNews) keep(fill, found);
      this.#tell(fill, waiters, found);
    } else this.#sendAllOn(fill, waiters);
    fill.release();
  }

  /** Whether nobody knows of another place where the value may be. */
  #isFinal({ parts: { route } }: Fill, { kind }: Found): boolean {
    return this.#parts.router.onlooker?.fetched(route, kind === FoundKind.VALUE) !== true;
  }

  #tell(fill: Fill, waiters: readonly Waiter[], found: Found): void {
    for (const { request, form } of waiters) {
      if (!canTell(form, found)) {
        this.#sendOn(fill, request);
        continue;
      }
      request.isPossiblyStale = fill.isPossiblyStale;
      if (request.trace !== null) noteAnswered(request);
      answerRead(request, form, found, false);
    }
  }
}
