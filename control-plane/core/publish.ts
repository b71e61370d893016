import { type RingDocument, sealDocument } from '../../lib/ring/index.ts';
import {
  type Agent,
  agentKey,
  byName,
  type CoreState,
  leaderAgent,
  type Member,
  NOBODY,
  removeAgent,
  type Shard,
  silentMs,
} from './state.ts';
import type { FollowerList, StateRecord } from './types.ts';

/** How long everybody else waits for the leaders that a new document concerns. */
const LEADERS_FIRST_MS = 500;
/** A node neither leading nor listed that is away for this long is dropped from the document. */
const FORGET_NODE_MS = 600_000;
/** A proxy that is away for this long is dropped from the status. */
const FORGET_PROXY_MS = 60_000;
/** How often that is looked for. */
const TIDY_MS = 1000;

/**
 * Compares the state with the last document and, where they differ, makes the next one: persisted first,
 * then pushed to the live leaders of the shards it changes, and to everybody else once those have
 * acknowledged it or half a second has passed.
 */
export function publishIfChanged(state: CoreState): void {
  if (state.phase !== 'running') return;
  if (state.nowMs - state.tidiedMs >= TIDY_MS) tidy(state);
  if (!state.isTouched && !state.listsChanged) return;
  refreshMembers(state);
  const previous = state.document;
  const next = { ...content(state), incarnation: String(state.incarnation), epoch: String(state.epoch) };
  if (previous === null || !sameContent(previous, next)) {
    state.epoch += 1n;
    state.document = sealDocument({ ...next, epoch: String(state.epoch) });
    noteLists(state, state.document);
    state.effects.push({ type: 'persist', record: recordOf(state, state.document) });
    state.isUndelivered = true;
    startPublication(state, concernedLeaders(state, previous, state.document));
  } else if (state.listsChanged) {
    state.effects.push({ type: 'persist', record: recordOf(state, previous) });
  }
  state.isTouched = false;
  state.listsChanged = false;
}

/** Pushes the newest document to every attached agent that it was not pushed to and whose turn has come. */
export function distribute(state: CoreState): void {
  const { document, publication } = state;
  if (document === null || !state.isUndelivered) return;
  state.isUndelivered = publication !== null;
  const version = `${document.incarnation}/${document.epoch}`;
  for (const [key, agent] of state.agents) {
    if (agent.session === null || agent.pushed === version) continue;
    if (publication !== null && !publication.waitingFor.has(key)) continue;
    agent.pushed = version;
    state.effects.push({ type: 'push', session: agent.session, document });
  }
}

/** An agent acknowledged, refused or left: it no longer holds up the others. */
export function stopWaitingFor(state: CoreState, agent: Agent): void {
  state.publication?.waitingFor.delete(agentKey(agent.kind, agent.id));
}

/** Ends the leaders' head start when they are through or have taken too long. */
export function releasePublication(state: CoreState): void {
  const { publication } = state;
  if (publication === null) return;
  if (publication.waitingFor.size > 0 && state.nowMs < publication.deadlineMs) return;
  state.publication = null;
  state.isUndelivered = true;
  for (const answer of publication.answers) state.effects.push(answer);
}

/** The leader has applied a document: it goes by no list older than that document's. */
export function pruneLists(state: CoreState, shard: Shard, incarnation: bigint, epoch: bigint): void {
  const inForce = shard.lists.findLastIndex(
    (list) => !isNewer(BigInt(list.incarnation), BigInt(list.epoch), incarnation, epoch),
  );
  if (inForce <= 0) return;
  shard.lists.splice(0, inForce);
  state.listsChanged = true;
}

/** Whether version a is above version b. */
export function isNewer(aIncarnation: bigint, aEpoch: bigint, bIncarnation: bigint, bEpoch: bigint): boolean {
  return aIncarnation > bIncarnation || (aIncarnation === bIncarnation && aEpoch > bEpoch);
}

/** The entry of the document for a node's present process. */
export function memberOf(agent: Agent): Member {
  const { id, runId, hello } = agent;
  return { id, runId, shard: hello!.shard, address: hello!.address, admin: hello!.admin };
}

function tidy(state: CoreState): void {
  state.tidiedMs = state.nowMs;
  state.isTouched = true;
  for (const [key, agent] of state.agents) {
    if (agent.session !== null) continue;
    if (agent.kind === 'PROXY' && silentMs(state, agent) >= FORGET_PROXY_MS) removeAgent(state, key);
    if (agent.kind === 'NODE' && silentMs(state, agent) >= FORGET_NODE_MS && !isInRing(state, agent.id)) {
      removeAgent(state, key);
      state.members.delete(agent.id);
    }
  }
}

function isInRing(state: CoreState, id: string): boolean {
  const shard = state.shards.get(state.members.get(id)?.shard ?? '');
  return shard !== undefined && (shard.leader === id || shard.followers.includes(id));
}

/**
 * Brings the members up to what agents said of themselves. A leader or listed follower keeps the process it
 * was named with until it is replaced or unlisted: otherwise a restarted, empty process would read in the
 * document that it leads.
 */
function refreshMembers(state: CoreState): void {
  for (const agent of state.agents.values()) {
    if (agent.kind !== 'NODE' || agent.hello === null || !state.shards.has(agent.hello.shard)) continue;
    const known = state.members.get(agent.id);
    if (known !== undefined && known.runId !== agent.runId && isInRing(state, agent.id)) continue;
    state.members.set(agent.id, memberOf(agent));
  }
}

type Content = Pick<RingDocument, 'virtualNodes' | 'leaseMs' | 'shards' | 'nodes'>;

function content(state: CoreState): Content {
  return {
    virtualNodes: state.document?.virtualNodes ?? state.options.virtualNodes,
    leaseMs: state.options.leaseMs,
    shards: [...state.shards.values()].map(({ name, weight, epoch, leader, followers }) => ({
      name,
      weight,
      epoch: String(epoch),
      leader: leader === NOBODY ? null : leader,
      followers: [...followers].sort(),
    })),
    nodes: [...state.members.values()].sort(byName).map((member) => ({ ...member })),
  };
}

function sameContent(previous: RingDocument, next: Content & { incarnation: string }): boolean {
  return previous.incarnation === next.incarnation && contentText(previous) === contentText(next);
}

function contentText({ virtualNodes, leaseMs, shards, nodes }: Content): string {
  const rows = [
    ...shards.map(({ name, weight, epoch, leader, followers }) => [name, weight, epoch, leader, followers]),
    ...nodes.map(({ id, runId, shard, address, admin }) => [id, runId, shard, address, admin]),
  ];
  return JSON.stringify([virtualNodes, leaseMs, rows]);
}

function noteLists(state: CoreState, document: RingDocument): void {
  const { incarnation, epoch } = document;
  for (const { name, followers } of document.shards) {
    const { lists } = state.shards.get(name)!;
    const last = lists.at(-1);
    if (last !== undefined && last.followers.join(' ') === followers.join(' ')) continue;
    lists.push({ incarnation, epoch, followers: [...followers] });
  }
}

function recordOf(state: CoreState, document: RingDocument): StateRecord {
  const lists: Record<string, FollowerList[]> = {};
  for (const shard of state.shards.values()) lists[shard.name] = structuredClone(shard.lists);
  return { document, lists };
}

function concernedLeaders(state: CoreState, previous: RingDocument | null, next: RingDocument): Set<string> {
  const before = new Map(previous?.shards.map((shard) => [shard.name, JSON.stringify(shard)]));
  const concerned = new Set<string>();
  for (const shard of next.shards) {
    if (before.get(shard.name) === JSON.stringify(shard)) continue;
    const leader = leaderAgent(state, state.shards.get(shard.name)!);
    if (leader !== null && leader.session !== null) concerned.add(agentKey('NODE', leader.id));
  }
  return concerned;
}

function startPublication(state: CoreState, waitingFor: Set<string>): void {
  const under = state.publication;
  for (const key of under?.waitingFor ?? []) waitingFor.add(key);
  state.publication = {
    waitingFor,
    deadlineMs: under?.deadlineMs ?? state.nowMs + LEADERS_FIRST_MS,
    answers: [...(under?.answers ?? []), ...state.answers],
  };
  state.answers = [];
  releasePublication(state);
}
