import type { Socket } from 'node:net';
import type { Clock } from '../../lib/base/index.ts';
import { createServer } from '../../lib/net/index.ts';
import type { ApiListenerDeps, ApiListenerOptions, ListenerHandle } from '../listener/index.ts';
import { RINGSIDE_VERSION } from '../version.ts';
import { MemcachedSession } from './session.ts';

const SWEEPS_PER_TIMEOUT = 4;
const LINGER_MS = 1000;
const OVER_LIMIT = 'SERVER_ERROR too many connections (proxy.limits.maxConnections)\r\n';

/** Starts the memcached listener, which for now says that the protocol comes later. Rejects as `createServer` of lib/net does. */
export async function startMemcachedListener(
  options: ApiListenerOptions,
  deps: ApiListenerDeps,
): Promise<ListenerHandle> {
  const { host, port, tls, reusePort, limits } = options;
  const connections = new Set<Connection>();
  const server = await createServer(
    {
      name: 'memcached',
      setting: 'proxy.memcachedPort',
      host,
      port,
      tls,
      reusePort,
      maxConnections: limits.maxConnections,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      onRefused: (socket) => socket.write(OVER_LIMIT),
      ...deps,
    },
    (socket) => {
      const sessionLimits = { maxLineBytes: limits.maxInlineBytes, maxDataBytes: limits.maxBulkBytes };
      const session = new MemcachedSession(sessionLimits, RINGSIDE_VERSION);
      const connection = new Connection(socket, session, deps.clock);
      connections.add(connection);
      socket.once('close', () => connections.delete(connection));
    },
  );
  const sweep = setInterval(() => {
    for (const connection of connections)
      connection.closeIfLate(limits.headerTimeoutMs, limits.idleTimeoutMs);
  }, limits.headerTimeoutMs / SWEEPS_PER_TIMEOUT);
  sweep.unref();
  return {
    address: server.address,
    port: server.port,
    async close(graceMs) {
      clearInterval(sweep);
      for (const connection of connections) connection.finish();
      await server.close(graceMs);
    },
  };
}

/** A session on a socket. Answers wait in the socket alone: while the client does not read them, nothing is read from it. */
class Connection {
  readonly #socket: Socket;
  readonly #session: MemcachedSession;
  readonly #clock: Clock;
  #lastIdleMs: number;
  #lastByteMs: number;

  constructor(socket: Socket, session: MemcachedSession, clock: Clock) {
    this.#socket = socket;
    this.#session = session;
    this.#clock = clock;
    this.#lastIdleMs = clock.monotonicMs();
    this.#lastByteMs = this.#lastIdleMs;
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('drain', () => {
      this.#lastIdleMs = this.#clock.monotonicMs();
      socket.resume();
    });
  }

  /** Ends it when a request, or the client's reading, takes longer than `requestMs`, or it is silent for `idleMs` (0: any). */
  closeIfLate(requestMs: number, idleMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const isWorking = this.#session.isPending || this.#socket.writableNeedDrain;
    const isSlow = isWorking && nowMs - this.#lastIdleMs > requestMs;
    const isSilent = idleMs > 0 && nowMs - this.#lastByteMs > idleMs;
    if (isSlow || isSilent) this.#socket.destroy();
  }

  /** Ends it once the present request is answered. */
  finish(): void {
    if (!this.#session.isPending) this.#socket.end();
  }

  #received(chunk: Buffer): void {
    this.#lastByteMs = this.#clock.monotonicMs();
    const answer = this.#session.feed(chunk);
    if (!this.#session.isPending) this.#lastIdleMs = this.#lastByteMs;
    if (this.#session.isOver) {
      this.#end(answer);
    } else if (answer !== '' && !this.#socket.write(answer)) {
      this.#socket.pause();
    }
  }

  /** What still comes is thrown away for a moment: closing at once would reset the connection, and the answer with it. */
  #end(answer: string): void {
    this.#socket.removeAllListeners('data');
    this.#socket.end(answer);
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }
}
