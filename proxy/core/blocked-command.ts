import type { RingsideError } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { errorReply, errorText, isErrorReply, plainError } from './frames.ts';
import type { ConnectionPurpose } from './greeting.ts';
import { type Borrowed, borrowAtLeader, leaderOf, meansNoLeader, nextChange } from './leader-wait.ts';
import { PrivateConnection } from './private-connection.ts';
import type { PrivatePool } from './private-pool.ts';
import { NO_MARK } from './read-port.ts';
import type { Router } from './router.ts';
import { Stat } from './stats.ts';
import type { ShardRoute, UpstreamNode } from './topology.ts';

const RETRY_MS = 50;
/** The longest that a timer of the platform can be set to. */
const MAX_TIMER_MS = 0x7fffffff;
/** What a node says that does not lead any more; it has popped nothing. */
const FORCED = 'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)';
/** What CLIENT UNBLOCK … ERROR lets the blocked client hear. */
const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK';

/** A command that may wait for data. */
export interface BlockingCommand extends ConnectionPurpose {
  /** Its arguments, in memory of their own. */
  readonly parts: readonly Buffer[];
  /** Which argument is the timeout, in seconds. */
  readonly timeoutAt: number;
  /** Milliseconds; 0: for ever, as far as the proxy can tell. */
  readonly timeoutMs: number;
  /** The shard that has its keys by the present ring; null: they are on several now. */
  readonly shardNow: () => string | null;
}

/** How a node let go of a command. */
type Outcome =
  | { readonly reply: Buffer }
  /** The connection ended: nobody knows what the node has done. */
  | { readonly lost: string };

/**
 * One blocking command on a private connection to the leader of its shard. When that changes while it waits, it moves on with the rest of its
 * timeout, provided that it certainly got nothing: the node has to say so. A connection that is lost makes the outcome unknown.
 */
export class BlockedCommand {
  readonly #router: Router;
  readonly #pool: PrivatePool;
  readonly #command: BlockingCommand;
  readonly #deadlineMs: number;
  #borrowed: Borrowed | null = null;
  /** Set while the node is asked to let go. */
  #unblocking: Promise<unknown> | null = null;
  #isMoving = false;
  #isDismissed = false;
  #sentMs = 0;
  #refusedSinceMs: number;
  #isOver = false;
  readonly #nearMark: number;
  /** Ends the exchange under way. */
  #settle: (outcome: Outcome) => void = ignore;
  #timer: NodeJS.Timeout | undefined;
  readonly #look = () => this.#lookAround();
  #answer: (reply: Buffer, route: ShardRoute | null) => void = () => {};

  constructor(router: Router, pool: PrivatePool, command: BlockingCommand) {
    this.#router = router;
    this.#pool = pool;
    this.#command = command;
    const { timeoutMs, parts, database } = command;
    this.#nearMark = router.hearsOfBypasses ? router.bypassed(encodeCommand(...parts), database) : NO_MARK;
    this.#refusedSinceMs = this.#nowMs();
    this.#deadlineMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.#nowMs() + timeoutMs;
  }

  /** Begins. `answer` is called once, with the reply and with the shard that it may have changed; not after `giveUp`. */
  start(answer: (reply: Buffer, route: ShardRoute | null) => void): void {
    this.#answer = answer;
    this.#router.changed.add(this.#look);
    void this.#run();
  }

  /** The client is gone: so is its connection to the node, at once, before another element can be popped for it. */
  giveUp(): void {
    this.#end();
    this.#borrowed?.connection.close();
    this.#settle({ lost: 'the client is gone' });
  }

  /** CLIENT UNBLOCK: ends the wait as if its time were up, or with an error. Resolves with false when it is over already. */
  async unblock(how: 'TIMEOUT' | 'ERROR'): Promise<boolean> {
    if (this.#isOver) return false;
    if (this.#borrowed !== null) return this.#askToLetGo(how);
    // Nothing was sent yet.
    const none = this.#command.protocol === 3 ? '_\r\n' : '*-1\r\n';
    this.#finish(how === 'TIMEOUT' ? Buffer.from(none) : plainError(UNBLOCKED), null);
    return true;
  }

  /** The proxy shuts down: the client is sent away as by a node that leads no more, unless it has just got something. */
  dismiss(): void {
    this.#isDismissed = true;
    if (this.#borrowed === null) this.#finish(plainError(FORCED), null);
    else this.#move();
  }

  async #run(): Promise<void> {
    for (;;) {
      const borrowed = await this.#borrow();
      if (borrowed === null) return;
      const outcome = await this.#exchange(borrowed);
      await this.#unblocking;
      this.#borrowed = null;
      const isDone =
        'lost' in outcome ? this.#lost(borrowed, outcome.lost) : this.#replied(borrowed, outcome.reply);
      if (isDone) return;
      if (!this.#isMoving) await nextChange(this.#router, RETRY_MS);
      this.#isMoving = false;
    }
  }

  #lost({ connection, route }: Borrowed, why: string): true {
    this.#pool.discard(connection);
    if (this.#isOver) return true;
    this.#router.stats.add(Stat.writesUnknown);
    const text = `shard ${route.name}: ${connection.node.name}: the connection was lost before the answer came (${why})`;
    this.#finish(errorReply('write_unknown', text), route);
    return true;
  }

  /** False: the node is not the one to ask, and has done nothing. */
  #replied({ connection, route }: Borrowed, reply: Buffer): boolean {
    this.#pool.release(connection);
    if (this.#isDismissed && reply.latin1Slice() === `-${UNBLOCKED}\r\n`) {
      this.#finish(plainError(FORCED), null);
      return true;
    }
    const nowMs = this.#nowMs();
    // What was refused only after a while was accepted first: the time begins anew.
    if (nowMs - this.#sentMs > RETRY_MS) this.#refusedSinceMs = nowMs;
    const { operationTimeoutMs } = this.#router.env.settings;
    if (nowMs - this.#refusedSinceMs <= operationTimeoutMs && this.#mayMove(reply, connection.node))
      return false;
    this.#finish(reply, isErrorReply(reply, 0) ? null : route);
    return true;
  }

  /** A connection to the shard's leader; null: the client has been answered, or is gone. */
  async #borrow(): Promise<Borrowed | null> {
    const shard = this.#command.shardNow();
    if (shard === null) {
      this.#finish(plainError('STALERING the keys are on several shards since the ring has changed'), null);
      return null;
    }
    try {
      const borrowed = await borrowAtLeader(
        this.#router,
        this.#pool,
        shard,
        this.#command,
        () => !this.#isOver,
      );
      if (!this.#isOver) return borrowed;
      this.#pool.release(borrowed.connection);
    } catch (error) {
      this.#finish(plainError((error as RingsideError).toResp()), null);
    }
    return null;
  }

  #exchange(borrowed: Borrowed): Promise<Outcome> {
    const { connection } = borrowed;
    this.#borrowed = borrowed;
    this.#router.pinnedWrites++;
    this.#sentMs = this.#nowMs();
    return new Promise((resolve) => {
      this.#settle = (outcome) => {
        this.#settle = ignore;
        this.#router.pinnedWrites--;
        clearTimeout(this.#timer);
        connection.onNodeLeft = null;
        resolve(outcome);
      };
      this.#guard(connection);
      connection.onNodeLeft = () => this.#move();
      connection.onClosed = (lost) => this.#settle({ lost });
      connection.send(this.#frame(), (buffer, start, end) =>
        this.#settle({ reply: buffer.subarray(start, end) }),
      );
    });
  }

  /** A node that has long been due is not there any more. */
  #guard(connection: PrivateConnection): void {
    if (this.#deadlineMs === Number.POSITIVE_INFINITY) return;
    const { operationTimeoutMs } = this.#router.env.settings;
    const inMs = Math.max(0, this.#deadlineMs - this.#nowMs()) + operationTimeoutMs;
    const expire = () => setImmediate(() => connection.abandon('the node did not answer in time'));
    this.#timer = setTimeout(expire, Math.min(inMs, MAX_TIMER_MS));
  }

  /** The command with what is left of its timeout. */
  #frame(): Buffer {
    const { parts, timeoutAt, timeoutMs } = this.#command;
    if (timeoutMs === 0) return encodeCommand(...parts);
    const leftMs = Math.max(1, Math.ceil(this.#deadlineMs - this.#nowMs()));
    return encodeCommand(
      ...parts.with(timeoutAt, leftMs >= timeoutMs ? parts[timeoutAt] : Buffer.from(String(leftMs / 1000))),
    );
  }

  /** Whether the reply says that nothing was popped because this node is not the one to ask. */
  #mayMove(reply: Buffer, node: UpstreamNode): boolean {
    if (!isErrorReply(reply, 0)) return false;
    const text = errorText(reply, 0, reply.length);
    if (this.#isMoving && text === UNBLOCKED) return true;
    if (text !== FORCED && !meansNoLeader(text)) return false;
    this.#router.refresh();
    return this.#router.mayChangeLeader(node);
  }

  /** The ring has changed, or writes are held: is this still the node? */
  #lookAround(): void {
    if (this.#borrowed === null) return;
    if (this.#router.isHolding) {
      this.#move();
      return;
    }
    const { connection } = this.#borrowed;
    const shard = this.#command.shardNow();
    const led = shard === null ? null : leaderOf(this.#router, shard);
    if (shard === null || (led !== null && led.node !== connection.node)) this.#move();
  }

  /** The node lets go of the command, unless it has just popped something, and another one gets it. */
  #move(): void {
    if (this.#isMoving || this.#isOver || this.#borrowed === null) return;
    this.#isMoving = true;
    void this.#askToLetGo('ERROR');
  }

  /** Over a connection of its own; when the node does not answer, the blocked one is given up. */
  async #askToLetGo(how: 'TIMEOUT' | 'ERROR'): Promise<boolean> {
    const { connection } = this.#borrowed!;
    const asking = letGo(this.#router, connection, how);
    const answered = asking.catch(() => {
      connection.abandon('the node does not answer any more');
      return false;
    });
    this.#unblocking = answered;
    return answered;
  }

  #finish(reply: Buffer, route: ShardRoute | null): void {
    if (this.#isOver) return;
    this.#end();
    this.#answer(reply, route);
  }

  #end(): void {
    if (!this.#isOver) this.#router.reads?.settled(this.#nearMark);
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#router.changed.delete(this.#look);
  }

  #nowMs(): number {
    return this.#router.env.clock.monotonicMs();
  }
}

function ignore(): void {}

/** Asks the node of a blocked connection to unblock it; true when it did. */
async function letGo(router: Router, blocked: PrivateConnection, how: string): Promise<boolean> {
  if (blocked.remoteId === null) throw new Error('the node does not number its connections');
  const other = await PrivateConnection.open(blocked.node, { protocol: 2, database: 0, router });
  try {
    const [reply] = await other.ask(encodeCommand('CLIENT', 'UNBLOCK', blocked.remoteId, how));
    return reply.latin1Slice() === ':1\r\n';
  } finally {
    other.close();
  }
}
