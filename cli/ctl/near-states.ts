import type { TlsMaterial } from '../../lib/net/index.ts';
import type { ControlPlaneClient, FleetStatus, KeyRoute } from './client.ts';
import { askProxies } from './proxies.ts';

/**
 * What the near cache of each proxy knows of a key. Left out are proxies that cannot be asked, and those where the key's namespace has none. The
 * proxies' admin listeners are asked as the control plane is, with TLS or without (`isSecure`).
 */
export async function nearStates(
  key: string,
  controlPlane: ControlPlaneClient,
  isSecure: boolean,
  tls: TlsMaterial | undefined,
): Promise<KeyRoute['l1']> {
  const fleet = await controlPlane.get<FleetStatus>('/v1/status').catch(() => ({ proxies: [] }));
  const path = `/near?key=${encodeURIComponent(key)}`;
  const states = await askProxies(
    fleet,
    isSecure,
    tls,
    async ({ id, client }) => [id, await client.get<KeyRoute['l1'][string]>(path)] as const,
  );
  return Object.fromEntries(states.filter(([, { state }]) => state !== 'off'));
}
