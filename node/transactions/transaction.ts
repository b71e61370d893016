import { type Args, commandFrame } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import { waitsForWrites } from '../guards.ts';
import { type Client, IN_TRANSACTION } from '../server/client.ts';
import type { WatchedKeys } from './watched-keys.ts';

/** What MULTI has begun: the commands that EXEC will run, and what together they need. */
export class Transaction {
  readonly #specs: CommandSpec[] = [];
  readonly #frames: Buffer[] = [];
  /** A command could not be queued, so EXEC will refuse. */
  isAborted = false;
  /** Bytes of the queued commands. */
  bytes = 0;
  hasWrites = false;
  deniesOom = false;
  /** One of its commands makes no sense before the node has a data set. */
  needsData = false;
  /** A pause of writes makes EXEC wait. */
  waitsForWrites = false;
  /** Milliseconds that the reply waits for a follower: the longest that any of its writes would. */
  ackTimeoutMs = 0;

  get length(): number {
    return this.#specs.length;
  }

  /** Queues a command; what will be refused anyway is not kept. */
  add(spec: CommandSpec, args: Args, ackTimeoutMs: number): void {
    if (this.isAborted) return;
    const frame = commandFrame(args);
    this.#specs.push(spec);
    this.#frames.push(frame);
    this.bytes += frame.length;
    this.hasWrites ||= spec.isWrite;
    this.deniesOom ||= spec.deniesOom;
    this.needsData ||= spec.isReadonly && !spec.allowedLoading;
    this.waitsForWrites ||= waitsForWrites(spec);
    this.ackTimeoutMs = Math.max(this.ackTimeoutMs, ackTimeoutMs);
  }

  /** The commands in order, each as it goes over the wire. */
  *commands(): Generator<[spec: CommandSpec, frame: Buffer]> {
    for (let i = 0; i < this.#specs.length; i++) yield [this.#specs[i], this.#frames[i]];
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
