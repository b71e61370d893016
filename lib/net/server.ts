import net from 'node:net';
import tls from 'node:tls';
import { type Clock, type Logger, systemClock } from '../base/index.ts';
import type { Metrics } from '../metrics/index.ts';
import { formatAddress } from './address.ts';
import { type ListenerFigures, listenerFigures } from './net-metrics.ts';
import { errorCode, listenError } from './node-error.ts';
import { isRefusal, judgePeer, type Peer, type Refusal } from './peer.ts';
import { RefusalLog } from './refusals.ts';
import { SharedReadSocket } from './shared-reads.ts';
import type { TlsMaterial } from './tls-material.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;
const BACKLOG = 1024;
/** How long a refused connection may take to close its side, and how many may take that long at once. */
const LEAVE_MS = 1000;
const MAX_LEAVING = 128;

/** By the connections that were let in. */
const namesOf = new WeakMap<net.Socket, readonly string[]>();

/** The first URI or DNS name of the certificate by which the other end of a connection was let in; null without TLS. */
export function certificateNameOf(socket: net.Socket): string | null {
  return namesOf.get(socket)?.at(0) ?? null;
}

/** How to listen, and whom to let in. */
export interface ListenOptions {
  /** The listener's name in log lines and metrics, e.g. `resp`. */
  readonly name: string;
  /** The configuration path of the port, named when the port is taken. */
  readonly setting: string;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Present: mutual TLS. A client needs a certificate that the material's authorities signed, with an allowed name. */
  readonly tls?: TlsMaterial;
  /** Connections open at once, handshakes included; one more is refused before it costs a handshake. */
  readonly maxConnections: number;
  /** Milliseconds for the TLS handshake; 10,000 by default. */
  readonly handshakeTimeoutMs?: number;
  /** Protocols offered by ALPN, e.g. `h2`. */
  readonly alpn?: readonly string[];
  /** Several worker threads listen on one port. Use `probePort` first: a taken port is not noticed then. */
  readonly reusePort?: boolean;
  /** Keeps the way out open after the client closed its side; false by default. */
  readonly allowHalfOpen?: boolean;
  /** Whoever gets the sockets reads them by `readBytes` alone, which costs plain ones no memory for each read; false by default. */
  readonly sharedReads?: boolean;
  readonly log: Logger;
  /** Counts connections and refusals under the listener's name. */
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  /** What a connection over the limit is told before it ends (an error in the protocol at hand); with TLS, nothing. */
  readonly lastWords?: string;
  /** Hears of each connection over the limit. */
  readonly onRefused?: () => void;
}

/** A listener that accepts connections. */
export interface ListeningServer {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** `host:port`. */
  readonly address: string;
  /** Connections open now, handshakes included. */
  readonly connections: number;
  /** Stops accepting at once, gives open connections `graceMs` to end (0 by default), then destroys the rest. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Listens, and hands each accepted connection to `onSocket`: with TLS after the handshake and the check of the client's names.
 * Of a refused client no byte is ever processed.
 *
 * Sockets have no delay, keep-alive on, and an error listener of their own: an owner that listens to `close` alone is safe.
 * Rejects with RingsideError `port_in_use` or `config_invalid`, naming the port and the setting.
 */
export async function createServer(
  options: ListenOptions,
  onSocket: (socket: net.Socket, peer: Peer) => void,
): Promise<ListeningServer> {
  const listener = new Listener(options, onSocket);
  await listener.listen();
  return listener;
}

/**
 * Rejects as `createServer` does when the port cannot be opened; else resolves with the port (a free one for 0), which is closed
 * again. Worker threads that share a port can then open it.
 */
export async function probePort(where: Pick<ListenOptions, 'host' | 'port' | 'setting'>): Promise<number> {
  const server = net.createServer();
  await open(server, where, false);
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A free port that stays this process's, to be listened on with `reusePort`, until the server is closed; whoever connects to this one is turned away. */
export async function holdFreePort(where: Pick<ListenOptions, 'host' | 'setting'>): Promise<net.Server> {
  const server = net.createServer((socket) => socket.destroy());
  await open(server, { ...where, port: 0 }, true);
  server.unref();
  return server;
}

class Listener implements ListeningServer {
  readonly #options: ListenOptions;
  readonly #onSocket: (socket: net.Socket, peer: Peer) => void;
  readonly #server: net.Server;
  readonly #tlsServer: tls.Server | null;
  readonly #sockets = new Set<net.Socket>();
  /** Refused ones that were told so and have not gone. */
  readonly #leaving = new Set<net.Socket>();
  readonly #figures: ListenerFigures;
  readonly #refusals: RefusalLog;
  #forgetMaterial = () => {};
  #onEmpty = () => {};
  port: number;

  constructor(options: ListenOptions, onSocket: (socket: net.Socket, peer: Peer) => void) {
    this.#options = options;
    this.#onSocket = onSocket;
    this.port = options.port;
    this.#figures = listenerFigures(options.name, options.metrics);
    this.#refusals = new RefusalLog(options.name, options.log, options.clock ?? systemClock);
    this.#server = net.createServer({
      allowHalfOpen: options.allowHalfOpen ?? false,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      pauseOnConnect: this.#sharesReads,
    });
    this.#server.on('connection', (socket) =>
      this.#accept(this.#sharesReads ? SharedReadSocket.of(socket) : socket),
    );
    this.#tlsServer = options.tls ? this.#createTlsServer(options.tls) : null;
  }

  /** TLS reads its sockets itself. */
  get #sharesReads(): boolean {
    return this.#options.sharedReads === true && this.#options.tls === undefined;
  }

  get name(): string {
    return this.#options.name;
  }

  get host(): string {
    return this.#options.host;
  }

  get address(): string {
    return formatAddress(this.host, this.port);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async listen(): Promise<void> {
    try {
      await open(this.#server, this.#options, this.#options.reusePort ?? false);
    } catch (error) {
      this.#forgetMaterial();
      throw error;
    }
    this.port = (this.#server.address() as net.AddressInfo).port;
    // Out of file descriptors, mostly. The listener goes on.
    this.#server.on('error', (error) =>
      this.#options.log.error({ listener: this.name, err: error }, 'accept failed'),
    );
  }

  async close(graceMs = 0): Promise<void> {
    this.#forgetMaterial();
    for (const socket of this.#leaving) socket.destroy();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    if (this.#sockets.size > 0 && graceMs > 0) await this.#emptied(graceMs);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #emptied(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #accept(socket: net.Socket): void {
    socket.on('error', ignore);
    if (this.#sockets.size >= this.#options.maxConnections) {
      this.#refuseOverLimit(socket);
      return;
    }
    this.#sockets.add(socket);
    this.#figures.open.inc();
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#figures.open.dec();
      if (this.#sockets.size === 0) this.#onEmpty();
    });
    if (this.#tlsServer) this.#tlsServer.emit('connection', socket);
    else this.#handOver(socket, { address: addressOf(socket), names: [] });
  }

  #handOver(socket: net.Socket, peer: Peer): void {
    this.#figures.accepted.inc();
    namesOf.set(socket, peer.names);
    this.#onSocket(socket, peer);
  }

  #refuse(address: string, refusal: Refusal): void {
    this.#figures.refused(refusal.reason).inc();
    this.#refusals.record(address, refusal);
  }

  #refuseOverLimit(socket: net.Socket): void {
    this.#refuse(addressOf(socket), { reason: 'connection limit', names: [], fingerprint: '' });
    const { lastWords, tls, onRefused } = this.#options;
    onRefused?.();
    if (lastWords === undefined || tls) socket.destroySoon();
    else this.#sayLast(socket, lastWords);
  }

  /** Closing at once would reset the connection of a client that has asked something, and the answer could be lost on its way. */
  #sayLast(socket: net.Socket, lastWords: string): void {
    socket.end(lastWords);
    if (this.#leaving.size >= MAX_LEAVING) {
      socket.destroySoon();
      return;
    }
    this.#leaving.add(socket);
    const timer = setTimeout(() => socket.destroy(), LEAVE_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#leaving.delete(socket);
    });
    socket.resume();
  }

  /** Never listens itself: connections are injected, so that limits hold before a handshake begins. */
  #createTlsServer(material: TlsMaterial): tls.Server {
    const { handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS, alpn } = this.#options;
    const server = tls.createServer({
      ...material.contextOptions,
      requestCert: true,
      // `judgePeer` decides, because Node's own rejection would not say who it was.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeTimeoutMs,
      ...(alpn && { ALPNProtocols: [...alpn] }),
    });
    server.on('secureConnection', (socket) => this.#acceptSecure(socket, material));
    server.on('tlsClientError', (error, socket) => this.#handshakeFailed(error, socket));
    this.#forgetMaterial = material.onReload(() => server.setSecureContext(material.contextOptions));
    return server;
  }

  #acceptSecure(socket: tls.TLSSocket, material: TlsMaterial): void {
    socket.on('error', ignore);
    const address = addressOf(socket);
    const verdict = judgePeer(socket, material.allowedNames);
    if (!isRefusal(verdict)) {
      this.#handOver(socket, { address, names: verdict.names });
      return;
    }
    this.#refuse(address, verdict);
    socket.destroy();
  }

  #handshakeFailed(error: Error, socket: tls.TLSSocket): void {
    const address = addressOf(socket);
    socket.destroy();
    const code = errorCode(error);
    // A health probe that only opens the port.
    if (code === 'ECONNRESET') return;
    const reason = code === 'ERR_TLS_HANDSHAKE_TIMEOUT' ? 'handshake timeout' : 'handshake failed';
    this.#refuse(address, { reason, names: [], fingerprint: '', detail: code || error.message });
  }
}

function open(
  server: net.Server,
  where: Pick<ListenOptions, 'host' | 'port' | 'setting'>,
  reusePort: boolean,
): Promise<void> {
  const { host, port } = where;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(listenError(error, where));
    server.once('error', fail);
    server.listen({ host, port, backlog: BACKLOG, exclusive: true, ...(reusePort && { reusePort }) }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

function addressOf(socket: net.Socket): string {
  return socket.remoteAddress ? formatAddress(socket.remoteAddress, socket.remotePort ?? 0) : 'gone';
}

function ignore(): void {}
