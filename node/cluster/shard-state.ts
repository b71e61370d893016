import type { Lease } from './lease.ts';

/** How far a snapshot from the leader has come; `total` is 0 when the leader did not say. */
export interface SyncBytes {
  readonly read: number;
  readonly total: number;
}

/** What INFO says of the link to the leader. */
export interface LeaderLinkFacts {
  /** Null while no snapshot is being taken in. */
  readonly syncBytes: SyncBytes | null;
  /** As ROLE says it: `connect` in between attempts, `connecting`, `handshake`, `sync`, `connected`. */
  readonly state: string;
  /** Monotonic milliseconds of the last byte from the leader; -1 for never. */
  readonly heardAtMs: number;
  /** Why it was lost, or could not be made; empty once it is level. */
  readonly lastProblem: string;
}

/** What this node may do at this moment, as commands ask for it on every write. Changed only by whoever moves the node between roles. */
export class ShardState {
  /** A shard under a control plane; false for a standalone node. */
  readonly clustered: boolean;
  readonly shard: string;
  readonly lease: Lease;
  /** Whether it leads (clustered: also needs the lease). */
  leads = false;
  /** Whether the data set is complete, so that reads make sense. */
  complete = false;
  /** Whether it is reading its data set from disk, or not yet ready to keep one there: clients are told to wait. */
  isLoading = false;
  /** Shard epoch of the document in force. */
  epoch = 0;
  /** Whom it follows, for INFO and ROLE; null when it does not. */
  leader: { readonly host: string; readonly port: number } | null = null;
  /** The link to the leader; null without. */
  link: LeaderLinkFacts | null = null;
  /** Whether the link to the leader is up and followed. */
  linkUp = false;
  /** When the link went down, or following began, monotonic milliseconds. */
  linkDownSinceMs = 0;
  /** A client knows a newer shard epoch than this node. */
  onBehind: () => void = () => {};

  /** Somebody names another leader, or none (null), for a node without a control plane. Returns false when it follows that one already. */
  replicaOf: (leader: { readonly host: string; readonly port: number } | null) => boolean = () => false;

  constructor(fields: { clustered: boolean; shard: string; lease: Lease }) {
    this.clustered = fields.clustered;
    this.shard = fields.shard;
    this.lease = fields.lease;
  }

  /** Whether clients may change what a follower has, if its settings allow that: for themselves alone, until the next full sync. */
  get mayWriteAside(): boolean {
    return !this.clustered && this.leader !== null && this.complete;
  }

  /** Whether reads would see what may be long out of date. */
  get isStale(): boolean {
    return this.leader !== null && !this.linkUp;
  }

  /** Whether commands may see the data. */
  get mayRead(): boolean {
    return this.complete && !this.isLoading;
  }

  /** Whether a write may be executed, and acknowledged, at this moment (monotonic milliseconds). */
  mayWrite(nowMs: number): boolean {
    return this.leads && (!this.clustered || this.lease.isHeld(nowMs));
  }
}
