import type { Address } from '../../lib/net/index.ts';
import type { Link } from './link.ts';

/** Which nodes serve which shard, as the router needs it: made from a ring document or from the fixed `--upstream` list. */
export interface Topology {
  readonly virtualNodes: number;
  readonly shards: readonly TopologyShard[];
}

/** One shard of a topology. */
export interface TopologyShard {
  readonly name: string;
  readonly weight: number;
  /** Shard epoch (u64, decimal), announced on connections; null: none (a fixed ring). */
  readonly epoch: string | null;
  /** `host:port` of the leader; null while there is none. */
  readonly leader: string | null;
  readonly followers: readonly string[];
}

/** One node and what is known about its health. Shared by its links. */
export class UpstreamNode {
  readonly name: string;
  readonly address: Address;
  readonly shard: string;
  /** Shard epoch to announce on its connections; null: none. */
  epoch: string | null = null;
  /** True from a failed connection or a silent one until bytes arrive again: reads go to a follower meanwhile. */
  isSuspect = false;
  /** Why it is suspect, for error messages. */
  lastFailure = '';
  /** The connections, by protocol version (2 or 3). */
  readonly links: Link[] = [];

  constructor(name: string, address: Address, shard: string) {
    this.name = name;
    this.address = address;
    this.shard = shard;
  }

  /** Commands queued or sent, abandoned ones included. */
  get inFlight(): number {
    let sum = 0;
    for (const link of this.links) sum += link.length;
    return sum;
  }

  get isConnected(): boolean {
    return this.links.some((link) => link.isReady);
  }
}

/**
 * One shard at one shard epoch. A new epoch is a new object, so whoever kept the old one can tell that the leader changed;
 * followers come and go within one epoch.
 */
export class ShardRoute {
  readonly name: string;
  readonly epoch: string | null;
  /** Index among the shards of the ring. */
  index = 0;
  leader: UpstreamNode | null = null;
  followers: readonly UpstreamNode[] = [];

  constructor(name: string, epoch: string | null) {
    this.name = name;
    this.epoch = epoch;
  }
}
