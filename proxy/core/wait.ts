import type { Socket } from 'node:net';
import { type Logger, RingsideError } from '../../lib/base/index.ts';
import { encodeCommand, ReplyFramer } from '../../lib/codec/resp/index.ts';
import { connectSocket, Pool } from '../../lib/net/index.ts';
import { plainError } from './frames.ts';
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
  readonly #pools = new Map<UpstreamNode, Pool<WaitConnection>>();

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
    let connection: WaitConnection | null = null;
    try {
      connection = await pool.acquire();
      const leftMs =
        deadlineMs === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.ceil(deadlineMs - this.#nowMs()));
      const count = await connection.wait(replicas, leftMs, signal);
      pool.release(connection);
      return this.#isCurrent(route, node) ? count : 0;
    } catch (error) {
      if (connection !== null) pool.discard(connection);
      if (error instanceof RingsideError && error.code === 'overloaded') throw error;
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

  #poolOf(node: UpstreamNode): Pool<WaitConnection> {
    this.#dropPools();
    let pool = this.#pools.get(node);
    if (pool === undefined) {
      pool = new Pool<WaitConnection>({
        open: () => WaitConnection.open(node, this.#router),
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

/** A connection that carries nothing but `PING`, `WAIT`, one pair at a time. */
class WaitConnection {
  readonly #socket: Socket;
  readonly #framer = new ReplyFramer();
  #replies: string[] = [];
  #settle: ((error: Error | null) => void) | null = null;
  #expected = 0;
  #failure: Error | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
  }

  /** Connects and authenticates. */
  static open(node: UpstreamNode, router: Router): Promise<WaitConnection> {
    const { settings, tls } = router.env;
    const { nodePassword, connectTimeoutMs } = settings;
    return new Promise((resolve, reject) => {
      const socket = connectSocket({ ...node.address, tls, timeoutMs: connectTimeoutMs }, () => {
        socket.off('error', reject);
        const connection = new WaitConnection(socket);
        if (nodePassword === null) resolve(connection);
        else
          connection
            .#ask([encodeCommand('AUTH', nodePassword)], connectTimeoutMs)
            .then(() => resolve(connection), reject);
      });
      socket.once('error', reject);
    });
  }

  /** The number of replicas; 0 as `timeoutMs` waits for ever, until `signal` gives up. */
  async wait(replicas: number, timeoutMs: number, signal: AbortSignal): Promise<number> {
    const giveUp = () => this.#fail(new Error('nobody waits any more'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const frames = [encodeCommand('PING'), encodeCommand('WAIT', replicas, timeoutMs)];
      const replies = await this.#ask(frames, timeoutMs === 0 ? 0 : timeoutMs + GRACE_MS);
      return Number(replies[1].slice(1));
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(frames: readonly Buffer[], timeoutMs: number): Promise<string[]> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#replies = [];
    this.#expected = frames.length;
    this.#socket.write(Buffer.concat(frames));
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs > 0 ? setTimeout(() => this.#fail(new Error('no answer in time')), timeoutMs) : undefined;
      this.#settle = (error) => {
        clearTimeout(timer);
        this.#settle = null;
        if (error) reject(error);
        else resolve(this.#replies);
      };
    });
  }

  #received(chunk: Buffer): void {
    try {
      this.#framer.push(chunk);
      while (this.#framer.next()) {
        const { buffer, frameStart, frameEnd } = this.#framer;
        this.#replies.push(buffer.latin1Slice(frameStart, frameEnd - 2));
      }
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    const refusal = this.#replies.find((reply) => reply.startsWith('-') && !CANNOT_SAVE.test(reply));
    if (refusal) this.#fail(new Error(refusal.slice(1)));
    else if (this.#replies.length >= this.#expected) this.#settle?.(null);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
    this.#settle?.(error);
  }
}
