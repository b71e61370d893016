import type { User } from '../../lib/acl/index.ts';
import type { RespWriter } from '../../lib/codec/resp/index.ts';
import type { TrackingState } from '../../lib/commands/index.ts';
import type { Subscriptions } from '../pubsub/pubsub.ts';
import type { FollowerGreeting } from '../replication/accept-follower.ts';
import type { FollowerLink } from '../replication/follower-link.ts';
import type { Transaction } from '../transactions/transaction.ts';
import type { Blocked } from './blocked.ts';

/** What CLIENT REPLY asks for; `skip-next` becomes `skip` with the next command. */
export type ReplyMode = 'on' | 'off' | 'skip-next' | 'skip';

/** Bits of `Client.modes`. */
export const IN_TRANSACTION = 1;
export const SUBSCRIBED = 2;
export const TRACKING = 4;

/** What commands know about whom they work for. */
export class Client {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  /** Monotonic milliseconds. */
  readonly connectedAtMs: number;
  lastActiveMs: number;
  name = '';
  protocol: 2 | 3 = 2;
  authenticated: boolean;
  /** Who it is; null for the node itself, which may do everything. */
  user: User | null = null;
  /** Number of the database it selected. */
  database = 0;
  replyMode: ReplyMode = 'on';
  noEvict = false;
  /** Lower-case name of the last command, with its subcommand. */
  lastCommand = '';
  /** The shard epoch of its last `RS.EPOCH`; -1 for none. */
  shardEpoch = -1;
  /** The shard it named there. */
  shard = '';
  /** Where the replication stream stood behind its last command; Infinity once that stream is another leader's. */
  writeOffset = 0;
  /** What makes its commands more than plain ones, as bits; 0 for most clients, so that one look is enough. */
  modes = 0;
  /** Between MULTI and EXEC (`IN_TRANSACTION`). */
  transaction: Transaction | null = null;
  /** EXEC is running its commands. */
  isExecuting = false;
  /** A key that it watches has changed: its next EXEC does nothing. */
  hasStaleWatch = false;
  /** What it listens to (`SUBSCRIBED`); null for nothing. */
  subscriptions: Subscriptions | null = null;
  /** How the keys that it reads are tracked (`TRACKING`); null when they are not. */
  tracking: TrackingState | null = null;
  /** Messages that have come for it in the middle of a reply (its EXEC was running, or `unfinished`); they go behind it. */
  deferred: Buffer[] = [];
  /** The current command waits for the end of a pause, and is to be executed again. */
  isPostponed = false;
  /** Commands may let it wait: it has a connection, and is not in the middle of a transaction. */
  mayBlock = false;
  /** What it waits for; `BlockedClients` alone changes it. */
  blocked: Blocked | null = null;
  /** What it said of itself with REPLCONF; null for nothing. */
  greeting: FollowerGreeting | null = null;
  /** Set once the connection has become a follower's link. */
  link: FollowerLink | null = null;
  /** Called once, when the replies of this turn are on their way. */
  afterReply: (() => void) | null = null;
  /**
   * Writes the next part of a reply that is too long for one turn; returns whether there is more. Nothing else of the client is executed
   * meanwhile. Only for a client that may wait (`mayBlock`).
   */
  unfinished: ((reply: RespWriter) => boolean) | null = null;
  /** Closes the connection once what has been written is out. */
  closing = false;

  constructor(fields: {
    id: number;
    address: string;
    localAddress: string;
    nowMs: number;
    authenticated: boolean;
  }) {
    this.id = fields.id;
    this.address = fields.address;
    this.localAddress = fields.localAddress;
    this.connectedAtMs = fields.nowMs;
    this.lastActiveMs = fields.nowMs;
    this.authenticated = fields.authenticated;
  }

  /** RESET: as if it had just connected, but for the connection itself. */
  reset(authenticated: boolean): void {
    this.name = '';
    this.protocol = 2;
    this.database = 0;
    this.authenticated = authenticated;
    this.replyMode = 'on';
    this.noEvict = false;
    this.shardEpoch = -1;
    this.shard = '';
  }
}
