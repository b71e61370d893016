import { type RequestParser, RespWriter } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, keysOf, type TrackingState } from '../../lib/commands/index.ts';
import type { InvalidationListener } from '../core/tracking-links.ts';
import { TrackingLinks } from '../core/tracking-links.ts';
import type { UnitLanes } from '../core/transaction-lanes.ts';
import type { RespConnection } from './connection.ts';
import { placeholder } from './forward.ts';
import type { ConnectionMode } from './mode.ts';
import { deliverTo, EVERYTHING, firstKey, invalidation, keysFrame } from './tracking-frames.ts';

const PONG = Buffer.from('+PONG\r\n');
/** Keys kept of a client that says by itself what is tracked; beyond that it hears of all that its nodes track. */
const MAX_CHOSEN_KEYS = 100_000;

/** When the client is told: at once, behind the replies that it waits for, or both. */
type Moment = 'now' | 'behind' | 'both';

/**
 * CLIENT TRACKING of one client. Its commands go over links of its own (`TrackingLinks`); what they bring is passed on to it, or to
 * the client that it redirects to.
 *
 * Whatever the client might keep after this, it hears of later: an invalidation that may overtake the reply of an earlier read is sent again behind
 * that reply.
 */
export class ClientTracking implements ConnectionMode, InvalidationListener {
  state: TrackingState;
  readonly #connection: RespConnection;
  readonly #links: TrackingLinks;
  /** With OPTIN and OPTOUT: what was read to be kept; null: nobody knows any more. */
  #chosen: Set<string> | null = new Set();
  /** It was told to forget everything while no command of it was under way, and has sent none since. */
  #hasForgotten = false;
  /** What came while EXEC was under way, for behind its reply; null: it is not. */
  #held: Buffer[] | null = null;
  /** Keys read in a transaction that goes over a connection that is not tracked. */
  #untracked: string[] = [];

  /** Begins at once. Only while no command of the client is under way. */
  constructor(connection: RespConnection, state: TrackingState) {
    this.#connection = connection;
    this.state = state;
    const { router } = connection.context;
    this.#links = new TrackingLinks(router, state, this);
    router.ownLinks.set(connection, this.#links);
    connection.enter(this);
  }

  get protocol(): 2 | 3 {
    return this.#connection.protocol;
  }

  /** Goes on with other options; prefixes add up. */
  update(state: TrackingState): void {
    for (const prefix of this.state.prefixes) state.prefixes.add(prefix);
    this.state = state;
    this.#links.update(state);
  }

  /** Ends it. Only while no command of the client is under way, or when the client is gone. */
  end(): void {
    this.#connection.leave(this);
    this.closed();
  }

  closed(): void {
    this.#connection.tracking = null;
    this.#connection.context.router.ownLinks.delete(this.#connection);
    this.#links.close();
  }

  /** Notes what is read to be kept. Takes PING alone: who has said it then knows of all that was written before. */
  take(connection: RespConnection, args: RequestParser, spec: CommandSpec, nowMs: number): boolean {
    this.#hasForgotten = false;
    this.#note(connection, args, spec);
    const isPing = spec.name === 'ping' && args.count === 1;
    if (!isPing || connection.protocol === 2 || connection.transaction !== null) return false;
    const place = placeholder(connection, nowMs);
    // No part of it can be here before the whole is.
    place.keyIndex = 0;
    this.#links.fence(() => place.answerWith(PONG));
    return true;
  }

  #note(connection: RespConnection, args: RequestParser, spec: CommandSpec): void {
    const { state } = this;
    if (!state.optIn && !state.optOut) return;
    if (spec.isReadonly && state.optIn === state.isCachingGiven) this.#choose(spec, args);
    if (!spec.name.startsWith('client|') && connection.transaction === null) state.isCachingGiven = false;
  }

  /** A transaction has taken up this command. */
  queued(spec: CommandSpec, args: RequestParser): void {
    this.#hasForgotten = false;
    if (!spec.isReadonly || this.state.isBroadcast) return;
    for (const { index } of keysOf(spec, args) ?? []) this.#untracked.push(args.latin1(index));
  }

  /** Where a transaction runs so that what it reads is tracked as well. */
  get lanes(): UnitLanes {
    return this.#links;
  }

  /** EXEC is under way; `isTracked`: over `lanes`, in order with what they bring. */
  executing(isTracked: boolean): void {
    if (isTracked) this.#untracked = [];
    else this.#held = [];
  }

  /** The reply of EXEC is in the order of replies: what was read untracked must not be kept. */
  executed(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const keys of held) this.#send(keys, 0, keys.length, 'behind');
    if (this.#untracked.length === 0) return;
    const keys = keysFrame(this.#untracked);
    this.#untracked = [];
    this.#send(keys, 0, keys.length, 'behind');
  }

  invalidated(buffer: Buffer, start: number, end: number, isInOrder: boolean): void {
    if (!this.#isKept(buffer, start) || this.#isRepeated(firstKey(buffer, start) === null)) return;
    if (this.#held !== null) {
      this.#held.push(Buffer.from(buffer.subarray(start, end)));
      return;
    }
    const { pending, hasStuckReply } = this.#connection;
    const mayOvertake = pending > 0 && (!isInOrder || hasStuckReply);
    this.#send(buffer, start, end, mayOvertake ? 'both' : 'now');
  }

  lost(): void {
    this.#chosen = new Set();
    if (this.#isRepeated(true)) return;
    this.#send(EVERYTHING, 0, EVERYTHING.length, this.#connection.pending > 0 ? 'both' : 'now');
  }

  /** For CLIENT LIST. */
  facts(): { flags: string; redirect: number } {
    const { isBroadcast, isRedirectBroken, redirect } = this.state;
    return { flags: `t${isRedirectBroken ? 'R' : ''}${isBroadcast ? 'B' : ''}`, redirect };
  }

  /** Several shards say it, of one FLUSHALL: once is enough while the client reads nothing. */
  #isRepeated(isEverything: boolean): boolean {
    const isRepeated = isEverything && this.#hasForgotten;
    if (isEverything) this.#hasForgotten = this.#connection.pending === 0;
    return isRepeated;
  }

  #choose(spec: CommandSpec, args: RequestParser): void {
    if (this.#chosen === null) return;
    for (const { index } of keysOf(spec, args) ?? []) this.#chosen.add(args.latin1(index));
    if (this.#chosen.size > MAX_CHOSEN_KEYS) this.#chosen = null;
  }

  /** Whether the client may have kept this; it does so no longer. */
  #isKept(keys: Buffer, start: number): boolean {
    const { optIn, optOut } = this.state;
    if (!(optIn || optOut) || this.#chosen === null) return true;
    const key = firstKey(keys, start);
    if (key !== null) return this.#chosen.delete(key);
    this.#chosen.clear();
    return true;
  }

  #send(keys: Buffer, start: number, end: number, when: Moment): void {
    const { state } = this;
    const connection = this.#connection;
    if (state.redirect !== 0) {
      this.#redirect(keys, start, end);
      return;
    }
    if (connection.protocol === 2) return;
    const bytes = invalidation(3, keys, start, end);
    if (when !== 'behind') connection.pushInOrder(bytes);
    if (when !== 'now') connection.reply(bytes);
  }

  #redirect(keys: Buffer, start: number, end: number): void {
    const { redirect: id } = this.state;
    const { connections, group } = this.#connection.context;
    const isThere = deliverTo(connections.get(id), keys, start, end);
    if (isThere) return;
    if (group.isImmediate || connections.has(id)) {
      this.#breakRedirect();
      return;
    }
    group.ask('redirected', { id, keys: keys.latin1Slice(start, end) }, (answers) => {
      if (!answers.includes(true) && this.#connection.tracking === this) this.#breakRedirect();
    });
  }

  #breakRedirect(): void {
    const { state } = this;
    state.isRedirectBroken = true;
    if (this.#connection.protocol === 3) this.#connection.push(brokenRedirect(state.redirect));
  }
}

function brokenRedirect(id: number): Buffer {
  const writer = new RespWriter();
  writer.protocol = 3;
  writer.pushHeader(2);
  writer.bulkLatin1('tracking-redir-broken');
  writer.integer(id);
  return writer.take();
}
