import { type Logger, RingsideError } from '../../lib/base/index.ts';
import { encodeCommand, replyNumber } from '../../lib/codec/resp/index.ts';
import { Pool } from '../../lib/net/index.ts';
import { errorText, isErrorReply, plainError } from './frames.ts';
import { PrivateConnection } from './private-connection.ts';
import type { Router } from './router.ts';
import { Stat } from './stats.ts';
import type { ShardRoute, UpstreamNode } from './topology.ts';

const IDLE_MS = 30_000;
/** How much longer than asked a WAIT may take before its connection is given up. */
const GRACE_MS = 500;
/** What a node answers to PING that cannot write to its disk; WAIT it answers all the same. */
const CANNOT_SAVE = /^-MISCONF /;

/**
 * WAIT through a proxy. On a shared connection it would hold up everybody behind it, and on a fresh one Redis would answer at
 * once and wrongly, so: on a connection of a pool, PING (which moves that connection's offset to all that was written so far), then
 * WAIT, to every shard the client wrote to. The answer is the minimum, and 0 where the shard's epoch changed since the write.
 */
export class WaitService {
  readonly #router: Router;
  readonly #log: Logger;
  readonly #maxPerNode: number;
  readonly #pools = new Map<UpstreamNode, Pool<PrivateConnection>>();

  /** `maxPerNode`: WAITs at once at one node; as many again may queue for ten times that. */
  constructor(router: Router, maxPerNode: number) {
    this.#router = router;
    this.#log = router.env.log;
    this.#maxPerNode = maxPerNode;
  }

  /**
   * Asks for `replicas` within `timeoutMs` (0: for ever), and calls `answer` once with the reply. The function returned
   * gives up: `answer` is not called then.
   */
  start(
    routes: readonly ShardRoute[],
    replicas: number,
    timeoutMs: number,
    answer: (reply: Buffer) => void,
  ): () => void {
    this.#router.stats.add(Stat.waitCommands);
    const given = new AbortController();
    const deadlineMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.#nowMs() + timeoutMs;
    const counts = routes.map((route) => this.#countFor(route, replicas, deadlineMs, given.signal));
    Promise.all(counts).then(
      (found) => {
        if (!given.signal.aborted) answer(Buffer.from(`:${Math.min(...found)}\r\n`));
      },
      (error: unknown) => {
        if (given.signal.aborted) return;
        given.abort();
        answer(
          plainError(error instanceof RingsideError ? error.toResp() : `ERR ${(error as Error).message}`),
        );
      },
    );
    return () => given.abort();
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
  }

  async #countFor(
    route: ShardRoute,
    replicas: number,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<number> {
    const node = route.leader;
    if (node === null || !this.#isCurrent(route, node)) return 0;
    const pool = this.#poolOf(node);
    let connection: PrivateConnection | null = null;
    try {
      connection = await pool.acquire();
      const leftMs =
        deadlineMs === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.ceil(deadlineMs - this.#nowMs()));
      const count = await askFor(connection, replicas, leftMs, signal);
      pool.release(connection);
      return this.#isCurrent(route, node) ? count : 0;
    } catch (error) {
      if (connection !== null) pool.discard(connection);
      if (error instanceof RingsideError && error.code === 'overloaded') {
        const { limits } = this.#router.env.health;
        limits.reached('proxy.limits.maxWaitsPerNode', this.#nowMs(), { shard: route.name });
        throw error;
      }
      this.#log.debug({ node: node.name, shard: route.name, err: error }, 'WAIT was not answered');
      return 0;
    }
  }

  #nowMs(): number {
    return this.#router.env.clock.monotonicMs();
  }

  /** The shard has had this leader, at this epoch, ever since. */
  #isCurrent(route: ShardRoute, node: UpstreamNode): boolean {
    return this.#router.routes.includes(route) && route.leader === node;
  }

  #poolOf(node: UpstreamNode): Pool<PrivateConnection> {
    this.#dropPools();
    let pool = this.#pools.get(node);
    if (pool === undefined) {
      pool = new Pool<PrivateConnection>({
        open: () => this.#open(node),
        close: (connection) => connection.close(),
        max: this.#maxPerNode,
        maxWaiting: this.#maxPerNode * 10,
        waitTimeoutMs: this.#router.env.settings.operationTimeoutMs,
        idleTimeoutMs: IDLE_MS,
        setting: 'proxy.limits.maxWaitsPerNode',
        clock: this.#router.env.clock,
      });
      this.#pools.set(node, pool);
    }
    return pool;
  }

  async #open(node: UpstreamNode): Promise<PrivateConnection> {
    const connection = await PrivateConnection.open(node, { protocol: 2, database: 0, router: this.#router });
    connection.onClosed = () => this.#pools.get(node)?.discard(connection);
    return connection;
  }

  /** Pools of nodes that left the ring. */
  #dropPools(): void {
    const present = new Set(this.#router.nodes);
    for (const [node, pool] of this.#pools) {
      if (present.has(node)) continue;
      pool.close();
      this.#pools.delete(node);
    }
  }
}

/** The number of replicas; 0 as `timeoutMs` waits for ever, until `signal` gives up. Then, and when no answer comes, the connection is closed. */
async function askFor(
  connection: PrivateConnection,
  replicas: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<number> {
  const giveUp = () => connection.abandon('nobody waits any more');
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const frame = Buffer.concat([encodeCommand('PING'), encodeCommand('WAIT', replicas, timeoutMs)]);
    const patienceMs = timeoutMs === 0 ? 0 : timeoutMs + GRACE_MS;
    const replies = await connection.ask(frame, { replies: 2, timeoutMs: patienceMs });
    const refusal = replies.find((reply) => isErrorReply(reply, 0) && !CANNOT_SAVE.test(reply.latin1Slice()));
    if (refusal !== undefined) throw new Error(errorText(refusal, 0, refusal.length));
    return replyNumber(replies[1], 0);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
