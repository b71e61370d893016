import { type Ringside, startRingside } from '../../test/support/ringside.ts';

const QUIET = ['--log-level', 'warn'];

/** Starts a node by itself, with RESP alone. */
export function startNode(): Promise<Ringside> {
  return startRingside(['node', '--standalone', '--port', 'auto', '--admin-port', 'off', ...QUIET]);
}

/** Starts a proxy before one node, with RESP and the admin listener, and `more` arguments. */
export function startProxy(upstream: Ringside, more: readonly string[]): Promise<Ringside> {
  const off = ['http', 'grpc', 'memcached'].flatMap((name) => [`--${name}-port`, 'off']);
  const ports = ['--resp-port', 'auto', '--admin-port', 'auto', ...off];
  return startRingside(['proxy', '--upstream', `s0=${upstream.ready.resp}`, ...ports, ...QUIET, ...more]);
}
