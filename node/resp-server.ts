import type { Socket } from 'node:net';
import type { Config } from '../lib/config/index.ts';
import type { Metrics } from '../lib/metrics/index.ts';
import { createServer, formatAddress, type ListeningServer, type TlsMaterial } from '../lib/net/index.ts';
import type { Executor } from './executor.ts';
import type { FollowerLink } from './replication/follower-link.ts';
import type { ReplicationLog } from './replication/replication-log.ts';
import { Connection } from './server/connection.ts';
import type { ConnectionHost } from './server/connection-host.ts';
import { Departures } from './server/departures.ts';
import type { NodeServices } from './services.ts';

/** Room for one largest argument and the rest of its command. */
const COMMAND_OVERHEAD_BYTES = 1 << 20;

const OVER_LIMIT = '-OVERLOADED max number of clients reached (setting node.limits.maxConnections)\r\n';

/** What the server works on. */
export interface RespServerParts {
  readonly node: NodeServices;
  readonly executor: Executor;
  readonly log: ReplicationLog;
  readonly metrics: Metrics;
  readonly tls?: TlsMaterial;
}

/** The node's RESP listener and its connections. */
export class RespServer {
  readonly #parts: RespServerParts;
  readonly #config: Config['node'];
  readonly #host: ConnectionHost;
  readonly #connections = new Set<Connection>();
  #listening: ListeningServer | undefined;
  #progressScheduled = false;

  constructor(config: Config['node'], parts: RespServerParts) {
    this.#parts = parts;
    this.#config = config;
    const { limits } = config;
    this.#host = {
      node: parts.node,
      executor: parts.executor,
      log: parts.log,
      limits: {
        get maxBulkBytes() {
          return parts.node.settings.maxBulkBytes;
        },
        maxArrayLength: limits.maxArrayLength,
        maxInlineBytes: limits.maxInlineBytes,
        get maxBufferedBytes() {
          return parts.node.settings.maxBulkBytes + COMMAND_OVERHEAD_BYTES;
        },
        maxOutputBytes: limits.maxOutputBytes,
        maxInputBytes: 2 * limits.maxBulkBytes,
      },
      departures: new Departures(() => parts.node.aof.settlesSoon),
      waiting: new Set(),
    };
    parts.node.followers.onProgress = () => this.#scheduleProgress();
  }

  /** Opens the port. Rejects with RingsideError `port_in_use`. */
  async listen(): Promise<ListeningServer> {
    const { node, metrics, tls } = this.#parts;
    const { bind, port, limits } = this.#config;
    this.#listening = await createServer(
      {
        name: 'resp',
        setting: 'node.port',
        host: bind,
        port: port === 'auto' ? 0 : Number(port),
        sharedReads: true,
        tls,
        get maxConnections() {
          return node.settings.maxClients;
        },
        handshakeTimeoutMs: limits.handshakeTimeoutMs,
        log: node.log,
        metrics,
        clock: node.clock,
        lastWords: OVER_LIMIT,
        onRefused: () => {
          node.stats.connectionsRefused++;
        },
      },
      (socket) => this.#accepted(socket),
    );
    return this.#listening;
  }

  #accepted(socket: Socket): void {
    const connection = new Connection(this.#host, socket, {
      address: formatAddress(socket.remoteAddress ?? '', socket.remotePort ?? 0),
      localAddress: formatAddress(socket.localAddress ?? '', socket.localPort ?? 0),
    });
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
  }

  /** Tells those that wait for followers or for the disk, outside anybody's turn. */
  #scheduleProgress(): void {
    if (this.#progressScheduled) return;
    this.#progressScheduled = true;
    queueMicrotask(() => {
      this.#progressScheduled = false;
      this.#host.departures.leave();
      this.#parts.node.blocked.followersProgressed();
      for (const connection of [...this.#host.waiting]) connection.progressed();
    });
  }

  /** The node leads no more. */
  giveUpHeldReplies(): void {
    for (const connection of this.#connections) connection.leadershipLost();
  }

  /** Closes clients that leave too much unread for too long, or have been silent longer than the setting allows, and followers that have for `followerTimeoutMs`. */
  closeIdle(followerTimeoutMs: number): void {
    const { clock, settings } = this.#parts.node;
    const nowMs = clock.monotonicMs();
    for (const connection of this.#connections) {
      connection.closeWhenUnread();
      const { client } = connection;
      const limitMs = client.link
        ? this.#linkTimeoutMs(client.link, followerTimeoutMs)
        : client.blocked
          ? 0
          : settings.idleTimeoutMs;
      if (limitMs > 0 && nowMs - client.lastActiveMs > limitMs) connection.close(`silent for ${limitMs} ms`);
    }
  }

  /** A follower that loads a snapshot has no time to say anything; one that is not a node does so every second. */
  #linkTimeoutMs({ isSyncing, follower }: FollowerLink, timeoutMs: number): number {
    return isSyncing || !follower.isNode
      ? Math.max(timeoutMs, this.#parts.node.settings.replTimeoutMs)
      : timeoutMs;
  }

  /** Stops accepting at once; connections end within `graceMs`. */
  async close(graceMs: number): Promise<void> {
    await this.#listening?.close(graceMs);
  }
}
