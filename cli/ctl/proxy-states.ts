import type { TlsMaterial } from '../../lib/net/index.ts';
import type { ControlPlaneClient, FleetStatus, KeyRoute } from './client.ts';
import { askProxies } from './proxies.ts';

/** How the proxies are asked. */
export interface ProxyQuestion {
  readonly controlPlane: ControlPlaneClient;
  /** Over TLS, as the control plane. */
  readonly isSecure: boolean;
  readonly tls: TlsMaterial | undefined;
}

/**
 * What the near cache of each proxy knows of a key, and where each would read it. Left out are proxies that cannot be asked, and those where there is
 * no such thing.
 */
export async function proxyStates(
  key: string,
  how: ProxyQuestion,
): Promise<Pick<KeyRoute, 'l1' | 'balance'>> {
  const fleet = await how.controlPlane.get<FleetStatus>('/v1/status').catch(() => ({ proxies: [] }));
  const query = `key=${encodeURIComponent(key)}`;
  const known = await askProxies(fleet, how.isSecure, how.tls, async ({ id, client }) => {
    const [l1, balance] = await Promise.all([
      client.get<KeyRoute['l1'][string]>(`/near?${query}`),
      client.get<KeyRoute['balance'][string]>(`/balance?${query}`),
    ]);
    return { id, l1, balance };
  });
  return {
    l1: Object.fromEntries(known.filter(({ l1 }) => l1.state !== 'off').map(({ id, l1 }) => [id, l1])),
    balance: Object.fromEntries(
      known.filter(({ balance }) => balance.decision !== 'off').map(({ id, balance }) => [id, balance]),
    ),
  };
}
