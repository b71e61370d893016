import type { Change } from './change.ts';
import { memberOf } from './publish.ts';
import {
  byName,
  type CoreState,
  liveNodes,
  log,
  nodeAgent,
  processGone,
  replicationOf,
  type Shard,
} from './state.ts';
import type { Effect } from './types.ts';

/** With no complete data set in reach, those away are waited for this long before the shard starts empty. */
const EMPTY_PATIENCE_MS = 30_000;

/** Makes a sealed follower the leader; the other sealed ones are listed and must catch up with it. */
export function promote(
  state: CoreState,
  shard: Shard,
  change: Change,
  leader: string,
  sealed: string[],
): void {
  const former = shard.leader;
  install(state, shard, change, leader, sealed);
  log(state, 'warn', `shard ${shard.name}: ${leader} leads at epoch ${shard.epoch} instead of ${former}`, {
    reason: change.reason,
    followers: shard.followers,
    tookMs: Math.round(state.nowMs - change.startedMs),
  });
}

/** Gives the same leader process a new shard epoch, so that followers sealed meanwhile may follow it again. */
export function reelect(state: CoreState, shard: Shard, reason: string): void {
  const request = shard.change?.planned?.request ?? null;
  shard.epoch = shard.seenEpoch + 1n;
  shard.seenEpoch = shard.epoch;
  shard.change = null;
  state.isTouched = true;
  state.totals.reelections++;
  // The seal has cut them off: they get the usual time to follow again before they are unlisted for it.
  for (const id of shard.followers) {
    const agent = nodeAgent(state, id);
    if (agent != null && agent.unsyncedSinceMs !== null) agent.unsyncedSinceMs = state.observedMs;
  }
  log(state, 'warn', `shard ${shard.name}: ${shard.leader} leads on at epoch ${shard.epoch}`, { reason });
  if (request === null) return;
  const message = `${reason}; ${shard.leader} leads on`;
  state.effects.push({ type: 'answer', request, answer: { ok: false, code: 'timeout', message } });
}

/**
 * Nobody in reach holds a complete data set. Once it is certain that nobody else does, or after half a
 * minute, the shard starts again empty: for a cache that is better than no shard.
 */
export function electEmpty(state: CoreState, shard: Shard, change: Change, sealed: string[]): void {
  const patient = state.nowMs - change.startedMs < EMPTY_PATIENCE_MS;
  if (patient && !processGone(state, shard.leader)) return;
  if (patient && shard.followers.some((id) => mayHoldData(state, id))) return;
  const live = liveNodes(state, shard.name).sort(byName);
  const heir = live.find((agent) => agent.id === shard.leader) ?? live[0];
  if (heir === undefined) return;
  install(
    state,
    shard,
    change,
    heir.id,
    sealed.filter((id) => id !== heir.id && isComplete(state, id)),
  );
  log(
    state,
    'error',
    `shard ${shard.name}: no node holds its data; ${heir.id} starts it empty at epoch ${shard.epoch}`,
    {
      reason: change.reason,
    },
  );
}

function install(state: CoreState, shard: Shard, change: Change, leader: string, sealed: string[]): void {
  // A node may have answered with a higher epoch than it was asked for; no document has used that one.
  shard.epoch = shard.seenEpoch > change.epoch ? shard.seenEpoch + 1n : change.epoch;
  shard.seenEpoch = shard.epoch;
  shard.leader = leader;
  shard.followers = sealed.filter((id) => id !== leader && isComplete(state, id)).sort();
  shard.lists = [];
  shard.change = null;
  state.isTouched = true;
  state.totals.failovers++;
  shard.blocked = null;
  if (change.planned?.request != null) state.answers.push(changed(shard, change.planned.request));
  for (const id of [leader, ...shard.followers]) {
    const agent = nodeAgent(state, id)!;
    agent.unsyncedSinceMs = state.observedMs;
    state.members.set(id, memberOf(agent));
  }
}

function changed({ name, leader, epoch }: Shard, request: number): Effect {
  return { type: 'answer', request, answer: { ok: true, shard: name, leader, epoch: String(epoch) } };
}

function isComplete(state: CoreState, id: string): boolean {
  const agent = nodeAgent(state, id);
  return agent !== undefined && (replicationOf(agent)?.complete ?? false);
}

/** A listed follower that is away with its process, or here with a complete data set. */
function mayHoldData(state: CoreState, id: string): boolean {
  const away = nodeAgent(state, id)?.session == null && !processGone(state, id);
  return away || isComplete(state, id);
}
