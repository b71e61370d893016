import type { Logger } from '../lib/base/index.ts';
import type { Config } from '../lib/config/index.ts';
import type { Metrics } from '../lib/metrics/index.ts';
import { loadTls, type TlsMaterial } from '../lib/net/index.ts';

/** The TLS identities of a proxy. */
export interface ProxyTls {
  /** Towards nodes and control plane; undefined: plain TCP. */
  readonly fleet: TlsMaterial | undefined;
  /** Of the client listeners; undefined: plain TCP. */
  readonly clients: TlsMaterial | undefined;
  /** Stops watching the files. */
  close(): void;
}

/** Loads what `tls` and `proxy.clientTls` name. Throws RingsideError `config_invalid` when a file cannot be used. */
export function loadProxyTls({ tls, proxy }: Config, log: Logger, metrics?: Metrics): ProxyTls {
  const fleet = tls ? loadTls(tls, log, { setting: 'tls', metrics }) : undefined;
  const { clientTls } = proxy;
  let clients: TlsMaterial | undefined;
  if (clientTls === 'inherit') clients = fleet;
  else if (clientTls !== 'off') clients = loadTls(clientTls, log, { setting: 'proxy.clientTls', metrics });
  return {
    fleet,
    clients,
    close() {
      fleet?.close();
      if (clients !== fleet) clients?.close();
    },
  };
}
