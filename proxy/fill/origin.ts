import { type Clock, type Logger, type Random, RingsideError } from '../../lib/base/index.ts';
import type { OriginConfig } from '../../lib/config/index.ts';
import type { Pieces } from '../core/api.ts';
import { CircuitBreaker, type LimitLog, REFUSED } from '../health/index.ts';
import { ArrivingValue } from './arriving-value.ts';
import { EarlyRefresh } from './early-refresh.ts';
import { newCounts, type OriginFigures } from './figures.ts';
import { type HttpAnswer, HttpClient, type OnHead } from './http-client.ts';
import { type HeaderFields, type Lifetime, lifetimeOf } from './lifetime.ts';
import { OriginUrl } from './origin-url.ts';
import { Turnstile } from './turnstile.ts';

/** A lease outlives the request it is for, so that the value still gets in. */
const LEASE_MARGIN_MS = 1000;
/** From here on a value is passed on while it comes. */
const ARRIVING_BYTES = 64 * 1024;
const NOT_THERE: ReadonlySet<number> = new Set([404, 410]);

/** How a question to an origin ended. */
export type Fetched =
  | { readonly kind: 'value'; readonly value: Pieces; readonly bytes: number; readonly lifetime: Lifetime }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly error: RingsideError };

/** What an origin needs of its thread. */
export interface OriginDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Hears of limits that are reached. */
  readonly limits: LimitLog;
}

/** The HTTP origin of one namespace, as one thread sees it. */
export class Origin {
  readonly namespace: string;
  readonly settings: OriginConfig;
  /** Milliseconds that the lease of a fill runs. */
  readonly leaseMs: number;
  readonly counts = newCounts();
  readonly #path: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: LimitLog;
  readonly #url: OriginUrl;
  readonly #client: HttpClient;
  readonly #turnstile: Turnstile;
  readonly #breaker: CircuitBreaker;
  readonly #early: EarlyRefresh;

  /** `path`: of its settings. */
  constructor(
    { namespace, path }: { readonly namespace: string; readonly path: string },
    settings: OriginConfig,
    { clock, random, log, limits }: OriginDeps,
  ) {
    this.namespace = namespace;
    this.#path = path;
    this.settings = settings;
    this.leaseMs = settings.timeoutMs + LEASE_MARGIN_MS;
    this.#clock = clock;
    this.#random = random;
    this.#limits = limits;
    this.#url = new OriginUrl(settings.url);
    this.#client = new HttpClient(this.#url.server, settings.maxConcurrent);
    this.#turnstile = new Turnstile(settings.maxConcurrent, settings.maxQueued);
    const { minimumRequests: minimumOutcomes, ...breaker } = settings.breaker;
    const setting = `${path}.breaker`;
    this.#breaker = new CircuitBreaker({ ...breaker, minimumOutcomes, probes: 1 }, random, (state, reason) =>
      log.warn({ namespace, setting, state, reason }, 'the circuit breaker of an origin has changed'),
    );
    this.#early = new EarlyRefresh(settings.earlyRefreshBeta);
  }

  /** Whether asking is worth while: false while the breaker is open. */
  get isAsked(): boolean {
    return this.#breaker.retryAfterMs(this.#clock.monotonicMs()) === 0;
  }

  /** For one read: a value with fewer milliseconds left is to be refreshed; 0: none is. */
  earlyWindowMs(): number {
    return this.settings.earlyRefreshBeta === 0 ? 0 : this.#early.windowMs(this.#random.next());
  }

  get figures(): OriginFigures {
    return {
      namespace: this.namespace,
      breaker: this.#breaker.state,
      inFlight: this.#turnstile.inside,
      queued: this.#turnstile.waiting,
      counts: { ...this.counts },
    };
  }

  /** All counters begin again at 0. */
  resetCounts(): void {
    Object.assign(this.counts, newCounts());
  }

  /**
   * Asks for the value of a key, or says at once why not. Never rejects. Waiting for its turn counts towards `timeoutMs`. `began` hears of a long value as
   * soon as it begins to come.
   */
  async fetch(key: Buffer, began: (value: ArrivingValue) => void = () => {}): Promise<Fetched> {
    const path = this.#url.pathOf(key);
    if (path === null) return { kind: 'absent' };
    if (!this.isAsked) return this.#refusal();
    const startedMs = this.#clock.monotonicMs();
    if (!(await this.#turnstile.enter())) {
      this.counts.queueFull++;
      this.#reached('maxQueued');
      return this.#failed('overloaded', `too many keys wait (${this.#path}.maxQueued)`);
    }
    try {
      return await this.#fetch(path, startedMs, began);
    } finally {
      this.#turnstile.leave();
    }
  }

  async #fetch(path: string, startedMs: number, began: (value: ArrivingValue) => void): Promise<Fetched> {
    const { timeoutMs, maxBytes } = this.settings;
    const beganMs = this.#clock.monotonicMs();
    const leftMs = Math.ceil(timeoutMs - (beganMs - startedMs));
    if (leftMs <= 0) {
      this.counts.timeouts++;
      this.#reached('maxConcurrent');
      return this.#failed('timeout', `no turn within ${timeoutMs} ms (${this.#path}.maxConcurrent)`);
    }
    const permit = this.#breaker.enter(beganMs);
    if (permit === REFUSED) return this.#refusal();
    let arriving: ArrivingValue | null = null;
    const onHead: OnHead = (status, fields) => {
      arriving = this.#arrivingOf(status, fields);
      if (arriving === null) return null;
      began(arriving);
      return arriving.push.bind(arriving);
    };
    try {
      const fetched = this.#judged(await this.#client.get(path, { timeoutMs: leftMs, maxBytes }, onHead));
      (arriving as ArrivingValue | null)?.end();
      const nowMs = this.#clock.monotonicMs();
      if (fetched.kind === 'failed') this.#breaker.failed(permit, nowMs);
      else this.#breaker.succeeded(permit, nowMs);
      if (fetched.kind === 'value') this.#early.learn(nowMs - beganMs);
      return fetched;
    } catch (thrown) {
      const { code, message } = thrown as RingsideError;
      (arriving as ArrivingValue | null)?.fail(thrown as RingsideError);
      const nowMs = this.#clock.monotonicMs();
      if (code === 'too_large') {
        this.#reached('maxBytes');
        this.#breaker.succeeded(permit, nowMs);
      } else this.#breaker.failed(permit, nowMs);
      if (code === 'timeout') this.counts.timeouts++;
      else this.counts.failures++;
      return this.#failed(code === 'timeout' ? code : 'origin_failed', message);
    }
  }

  /** A value that is passed on while it comes; null: it is short, too long or none, or nobody knows. */
  #arrivingOf(status: number, fields: HeaderFields): ArrivingValue | null {
    const bytes = Number(fields['content-length'] ?? 0);
    const isPlain = (fields['content-encoding'] ?? 'identity') === 'identity';
    if (status !== 200 || !isPlain || !(bytes >= ARRIVING_BYTES) || bytes > this.settings.maxBytes)
      return null;
    return new ArrivingValue(bytes, lifetimeOf(fields, this.settings).ttlMs);
  }

  #judged({ status, fields, body, bytes }: HttpAnswer): Fetched {
    if (NOT_THERE.has(status)) {
      this.counts.absences++;
      return { kind: 'absent' };
    }
    const encoding = fields['content-encoding'] ?? 'identity';
    if (status === 200 && encoding === 'identity') {
      this.counts.values++;
      return { kind: 'value', value: body, bytes, lifetime: lifetimeOf(fields, this.settings) };
    }
    this.counts.failures++;
    const what = status === 200 ? `with Content-Encoding ${encoding}` : `${status}`;
    return this.#failed('origin_failed', `it answered ${what}`);
  }

  #reached(setting: 'maxQueued' | 'maxConcurrent' | 'maxBytes'): void {
    this.#limits.reached(`${this.#path}.${setting}`, this.#clock.monotonicMs(), {
      namespace: this.namespace,
    });
  }

  #refusal(): Fetched {
    this.counts.refused++;
    const { reason } = this.#breaker;
    return this.#failed('origin_failed', `its circuit breaker is open: ${reason}`);
  }

  #failed(code: RingsideError['code'], why: string): Fetched {
    const error = new RingsideError(code, `the origin of namespace ${this.namespace} has no answer: ${why}`);
    return { kind: 'failed', error };
  }

  /** Ends what is under way. */
  close(): Promise<void> {
    return this.#client.close();
  }
}
