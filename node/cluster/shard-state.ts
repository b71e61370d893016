import type { Lease } from './lease.ts';

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
  /** Whether it is reading its data set from disk. */
  isLoading = false;
  /** Shard epoch of the document in force. */
  epoch = 0;
  /** Whom it follows, for INFO and ROLE; null when it does not. */
  leader: { readonly host: string; readonly port: number } | null = null;
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

  /** Whether a write may be executed, and acknowledged, at this moment (monotonic milliseconds). */
  mayWrite(nowMs: number): boolean {
    return this.leads && (!this.clustered || this.lease.isHeld(nowMs));
  }
}
