import type { FollowerProgress, Heartbeat, Hello, ReplicationState } from '../../lib/codec/proto/index.ts';
import type { RingDocument } from '../../lib/ring/index.ts';
import type { Change } from './change.ts';
import type { CoreOptions, Effect, FollowerList } from './types.ts';

/** One process known to the core: attached now, before, or only named by the document it started from. */
export interface Agent {
  readonly kind: 'NODE' | 'PROXY';
  readonly id: string;
  runId: string;
  /** The Attach stream, null while there is none. */
  session: number | null;
  hello: Hello | null;
  heartbeat: Heartbeat | null;
  /** {@link CoreState.observedMs} when it was last heard of. */
  heardMs: number;
  /** {@link CoreState.observedMs} since when a node reports that it is not synced; null while it is. */
  unsyncedSinceMs: number | null;
  /** Monotonic time of this process's first Hello: it granted nothing that its seal does not know of before that. */
  firstSeenMs: number;
  /** Version of the document it holds. */
  held: { incarnation: bigint; epoch: bigint; sha256: string } | null;
  /** The document of its Hello, until a newer one is acknowledged: shows which lists a leader may go by. */
  offered: RingDocument | null;
  /** Why it refused the last document pushed to it, null when it did not. */
  refusal: string | null;
  /** Version last pushed on the present session. */
  pushed: string | null;
}

/** In place of a leader's id: a document of others may name none. */
export const NOBODY = '';

/** A node as the ring document names it. */
export interface Member {
  id: string;
  runId: string;
  shard: string;
  address: string;
  admin: string;
}

/** One shard of the ring, and what the core knows beyond the document. */
export interface Shard {
  readonly name: string;
  weight: number;
  epoch: bigint;
  /** Node id; the process is the one named by `members`. */
  leader: string;
  followers: string[];
  /** Follower lists that the leader may hold, oldest first. */
  lists: FollowerList[];
  /** Monotonic time of the last lease granted to a leader of this shard, or of this process's start. */
  lastGrantMs: number;
  /** Highest shard epoch seen anywhere in the fleet. */
  seenEpoch: bigint;
  /** A failover under way. */
  change: Change | null;
  /** Why a dead leader is not replaced, for status and to log it once. */
  blocked: string | null;
}

/** A document on its way out: first to the leaders it concerns, then to everybody. */
export interface Publication {
  waitingFor: Set<string>;
  deadlineMs: number;
  /** What to tell operators when the leaders have it. */
  answers: Effect[];
}

/** The whole state of the decision core. Only functions of this folder touch it. */
export interface CoreState {
  readonly options: CoreOptions;
  readonly startedMs: number;
  /** Monotonic time of the event being handled. */
  nowMs: number;
  /** Monotonic time less the stalls of this process: what silence of others is measured in. */
  observedMs: number;
  lastTickMs: number;
  /** Collecting: no ring yet, and no lease is granted. */
  phase: 'collecting' | 'running';
  document: RingDocument | null;
  incarnation: bigint;
  epoch: bigint;
  readonly agents: Map<string, Agent>;
  /** The nodes among them, by shard. */
  readonly nodesOf: Map<string, Set<Agent>>;
  readonly sessions: Map<number, Agent>;
  readonly shards: Map<string, Shard>;
  readonly members: Map<string, Member>;
  /** No lease given by any document in use runs longer than this. */
  leaseBoundMs: number;
  /** Monotonic time when the first node of the youngest shard came, while there is no ring. */
  lastShardMs: number;
  publication: Publication | null;
  /** Leaders replaced, and leaders given a new epoch, since the start. */
  readonly totals: { failovers: number; reelections: number };
  /** The ring may differ from the document. */
  isTouched: boolean;
  /** `lists` changed without a new document. */
  listsChanged: boolean;
  /** Somebody may lack the newest document. */
  isUndelivered: boolean;
  /** When agents long gone were looked for last. */
  tidiedMs: number;
  /** Answers that go out with the next document. */
  answers: Effect[];
  effects: Effect[];
}

/** Fresh state, before any document. */
export function emptyState(options: CoreOptions, nowMs: number): CoreState {
  return {
    options,
    startedMs: nowMs,
    nowMs,
    observedMs: 0,
    lastTickMs: nowMs,
    phase: 'collecting',
    document: null,
    incarnation: 0n,
    epoch: 0n,
    agents: new Map(),
    nodesOf: new Map(),
    sessions: new Map(),
    shards: new Map(),
    members: new Map(),
    leaseBoundMs: options.leaseMs,
    lastShardMs: nowMs,
    publication: null,
    totals: { failovers: 0, reelections: 0 },
    isTouched: false,
    listsChanged: false,
    isUndelivered: false,
    tidiedMs: nowMs,
    answers: [],
    effects: [],
  };
}

/** Key of an agent in {@link CoreState.agents}: nodes and proxies have separate names. */
export function agentKey(kind: 'NODE' | 'PROXY', id: string): string {
  return `${kind}:${id}`;
}

/** The node with this id, whatever its process. */
export function nodeAgent(state: CoreState, id: string): Agent | undefined {
  return state.agents.get(agentKey('NODE', id));
}

/** Milliseconds since the agent was last heard of, stalls of this process not counted. */
export function silentMs(state: CoreState, agent: Agent): number {
  return state.observedMs - agent.heardMs;
}

/** Attached and heard of lately: it can be told things. */
export function isLive(state: CoreState, agent: Agent): boolean {
  return agent.session !== null && silentMs(state, agent) < state.options.suspectAfterMs;
}

/** Every live node of a shard. */
export function liveNodes(state: CoreState, shard: string): Agent[] {
  const live: Agent[] = [];
  for (const agent of state.nodesOf.get(shard) ?? []) if (isLive(state, agent)) live.push(agent);
  return live;
}

/** Adds an agent, in place of the earlier process with its id. */
export function addAgent(state: CoreState, agent: Agent, shard: string): void {
  removeAgent(state, agentKey(agent.kind, agent.id));
  state.agents.set(agentKey(agent.kind, agent.id), agent);
  if (agent.kind === 'PROXY') return;
  const nodes = state.nodesOf.get(shard);
  if (nodes === undefined) state.nodesOf.set(shard, new Set([agent]));
  else nodes.add(agent);
}

/** Forgets an agent. */
export function removeAgent(state: CoreState, key: string): void {
  const agent = state.agents.get(key);
  if (agent === undefined || !state.agents.delete(key)) return;
  for (const [shard, nodes] of state.nodesOf) {
    if (nodes.delete(agent) && nodes.size === 0) state.nodesOf.delete(shard);
  }
}

/** The process the document names as leader, if it is attached. */
export function leaderAgent(state: CoreState, shard: Shard): Agent | null {
  const agent = nodeAgent(state, shard.leader);
  return agent !== undefined && agent.runId === state.members.get(shard.leader)?.runId ? agent : null;
}

/** The leader of the document is attached and heard of. */
export function liveLeader(state: CoreState, shard: Shard): Agent | null {
  const agent = leaderAgent(state, shard);
  return agent !== null && isLive(state, agent) ? agent : null;
}

/** Another process has taken the id: the one the document names is gone. */
export function processGone(state: CoreState, id: string): boolean {
  const agent = nodeAgent(state, id);
  return agent !== undefined && agent.hello !== null && agent.runId !== state.members.get(id)?.runId;
}

/** What the node last said about its data set. */
export function replicationOf(agent: Agent): ReplicationState | null {
  return agent.heartbeat?.replication ?? agent.hello?.replication ?? null;
}

/** Whether data set a is further than b: by the epoch of the leader that it was last level with, then by the offset in the stream. */
export function isAhead(a: ReplicationState, b: ReplicationState): boolean {
  if (a.streamEpoch !== b.streamEpoch) return BigInt(a.streamEpoch) > BigInt(b.streamEpoch);
  return BigInt(a.offset) > BigInt(b.offset);
}

/** What the leader last said about one of its followers. */
export function progressOf(leader: Agent | null, id: string): FollowerProgress | undefined {
  return leader?.heartbeat?.followers.find((follower) => follower.id === id);
}

/** Shard epochs have 20 bits. One above this is a defect of whoever reports it, and leaves room to go on. */
const MAX_SEEN_EPOCH = 1_000_000n;

/** Takes note of a shard epoch seen anywhere. */
export function noteEpoch(shard: Shard | undefined, epoch: string | bigint): void {
  if (shard === undefined) return;
  const seen = BigInt(epoch);
  if (seen > shard.seenEpoch && seen <= MAX_SEEN_EPOCH) shard.seenEpoch = seen;
}

/** Adds a log line to the effects. */
export function log(
  state: CoreState,
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Record<string, unknown> = {},
): void {
  state.effects.push({ type: 'log', level, message, fields });
}

/** `n2` before `n10`. */
export function byName(a: { id: string }, b: { id: string }): number {
  return a.id.localeCompare(b.id, 'en', { numeric: true });
}
