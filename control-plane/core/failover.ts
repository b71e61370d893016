/**
 * Replacing a leader.
 *
 * Safety rests on one argument. A leader acknowledges writes only under a lease: from this control plane, or
 * from ALL followers of the list in the document it applied last, or from itself when that list is empty. So
 * it is over with the old leader once
 *   1. this control plane grants it nothing more,
 *   2. each list it may hold has a member that is sealed (refuses the old shard epoch), and
 *   3. a full lease has passed since the last grant of this control plane and of those members.
 * Which lists it may hold is known exactly: those of the documents from the last one it acknowledged on.
 * An empty list among them has no member to seal: such a leader can only be waited for.
 *
 * Steps 1 to 3 are skipped when another process has taken the leader's id (the old one has ended) or the
 * leader itself promised to stop (a planned failover).
 */
import type { ReplicationState, Sealed } from '../../lib/codec/proto/index.ts';
import { heardFrom } from './agents.ts';
import type { Change, PlannedChange, SealAnswer } from './change.ts';
import { electEmpty, promote, reelect } from './elect.ts';
import { proceedPlanned } from './planned.ts';
import {
  type Agent,
  type CoreState,
  isAhead,
  isLive,
  leaderAgent,
  liveLeader,
  liveNodes,
  log,
  nodeAgent,
  noteEpoch,
  processGone,
  type Shard,
  silentMs,
} from './state.ts';

/** Followers must have missed their leader for this share of `suspectAfterMs` before it counts as dead. */
const SILENCE_SHARE = 0.75;
/** Unanswered seals are sent again this often. */
const RESEAL_MS = 250;
/** A live follower that does not answer its seal is waited for this long. */
const SEAL_PATIENCE_MS = 2000;
/** Those who may have more than a process that came back from its disk are waited for this long. */
const RETURN_PATIENCE_MS = 30_000;
/** A leader that stopped for an heir leads on when after this long no follower can take over. */
const HEIR_PATIENCE_MS = 4000;

/** Looks after the leadership of one shard; called after every event. */
export function superviseLeader(state: CoreState, shard: Shard): void {
  if (shard.change === null) watch(state, shard);
  if (shard.change !== null) proceed(state, shard, shard.change);
}

/** Starts a change: from now on no lease is granted in this shard. */
export function beginChange(
  state: CoreState,
  shard: Shard,
  reason: string,
  planned: PlannedChange | null,
): void {
  const epoch = (shard.seenEpoch > shard.epoch ? shard.seenEpoch : shard.epoch) + 1n;
  shard.seenEpoch = epoch;
  shard.blocked = null;
  shard.change = {
    epoch,
    startedMs: state.nowMs,
    reason,
    seals: new Map(),
    sentMs: Number.NEGATIVE_INFINITY,
    planned,
  };
  log(state, 'warn', `shard ${shard.name}: sealing at epoch ${epoch}: ${reason}`, { leader: shard.leader });
}

/** A node answers a seal. */
export function onSealed(state: CoreState, session: number, sealed: Sealed): void {
  const agent = heardFrom(state, session);
  const shard = state.shards.get(sealed.shard);
  if (agent === null || shard === undefined || agent.hello?.shard !== sealed.shard) return;
  noteEpoch(shard, sealed.epoch);
  const { change } = shard;
  if (change === null || BigInt(sealed.epoch) < change.epoch) return;
  if (leaderAgent(state, shard) === agent) {
    if (change.planned !== null) change.planned.leaderSealed = sealed.replication;
    return;
  }
  const { lastGrantAgoMs } = sealed;
  change.seals.set(agent.id, {
    runId: agent.runId,
    replication: sealed.replication,
    lastGrantMs: lastGrantAgoMs < 0 ? agent.firstSeenMs : state.nowMs - lastGrantAgoMs,
  });
}

/** A node attached during a change: it must be sealed before it reads in a document whom to follow. */
export function greetWithSeal(state: CoreState, shard: Shard, agent: Agent): void {
  if (shard.change !== null && mustSeal(state, shard, shard.change, agent))
    sendSeal(state, shard, shard.change, agent);
}

/** Seals those who must be and have not answered. */
function sendSeals(state: CoreState, shard: Shard, change: Change): void {
  if (state.nowMs - change.sentMs < RESEAL_MS) return;
  change.sentMs = state.nowMs;
  for (const agent of liveNodes(state, shard.name)) {
    if (mustSeal(state, shard, change, agent)) sendSeal(state, shard, change, agent);
  }
}

/** The seals that still bind: those of live processes. A sealed process that ended may come back unsealed. */
function bindingSeals(state: CoreState, change: Change): Map<string, SealAnswer> {
  const binding = [...change.seals].filter(([id, seal]) => {
    const agent = nodeAgent(state, id);
    return agent !== undefined && agent.runId === seal.runId && isLive(state, agent);
  });
  return new Map(binding);
}

function watch(state: CoreState, shard: Shard): void {
  if (liveLeader(state, shard) !== null) {
    shard.blocked = null;
    if (shard.seenEpoch > shard.epoch) reelect(state, shard, `a node is sealed at epoch ${shard.seenEpoch}`);
    return;
  }
  if (processGone(state, shard.leader)) {
    beginChange(state, shard, `leader ${shard.leader} was restarted`, null);
  } else if (isSilent(state, shard)) {
    const blocked = obstacle(state, shard);
    if (blocked === null) beginChange(state, shard, `leader ${shard.leader} is silent`, null);
    else if (shard.blocked === null) log(state, 'error', `shard ${shard.name}: ${blocked}`);
    shard.blocked = blocked;
  }
}

/** The leader is silent to us, and no live node that follows it says otherwise. */
function isSilent(state: CoreState, shard: Shard): boolean {
  const { suspectAfterMs } = state.options;
  const leader = leaderAgent(state, shard);
  if (leader !== null && silentMs(state, leader) < suspectAfterMs) return false;
  return liveNodes(state, shard.name).every(({ id, heartbeat }) => {
    if (id === shard.leader || heartbeat?.shardEpoch !== String(shard.epoch)) return true;
    return heartbeat.leaderSilentMs < 0 || heartbeat.leaderSilentMs > suspectAfterMs * SILENCE_SHARE;
  });
}

/** Why sealing could not end the leader's lease, or null when it can. */
function obstacle(state: CoreState, shard: Shard): string | null {
  const live = new Set(liveNodes(state, shard.name).map((agent) => agent.id));
  const list = shard.lists.find(({ followers }) => !followers.some((id) => live.has(id)));
  if (list === undefined) return null;
  if (list.followers.length === 0) {
    return `leader ${shard.leader} is silent but may be alone and renewing its own lease: waiting for it, or for a new process with its id`;
  }
  return `leader ${shard.leader} is silent, and so are its followers (${list.followers.join(', ')}): waiting for one of them`;
}

function mustSeal(state: CoreState, shard: Shard, change: Change, agent: Agent): boolean {
  if (agent === leaderAgent(state, shard)) {
    return change.planned !== null && change.planned.leaderSealed === null;
  }
  if (change.planned !== null && !change.planned.handedOver) return false;
  return change.seals.get(agent.id)?.runId !== agent.runId;
}

function sendSeal(state: CoreState, shard: Shard, change: Change, agent: Agent): void {
  if (agent.session === null) return;
  const epoch = String(change.epoch);
  state.effects.push({ type: 'seal', session: agent.session, shard: shard.name, epoch });
}

function proceed(state: CoreState, shard: Shard, change: Change): void {
  sendSeals(state, shard, change);
  if (change.planned !== null && !change.planned.handedOver) {
    proceedPlanned(state, shard, change, change.planned);
    return;
  }
  const seals = bindingSeals(state, change);
  const best = mostAdvanced(change, seals);
  if (mayLeadOn(state, shard, change, best)) {
    reelect(state, shard, `leader ${shard.leader} is back before it was replaced`);
    return;
  }
  if (!isOver(state, shard, change, seals) || isAnswerMissing(state, shard, change, seals)) return;
  if (best !== null && mayBeBehind(state, shard, change, best, seals)) return;
  if (best !== null) promote(state, shard, change, best, [...seals.keys()]);
  else electEmpty(state, shard, change, [...seals.keys()]);
}

/** A leader that is heard of again is not replaced, unless it has stopped for an heir that is there. */
function mayLeadOn(state: CoreState, shard: Shard, change: Change, best: string | null): boolean {
  if (liveLeader(state, shard) === null) return false;
  return !hasStopped(change) || (best === null && state.nowMs - change.startedMs >= HEIR_PATIENCE_MS);
}

/** Whether the old leader can acknowledge nothing any more: see the head of this file. */
function isOver(state: CoreState, shard: Shard, change: Change, seals: Map<string, SealAnswer>): boolean {
  if (hasStopped(change)) return true;
  let lastGrantMs = shard.lastGrantMs;
  for (const seal of change.seals.values()) lastGrantMs = Math.max(lastGrantMs, seal.lastGrantMs);
  if (state.nowMs <= lastGrantMs + state.leaseBoundMs) return false;
  return (
    processGone(state, shard.leader) ||
    shard.lists.every(({ followers }) => followers.some((id) => seals.has(id)))
  );
}

function hasStopped(change: Change): boolean {
  return change.planned !== null && change.planned.leaderSealed !== null;
}

/**
 * Whether the best is a process that came back with what it had on disk, while the leader or a listed follower has not said what it has,
 * which may be more. They are waited for, but not for long.
 */
function mayBeBehind(
  state: CoreState,
  shard: Shard,
  change: Change,
  best: string,
  seals: Map<string, SealAnswer>,
): boolean {
  if (state.nowMs - change.startedMs >= RETURN_PATIENCE_MS) return false;
  if (!seals.get(best)!.replication!.restored) return false;
  return [shard.leader, ...shard.followers].some((id) => {
    const agent = nodeAgent(state, id);
    return agent !== undefined && !seals.has(id) && (isLive(state, agent) || !processGone(state, id));
  });
}

/** A live follower that is or was listed may hold writes that nobody else has: its answer is worth waiting for. */
function isAnswerMissing(
  state: CoreState,
  shard: Shard,
  change: Change,
  seals: Map<string, SealAnswer>,
): boolean {
  if (state.nowMs - change.startedMs >= SEAL_PATIENCE_MS) return false;
  const listed = new Set(shard.lists.flatMap(({ followers }) => followers));
  return liveNodes(state, shard.name).some(({ id }) => listed.has(id) && !seals.has(id));
}

/** The complete data set that is furthest: by the epoch of the stream it was synced with, then by offset. */
function mostAdvanced(change: Change, seals: Map<string, SealAnswer>): string | null {
  let best: [string, ReplicationState] | null = null;
  for (const [id, { replication }] of seals) {
    if (!replication?.complete) continue;
    if (
      best === null ||
      isAhead(replication, best[1]) ||
      (id === change.planned?.to && !isAhead(best[1], replication))
    ) {
      best = [id, replication];
    }
  }
  return best?.[0] ?? null;
}
