import { silentLogger, systemClock } from '../../lib/base/index.ts';
import { configFrom, type ProxyConfig } from '../../lib/config/index.ts';

/** Options of one of the proxy's listeners on a free loopback port, with the default limits and these changes. */
export function listenerOptions(limits: Partial<ProxyConfig['limits']> = {}) {
  const defaults = configFrom({}).proxy.limits;
  return { host: '127.0.0.1', port: 0, limits: { ...defaults, ...limits } };
}

/** What the listeners need, saying nothing. */
export const quietDeps = { log: silentLogger, clock: systemClock };
