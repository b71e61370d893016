import type { ReplicationState } from '../../lib/codec/proto/index.ts';

/** A follower's answer to a seal. */
export interface SealAnswer {
  /** The process that answered; another process with the same id has promised nothing. */
  runId: string;
  replication: ReplicationState | null;
  /** Monotonic time, on this process's clock, after which this follower granted no lease. */
  lastGrantMs: number;
}

/** A failover under way in one shard. */
export interface Change {
  /** Shard epoch of the seals. */
  readonly epoch: bigint;
  readonly startedMs: number;
  readonly reason: string;
  /** Answers of followers, by node id. */
  readonly seals: Map<string, SealAnswer>;
  /** Last time seals were sent, to repeat them. */
  sentMs: number;
  /** What an operator asked for; null: the leader is dead. */
  planned: PlannedChange | null;
}

/** The part of a failover that has the old leader's cooperation. */
export interface PlannedChange {
  /** Request to answer, null when the core itself wants the change. */
  request: number | null;
  to: string;
  /** Position of the old leader once it had stopped taking writes. */
  leaderSealed: ReplicationState | null;
  /** Followers are sealed: from here on it ends with a new leader, as an unplanned one does. */
  handedOver: boolean;
}
