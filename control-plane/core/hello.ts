import { isRingsideError } from '../../lib/base/index.ts';
import type { Hello } from '../../lib/codec/proto/index.ts';
import { judgeDocument, parseDocument, type RingDocument } from '../../lib/ring/index.ts';
import { noteHeld, onDisconnect } from './agents.ts';
import { greetWithSeal } from './failover.ts';
import { noteShard } from './formation.ts';
import { absorb } from './rebuild.ts';
import { type Agent, addAgent, agentKey, type CoreState, isLive, log, noteEpoch } from './state.ts';
import type { RefusalReason } from './types.ts';

/** What may become part of a document: printable, no spaces, at most 256 bytes. */
const NAME = /^[\x21-\x7e]{1,256}$/;
/** A document above this is a defect or an attack; there must be room to continue above every one accepted. */
const MAX_INCARNATION = 2n ** 63n;
const NAME_RULE = '1 to 256 printable ASCII characters without spaces';

/** An agent introduces itself on a new stream. */
export function onHello(state: CoreState, session: number, hello: Hello): void {
  const refusal = refusalOf(state, hello);
  if (refusal !== null) {
    refuse(state, session, hello, ...refusal);
    return;
  }
  const offered = hello.ringJson === '' ? null : parseOffer(state, hello);
  if (offered !== null && isForeign(state, offered)) {
    const message = `it holds ring ${offered.incarnation}/${offered.epoch} of another fleet (shards ${names(offered)}); give it an empty folder`;
    refuse(state, session, hello, 'invalid', message);
    return;
  }
  const agent = attach(state, session, hello);
  const { heartbeatMs, leaseMs, suspectAfterMs } = state.options;
  state.effects.push({ type: 'welcome', session, welcome: { heartbeatMs, leaseMs, suspectAfterMs } });
  if (offered !== null) noteOffer(state, agent, offered);
  if (agent.kind === 'PROXY') return;
  const shard = state.shards.get(hello.shard);
  noteEpoch(shard, hello.sealedEpoch);
  if (shard === undefined) {
    noteShard(state, agent);
    return;
  }
  noteHeld(state, agent);
  greetWithSeal(state, shard, agent);
}

function refusalOf(state: CoreState, hello: Hello): [RefusalReason, string] | null {
  const { kind, id, shard } = hello;
  if (kind !== 'NODE' && kind !== 'PROXY') return ['invalid', 'Hello names no kind'];
  if (!NAME.test(id) || !NAME.test(hello.runId))
    return ['invalid', `Hello needs an id and a run_id: ${NAME_RULE}`];
  const known = state.agents.get(agentKey(kind, id));
  if (known !== undefined && known.runId !== hello.runId && isLive(state, known)) {
    const where = `pid ${known.hello?.pid} at ${known.hello?.address || known.hello?.resp}`;
    return ['id_in_use', `id ${id} is in use by another live process (${where}); ids must be unique`];
  }
  if (![hello.admin, hello.resp].every((address) => address === '' || NAME.test(address))) {
    return ['invalid', `the addresses in a Hello are ${NAME_RULE}`];
  }
  return kind === 'NODE' ? nodeRefusal(state, hello, shard) : null;
}

function nodeRefusal(state: CoreState, hello: Hello, shard: string): [RefusalReason, string] | null {
  if (shard === '' || hello.address === '')
    return ['invalid', 'Hello of a node needs a shard and an address'];
  if (state.phase === 'collecting') return null;
  if (!state.shards.has(shard)) {
    const names = [...state.shards.keys()].join(', ');
    return ['shard_unknown', `shard ${shard} is not part of the ring, which has: ${names}`];
  }
  const home = state.members.get(hello.id)?.shard;
  if (home !== undefined && home !== shard) {
    return ['invalid', `node ${hello.id} belongs to shard ${home}, not ${shard}; give it another id`];
  }
  return null;
}

function attach(state: CoreState, session: number, hello: Hello): Agent {
  const kind = hello.kind as 'NODE' | 'PROXY';
  const key = agentKey(kind, hello.id);
  const before = state.agents.get(key);
  if (before !== undefined && before.session !== null) {
    const message = 'a newer stream of this agent took over';
    state.effects.push({ type: 'refuse', session: before.session, reason: 'replaced', message });
    onDisconnect(state, before.session);
  }
  const sameProcess = before !== undefined && before.runId === hello.runId && before.hello !== null;
  const agent: Agent = {
    kind,
    id: hello.id,
    runId: hello.runId,
    session,
    hello,
    heartbeat: sameProcess ? before.heartbeat : null,
    heardMs: state.observedMs,
    unsyncedSinceMs: sameProcess ? before.unsyncedSinceMs : state.observedMs,
    firstSeenMs: sameProcess ? before.firstSeenMs : state.nowMs,
    held: null,
    offered: null,
    refusal: null,
    pushed: null,
  };
  addAgent(state, agent, hello.shard);
  state.isTouched = true;
  state.isUndelivered = true;
  state.sessions.set(session, agent);
  const who = { address: hello.address || hello.resp, pid: hello.pid, shard: hello.shard };
  log(state, 'info', `${kind} ${hello.id} attached`, who);
  return agent;
}

function refuse(
  state: CoreState,
  session: number,
  { kind, id, address }: Hello,
  reason: RefusalReason,
  message: string,
): void {
  log(state, 'warn', `refused ${kind} ${id}: ${message}`, { address });
  state.effects.push({ type: 'refuse', session, reason, message });
}

/** A newer ring that lacks one of our shards is not a later state of ours. */
function isForeign(state: CoreState, offered: RingDocument): boolean {
  if (state.phase === 'collecting' || judgeDocument(state.document, offered) !== 'newer') return false;
  return [...state.shards.keys()].some((name) => !offered.shards.some((shard) => shard.name === name));
}

function names(document: RingDocument): string {
  return document.shards.map(({ name }) => name).join(', ');
}

function noteOffer(state: CoreState, agent: Agent, offered: RingDocument): void {
  agent.offered = offered;
  agent.held = {
    incarnation: BigInt(offered.incarnation),
    epoch: BigInt(offered.epoch),
    sha256: offered.sha256,
  };
  for (const { name, epoch } of offered.shards) noteEpoch(state.shards.get(name), epoch);
  if (state.phase === 'collecting') return;
  const verdict = judgeDocument(state.document, offered);
  if (verdict === 'newer' || verdict === 'conflict') absorb(state, offered);
}

function parseOffer(state: CoreState, { kind, id, ringJson }: Hello): RingDocument | null {
  try {
    const document = parseDocument(ringJson);
    if (BigInt(document.incarnation) > MAX_INCARNATION || BigInt(document.epoch) > MAX_INCARNATION)
      return null;
    return document;
  } catch (error) {
    if (!isRingsideError(error)) throw error;
    log(state, 'warn', `${kind} ${id} holds a ring that cannot be read: ${error.message}`);
    return null;
  }
}
