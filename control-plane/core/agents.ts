import type { Ack, Heartbeat, Nack } from '../../lib/codec/proto/index.ts';
import { isNewer, pruneLists, stopWaitingFor } from './publish.ts';
import { type Agent, type CoreState, leaderAgent, log, noteEpoch } from './state.ts';

/** Of an agent's reason, this many characters are kept. */
const MAX_REFUSAL = 300;
const DECIMAL = /^\d{1,20}$/;

/** A periodic report, answered with a lease if it is the leader's and nothing is under way against it. */
export function onHeartbeat(state: CoreState, session: number, heartbeat: Heartbeat): void {
  const agent = heardFrom(state, session);
  if (agent === null) return;
  agent.heartbeat = heartbeat;
  const { seq } = heartbeat;
  if (agent.kind === 'PROXY') {
    state.effects.push({ type: 'grant', session, seq, granted: false, shardEpoch: '0' });
    return;
  }
  const synced = heartbeat.replication?.synced ?? false;
  agent.unsyncedSinceMs = synced ? null : (agent.unsyncedSinceMs ?? state.observedMs);
  const shard = state.shards.get(agent.hello!.shard);
  noteEpoch(shard, heartbeat.sealedEpoch);
  noteEpoch(shard, heartbeat.shardEpoch);
  const shardEpoch = String(shard?.epoch ?? 0n);
  const granted =
    shard !== undefined &&
    state.phase === 'running' &&
    shard.change === null &&
    leaderAgent(state, shard) === agent &&
    heartbeat.role === 'LEADER' &&
    heartbeat.shardEpoch === shardEpoch;
  if (granted) shard.lastGrantMs = state.nowMs;
  state.effects.push({ type: 'grant', session, seq, granted, shardEpoch });
}

/** An agent has applied a document. */
export function onAck(state: CoreState, session: number, ack: Ack): void {
  const agent = heardFrom(state, session);
  const { document } = state;
  if (agent === null || document === null) return;
  if (!DECIMAL.test(ack.incarnation) || !DECIMAL.test(ack.epoch)) return;
  const current = document.epoch === ack.epoch && document.incarnation === ack.incarnation;
  if (current && document.sha256 !== ack.sha256) {
    log(state, 'error', `${agent.kind} ${agent.id} acknowledged another content of ring epoch ${ack.epoch}`);
    return;
  }
  agent.held = { incarnation: BigInt(ack.incarnation), epoch: BigInt(ack.epoch), sha256: ack.sha256 };
  agent.offered = null;
  agent.refusal = null;
  noteHeld(state, agent);
  if (current) stopWaitingFor(state, agent);
}

/** An agent has refused a document. It keeps the one it has; the next document may suit it. */
export function onNack(state: CoreState, session: number, nack: Nack): void {
  const agent = heardFrom(state, session);
  if (agent === null) return;
  agent.refusal = `${nack.code}: ${nack.message}`.slice(0, MAX_REFUSAL);
  log(state, 'error', `${agent.kind} ${agent.id} refused the ring: ${agent.refusal}`);
  stopWaitingFor(state, agent);
}

/** An agent asks for the newest document. */
export function onRefresh(state: CoreState, session: number): void {
  const agent = heardFrom(state, session);
  if (agent === null) return;
  agent.pushed = null;
  state.isUndelivered = true;
}

/** A stream has ended. */
export function onDisconnect(state: CoreState, session: number): void {
  const agent = state.sessions.get(session);
  state.sessions.delete(session);
  if (agent?.session !== session) return;
  agent.session = null;
  stopWaitingFor(state, agent);
}

/** The agent of a session that is still its newest, marked as heard of now. */
export function heardFrom(state: CoreState, session: number): Agent | null {
  const agent = state.sessions.get(session);
  if (agent?.session !== session) return null;
  agent.heardMs = Math.max(agent.heardMs, state.observedMs);
  return agent;
}

/** Takes note of the document that a leader goes by. */
export function noteHeld(state: CoreState, agent: Agent): void {
  const shard = state.shards.get(agent.hello!.shard);
  if (shard === undefined || agent.held === null || leaderAgent(state, shard) !== agent) return;
  if (isNewer(agent.held.incarnation, agent.held.epoch, state.incarnation, state.epoch)) return;
  pruneLists(state, shard, agent.held.incarnation, agent.held.epoch);
}
