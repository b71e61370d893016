import type { Logger } from '../../lib/base/index.ts';
import { replyNumber } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, lookupCommand } from '../../lib/commands/index.ts';
import type { Config, ShadowConfig } from '../../lib/config/index.ts';
import { argumentRange } from '../core/frames.ts';
import type { Onlooker } from '../core/onlooker.ts';
import { OtherCluster } from '../core/other-cluster.ts';
import { acquireRequest, type Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { ShardRoute } from '../core/topology.ts';
import { TokenBucket } from '../health/index.ts';
import { comparisonOf } from './reply-digest.ts';
import { newShadowCounts, type ShadowCounts } from './shadow-figures.ts';
import { Shadowed, type ShadowListener, type ShadowOutcome } from './shadowed.ts';
import { Share } from './share.ts';

/** Reads of several keys, which begin behind their name. */
const SEVERAL: ReadonlySet<string> = new Set(['mget', 'rs.mget', 'rs.mcget', 'rs.mcgets']);
const MAX_LOGGED_KEY = 128;

/** Where shadowing works. */
export interface ShadowParts {
  readonly router: Router;
  readonly config: Config;
  readonly settings: ShadowConfig;
}

/**
 * Sends a share of the commands of one thread to another cluster too, behind those that go to the clients' own, and compares the answers. No client waits for
 * it, nor hears of it: what the other cluster does not take in time is dropped, and counted.
 */
export class Shadow implements Onlooker, ShadowListener {
  /** Commands that the other cluster has not answered, and their bytes. */
  inFlight = 0;
  readonly #other: OtherCluster;
  readonly #settings: ShadowConfig;
  readonly #share: Share;
  readonly #router: Router;
  readonly #log: Logger;
  readonly #lines: TokenBucket | null;
  readonly #counts = newShadowCounts();
  readonly #send = () => this.#sendAll();
  #bytes = 0;
  /** What leaves when the clients' own commands have. */
  #waiting: { readonly request: Request; readonly route: ShardRoute }[] = [];
  #isClosed = false;

  constructor({ router, config, settings }: ShadowParts) {
    const { clock, log, random } = router.env;
    const { to: shards, timeoutMs, maxInFlight, maxLogLinesPerSecond } = settings;
    this.#router = router;
    this.#settings = settings;
    this.#log = log;
    this.#share = new Share(settings, router.env.settings.namespaces, random);
    this.#other = new OtherCluster({ shards, timeoutMs, maxInFlight }, config, router.env);
    this.#lines =
      maxLogLinesPerSecond === 0 ? null : new TokenBucket(maxLogLinesPerSecond, clock.monotonicMs());
  }

  /** What this thread has done so far. */
  get counts(): ShadowCounts {
    return { ...this.#counts };
  }

  /** All counters begin again at 0. */
  resetCounts(): void {
    Object.assign(this.#counts, newShadowCounts());
  }

  sees(request: Request): void {
    if (request.isWrite && !this.#settings.writes) return;
    const { bytes, start, keyIndex } = request;
    if (keyIndex < 0 || (keyIndex === 0 && (request.isWrite || request.rest !== null))) return;
    if (keyIndex > 0) {
      const key = argumentRange(bytes, start, keyIndex);
      if (this.#share.picks(bytes, key.start, key.end)) this.#shadow(request, key.start, key.end);
      return;
    }
    const spec = specOf(request);
    if (spec === undefined || !SEVERAL.has(spec.name)) return;
    const key = argumentRange(bytes, start, 1);
    if (!this.#share.picks(bytes, key.start, key.end)) return;
    if (this.#other.router.routes.length === 1) this.#shadow(request, key.start, key.end);
    else this.#counts.unsupported++;
  }

  bypassed(): void {
    // What goes over connections of its own belongs together, and to one client.
  }

  fetched(): boolean {
    return false;
  }

  close(): void {
    this.#isClosed = true;
    this.#other.close();
  }

  #shadow(request: Request, keyStart: number, keyEnd: number): void {
    const { bytes, start, end, length } = request;
    const { maxInFlight, maxInFlightBytes, compare } = this.#settings;
    const spec = specOf(request);
    const route = this.#other.router.routeOf(bytes, keyStart, keyEnd);
    if (spec === undefined || (spec.group === 'ringside' && route.engine === 'redis')) {
      this.#counts.unsupported++;
      return;
    }
    if (this.inFlight >= maxInFlight || this.#bytes + length > maxInFlightBytes) {
      this.#counts.dropped++;
      return;
    }
    const key = bytes.latin1Slice(keyStart, Math.min(keyEnd, keyStart + MAX_LOGGED_KEY));
    const comparison = compare ? comparisonOf(spec, replyNumber(bytes, start)) : null;
    const shadowed = new Shadowed({ key, name: spec.name, bytes: length }, comparison, request.hook, this);
    if (comparison !== null) request.hook = shadowed;
    this.inFlight++;
    this.#bytes += length;
    this.#counts.sent++;
    const copy = acquireRequest();
    // The client's own memory is not kept for this.
    copy.bytes = Buffer.from(bytes.subarray(start, end));
    copy.end = copy.bytes.length;
    copy.rest = request.rest;
    request.ownsRest = false;
    copy.restBytes = request.restBytes;
    copy.isWrite = request.isWrite;
    copy.keyIndex = request.keyIndex;
    copy.protocol = request.protocol;
    copy.database = request.database;
    copy.sink = shadowed;
    this.#waiting.push({ request: copy, route });
    if (this.#waiting.length === 1) setImmediate(this.#send);
  }

  #sendAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (this.#isClosed) return;
    const nowMs = this.#router.env.clock.monotonicMs();
    for (const { request, route } of waiting) {
      request.startedMs = nowMs;
      this.#other.router.submit(request, route);
    }
  }

  left({ bytes }: Shadowed): void {
    this.inFlight--;
    this.#bytes -= bytes;
  }

  judged({ key, name }: Shadowed, outcome: ShadowOutcome): void {
    this.#counts[outcome]++;
    if (outcome !== 'different' || this.#lines === null) return;
    if (!this.#lines.take(1, this.#router.env.clock.monotonicMs())) return;
    this.#log.warn({ command: name, key }, 'the other cluster answered something else (proxy.shadow)');
  }
}

function specOf({ bytes, start }: Request): CommandSpec | undefined {
  const name = argumentRange(bytes, start, 0);
  return lookupCommand(bytes, name.start, name.end);
}
