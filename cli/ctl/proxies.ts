import type { TlsMaterial } from '../../lib/net/index.ts';
import { ControlPlaneClient, type FleetStatus } from './client.ts';

/** A proxy's admin listener, and the proxy's name. */
export interface AskedProxy {
  readonly id: string;
  readonly client: ControlPlaneClient;
}

/**
 * Asks the admin listeners of all proxies that the control plane knows, with TLS or without (`isSecure`) as the control plane is. Left out are those of
 * whom `ask` rejects, or that have none.
 */
export async function askProxies<T>(
  { proxies }: Pick<FleetStatus, 'proxies'>,
  isSecure: boolean,
  tls: TlsMaterial | undefined,
  ask: (proxy: AskedProxy) => Promise<T>,
): Promise<T[]> {
  const asked = proxies
    .filter(({ admin }) => admin !== '')
    .map(async ({ id, admin }) => {
      const party = { name: `the proxy ${id}`, flag: '--control-plane' };
      const client = new ControlPlaneClient(`${isSecure ? 'https' : 'http'}://${admin}`, tls, party);
      try {
        return [await ask({ id, client })];
      } catch {
        return [];
      } finally {
        await client.close();
      }
    });
  return (await Promise.all(asked)).flat();
}
