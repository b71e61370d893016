/**
 * TypeScript shapes of control_plane.proto as proto-loader hands them out with {@link protoLoaderOptions}:
 * camelCase, 64-bit numbers as decimal strings, enums as names, every field present, oneofs named.
 */

/** Where a node's data set stands. */
export interface ReplicationState {
  replId: string;
  offset: string;
  synced: boolean;
  complete: boolean;
  streamEpoch: string;
  restored: boolean;
}

/** First message of an agent. */
export interface Hello {
  kind: 'AGENT_KIND_UNSPECIFIED' | 'NODE' | 'PROXY';
  id: string;
  runId: string;
  pid: number;
  address: string;
  admin: string;
  resp: string;
  shard: string;
  weight: number;
  ringJson: string;
  sealedEpoch: string;
  replication: ReplicationState | null;
}

/** A leader's view of one connected follower. */
export interface FollowerProgress {
  id: string;
  ackOffset: string;
  lagMs: number;
}

/** Periodic report of an agent; a proxy fills `seq` only. */
export interface Heartbeat {
  seq: string;
  shardEpoch: string;
  role: 'NODE_ROLE_UNSPECIFIED' | 'IDLE' | 'FOLLOWER' | 'LEADER';
  state: 'NODE_STATE_UNSPECIFIED' | 'STARTING' | 'SYNCING' | 'SERVING';
  replication: ReplicationState | null;
  leaderSilentMs: number;
  followers: FollowerProgress[];
  sealedEpoch: string;
  maxVersion: string;
}

/** A pushed document is applied. */
export interface Ack {
  nonce: string;
  incarnation: string;
  epoch: string;
  sha256: string;
}

/** A pushed document is refused. */
export interface Nack {
  nonce: string;
  code: string;
  message: string;
}

/** A seal is in force. */
export interface Sealed {
  shard: string;
  epoch: string;
  replication: ReplicationState | null;
  lastGrantAgoMs: number;
}

/** What an agent sends; exactly one member is set, named by `message`. */
export type AgentMessage =
  | { message: 'hello'; hello: Hello }
  | { message: 'heartbeat'; heartbeat: Heartbeat }
  | { message: 'ack'; ack: Ack }
  | { message: 'nack'; nack: Nack }
  | { message: 'refresh'; refresh: Record<string, never> }
  | { message: 'sealed'; sealed: Sealed };

/** Timing the control plane works with, in milliseconds. */
export interface Welcome {
  heartbeatMs: number;
  leaseMs: number;
  suspectAfterMs: number;
}

/** What the control plane sends; exactly one member is set, named by `message`. */
export type ControlMessage =
  | { message: 'welcome'; welcome: Welcome }
  | { message: 'push'; push: { nonce: string; ringJson: string } }
  | { message: 'heartbeatReply'; heartbeatReply: { seq: string; granted: boolean; shardEpoch: string } }
  | { message: 'seal'; seal: { shard: string; epoch: string } };
