import { compareVersions, type RingDocument } from '../../lib/ring/index.ts';
import {
  type Agent,
  addAgent,
  type CoreState,
  isLive,
  liveLeader,
  log,
  NOBODY,
  nodeAgent,
  noteEpoch,
  type Shard,
} from './state.ts';
import type { FollowerList, StateRecord } from './types.ts';

/**
 * The newest document that any agent holds, null when none holds one. One that does not fit the nodes that hold a ring is of another
 * fleet (a proxy kept it from there) and counts only when there is no other.
 */
export function newestOffer(state: CoreState): RingDocument | null {
  const holders = [...state.agents.values()].filter(({ offered }) => offered !== null);
  const offers = holders.map(({ offered }) => offered!).sort(compareVersions);
  const nodes = holders.filter(({ kind }) => kind === 'NODE');
  return offers.findLast((document) => fits(document, nodes)) ?? offers.at(-1) ?? null;
}

/** It has the shards of all these nodes, and names one of them. */
function fits({ shards, nodes: named }: RingDocument, nodes: readonly Agent[]): boolean {
  return (
    nodes.every(({ hello }) => shards.some(({ name }) => name === hello?.shard)) &&
    (nodes.length === 0 || nodes.some(({ id }) => named.some((node) => node.id === id)))
  );
}

/** Goes on from the state of an earlier process. Agents get a grace to attach before they count as dead. */
export function restore(state: CoreState, record: StateRecord): void {
  takeDocument(state, record.document);
  state.document = record.document;
  state.incarnation = BigInt(record.document.incarnation);
  state.epoch = BigInt(record.document.epoch);
  for (const shard of state.shards.values()) shard.lists = structuredClone(record.lists[shard.name]);
  const { incarnation, epoch } = record.document;
  log(state, 'info', `continuing with ring ${incarnation}/${epoch}`);
}

/** Goes on from what the fleet holds, because the state is lost: same content, above every version seen. */
export function adopt(state: CoreState, document: RingDocument): void {
  takeDocument(state, document);
  const seen = [...state.agents.values()].map(({ offered }) => BigInt(offered?.incarnation ?? 0));
  state.incarnation = seen.reduce((highest, other) => (other > highest ? other : highest), 0n) + 1n;
  state.epoch = BigInt(document.epoch);
  for (const shard of state.shards.values()) {
    shard.lists = knownLists(state, shard);
    for (const { hello } of state.agents.values()) {
      if (hello?.shard === shard.name) noteEpoch(shard, hello.sealedEpoch);
    }
  }
  const { incarnation, epoch } = document;
  log(state, 'warn', `state was lost: adopted ring ${incarnation}/${epoch} from the fleet`);
}

/**
 * An agent holds a newer ring than this process (which started from old state, or missed it while collecting).
 * Continues above it. A shard whose leader lives by our document keeps it, at a higher shard epoch if the
 * other document disagrees; the others are taken from the newer document.
 */
export function absorb(state: CoreState, newer: RingDocument): void {
  const { incarnation, epoch } = newer;
  log(state, 'error', `an agent holds ring ${incarnation}/${epoch}, newer than ours: continuing above it`);
  for (const theirs of newer.shards) {
    const ours = state.shards.get(theirs.name);
    if (ours !== undefined && leadsByOurs(state, ours)) {
      const differs = theirs.leader !== ours.leader;
      noteEpoch(ours, BigInt(theirs.epoch) + (differs ? 1n : 0n));
      continue;
    }
    const lastGrantMs = ours?.lastGrantMs ?? state.startedMs;
    takeShard(state, theirs, lastGrantMs);
    const shard = state.shards.get(theirs.name)!;
    noteEpoch(shard, ours?.seenEpoch ?? 0n);
    shard.lists = knownLists(state, shard);
    for (const node of newer.nodes) if (node.shard === theirs.name) takeNode(state, node);
  }
  state.incarnation = BigInt(incarnation) + 1n;
  state.isTouched = true;
  if (BigInt(epoch) > state.epoch) state.epoch = BigInt(epoch);
}

function takeDocument(state: CoreState, document: RingDocument): void {
  state.phase = 'running';
  state.isTouched = true;
  state.leaseBoundMs = Math.max(state.leaseBoundMs, document.leaseMs);
  for (const shard of document.shards) takeShard(state, shard, state.startedMs);
  for (const node of document.nodes) takeNode(state, node);
}

function takeShard(state: CoreState, shard: RingDocument['shards'][number], lastGrantMs: number): void {
  const epoch = BigInt(shard.epoch);
  state.shards.set(shard.name, {
    name: shard.name,
    weight: shard.weight,
    epoch,
    leader: shard.leader ?? NOBODY,
    followers: [...shard.followers],
    lists: [],
    lastGrantMs,
    seenEpoch: epoch,
    change: null,
    blocked: null,
  });
}

/** Notes a node of a document; one that has not attached yet gets twice the usual time to do so. */
function takeNode(state: CoreState, node: RingDocument['nodes'][number]): void {
  state.members.set(node.id, { ...node });
  if (nodeAgent(state, node.id) !== undefined) return;
  const agent: Agent = {
    kind: 'NODE',
    id: node.id,
    runId: node.runId,
    session: null,
    hello: null,
    heartbeat: null,
    heardMs: state.observedMs + state.options.suspectAfterMs,
    unsyncedSinceMs: state.observedMs,
    firstSeenMs: state.nowMs,
    held: null,
    offered: null,
    refusal: null,
    pushed: null,
  };
  addAgent(state, agent, node.shard);
}

/**
 * The lists that the leader of a shard may go by, as far as the fleet knows: exactly one when the leader itself
 * has shown its document, else those of every document seen that names it at this shard epoch.
 */
function knownLists(state: CoreState, shard: Shard): FollowerList[] {
  const leader = nodeAgent(state, shard.leader);
  const own = leader?.offered === null || leader === undefined ? [] : listsOf(leader.offered, shard);
  if (own.length > 0) return own;
  const documents = [...state.agents.values()].flatMap(({ offered }) => (offered === null ? [] : [offered]));
  const lists = documents.sort(compareVersions).flatMap((document) => listsOf(document, shard));
  return lists.filter((list, i) => i === 0 || list.followers.join(' ') !== lists[i - 1].followers.join(' '));
}

function listsOf(document: RingDocument, shard: Shard): FollowerList[] {
  const { incarnation, epoch } = document;
  return document.shards
    .filter(
      ({ name, leader, ...at }) =>
        name === shard.name && leader === shard.leader && BigInt(at.epoch) === shard.epoch,
    )
    .map(({ followers }) => ({ incarnation, epoch, followers: [...followers].sort() }));
}

function leadsByOurs(state: CoreState, shard: Shard): boolean {
  const leader = liveLeader(state, shard);
  if (leader?.held == null || !isLive(state, leader)) return false;
  const { incarnation, epoch } = leader.held;
  return incarnation < state.incarnation || (incarnation === state.incarnation && epoch <= state.epoch);
}
