import type { RingDocument } from '../../lib/ring/index.ts';
import {
  type Agent,
  agentKey,
  byName,
  type CoreState,
  leaderAgent,
  liveLeader,
  nodeAgent,
  progressOf,
  replicationOf,
  type Shard,
  silentMs,
} from './state.ts';

/** How an agent is doing. Suspect: missed, but not long enough or not by everybody. */
export type AgentState = 'starting' | 'serving' | 'syncing' | 'suspect' | 'dead';

/** One node, as `ctl status --json` shows it. Byte positions are strings, as every 64-bit number. */
export interface NodeView {
  id: string;
  pid: number | null;
  address: string;
  admin: string;
  state: AgentState;
  /** Position in the replication stream. */
  offset: string;
  /** Bytes behind the leader; null when unknown. */
  lagBytes: string | null;
  /** Milliseconds since it was level with the leader; null when unknown. */
  lagMs: number | null;
  /** Why it refused the last ring document, else null. */
  refusal: string | null;
}

/** One shard with its nodes. */
export interface ShardView {
  name: string;
  weight: number;
  epoch: string;
  leader: NodeView | null;
  /** Every other node of the shard; `listed` is whether the ring document names it as a live, synced follower. */
  followers: (NodeView & { listed: boolean })[];
  /** What a failover under way or in the way is about, else null. */
  failover: string | null;
}

/** One proxy. */
export interface ProxyView {
  id: string;
  pid: number | null;
  admin: string;
  resp: string;
  ackedEpoch: string;
  state: AgentState;
  /** Why it refused the last ring document, else null. */
  refusal: string | null;
}

/** Everything the status shows. */
export interface FleetView {
  document: RingDocument | null;
  shards: ShardView[];
  proxies: ProxyView[];
  /** Since the start of this process. */
  totals: { failovers: number; reelections: number };
}

/** Reads the state for people; changes nothing. */
export function viewOf(state: CoreState): FleetView {
  const proxies = [...state.agents.values()].filter(({ kind }) => kind === 'PROXY').sort(byName);
  return {
    document: state.document,
    shards: [...state.shards.values()].map((shard) => shardView(state, shard)),
    proxies: proxies.map((agent) => proxyView(state, agent)),
    totals: state.totals,
  };
}

function shardView(state: CoreState, shard: Shard): ShardView {
  const others = [...state.members.values()].filter(
    ({ id, shard: home }) => home === shard.name && id !== shard.leader,
  );
  return {
    name: shard.name,
    weight: shard.weight,
    epoch: String(shard.epoch),
    leader: state.members.has(shard.leader) ? nodeView(state, shard, shard.leader) : null,
    followers: others.sort(byName).map(({ id }) => ({
      ...nodeView(state, shard, id),
      listed: shard.followers.includes(id),
    })),
    failover: shard.change?.reason ?? shard.blocked,
  };
}

function nodeView(state: CoreState, shard: Shard, id: string): NodeView {
  const agent = nodeAgent(state, id);
  const { address, admin } = agent?.hello ?? state.members.get(id)!;
  const own = agent === undefined ? null : replicationOf(agent);
  const lag =
    id === shard.leader ? { lagBytes: '0', lagMs: 0 } : lagOf(state, shard, id, own?.offset ?? null);
  return {
    id,
    pid: agent?.hello?.pid ?? null,
    address,
    admin,
    state: nodeState(state, shard, id),
    offset: own?.offset ?? '0',
    ...lag,
    refusal: agent?.refusal ?? null,
  };
}

function lagOf(
  state: CoreState,
  shard: Shard,
  id: string,
  own: string | null,
): Pick<NodeView, 'lagBytes' | 'lagMs'> {
  const leader = leaderAgent(state, shard);
  const progress = progressOf(leader, id);
  const at = progress?.ackOffset ?? own;
  const end = leader === null ? null : replicationOf(leader)?.offset;
  if (at == null || end == null) return { lagBytes: null, lagMs: null };
  const behind = BigInt(end) - BigInt(at);
  return { lagBytes: String(behind > 0n ? behind : 0n), lagMs: progress?.lagMs ?? null };
}

function nodeState(state: CoreState, shard: Shard, id: string): AgentState {
  const agent = nodeAgent(state, id);
  if (agent === undefined) return 'dead';
  const gone = silence(state, agent);
  if (gone === 'dead' && isMissedByAll(state, shard, id)) return 'dead';
  if (gone !== null) return 'suspect';
  switch (agent.heartbeat?.state) {
    case 'SERVING':
      return 'serving';
    case 'SYNCING':
      return 'syncing';
    default:
      return 'starting';
  }
}

/** A node that its peers still hear is not dead, whatever we hear. */
function isMissedByAll(state: CoreState, shard: Shard, id: string): boolean {
  const { suspectAfterMs } = state.options;
  if (id !== shard.leader) {
    const seen = progressOf(liveLeader(state, shard), id)?.lagMs;
    return seen === undefined || seen >= suspectAfterMs;
  }
  return shard.followers.every((follower) => {
    const agent = state.agents.get(agentKey('NODE', follower));
    const silent = agent?.heartbeat?.leaderSilentMs ?? -1;
    return silent < 0 || silent >= suspectAfterMs / 2 || silence(state, agent!) !== null;
  });
}

function proxyView(state: CoreState, agent: Agent): ProxyView {
  const { id, hello, held } = agent;
  const current = state.document !== null && held?.sha256 === state.document.sha256;
  return {
    id,
    pid: hello?.pid ?? null,
    admin: hello?.admin ?? '',
    resp: hello?.resp ?? '',
    ackedEpoch: String(held?.epoch ?? 0n),
    state: silence(state, agent) ?? (current ? 'serving' : 'syncing'),
    refusal: agent.refusal,
  };
}

/** Null while the agent is heard of regularly. */
function silence(state: CoreState, agent: Agent): 'suspect' | 'dead' | null {
  const { heartbeatMs, suspectAfterMs } = state.options;
  const ms = silentMs(state, agent);
  if (ms >= suspectAfterMs) return 'dead';
  return agent.session === null || ms > heartbeatMs * 2.5 ? 'suspect' : null;
}
