import type { TlsMaterial } from '../../lib/net/index.ts';
import { ControlPlaneClient, type FleetStatus, type KeyRoute } from './client.ts';

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
  const fleet = await how.controlPlane.get<FleetStatus>('/v1/status').catch(() => null);
  const proxies = (fleet?.proxies ?? []).filter(({ admin }) => admin !== '');
  const answers = await Promise.all(proxies.map(({ id, admin }) => askProxy(id, admin, key, how)));
  const known = answers.flatMap((answer) => answer ?? []);
  return {
    l1: Object.fromEntries(known.filter(({ l1 }) => l1.state !== 'off').map(({ id, l1 }) => [id, l1])),
    balance: Object.fromEntries(
      known.filter(({ balance }) => balance.decision !== 'off').map(({ id, balance }) => [id, balance]),
    ),
  };
}

interface ProxyAnswer {
  readonly id: string;
  readonly l1: KeyRoute['l1'][string];
  readonly balance: KeyRoute['balance'][string];
}

async function askProxy(
  id: string,
  admin: string,
  key: string,
  { isSecure, tls }: ProxyQuestion,
): Promise<ProxyAnswer | null> {
  const party = { name: `the proxy ${id}`, flag: '--control-plane' };
  const proxy = new ControlPlaneClient(`${isSecure ? 'https' : 'http'}://${admin}`, tls, party);
  const query = `key=${encodeURIComponent(key)}`;
  try {
    const [l1, balance] = await Promise.all([
      proxy.get<ProxyAnswer['l1']>(`/near?${query}`),
      proxy.get<ProxyAnswer['balance']>(`/balance?${query}`),
    ]);
    return { id, l1, balance };
  } catch {
    return null;
  } finally {
    await proxy.close();
  }
}
