import type { Socket } from 'node:net';
import { createServer, type ListeningServer } from '../../lib/net/index.ts';
import type { Access } from '../access/index.ts';
import type { Router } from '../core/router.ts';
import { Stat } from '../core/stats.ts';
import type { ApiListenerDeps, ApiListenerOptions, ListenerHandle } from '../listener/index.ts';
import { CommandFigures } from '../watch/command-figures.ts';
import { AnswerWriter } from './answer-writer.ts';
import { MemcachedConnection } from './connection.ts';
import type { MemcachedConnectionLimits, MemcachedContext, MemcachedInfo } from './context.ts';
import { Counters } from './counters.ts';
import { DelayedFlush } from './delayed-flush.ts';
import { commandNames } from './dispatch.ts';
import { FrameSlab } from './frame-slab.ts';

const SWEEP_MS = 1000;
/** How long a connection that was ended may take to close its side. */
const LINGER_MS = 2000;
const OVER_LIMIT = 'SERVER_ERROR too many connections (proxy.limits.maxConnections)\r\n';

/** What the listener needs of its thread. */
export interface MemcachedParts {
  readonly router: Router;
  readonly access: Access;
  /** Takes up what is known of the commands. */
  readonly figures: CommandFigures[];
}

/** Starts the memcached listener on a data path. Rejects as `createServer` of lib/net does. */
export async function startMemcachedListener(
  options: ApiListenerOptions,
  parts: MemcachedParts,
  deps: ApiListenerDeps,
): Promise<ListenerHandle> {
  const listener = new MemcachedListener(options, parts, deps);
  await listener.listen();
  return listener;
}

class MemcachedListener implements MemcachedContext, ListenerHandle {
  readonly router: Router;
  readonly limits: MemcachedConnectionLimits;
  readonly access: Access;
  readonly figures = new CommandFigures('memcached', commandNames);
  readonly counters = new Counters();
  readonly flushes: DelayedFlush;
  readonly frames = new FrameSlab();
  readonly out: AnswerWriter;
  readonly connections = new Set<MemcachedConnection>();
  readonly #options: ApiListenerOptions;
  readonly #deps: ApiListenerDeps;
  readonly #sweeper: NodeJS.Timeout;
  #info: MemcachedInfo;
  #server: ListeningServer | null = null;

  constructor(options: ApiListenerOptions, parts: MemcachedParts, deps: ApiListenerDeps) {
    const { limits } = options;
    const { router, access } = parts;
    this.access = access;
    parts.figures.push(this.figures);
    this.#options = options;
    this.#deps = deps;
    this.router = router;
    this.limits = {
      maxItemBytes: limits.maxItemBytes,
      maxGetLineBytes: limits.maxBulkBytes,
      maxKeys: limits.maxArrayLength - 1,
      maxInFlight: limits.maxInFlightPerConnection,
      maxHeldBytes: limits.maxBufferedBytesPerConnection,
    };
    this.flushes = new DelayedFlush(router);
    this.out = new AnswerWriter(router.env.output);
    this.#info = {
      pid: process.pid,
      startedMonotonicMs: deps.clock.monotonicMs(),
      port: 0,
      maxConnections: limits.maxConnections,
      threads: 1,
      accepted: 0,
      refused: 0,
    };
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
    const { host, port, tls, reusePort, limits } = this.#options;
    this.#server = await createServer(
      {
        name: 'memcached',
        setting: 'proxy.memcachedPort',
        host,
        port,
        tls,
        reusePort,
        maxConnections: limits.maxConnections,
        handshakeTimeoutMs: limits.handshakeTimeoutMs,
        // A client may close its side and still wait for answers.
        allowHalfOpen: true,
        sharedReads: true,
        onRefused: (socket) => {
          this.#info.refused++;
          const { stats, health, clock } = this.router.env;
          stats.add(Stat.connectionsRefused);
          health.limits.reached('proxy.limits.maxConnections', clock.monotonicMs(), {
            listener: 'memcached',
          });
          socket.write(OVER_LIMIT);
        },
        ...this.#deps,
      },
      (socket, peer) => this.#accept(socket, peer.address),
    );
    this.#info = { ...this.#info, port: this.#server.port };
  }

  /** Stops accepting, closes idle clients, lets the others finish what they have sent, and closes what is left after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.flushes.cancel();
    for (const connection of this.connections) connection.finish();
    await this.#server?.close(graceMs);
    // Until now it closes those who do not hang up.
    clearInterval(this.#sweeper);
  }

  closed(connection: MemcachedConnection): void {
    this.connections.delete(connection);
  }

  #accept(socket: Socket, address: string): void {
    this.connections.add(new MemcachedConnection(socket, address, this));
    this.#info.accepted++;
  }

  /** Closes clients that dawdle over a request, or are silent for too long. */
  #sweep(): void {
    const { headerTimeoutMs, idleTimeoutMs } = this.#options.limits;
    const { clock, log, stats } = this.router.env;
    const nowMs = clock.monotonicMs();
    for (const connection of this.connections) {
      const { address, endedMs, partialSinceMs, lastActiveMs } = connection;
      if (endedMs > 0 && nowMs - endedMs > LINGER_MS) connection.destroy();
      const isSlow = partialSinceMs > 0 && nowMs - partialSinceMs > headerTimeoutMs;
      const isSilent = idleTimeoutMs > 0 && connection.isIdle && nowMs - lastActiveMs > idleTimeoutMs;
      if (!isSlow && !isSilent) continue;
      const setting = isSlow ? 'proxy.limits.headerTimeoutMs' : 'proxy.limits.idleTimeoutMs';
      log.info(
        { client: address, setting },
        isSlow ? 'client closed: its request did not arrive in time' : 'client closed: idle',
      );
      stats.add(Stat.connectionsCut);
      connection.destroy();
    }
  }
}
