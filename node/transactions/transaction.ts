import type { Args } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import { waitsForWrites } from '../guards.ts';
import { type Client, IN_TRANSACTION } from '../server/client.ts';
import { CommandQueue } from './command-queue.ts';
import type { WatchedKeys } from './watched-keys.ts';

/** What MULTI has begun: the commands that EXEC will run, and what together they need. */
export class Transaction {
  readonly #specs: CommandSpec[] = [];
  readonly #queue = new CommandQueue();
  #isAborted = false;
  hasWrites = false;
  deniesOom = false;
  /** One of its commands makes no sense before the node has a data set. */
  needsData = false;
  /** One of its commands may be refused by a follower that is cut off. */
  needsLeader = false;
  /** A pause of writes makes EXEC wait. */
  waitsForWrites = false;
  /** Milliseconds that the reply waits for a follower: the longest that any of its writes would. */
  ackTimeoutMs = 0;

  /** A command could not be queued, so EXEC will refuse. */
  get isAborted(): boolean {
    return this.#isAborted;
  }

  /** What was queued will never run: its memory is given back. */
  abort(): void {
    this.#isAborted = true;
    this.#queue.clear();
  }

  /** Memory that the queued commands take. */
  get bytes(): number {
    return this.#queue.bytes;
  }

  /** Commands that were queued. */
  get length(): number {
    return this.#specs.length;
  }

  /** Queues a command; what will be refused anyway is not kept. */
  add(spec: CommandSpec, args: Args, ackTimeoutMs: number): void {
    if (this.#isAborted) return;
    this.#specs.push(spec);
    this.#queue.add(args);
    this.hasWrites ||= spec.isWrite;
    this.deniesOom ||= spec.deniesOom;
    this.needsData ||= spec.isReadonly && !spec.allowedLoading;
    this.needsLeader ||= !spec.flags.includes('stale');
    this.waitsForWrites ||= waitsForWrites(spec);
    this.ackTimeoutMs = Math.max(this.ackTimeoutMs, ackTimeoutMs);
  }

  /** The commands in their order; the arguments of each are valid until the next one is asked for. */
  *commands(): Generator<[spec: CommandSpec, args: Args]> {
    let i = 0;
    for (const args of this.#queue.commands()) yield [this.#specs[i++], args];
  }
}

/** The client is in a transaction from now on. */
export function beginTransaction(client: Client): void {
  client.transaction = new Transaction();
  client.modes |= IN_TRANSACTION;
}

/** Nothing is left of the client's transaction, nor of the keys it watched for it. */
export function endTransaction(client: Client, watched: WatchedKeys): void {
  client.transaction = null;
  client.modes &= ~IN_TRANSACTION;
  client.hasStaleWatch = false;
  watched.unwatch(client);
}
