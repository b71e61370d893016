import { memberOf } from './publish.ts';
import { adopt, newestOffer } from './rebuild.ts';
import { type Agent, byName, type CoreState, isAhead, isLive, liveNodes, log } from './state.ts';

/**
 * While there is no ring: after `collectMs` adopts the newest one that an agent holds; if none does, forms
 * the first. A complete first fleet (formation.shards with formation.nodesPerShard nodes each) is not made
 * to wait.
 */
export function decideFirstRing(state: CoreState): void {
  if (state.phase !== 'collecting') return;
  const { collectMs } = state.options;
  const offered = newestOffer(state);
  if (offered !== null) {
    if (state.nowMs - state.startedMs >= collectMs) adopt(state, offered);
    return;
  }
  const waitedMs = state.nowMs - Math.max(state.startedMs, state.lastShardMs);
  const shards = completeShards(state) ?? (waitedMs >= collectMs ? presentShards(state) : null);
  if (shards !== null) form(state, shards);
}

/** A node attached while there is no ring: a shard not seen before starts the wait anew. */
export function noteShard(state: CoreState, agent: Agent): void {
  if (liveNodes(state, agent.hello!.shard).length === 1) state.lastShardMs = state.nowMs;
}

/** The shards of a complete first fleet, null while nodes are missing or no counts are given. */
function completeShards(state: CoreState): string[] | null {
  const { shards, nodesPerShard } = state.options.formation;
  if (shards === null || nodesPerShard === null) return null;
  const complete = shardNames(state).filter((name) => liveNodes(state, name).length >= nodesPerShard);
  return complete.length >= shards ? complete.slice(0, shards) : null;
}

/** The shards that have at least one node, null while there are fewer than asked for. */
function presentShards(state: CoreState): string[] | null {
  const wanted = state.options.formation.shards ?? 1;
  const names = shardNames(state);
  if (names.length < wanted) return null;
  return names.slice(0, state.options.formation.shards ?? names.length);
}

function shardNames(state: CoreState): string[] {
  const names = new Set<string>();
  for (const agent of state.agents.values()) {
    if (agent.kind === 'NODE' && agent.hello !== null && isLive(state, agent)) names.add(agent.hello.shard);
  }
  return [...names].sort((a, b) => byName({ id: a }, { id: b }));
}

function form(state: CoreState, shards: string[]): void {
  state.phase = 'running';
  state.isTouched = true;
  state.incarnation = 1n;
  for (const name of shards) {
    const nodes = liveNodes(state, name).sort(byName);
    const seen = nodes.map((node) => BigInt(node.hello!.sealedEpoch));
    const epoch = seen.reduce((highest, sealed) => (sealed > highest ? sealed : highest), 0n) + 1n;
    state.shards.set(name, {
      name,
      weight: Math.max(1, nodes[0].hello!.weight),
      epoch,
      leader: (furthest(nodes) ?? nodes[0]).id,
      followers: [],
      lists: [],
      lastGrantMs: state.nowMs,
      seenEpoch: epoch,
      change: null,
      blocked: null,
    });
    for (const node of nodes) state.members.set(node.id, memberOf(node));
  }
  log(state, 'info', `first ring: shards ${shards.join(', ')}`, { nodes: [...state.members.keys()] });
  refuseOthers(state);
}

/** The node whose data set, which it has from its disk, goes furthest; null when none has any. */
function furthest(nodes: readonly Agent[]): Agent | null {
  let best: Agent | null = null;
  for (const node of nodes) {
    const { replication } = node.hello!;
    if (replication?.complete && (best === null || isAhead(replication, best.hello!.replication!)))
      best = node;
  }
  return best;
}

function refuseOthers(state: CoreState): void {
  for (const agent of state.agents.values()) {
    if (agent.kind !== 'NODE' || agent.session === null || state.shards.has(agent.hello!.shard)) continue;
    const message = `shard ${agent.hello!.shard} is not part of the ring, which has: ${[...state.shards.keys()].join(', ')}`;
    state.effects.push({ type: 'refuse', session: agent.session, reason: 'shard_unknown', message });
  }
}
