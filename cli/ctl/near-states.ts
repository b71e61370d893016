import type { TlsMaterial } from '../../lib/net/index.ts';
import { ControlPlaneClient, type FleetStatus, type KeyRoute } from './client.ts';

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
  const fleet = await controlPlane.get<FleetStatus>('/v1/status').catch(() => null);
  const asked = (fleet?.proxies ?? [])
    .filter(({ admin }) => admin !== '')
    .map(async ({ id, admin }) => {
      const party = { name: `the proxy ${id}`, flag: '--control-plane' };
      const proxy = new ControlPlaneClient(`${isSecure ? 'https' : 'http'}://${admin}`, tls, party);
      try {
        const state = await proxy.get<KeyRoute['l1'][string]>(`/near?key=${encodeURIComponent(key)}`);
        return state.state === 'off' ? [] : [[id, state] as const];
      } catch {
        return [];
      } finally {
        await proxy.close();
      }
    });
  return Object.fromEntries((await Promise.all(asked)).flat());
}
