import type { Socket } from 'node:net';
import type { ProxyConfig } from '../../lib/config/index.ts';
import type { Metrics } from '../../lib/metrics/index.ts';
import { createServer, type ListeningServer, type TlsMaterial } from '../../lib/net/index.ts';
import type { Access } from '../access/index.ts';
import type { Router } from '../core/router.ts';
import { Stat } from '../core/stats.ts';
import { closeLate, type ListenerHandle } from '../listener/index.ts';
import type { ProxyThread } from '../thread.ts';
import type { ProxyWatch } from '../watch/proxy-watch.ts';
import type { Desk, Group } from '../workers/questions.ts';
import { AnswerWriter } from './answer-writer.ts';
import { MemcachedConnection } from './connection.ts';
import type { MemcachedConnectionLimits, MemcachedContext, MemcachedInfo } from './context.ts';
import { Counters } from './counters.ts';
import { commandNames } from './dispatch.ts';
import { FrameSlab } from './frame-slab.ts';
import { JoinedGets } from './joined-gets.ts';
import { MemcachedWatch } from './memcached-watch.ts';

const SWEEP_MS = 1000;
const OVER_LIMIT = 'SERVER_ERROR too many connections (proxy.limits.maxConnections)\r\n';

/** Where and how the listener of one thread listens. */
export interface MemcachedListenerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly tls: TlsMaterial | undefined;
  /** Several threads listen on one port. */
  readonly reusePort: boolean;
  readonly limits: ProxyConfig['limits'];
  /** So many threads listen. */
  readonly threads: number;
  /** Where connections and refusals are counted. */
  readonly metrics?: Metrics;
}

/** What the listener needs of its thread. */
export interface MemcachedParts {
  readonly router: Router;
  readonly thread: ProxyThread;
  /** All threads. */
  readonly group: Group;
}

/** Starts the memcached listener of one thread on its data path. Rejects as `createServer` of lib/net does. */
export async function startMemcachedListener(
  options: MemcachedListenerOptions,
  parts: MemcachedParts,
): Promise<ListenerHandle> {
  const listener = new MemcachedListener(options, parts);
  await listener.listen();
  return listener;
}

class MemcachedListener implements MemcachedContext, ListenerHandle {
  readonly router: Router;
  readonly limits: MemcachedConnectionLimits;
  readonly access: Access;
  readonly watch: ProxyWatch;
  readonly commands: MemcachedWatch;
  readonly group: Group;
  readonly counters = new Counters();
  readonly frames = new FrameSlab();
  readonly joined: JoinedGets;
  readonly out: AnswerWriter;
  readonly #connections = new Set<MemcachedConnection>();
  readonly #options: MemcachedListenerOptions;
  readonly #sweeper: NodeJS.Timeout;
  #accepted = 0;
  #refused = 0;
  #info: MemcachedInfo;
  #server: ListeningServer | null = null;

  constructor(options: MemcachedListenerOptions, { router, thread, group }: MemcachedParts) {
    const { limits, threads } = options;
    this.access = thread.access;
    this.access.clients.push(() => this.#connections);
    this.watch = thread.watch;
    this.commands = new MemcachedWatch(thread.watch, commandNames);
    thread.figures.push(this.commands.figures);
    this.group = group;
    this.#options = options;
    this.router = router;
    this.joined = new JoinedGets(router, this.frames);
    this.limits = {
      maxItemBytes: limits.maxItemBytes,
      maxGetLineBytes: limits.maxBulkBytes,
      maxKeys: limits.maxArrayLength - 1,
      maxInFlight: limits.maxInFlightPerConnection,
      maxHeldBytes: limits.maxBufferedBytesPerConnection,
    };
    this.out = new AnswerWriter(router.env.output);
    this.#info = {
      pid: process.pid,
      startedMonotonicMs: router.env.clock.monotonicMs(),
      port: 0,
      maxConnections: limits.maxConnections * threads,
      threads,
    };
    this.#answer(thread.desk);
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeper.unref();
  }

  get info(): MemcachedInfo {
    return this.#info;
  }

  get address(): string {
    return this.#server!.address;
  }

  get port(): number {
    return this.#server!.port;
  }

  async listen(): Promise<void> {
    const { host, port, tls, reusePort, limits, metrics } = this.#options;
    const { stats, log, health, clock } = this.router.env;
    this.#server = await createServer(
      {
        name: 'memcached',
        setting: 'proxy.memcachedPort',
        host,
        port,
        ...(tls && { tls }),
        reusePort,
        maxConnections: limits.maxConnections,
        handshakeTimeoutMs: limits.handshakeTimeoutMs,
        // A client may close its side and still wait for answers.
        allowHalfOpen: true,
        sharedReads: true,
        lastWords: OVER_LIMIT,
        onRefused: () => {
          this.#refused++;
          stats.add(Stat.connectionsRefused);
          health.limits.reached('proxy.limits.maxConnections', clock.monotonicMs(), {
            listener: 'memcached',
          });
        },
        log,
        ...(metrics && { metrics }),
      },
      (socket, peer) => this.#accept(socket, peer.address),
    );
    this.#info = { ...this.#info, port: this.#server.port };
  }

  /** Stops accepting, closes idle clients, lets the others finish what they have sent, and closes what is left after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    for (const connection of this.#connections) connection.finish();
    await this.#server?.close(graceMs);
    // Until now it closes those who do not hang up.
    clearInterval(this.#sweeper);
  }

  closed(connection: MemcachedConnection): void {
    this.#connections.delete(connection);
  }

  #answer(desk: Desk): void {
    desk.on('memcachedFigures', ({ reset }) => {
      const counters = { ...this.counters } as unknown as Record<string, number>;
      if (reset) this.counters.reset();
      const [accepted, refused] = [this.#accepted, this.#refused];
      return { counters, connections: this.#connections.size, accepted, refused };
    });
    desk.on('memcachedClients', () => {
      const nowMs = this.router.env.clock.monotonicMs();
      return Array.from(this.#connections, ({ address, isIdle, lastActiveMs }) => {
        return { address, isIdle, silentSeconds: Math.floor((nowMs - lastActiveMs) / 1000) };
      });
    });
  }

  #accept(socket: Socket, address: string): void {
    this.#connections.add(new MemcachedConnection(socket, address, this));
    this.#accepted++;
  }

  #sweep(): void {
    const { headerTimeoutMs: requestTimeoutMs, stalledReaderTimeoutMs, idleTimeoutMs } = this.#options.limits;
    closeLate(
      this.#connections,
      { requestTimeoutMs, stalledReaderTimeoutMs, idleTimeoutMs },
      this.router.env,
    );
  }
}
