import type { ErrorCode } from '../../lib/base/index.ts';
import type { Ack, Heartbeat, Hello, Nack, Sealed, Welcome } from '../../lib/codec/proto/index.ts';
import type { RingDocument } from '../../lib/ring/index.ts';

/** Timing and size of the fleet. All times in milliseconds. */
export interface CoreOptions {
  /** How long a granted lease binds the control plane; a leader itself counts only two thirds of it. */
  leaseMs: number;
  /** How often agents report. */
  heartbeatMs: number;
  /** Silence after which an agent counts as dead. */
  suspectAfterMs: number;
  /** How long a control plane without state listens to the fleet before it decides. */
  collectMs: number;
  /** How often `tick` events come; a longer gap means that this process was stalled, and is not held against agents. */
  tickMs: number;
  /** Points of the ring per unit of shard weight. */
  virtualNodes: number;
  /** What the first ring waits for; null: whatever has come when `collectMs` are over. */
  formation: { shards: number | null; nodesPerShard: number | null };
}

/** Everything the core is told. A session is one Attach stream; its number is never used again. */
export type CoreEvent =
  | { type: 'tick' }
  | { type: 'hello'; session: number; hello: Hello }
  | { type: 'heartbeat'; session: number; heartbeat: Heartbeat }
  | { type: 'ack'; session: number; ack: Ack }
  | { type: 'nack'; session: number; nack: Nack }
  | { type: 'refresh'; session: number }
  | { type: 'sealed'; session: number; sealed: Sealed }
  | { type: 'disconnect'; session: number }
  | { type: 'failover'; request: number; shard: string; to: string | null };

/** Why a stream is ended by the control plane. */
export type RefusalReason = 'invalid' | 'shard_unknown' | 'id_in_use' | 'replaced';

/** Result of an operator's request. */
export type Answer =
  | { ok: true; shard: string; leader: string; epoch: string }
  | { ok: false; code: ErrorCode; message: string };

/**
 * Everything the core asks for. `persist`, `push` and `answer` take force in the order given: a push may
 * happen only after every earlier persist has reached the disk. The others may be done at once.
 */
export type Effect =
  | { type: 'persist'; record: StateRecord }
  | { type: 'push'; session: number; document: RingDocument }
  | { type: 'answer'; request: number; answer: Answer }
  | { type: 'welcome'; session: number; welcome: Welcome }
  | { type: 'refuse'; session: number; reason: RefusalReason; message: string }
  | { type: 'seal'; session: number; shard: string; epoch: string }
  | { type: 'grant'; session: number; seq: string; granted: boolean; shardEpoch: string }
  | { type: 'log'; level: 'info' | 'warn' | 'error'; message: string; fields: Record<string, unknown> };

/** The followers that a leader which applied the document `(incarnation, epoch)` counts on for its lease. */
export interface FollowerList {
  incarnation: string;
  epoch: string;
  followers: string[];
}

/** What survives a restart of the control plane. */
export interface StateRecord {
  document: RingDocument;
  /** Per shard: the lists its leader may hold, oldest first, never empty. See failover.ts. */
  lists: Record<string, FollowerList[]>;
}
