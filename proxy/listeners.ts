import type { Clock, Logger } from '../lib/base/index.ts';
import type { Config } from '../lib/config/index.ts';
import type { Metrics } from '../lib/metrics/index.ts';
import type { ProxyAdminApi } from './core/api.ts';
import type { DataPath } from './core/data-path.ts';
import type { ApiListenerOptions, ListenerHandle } from './listener/index.ts';
import { portOf } from './ports.ts';
import type { ProxyTls } from './tls.ts';

/** What the listeners need of the proxy. */
export interface ApiListenersOptions {
  readonly config: Config;
  readonly path: DataPath;
  readonly tls: ProxyTls;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly admin: ProxyAdminApi;
}

/**
 * Every listener but RESP. They run in the main thread, on its data path, each loaded only when it listens: fastify and
 * grpc-js cost 0.3 s and 30 MB.
 */
export class ApiListeners {
  readonly #options: ApiListenersOptions;
  readonly #running = new Map<string, ListenerHandle>();

  constructor(options: ApiListenersOptions) {
    this.#options = options;
  }

  /** `host:port` by protocol. */
  get listeners(): Record<string, string> {
    return Object.fromEntries(Array.from(this.#running, ([name, { address }]) => [name, address]));
  }

  /** Rejects with RingsideError `port_in_use`, naming port and setting. */
  async start(): Promise<void> {
    const { config, path, log, clock, metrics, admin } = this.#options;
    const { httpPort, grpcPort, memcachedPort, adminPort, adminBind, bind } = config.proxy;
    const deps = { log, clock, metrics };
    const api = path.keyValue;
    await this.#listen('http', httpPort, bind, async (options) => {
      const { startHttpListener } = await import('./http/index.ts');
      return startHttpListener(options, api, deps);
    });
    await this.#listen('grpc', grpcPort, bind, async (options) => {
      const { startGrpcListener } = await import('./grpc/index.ts');
      return startGrpcListener(options, api, deps);
    });
    await this.#listen('memcached', memcachedPort, bind, async (options) => {
      const { startMemcachedListener } = await import('./memcached/index.ts');
      return startMemcachedListener(options, deps);
    });
    await this.#listen('admin', adminPort, adminBind ?? bind, async (options) => {
      const { startAdminListener } = await import('./admin/index.ts');
      return startAdminListener(options, admin, deps);
    });
  }

  /** Closes all but the admin listener, which goes on telling how the drain gets on. */
  async close(graceMs: number): Promise<void> {
    const data = [...this.#running].filter(([name]) => name !== 'admin');
    await Promise.all(data.map(([, handle]) => handle.close(graceMs)));
  }

  async closeAdmin(): Promise<void> {
    await this.#running.get('admin')?.close(0);
  }

  async #listen(
    name: string,
    setting: Config['proxy']['httpPort'],
    host: string,
    start: (options: ApiListenerOptions) => Promise<ListenerHandle>,
  ): Promise<void> {
    const port = portOf(setting);
    if (port === null) return;
    const { config, tls } = this.#options;
    const { limits, requirePass, adminTls } = config.proxy;
    const isPlain = name === 'admin' && adminTls === 'off';
    const options = { host, port, tls: isPlain ? undefined : tls.clients, limits, password: requirePass };
    this.#running.set(name, await start(options));
  }
}
