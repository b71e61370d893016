import type { Config } from '../../lib/config/index.ts';
import type { NamespaceMatcher } from '../core/namespace-rules.ts';
import { IdentityRates } from './identity-rates.ts';
import type { LimitLog } from './limit-log.ts';
import { TokenBucket } from './token-bucket.ts';

/** Client identities that have a rate of their own; further ones share one while all of these are busy. */
const MAX_IDENTITIES = 10_000;

/** The rates of one namespace. */
interface Rates {
  readonly reads: TokenBucket | null;
  readonly writes: TokenBucket | null;
}

/** Holds clients, and namespaces, to so many commands a second. Each refusal is a text that names the setting, and is counted and logged. `nowMs` is monotonic. */
export class RateGuard {
  readonly #namespaces: NamespaceMatcher;
  readonly #limits: LimitLog;
  readonly #identities: IdentityRates | null;
  readonly #perSecond: number;
  /** By index of the namespace. */
  readonly #rates: readonly Rates[];
  /** Whether some namespace has a rate: else no key need be looked at. */
  readonly looksAtKeys: boolean;

  private constructor(config: Config, namespaces: NamespaceMatcher, limits: LimitLog, nowMs: number) {
    const { maxCommandsPerSecond } = config.proxy.limits;
    const bucket = (perSecond: number | null | undefined) =>
      perSecond ? new TokenBucket(perSecond, nowMs) : null;
    this.#namespaces = namespaces;
    this.#limits = limits;
    this.#perSecond = maxCommandsPerSecond ?? 0;
    this.#identities =
      maxCommandsPerSecond === null ? null : new IdentityRates(maxCommandsPerSecond, MAX_IDENTITIES);
    this.#rates = namespaces.all.map(({ config: own }) => ({
      reads: bucket(own?.maxReadsPerSecond),
      writes: bucket(own?.maxWritesPerSecond),
    }));
    this.looksAtKeys = this.#rates.some(({ reads, writes }) => reads !== null || writes !== null);
  }

  /** Null when nothing is limited. */
  static of(config: Config, namespaces: NamespaceMatcher, limits: LimitLog, nowMs: number): RateGuard | null {
    const guard = new RateGuard(config, namespaces, limits, nowMs);
    return guard.#identities === null && !guard.looksAtKeys ? null : guard;
  }

  /** Counts one more command of a client: of a user, of a certificate, or of an address. The text that refuses it, or null. */
  refuseClient(identity: string, nowMs: number): string | null {
    if (this.#identities === null || this.#identities.take(identity, 1, nowMs)) return null;
    const setting = 'proxy.limits.maxCommandsPerSecond';
    this.#limits.reached(setting, nowMs, { client: identity });
    return `${identity} sends more than ${this.#perSecond} commands a second (${setting})`;
  }

  /** Counts one more use of the key `buffer[start, end)`. The text that refuses it, or null. */
  refuseKey(buffer: Buffer, start: number, end: number, isWrite: boolean, nowMs: number): string | null {
    const { index, name } = this.#namespaces.rulesOf(buffer, start, end);
    const { reads, writes } = this.#rates[index];
    const bucket = isWrite ? writes : reads;
    if (bucket === null || bucket.take(1, nowMs)) return null;
    const word = isWrite ? 'maxWritesPerSecond' : 'maxReadsPerSecond';
    const setting = `namespaces.${index - 1}.${word}`;
    this.#limits.reached(setting, nowMs, { namespace: name });
    const what = isWrite ? 'writes' : 'reads';
    return `namespace ${name} has more than ${bucket.perSecond} ${what} a second (${setting})`;
  }
}

/**
 * Who a client is to rate limits: the user it is logged in as; of the default user, the name of its certificate; without one, where it comes from.
 * `address` is `host:port`.
 */
export function identityOf(user: string | null, certificateName: string | null, address: string): string {
  if (user !== null && user !== 'default') return `user ${user}`;
  if (certificateName !== null) return `certificate ${certificateName}`;
  return `client ${address.replace(/:\d+$/, '')}`;
}
