import type { Clock, Logger } from '../../lib/base/index.ts';
import type { ProxyConfig } from '../../lib/config/index.ts';
import type { Metrics } from '../../lib/metrics/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import type { RateGuard } from '../health/index.ts';
import type { Login } from './password.ts';

/** Where and how one of the proxy's listeners listens. */
export interface ApiListenerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly tls?: TlsMaterial;
  /** Several workers listen on one port. */
  readonly reusePort?: boolean;
  readonly limits: ProxyConfig['limits'];
  /** Clients give it as `Authorization: Bearer PASSWORD`; null lets everybody in. */
  readonly password?: string | Login | null;
  /** What clients are held to; null or left out: nothing. */
  readonly rates?: RateGuard | null;
  /** Hears of each refusal because of a limit, by its setting. */
  readonly onLimit?: (setting: string) => void;
  /** Hears of each connection that is turned away because of `limits.maxConnections`. */
  readonly onRefused?: () => void;
}

/** What a listener needs of its surroundings. */
export interface ApiListenerDeps {
  readonly log: Logger;
  readonly clock: Clock;
  /** Where connections and refusals are counted. */
  readonly metrics?: Metrics;
}

/** A listener that listens. */
export interface ListenerHandle {
  /** `host:port` as bound. */
  readonly address: string;
  readonly port: number;
  /** Stops accepting at once, lets what is in flight finish, and destroys what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
}
