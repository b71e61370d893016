import type { Clock, Logger } from '../lib/base/index.ts';
import type { Config } from '../lib/config/index.ts';
import type { Metrics } from '../lib/metrics/index.ts';
import { latin1 } from './access/index.ts';
import type { CallApi, ProxyAdminApi } from './core/api.ts';
import type { DataPath } from './core/data-path.ts';
import { Stat } from './core/stats.ts';
import type { ApiListenerOptions, ListenerHandle, Login } from './listener/index.ts';
import { portOf } from './ports.ts';
import type { ProxyThread } from './thread.ts';
import type { ProxyTls } from './tls.ts';
import { WatchedApi } from './watch/watched-api.ts';

/** What the listeners need of the proxy. */
export interface ApiListenersOptions {
  readonly config: Config;
  readonly path: DataPath;
  readonly tls: ProxyTls;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly admin: ProxyAdminApi;
  readonly thread: ProxyThread;
}

/**
 * Every listener but RESP and memcached. They run in the main thread, on its data path, each loaded only when it listens: fastify and
 * grpc-js cost 0.3 s and 30 MB.
 */
export class ApiListeners {
  readonly #options: ApiListenersOptions;
  readonly #running = new Map<string, ListenerHandle>();
  /** As the user `default`, whose password may change. */
  readonly #login: Login = {
    isNeeded: () => this.#options.thread.access.users.requireLogin,
    accepts: (password) => this.#options.thread.access.users.default.accepts(latin1(password)),
  };

  constructor(options: ApiListenersOptions) {
    this.#options = options;
  }

  /** `host:port` by protocol. */
  get listeners(): Record<string, string> {
    return Object.fromEntries(Array.from(this.#running, ([name, { address }]) => [name, address]));
  }

  /** Rejects with RingsideError `port_in_use`, naming port and setting. */
  async start(): Promise<void> {
    const { config, log, clock, metrics, admin } = this.#options;
    const { httpPort, grpcPort, adminPort, adminBind, bind } = config.proxy;
    const deps = { log, clock, metrics };
    await this.#listen('http', httpPort, bind, async (options) => {
      const { startHttpListener } = await import('./http/index.ts');
      return startHttpListener(options, this.#watched('http'), deps);
    });
    await this.#listen('grpc', grpcPort, bind, async (options) => {
      const { startGrpcListener } = await import('./grpc/index.ts');
      return startGrpcListener(options, this.#watched('grpc'), deps);
    });
    await this.#listen('admin', adminPort, adminBind ?? bind, async (options) => {
      const { startAdminListener } = await import('./admin/index.ts');
      return startAdminListener(options, admin, deps);
    });
  }

  /** The data path as clients of one listener may use it. */
  #watched(listener: string): CallApi {
    const { clock, thread, path } = this.#options;
    const { access, watch, figures } = thread;
    const watched = new WatchedApi(path.keyValue, { listener, clock, access, watch });
    figures.push(watched.figures);
    return watched;
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
    const { config, tls, clock, path } = this.#options;
    const { limits, adminTls } = config.proxy;
    const { rates, health, stats } = path.router.env;
    const onLimit = (reached: string) =>
      health.limits.reached(reached, clock.monotonicMs(), { listener: name });
    const isPlain = name === 'admin' && adminTls === 'off';
    const options = {
      host,
      port,
      tls: isPlain ? undefined : tls.clients,
      limits,
      password: this.#login,
      rates,
      onLimit,
      onRefused: () => {
        stats.add(Stat.connectionsRefused);
        onLimit('proxy.limits.maxConnections');
      },
    };
    this.#running.set(name, await start(options));
  }
}
