import type { Address } from '../../lib/net/index.ts';
import { Ring } from '../../lib/ring/index.ts';
import type { NodeHealth } from '../health/index.ts';
import type { Link } from './link.ts';
import { NodeFigures } from './node-figures.ts';
import type { PrivateConnection } from './private-connection.ts';

/** Databases a client may SELECT: 0 to 15, as in Redis's default configuration. */
export const DATABASES = 16;

/** Place of the link for replies in this protocol version about this database among the `linkSlots` of a node. */
export function linkSlot(protocol: 2 | 3, database: number): number {
  return 2 * database + protocol - 2;
}

/** What serves a shard: Ringside's nodes, or redis-servers (Valkey is the same here). */
export type Engine = 'ringside' | 'redis';

/** How the nodes of one shard are entered, where the fleet's way does not hold. */
export interface NodeAccess {
  /** Arguments of AUTH; null: none is sent. */
  readonly login: readonly string[] | null;
  /** Whether they speak the fleet's TLS. */
  readonly usesTls: boolean;
}

/** Which nodes serve which shard, as the router needs it: made from a ring document or from the fixed `--upstream` list. */
export interface Topology {
  readonly virtualNodes: number;
  /** Epoch of the ring document it was made from (u64, decimal); undefined: a fixed ring. */
  readonly ringEpoch?: string;
  readonly shards: readonly TopologyShard[];
  /** Shards outside the ring that take the keys of one whose nodes are gone; none unless given. They have no followers. */
  readonly gutters?: readonly TopologyShard[];
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
  /** `ringside` unless given. */
  readonly engine?: Engine;
  /** The fleet's unless given. */
  readonly access?: NodeAccess;
}

/** One node and what is known about its health. Shared by its links. */
export class UpstreamNode {
  readonly name: string;
  readonly address: Address;
  readonly shard: string;
  /** Shard epoch to announce on its connections; null: none. */
  epoch: string | null = null;
  engine: Engine = 'ringside';
  /** Undefined: as the fleet. */
  access: NodeAccess | undefined;
  /** How it fares. */
  readonly health: NodeHealth;
  /** Commands, and their bytes, that wait for a connection, or for one that takes more. */
  readonly waiting = { commands: 0, bytes: 0 };
  /** The connections that all clients share. */
  readonly links: Link[] = [];
  /** The same ones by `linkSlot`; null: not open. */
  readonly linkSlots: (Link | null)[] = new Array(2 * DATABASES).fill(null);
  /** Connections that one client, or one purpose, has for itself. */
  readonly privates = new Set<PrivateConnection>();
  readonly figures = new NodeFigures();

  constructor(name: string, address: Address, shard: string, health: NodeHealth) {
    this.name = name;
    this.address = address;
    this.shard = shard;
    this.health = health;
  }

  /** True from a failed connection or a silent one until bytes arrive again: reads go to a follower meanwhile. */
  get isSuspect(): boolean {
    return this.health.isSuspect;
  }

  /** Why it is suspect, or was, for error messages. */
  get lastFailure(): string {
    return this.health.lastFailure;
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
  readonly engine: Engine;
  /** Index among the shards of the ring. */
  index = 0;
  leader: UpstreamNode | null = null;
  followers: readonly UpstreamNode[] = [];

  constructor(name: string, epoch: string | null, engine: Engine = 'ringside') {
    this.name = name;
    this.epoch = epoch;
    this.engine = engine;
  }
}

/** The ring of a topology: `held` itself when the members are the same, as after a failover. */
export function ringFor({ shards, virtualNodes }: Topology, held: Ring | null): Ring {
  const members = shards.map(({ name, weight }) => ({ name, weight }));
  const isSame =
    held?.virtualNodes === virtualNodes &&
    held.shards.length === members.length &&
    held.shards.every(({ name, weight }, i) => name === members[i].name && weight === members[i].weight);
  return isSame ? held : Ring.of(members, { virtualNodes });
}
