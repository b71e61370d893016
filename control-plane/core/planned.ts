import type { Change, PlannedChange } from './change.ts';
import { reelect } from './elect.ts';
import { beginChange } from './failover.ts';
import {
  type Agent,
  type CoreState,
  isLive,
  liveLeader,
  nodeAgent,
  progressOf,
  replicationOf,
  type Shard,
} from './state.ts';
import type { Answer } from './types.ts';

/** A leader asked to stop must answer within this time. */
const STOP_PATIENCE_MS = 500;
/** The chosen follower has this long to catch up with the stopped leader. */
const CATCH_UP_MS = 2000;

/** An operator asks for another leader. Answered at once with the reason when it cannot be done safely. */
export function onFailoverRequest(state: CoreState, request: number, name: string, to: string | null): void {
  const shard = state.shards.get(name);
  const refusal = shard === undefined ? unknownShard(state, name) : refusalOf(state, shard, to);
  if (shard === undefined || refusal !== null) {
    if (refusal !== null) state.effects.push({ type: 'answer', request, answer: refusal });
    return;
  }
  const heir = to ?? candidates(state, shard)[0].id;
  const planned = { request, to: heir, leaderSealed: null, handedOver: false };
  beginChange(state, shard, `an operator asked for ${heir}`, planned);
}

/**
 * The first half of a planned failover: the leader stops taking writes (and by its answer gives up its lease),
 * then the heir catches up with it. Only then are followers sealed and the heir promoted, so that
 * nothing acknowledged is lost.
 */
export function proceedPlanned(state: CoreState, shard: Shard, change: Change, planned: PlannedChange): void {
  const waitedMs = state.nowMs - change.startedMs;
  const leader = liveLeader(state, shard);
  if (leader === null || (planned.leaderSealed !== null && hasCaughtUp(state, leader, planned))) {
    planned.handedOver = true;
    change.sentMs = Number.NEGATIVE_INFINITY;
  } else if (planned.leaderSealed === null && waitedMs >= STOP_PATIENCE_MS) {
    reelect(state, shard, `${shard.leader} did not stop within ${STOP_PATIENCE_MS} ms`);
  } else if (waitedMs >= CATCH_UP_MS) {
    reelect(state, shard, `${planned.to} did not catch up with ${shard.leader} within ${CATCH_UP_MS} ms`);
  }
}

function hasCaughtUp(state: CoreState, leader: Agent, planned: PlannedChange): boolean {
  const target = BigInt(planned.leaderSealed!.offset);
  const heir = nodeAgent(state, planned.to);
  const own = heir === undefined || !isLive(state, heir) ? null : replicationOf(heir);
  if (own === null || own.replId !== planned.leaderSealed!.replId) return false;
  const seen = BigInt(progressOf(leader, planned.to)?.ackOffset ?? '0');
  return BigInt(own.offset) >= target || seen >= target;
}

function refusalOf(state: CoreState, shard: Shard, to: string | null): Answer | null {
  const { name, leader } = shard;
  if (shard.change !== null) return refuse('conflict', `a failover of shard ${name} is under way already`);
  if (to === leader) return refuse('conflict', `${to} leads shard ${name} already`);
  const node = to === null ? undefined : state.members.get(to);
  if (to !== null && node?.shard !== name) return refuse('not_found', `shard ${name} has no node ${to}`);
  if (liveLeader(state, shard) === null) {
    const why = shard.blocked ?? 'it is replaced by itself as soon as that is safe';
    return refuse('conflict', `leader ${leader} of shard ${name} does not answer: ${why}`);
  }
  const able = candidates(state, shard);
  if (able.length === 0) return refuse('conflict', `no follower of shard ${name} is live and synced`);
  if (to !== null && !able.some(({ id }) => id === to)) {
    return refuse('conflict', `${to} is not a live and synced follower of shard ${name}`);
  }
  return null;
}

function unknownShard(state: CoreState, name: string): Answer {
  if (state.phase === 'collecting') return refuse('unavailable', 'there is no ring yet');
  return refuse(
    'not_found',
    `there is no shard ${name}; the ring has: ${[...state.shards.keys()].join(', ')}`,
  );
}

function refuse(code: 'conflict' | 'not_found' | 'unavailable', message: string): Answer {
  return { ok: false, code, message };
}

/** Followers that may take over, the most advanced first. */
function candidates(state: CoreState, shard: Shard): Agent[] {
  const offset = (agent: Agent) => BigInt(replicationOf(agent)?.offset ?? '0');
  return shard.followers
    .map((id) => nodeAgent(state, id))
    .filter((agent) => agent !== undefined && isLive(state, agent) && replicationOf(agent)?.synced)
    .map((agent) => agent!)
    .sort((a, b) => (offset(b) > offset(a) ? 1 : offset(b) < offset(a) ? -1 : 0));
}
