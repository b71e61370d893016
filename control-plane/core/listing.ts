import { memberOf } from './publish.ts';
import {
  type Agent,
  type CoreState,
  liveLeader,
  liveNodes,
  nodeAgent,
  processGone,
  progressOf,
  type Shard,
  silentMs,
} from './state.ts';

/** A follower that the control plane misses but its leader still hears stays listed this many times longer. */
const VOUCHED_FACTOR = 10;
/** With this many lists in doubt no further one is made until the leader has acknowledged some. */
const MAX_LISTS = 16;

/**
 * Lists the followers that are live and synced, and unlists those that no longer are. Only while the leader
 * is heard of: a list it may never get would stand in the way of replacing it, an empty one for good.
 */
export function listFollowers(state: CoreState, shard: Shard): void {
  const leader = liveLeader(state, shard);
  if (leader === null || shard.change !== null || shard.lists.length >= MAX_LISTS) return;
  const kept = shard.followers.filter((id) => staysListed(state, leader, id));
  const joined = liveNodes(state, shard.name).filter(
    (agent) => !kept.includes(agent.id) && mayJoin(shard, leader, agent),
  );
  if (joined.length === 0 && kept.length === shard.followers.length) return;
  state.isTouched = true;
  for (const agent of joined) state.members.set(agent.id, memberOf(agent));
  shard.followers = [...kept, ...joined.map(({ id }) => id)].sort();
}

function staysListed(state: CoreState, leader: Agent, id: string): boolean {
  const agent = nodeAgent(state, id);
  if (agent === undefined || processGone(state, id)) return false;
  const { suspectAfterMs } = state.options;
  const vouched = (progressOf(leader, id)?.lagMs ?? Number.POSITIVE_INFINITY) < suspectAfterMs;
  if (silentMs(state, agent) >= suspectAfterMs * (vouched ? VOUCHED_FACTOR : 1)) return false;
  const unsyncedMs = agent.unsyncedSinceMs === null ? 0 : state.observedMs - agent.unsyncedSinceMs;
  return unsyncedMs < suspectAfterMs || agent.heartbeat === null;
}

function mayJoin(shard: Shard, leader: Agent, agent: Agent): boolean {
  const { heartbeat } = agent;
  const replication = heartbeat?.replication;
  if (agent.id === shard.leader || heartbeat === null || !replication?.synced || !replication.complete) {
    return false;
  }
  const stream = leader.heartbeat?.replication?.replId;
  if (stream !== undefined && stream !== replication.replId) return false;
  return BigInt(heartbeat.sealedEpoch) <= shard.epoch && heartbeat.shardEpoch === String(shard.epoch);
}
