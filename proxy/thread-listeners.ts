import type { Config } from '../lib/config/index.ts';
import type { Metrics } from '../lib/metrics/index.ts';
import type { DataPath } from './core/data-path.ts';
import type { ListenerHandle } from './listener/index.ts';
import { portOf } from './ports.ts';
import { startRespListener } from './resp/start.ts';
import type { ProxyThread } from './thread.ts';
import type { ProxyTls } from './tls.ts';
import { RINGSIDE_VERSION } from './version.ts';
import type { Group } from './workers/questions.ts';

/** Ports of the protocols that every thread listens for; null: there is no such listener. */
export interface ThreadPorts {
  readonly resp: number | null;
  readonly memcached: number | null;
}

/** The ports of the configuration; 0 stands for any that is free. */
export function threadPorts({ proxy }: Config): ThreadPorts {
  return { resp: portOf(proxy.respPort), memcached: portOf(proxy.memcachedPort) };
}

/** What the listeners of a thread need of it. */
export interface ThreadListenersOptions {
  readonly config: Config;
  readonly ports: ThreadPorts;
  /** Several threads listen on the same ports. */
  readonly reusePort: boolean;
  readonly path: DataPath;
  readonly thread: ProxyThread;
  readonly group: Group;
  readonly tls: ProxyTls;
  readonly metrics: Metrics;
  readonly runId: string;
}

/** The listeners of one thread that clients use most: RESP and memcached. */
export class ThreadListeners {
  readonly #options: ThreadListenersOptions;
  readonly #running = new Map<string, Pick<ListenerHandle, 'address' | 'close'>>();

  constructor(options: ThreadListenersOptions) {
    this.#options = options;
  }

  /** `host:port` as bound, by protocol. */
  get addresses(): Record<string, string> {
    return Object.fromEntries(Array.from(this.#running, ([name, { address }]) => [name, address]));
  }

  /** Rejects with RingsideError `port_in_use`, naming port and setting; what listens by then is for `close`. */
  async start(): Promise<void> {
    const { resp, memcached } = this.#options.ports;
    if (resp !== null) await this.#startResp(resp);
    if (memcached !== null) await this.#startMemcached(memcached);
  }

  /** Every listener closes as `ListenerHandle.close` says. */
  async close(graceMs: number): Promise<void> {
    await Promise.all(Array.from(this.#running.values(), (listener) => listener.close(graceMs)));
  }

  async #startResp(port: number): Promise<void> {
    const { config, path, reusePort, tls, metrics, thread, group, runId } = this.#options;
    const start = { port, reusePort, tls: tls.clients, metrics, thread, group, runId };
    this.#running.set('resp', await startRespListener(path, config, { ...start, version: RINGSIDE_VERSION }));
  }

  async #startMemcached(port: number): Promise<void> {
    const { config, path, reusePort, tls, metrics, thread, group } = this.#options;
    const { bind: host, limits, workers } = config.proxy;
    const { startMemcachedListener } = await import('./memcached/index.ts');
    const options = { host, port, tls: tls.clients, reusePort, limits, metrics };
    const parts = { router: path.router, thread, group };
    this.#running.set(
      'memcached',
      await startMemcachedListener({ ...options, threads: reusePort ? workers : 1 }, parts),
    );
  }
}
