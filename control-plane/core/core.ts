import { onAck, onDisconnect, onHeartbeat, onNack, onRefresh } from './agents.ts';
import { onSealed, superviseLeader } from './failover.ts';
import { decideFirstRing } from './formation.ts';
import { onHello } from './hello.ts';
import { listFollowers } from './listing.ts';
import { onFailoverRequest } from './planned.ts';
import { distribute, publishIfChanged, releasePublication } from './publish.ts';
import { restore } from './rebuild.ts';
import { type CoreState, emptyState, type Shard } from './state.ts';
import type { CoreEvent, CoreOptions, Effect, StateRecord } from './types.ts';
import { type FleetView, viewOf } from './view.ts';

/** A gap between ticks counts at most this many times `tickMs` against the silence of others. */
const STALL_TICKS = 4;

/**
 * The decisions of the control plane, without any I/O: events and the time go in, effects come out. The same
 * events at the same times give the same effects.
 */
export class ControlCore {
  readonly #state: CoreState;

  /** `record` is the state of an earlier process, null when there is none; `nowMs` is monotonic, as everywhere here. */
  constructor(options: CoreOptions, record: StateRecord | null, nowMs: number) {
    this.#state = emptyState(options, nowMs);
    if (record !== null) restore(this.#state, record);
  }

  /** Takes in one event; returns what is to be done, in this order. Never throws on what an agent may send. */
  handle(event: CoreEvent, nowMs: number): Effect[] {
    const state = this.#state;
    state.nowMs = nowMs;
    apply(state, event);
    decideFirstRing(state);
    for (const shard of concernedBy(state, event)) superviseLeader(state, shard);
    // What changes between two ticks makes one document.
    if (event.type === 'tick') {
      for (const shard of state.shards.values()) listFollowers(state, shard);
      publishIfChanged(state);
    }
    releasePublication(state);
    distribute(state);
    const { effects } = state;
    state.effects = [];
    return effects;
  }

  /** The fleet as of the last event. */
  view(): FleetView {
    return viewOf(this.#state);
  }
}

function apply(state: CoreState, event: CoreEvent): void {
  switch (event.type) {
    case 'tick':
      onTick(state);
      break;
    case 'hello':
      onHello(state, event.session, event.hello);
      break;
    case 'heartbeat':
      onHeartbeat(state, event.session, event.heartbeat);
      break;
    case 'ack':
      onAck(state, event.session, event.ack);
      break;
    case 'nack':
      onNack(state, event.session, event.nack);
      break;
    case 'refresh':
      onRefresh(state, event.session);
      break;
    case 'sealed':
      onSealed(state, event.session, event.sealed);
      break;
    case 'disconnect':
      onDisconnect(state, event.session);
      break;
    case 'failover':
      onFailoverRequest(state, event.request, event.shard, event.to);
  }
}

/** A message of a node can change only its own shard; with hundreds of nodes that counts. */
function concernedBy(state: CoreState, event: CoreEvent): Iterable<Shard> {
  if (event.type === 'tick' || event.type === 'hello' || event.type === 'failover')
    return state.shards.values();
  const own = state.shards.get(state.sessions.get(event.session)?.hello?.shard ?? '');
  return own === undefined ? [] : [own];
}

/** Silence is counted in ticks: a process that was stopped or starved has not listened meanwhile. */
function onTick(state: CoreState): void {
  const gapMs = state.nowMs - state.lastTickMs;
  state.lastTickMs = state.nowMs;
  state.observedMs += Math.min(gapMs, state.options.tickMs * STALL_TICKS);
}
