import { RingsideError } from '../../lib/base/index.ts';
import { PrivateConnection } from './private-connection.ts';
import type { Router } from './router.ts';
import { Stat } from './stats.ts';
import type { UpstreamNode } from './topology.ts';

const IDLE_MS = 30_000;
const SWEEP_MS = 1000;

interface Idle {
  readonly connection: PrivateConnection;
  readonly sinceMs: number;
}

/** The connections of one node, lent, idle and being opened. */
interface Share {
  count: number;
  /** Longest idle first. */
  idle: Idle[];
}

/**
 * Private connections, lent to one client each: for WATCH and for blocking commands. So many per node at most; nobody queues for one, since
 * whoever has one may keep it for ever.
 */
export class PrivatePool {
  readonly #router: Router;
  readonly #maxPerNode: number;
  readonly #shares = new Map<UpstreamNode, Share>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(router: Router) {
    this.#router = router;
    this.#maxPerNode = router.env.settings.maxPrivateConnectionsPerNode;
  }

  /**
   * Lends a connection. Rejects with RingsideError: `overloaded` at the limit, `shard_down` when the node cannot be reached. The borrower sets
   * `onClosed`, and gives it back by `release` or `discard`.
   */
  async acquire(node: UpstreamNode, protocol: 2 | 3, database: number): Promise<PrivateConnection> {
    const share = this.#shareOf(node);
    const idle = takeFit(share, protocol, database);
    if (idle !== null) return idle;
    if (share.count >= this.#maxPerNode) this.#makeRoom(share);
    share.count++;
    try {
      return await PrivateConnection.open(node, { protocol, database, router: this.#router });
    } catch (error) {
      this.#forget(node);
      throw error;
    }
  }

  /** Takes back a connection that is certain to be as it was lent: no reply due, nothing watched, no other database or protocol. */
  release(connection: PrivateConnection): void {
    if (!connection.isOpen || !this.#isPresent(connection.node)) {
      this.discard(connection);
      return;
    }
    connection.onNodeLeft = null;
    connection.onPush = () => this.#dropIdle(connection);
    connection.onClosed = () => this.#dropIdle(connection);
    const sinceMs = this.#router.env.clock.monotonicMs();
    this.#shareOf(connection.node).idle.push({ connection, sinceMs });
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** Takes back a connection of which that is not certain, and closes it. */
  discard(connection: PrivateConnection): void {
    connection.close();
    this.#forget(connection.node);
  }

  /** Closes the idle ones; the lent ones are closed with their clients, or with their nodes. */
  close(): void {
    clearInterval(this.#sweeper);
    for (const { idle } of this.#shares.values())
      for (const { connection } of [...idle]) this.#dropIdle(connection);
  }

  #shareOf(node: UpstreamNode): Share {
    let share = this.#shares.get(node);
    if (share === undefined) {
      share = { count: 0, idle: [] };
      this.#shares.set(node, share);
    }
    return share;
  }

  #isPresent(node: UpstreamNode): boolean {
    for (const present of this.#router.nodes) if (present === node) return true;
    return false;
  }

  /** At the limit: an idle connection of another kind makes way. */
  #makeRoom(share: Share): void {
    const oldest = share.idle[0];
    if (oldest !== undefined) {
      this.#dropIdle(oldest.connection);
      return;
    }
    const { stats, health, clock } = this.#router.env;
    const setting = 'proxy.limits.maxPrivateConnectionsPerNode';
    stats.add(Stat.overloadedErrors);
    health.limits.reached(setting, clock.monotonicMs());
    throw new RingsideError(
      'overloaded',
      `${this.#maxPerNode} connections to one node are in use by single clients (${setting})`,
    );
  }

  #dropIdle(connection: PrivateConnection): void {
    const share = this.#shareOf(connection.node);
    share.idle = share.idle.filter((one) => one.connection !== connection);
    this.discard(connection);
  }

  #forget(node: UpstreamNode): void {
    const share = this.#shareOf(node);
    if (--share.count === 0) this.#shares.delete(node);
  }

  #sweep(): void {
    const before = this.#router.env.clock.monotonicMs() - IDLE_MS;
    for (const { idle } of [...this.#shares.values()]) {
      for (const { connection, sinceMs } of idle) if (sinceMs <= before) this.#dropIdle(connection);
    }
    if (this.#shares.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

function ignore(): void {}

/** The idle connection of this kind that was used last. */
function takeFit(share: Share, protocol: 2 | 3, database: number): PrivateConnection | null {
  for (let i = share.idle.length - 1; i >= 0; i--) {
    const { connection } = share.idle[i];
    if (connection.protocol !== protocol || connection.database !== database) continue;
    share.idle.splice(i, 1);
    connection.onPush = ignore;
    connection.onClosed = ignore;
    return connection;
  }
  return null;
}
