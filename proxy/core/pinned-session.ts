import { RingsideError } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { errorReply, errorText, isErrorReply, plainError } from './frames.ts';
import type { ConnectionPurpose } from './greeting.ts';
import { type Borrowed, borrowAtLeader, nextChange } from './leader-wait.ts';
import type { PrivateConnection } from './private-connection.ts';
import type { PrivatePool } from './private-pool.ts';
import type { Router } from './router.ts';
import { Stat } from './stats.ts';
import type { TransactionResult } from './transaction-run.ts';
import type { Unit } from './unit.ts';
import { abortReply, UnitReplies } from './unit-replies.ts';

const HOLD_CHECK_MS = 50;
const LOST = 'CLUSTERDOWN the connection that watched the keys was lost';

/**
 * A private connection to the leader of one shard for one client: from its first WATCH until EXEC, DISCARD or UNWATCH, or for one transaction
 * that needs it. One thing at a time. When the connection of a client that watches is lost, EXEC is aborted: the keys may have changed.
 */
export class PinnedSession {
  /** Name of the shard. */
  readonly shard: string;
  readonly #router: Router;
  readonly #pool: PrivatePool;
  #borrowed: Borrowed | null = null;
  /** What the commands on the connection are about now. */
  #now: ConnectionPurpose = { protocol: 2, database: 0 };
  #isOver = false;

  constructor(router: Router, pool: PrivatePool, shard: string) {
    this.#router = router;
    this.#pool = pool;
    this.shard = shard;
  }

  /** Sends WATCH (`frame`, encoded) and resolves with its reply. */
  async watch(frame: Buffer, purpose: ConnectionPurpose): Promise<Buffer> {
    try {
      const { connection } = await this.#prepared(purpose);
      const [reply] = await connection.ask(frame);
      return reply;
    } catch (error) {
      return plainError(textOf(error));
    }
  }

  /** Runs a transaction, the one for which the keys were watched if any were; the session is over then. */
  async run(unit: Unit): Promise<TransactionResult> {
    const mark = this.#router.bypassed(unit.frame, unit.database);
    try {
      return await this.#run(unit);
    } finally {
      this.#router.reads?.settled(mark);
    }
  }

  async #run(unit: Unit): Promise<TransactionResult> {
    let borrowed: Borrowed;
    try {
      while (this.#router.isHolding) await nextChange(this.#router, HOLD_CHECK_MS);
      borrowed = await this.#prepared(unit);
    } catch (error) {
      this.close();
      return { reply: abortReply(textOf(error)), route: null };
    }
    if (unit.isWrite) this.#router.pinnedWrites++;
    const { connection, route } = borrowed;
    try {
      const reply = await this.#exchange(connection, unit);
      this.#giveBack(unit.selects);
      return { reply, route };
    } catch (error) {
      this.close();
      return { reply: this.#failureOf(unit, (error as Error).message), route };
    } finally {
      if (unit.isWrite) this.#router.pinnedWrites--;
    }
  }

  /** Watches nothing any more: the session is over. Nobody need wait for that. */
  unwatch(): void {
    const { connection } = this.#borrowed ?? {};
    if (connection === undefined || !connection.isOpen) {
      this.close();
      return;
    }
    connection.ask(encodeCommand('UNWATCH')).then(
      ([reply]) => (isErrorReply(reply, 0) ? this.close() : this.#giveBack(false)),
      () => this.close(),
    );
  }

  /** Gives everything up, as for a client that is gone: what it watched is forgotten with the connection. */
  close(): void {
    this.#isOver = true;
    const { connection } = this.#borrowed ?? {};
    this.#borrowed = null;
    if (connection !== undefined) this.#pool.discard(connection);
  }

  /** The connection, about what this purpose says. Rejects with a RingsideError, or with an Error that is a whole reply text: nothing was sent. */
  async #prepared(purpose: ConnectionPurpose): Promise<Borrowed> {
    const isFirst = this.#borrowed === null;
    this.#borrowed ??= await this.#borrow(purpose);
    if (!this.#borrowed.connection.isOpen) throw new Error(LOST);
    if (!isFirst) await this.#turnTo(this.#borrowed.connection, purpose);
    return this.#borrowed;
  }

  async #borrow(purpose: ConnectionPurpose): Promise<Borrowed> {
    const borrowed = await borrowAtLeader(this.#router, this.#pool, this.shard, purpose, () => !this.#isOver);
    this.#now = { protocol: purpose.protocol, database: purpose.database };
    if (!this.#isOver) return borrowed;
    this.#pool.discard(borrowed.connection);
    throw new Error(LOST);
  }

  /** EXEC's reply. */
  #exchange(connection: PrivateConnection, unit: Unit): Promise<Buffer> {
    const replies = new UnitReplies(unit.commands);
    return new Promise((resolve, reject) => {
      const { operationTimeoutMs } = this.#router.env.settings;
      const timer = setTimeout(
        () => setImmediate(() => connection.abandon(`no answer within ${operationTimeoutMs} ms`)),
        operationTimeoutMs,
      );
      // It is answered yet.
      connection.onNodeLeft = () => {};
      connection.onClosed = (reason) => {
        clearTimeout(timer);
        reject(new Error(reason));
      };
      const hear = (buffer: Buffer, start: number, end: number) => {
        const answer = replies.take(buffer, start, end);
        if (replies.isBroken) connection.abandon('the node refused MULTI');
        if (answer === null) return;
        clearTimeout(timer);
        resolve(answer.buffer.subarray(answer.start, answer.end));
      };
      connection.send(unit.frame, hear, replies.total);
    });
  }

  /** The client may have changed its RESP version or its database since. */
  async #turnTo(connection: PrivateConnection, { protocol, database }: ConnectionPurpose): Promise<void> {
    const frames: Buffer[] = [];
    if (protocol !== this.#now.protocol) frames.push(encodeCommand('HELLO', protocol));
    if (database !== this.#now.database) frames.push(encodeCommand('SELECT', database));
    this.#now = { protocol, database };
    for (const frame of frames) {
      const [reply] = await connection.ask(frame);
      if (isErrorReply(reply, 0)) throw new Error(errorText(reply, 0, reply.length));
    }
  }

  #giveBack(hasSelected: boolean): void {
    this.#isOver = true;
    const { connection } = this.#borrowed ?? {};
    this.#borrowed = null;
    if (connection === undefined) return;
    const { protocol, database } = this.#now;
    const isAsLent = !hasSelected && protocol === connection.protocol && database === connection.database;
    if (isAsLent) this.#pool.release(connection);
    else this.#pool.discard(connection);
  }

  #failureOf(unit: Unit, why: string): Buffer {
    if (!unit.isWrite) return errorReply('shard_down', `shard ${this.shard}: ${why}`);
    this.#router.stats.add(Stat.writesUnknown);
    return errorReply('write_unknown', `shard ${this.shard}: ${why}`);
  }
}

/** What `#prepared` rejects with, as an error reply says it. */
function textOf(error: unknown): string {
  return error instanceof RingsideError ? error.toResp() : (error as Error).message;
}
