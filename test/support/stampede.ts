import { Pool } from 'undici';
import { type OriginUnderTest, startOrigin } from './origin.ts';
import { RespClient } from './resp-client.ts';
import { type Ringside, startRingside } from './ringside.ts';

/** How large a stampede is. */
export interface StampedeSize {
  readonly proxies: number;
  readonly workers: number;
  readonly connectionsPerProxy: number;
  /** Reads that each connection has under way. */
  readonly depth: number;
}

/** What became of a stampede. */
export interface StampedeResult {
  readonly reads: number;
  readonly originRequests: number;
  /** Requests at the origin at once, at most. */
  readonly most: number;
  /** Reads answered with the value. */
  readonly filled: number;
  /** Milliseconds until so many of the reads were answered. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Nodes, proxies and an origin, each a process of its own. Keys `o:…` are filled from the origin. */
export class StampedeStage {
  readonly origin: OriginUnderTest;
  readonly nodes: readonly Ringside[];
  readonly proxies: readonly Ringside[];

  constructor(origin: OriginUnderTest, nodes: readonly Ringside[], proxies: readonly Ringside[]) {
    this.origin = origin;
    this.nodes = nodes;
    this.proxies = proxies;
  }

  /** Starts everything. `origin`: settings beside the URL. */
  static async start({ proxies, workers }: StampedeSize, origin: object = {}): Promise<StampedeStage> {
    const quiet = ['--log-level', 'error'];
    const [server, ...nodes] = await Promise.all([
      startOrigin(),
      ...Array.from({ length: 2 }, () =>
        startRingside(['node', '--standalone', '--port', 'auto', '--admin-port', 'off', ...quiet]),
      ),
    ]);
    const namespaces = [{ name: 'filled', prefix: 'o:', origin: { url: server.url, ...origin } }];
    const off = ['memcached', 'http', 'grpc', 'admin'].flatMap((name) => [`--${name}-port`, 'off']);
    const args = [
      ...nodes.flatMap(({ ready }, i) => ['--upstream', `s${i}=${ready.resp}`]),
      ...['--resp-port', 'auto', '--workers', String(workers), ...off, ...quiet],
      ...['--set', `namespaces=${JSON.stringify(namespaces)}`],
      ...['--set', 'proxy.operationTimeoutMs=60000'],
    ];
    const started = Array.from({ length: proxies }, () => startRingside(['proxy', ...args]));
    return new StampedeStage(server, nodes, await Promise.all(started));
  }

  /** A connection to proxy `i`. */
  client(i: number): RespClient {
    return new RespClient(this.proxies[i].ready.resp);
  }

  /** All ask for `key` at the same time. `read` is one read by one of the connections. */
  async stampede(
    { connectionsPerProxy, depth }: StampedeSize,
    read: (client: RespClient) => Promise<string | null>,
  ): Promise<StampedeResult> {
    const clients = this.proxies.flatMap((_, i) =>
      Array.from({ length: connectionsPerProxy }, () => this.client(i)),
    );
    await Promise.all(clients.map((client) => client.send('PING')));
    await this.origin.tell({ isForgotten: true });
    const startedMs = performance.now();
    const durations: number[] = [];
    const reads = clients.flatMap((client) =>
      Array.from({ length: depth }, async () => {
        const value = await read(client);
        durations.push(performance.now() - startedMs);
        return value;
      }),
    );
    const values = await Promise.all(reads);
    const { asked, most } = await this.origin.seen();
    for (const client of clients) client.close();
    const at = (part: number) => Math.round(durations[Math.ceil(durations.length * part) - 1]);
    return {
      reads: reads.length,
      originRequests: asked.length,
      most,
      filled: values.filter((value) => value?.startsWith('made ')).length,
      p50: at(0.5),
      p99: at(0.99),
      max: at(1),
    };
  }

  async stop(): Promise<void> {
    await Promise.all([this.origin.stop(), ...[...this.proxies, ...this.nodes].map((one) => one.stop())]);
  }
}

/** What an application does whose cache knows of no origin: each caller that misses asks the origin itself and writes what it got. */
export class LookAside {
  readonly #pool: Pool;
  readonly #path: (key: string) => string;

  constructor(origin: OriginUnderTest, connections: number) {
    this.#pool = new Pool(`http://127.0.0.1:${origin.port}`, { connections });
    this.#path = (key) => `/fill/${encodeURIComponent(key)}`;
  }

  async read(client: RespClient, key: string): Promise<string | null> {
    const found = await client.text('GET', key);
    if (found !== null) return found;
    const { body } = await this.#pool.request({ path: this.#path(key), method: 'GET' });
    const value = await body.text();
    await client.send('SET', key, value);
    return value;
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
