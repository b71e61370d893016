import type { Socket } from 'node:net';
import {
  RequestParser,
  type RespLimits,
  RespProtocolError,
  type RespWriter,
} from '../../lib/codec/resp/index.ts';
import { recycle, recycleBytes } from '../../lib/net/index.ts';
import type { GuardedClient } from '../access/index.ts';
import type { BlockedCommand } from '../core/blocked-command.ts';
import { plainError } from '../core/frames.ts';
import { LARGE_BYTES, LargeFrame } from '../core/large-frame.ts';
import type { PinnedSession } from '../core/pinned-session.ts';
import { acquireRequest, type Request, RequestState } from '../core/request.ts';
import { Stat } from '../core/stats.ts';
import type { ShardRoute } from '../core/topology.ts';
import { ClientConnection, type ClientLimits } from '../listener/index.ts';
import { commandName, NO_COMMAND } from '../watch/resp-watch.ts';
import { ClientGets } from './client-gets.ts';
import { lineOf, listed } from './client-list.ts';
import type { ListenerContext } from './context.ts';
import { dispatch, type PreparedLarge, prepareLarge, submitLarge } from './dispatch.ts';
import { Joining } from './joining.ts';
import { type ConnectionMode, NO_MODES } from './mode.ts';
import type { NearReads } from './near-reads.ts';
import type { ClientSubscriptions } from './pubsub-subscriptions.ts';
import { PushQueue } from './push-queue.ts';
import type { ClientTracking } from './tracking.ts';
import type { Transaction } from './transaction.ts';

/** Messages of so many bytes do not wait for the end of a turn. */
const PUSH_BATCH_BYTES = 64 * 1024;

/** What one client may use. */
export interface ConnectionLimits extends RespLimits, ClientLimits {
  /** Messages that one client has not read. */
  readonly maxPushBytes: number;
}

/** One RESP client, with all that its commands have set. */
export class RespConnection extends ClientConnection<RequestParser> implements GuardedClient {
  readonly id: number;
  readonly context: ListenerContext;
  readonly localAddress: string;
  readonly connectedMs: number;
  libName = '';
  libVersion = '';
  protocol: 2 | 3 = 2;
  /** What SELECT chose: 0 to 15. */
  database = 0;
  /** What CLIENT REPLY asked for; `skip` is about the next command alone. */
  replyMode: 'on' | 'off' | 'skip' = 'on';
  /** What changes the meaning of commands just now; see `enter` and `leave`. */
  modes: readonly ConnectionMode[] = NO_MODES;
  /** What MULTI has begun; also one of `modes`. */
  transaction: Transaction | null = null;
  /** What WATCH has begun. */
  watching: PinnedSession | null = null;
  /** What it listens to, since it first did; also one of `modes` while it does. */
  subscriptions: ClientSubscriptions | null = null;
  /** CLIENT TRACKING is on; also one of `modes`. */
  tracking: ClientTracking | null = null;
  /** The blocking command under way. */
  blocked: BlockedCommand | null = null;
  /** The reply of the command under way is part of a longer one. */
  isComposing = false;
  /** Called when the connection is gone: a command that waits for long gives up. */
  onGone: (() => void) | null = null;
  /** Shards written to since the last WAIT, as they were then. */
  written: Set<ShardRoute> | null = null;

  /** When its commands are to go in runs. */
  readonly runs = new Joining();
  readonly gets = new ClientGets();

  readonly #limits: ConnectionLimits;
  #lastWritten: ShardRoute | null = null;
  #hasWaited = false;
  #largeRequest: PreparedLarge | null = null;
  /** Replies that are parts of one and have not left yet. */
  #composedLeft = 0;
  /** Pieces of long replies that the system may not have taken yet, and that nobody needs then. */
  readonly #leaving: Buffer[] = [];
  /** Replies of `NearReads` that are about to be written, in memory that it uses again. */
  #lent = 0;
  /** What leaves between replies at the end of this turn. */
  #pushes: PushQueue | null = null;

  constructor(
    id: number,
    socket: Socket,
    address: string,
    limits: ConnectionLimits,
    context: ListenerContext,
  ) {
    const { router, access, commands } = context;
    const parser = new RequestParser(limits);
    const expectsLong = true;
    super({ socket, address, parser, limits, expectsLong, users: access.users, router, commands });
    this.id = id;
    this.localAddress = `${socket.localAddress}:${socket.localPort}`;
    this.#limits = limits;
    this.context = context;
    this.commandId = NO_COMMAND;
    this.parser.authenticated = this.isAuthenticated;
    this.connectedMs = this.lastActiveMs;
  }

  /** Name of the command that is or was under way last. */
  get lastCommand(): string {
    return commandName(this.commandId);
  }

  get isQueueing(): boolean {
    return this.transaction !== null;
  }

  /** Its line of CLIENT LIST. */
  describe(): string {
    return lineOf(listed(this));
  }

  override *channels(): Iterable<{ readonly name: string; readonly isPattern: boolean }> {
    for (const mode of this.modes) yield* mode.channels?.() ?? [];
  }

  override get heldBytes(): number {
    return super.heldBytes + (this.transaction?.bytes ?? 0);
  }

  /** Whether a reply, or a part of one, may be here that cannot leave before an earlier one. */
  get hasStuckReply(): boolean {
    let request = this.head;
    while (request !== null && request.state === RequestState.READY) request = request.next;
    for (; request !== null; request = request.next)
      if (request.state === RequestState.READY || request.keyIndex < 0) return true;
    return false;
  }

  /** Puts a request into the order of replies. Its command bytes must be set. */
  append(request: Request): void {
    if (this.#pushes !== null && this.#composedLeft === 0) this.#writeOut();
    request.protocol = this.protocol;
    request.database = this.database;
    if (this.replyMode !== 'on') this.#mute(request);
    request.fromLeader = this.watching !== null;
    this.enqueue(request);
  }

  #mute(request: Request): void {
    request.isMuted = true;
    if (this.replyMode === 'skip') this.replyMode = 'on';
  }

  /** Answers the current command with these bytes. */
  reply(bytes: Buffer): void {
    const request = acquireRequest();
    request.bytes = bytes;
    request.end = bytes.length;
    request.startedMs = this.lastActiveMs;
    request.state = RequestState.READY;
    this.append(request);
    this.enqueuedReady(request);
  }

  /** Answers the current command with an error of this text. */
  replyError(text: string): void {
    this.reply(plainError(text.replace(/[\r\n]+/g, ' ')));
  }

  /**
   * Sends bytes that answer no command, and that others may hold too. They leave at the end of this turn between two replies: behind the replies that
   * can leave now, ahead of those still awaited and of those to later commands. What must come behind the replies of all earlier commands goes
   * through `reply` instead.
   */
  push(bytes: Buffer): void {
    if (this.socket.destroyed) return;
    this.#pushes ??= new PushQueue();
    this.#pushes.add(bytes, this.isBlocked);
    this.waitingBytes += bytes.length;
    this.schedule();
    if (!this.isBlocked && this.#pushes.bytes > PUSH_BATCH_BYTES && this.#composedLeft === 0) {
      // Many in one turn are not many unread.
      this.#writeOut();
      return;
    }
    const unreadBytes = this.#pushes.bytes + this.socket.writableLength;
    if (unreadBytes > this.#limits.maxPushBytes)
      this.cut(
        'proxy.limits.maxUnreadMessageBytes',
        unreadBytes,
        'client closed: it does not read its messages',
      );
  }

  /** As `push`, but ahead of the replies that come after this, in this turn too. */
  pushInOrder(bytes: Buffer): void {
    if (this.#composedLeft === 0) super.writeReady();
    this.push(bytes);
  }

  /** Commands are offered to `mode` from now on, after the modes entered before, or ahead of them. */
  enter(mode: ConnectionMode, place: 'first' | 'last' = 'last'): void {
    this.modes = place === 'first' ? [mode, ...this.modes] : [...this.modes, mode];
  }

  /** `mode` is over; it is not told. */
  leave(mode: ConnectionMode): void {
    const rest = this.modes.filter((one) => one !== mode);
    this.modes = rest.length === 0 ? NO_MODES : rest;
  }

  /** The client watches nothing any more; whoever calls this ends the session. */
  endWatch(): PinnedSession | null {
    const session = this.watching;
    this.watching = null;
    return session;
  }

  /** The replies to what `act` does are parts of one: nothing comes between them. Only when none is awaited. */
  compose(act: () => void): void {
    this.#composedLeft = 1;
    this.isComposing = true;
    act();
    this.isComposing = false;
    this.#composedLeft = this.pending;
  }

  /** Does what the command in `args` asks for, as if the client had sent it now. */
  run(args: RequestParser): void {
    dispatch(this, args, this.context.router.env.clock.monotonicMs());
  }

  /** Ends all modes and goes back to database 0 in RESP2, as RESET does. */
  reset(): void {
    this.#endModes();
    this.endWatch()?.close();
    this.database = 0;
    this.protocol = 2;
    this.name = '';
  }

  #endModes(): void {
    const { modes } = this;
    this.modes = NO_MODES;
    for (const mode of modes) mode.closed();
  }

  /** A writer in this client's protocol; `replyWritten` sends what was written. Valid within one command. */
  get writer(): RespWriter {
    const { writer } = this.context;
    writer.protocol = this.protocol;
    return writer;
  }

  replyWritten(): void {
    this.reply(this.context.writer.take());
  }

  /** As `replyWritten`, for what is a message although it answers a command: it comes whatever CLIENT REPLY says. */
  announceWritten(): void {
    const { replyMode } = this;
    this.replyMode = 'on';
    this.replyWritten();
    if (replyMode === 'off') this.replyMode = 'off';
  }

  override ready(request: Request, grewBytes: number): void {
    if (this.#pushes !== null && request === this.head) this.#writeWaitingPushes();
    if (request.isWrite) this.noteWritten(request.route);
    super.ready(request, grewBytes);
  }

  /** Remembers a shard for the next WAIT. */
  noteWritten(route: ShardRoute | null): void {
    if (route === null || route === this.#lastWritten) return;
    this.#lastWritten = route;
    if (this.written === null || this.#hasWaited) this.written = new Set();
    this.#hasWaited = false;
    this.written.add(route);
  }

  /** A WAIT was answered: the next write begins a new set. Until then another WAIT asks about the same one. */
  waited(): void {
    this.#hasWaited = true;
    this.#lastWritten = null;
  }

  override barrier(action: (done: () => void) => void): void {
    // Within EXEC there is nothing to wait for, and EXEC itself goes on afterwards.
    if (this.isComposing) action(() => {});
    else super.barrier(action);
  }

  override finish(): void {
    this.blocked?.dismiss();
    super.finish();
  }

  protected override takeCommands(nowMs: number): void {
    const { parser } = this;
    const { nearReads } = this.context;
    if (nearReads !== null) {
      this.#takeNear(nearReads, nowMs);
      return;
    }
    if (this.pending === 0) {
      const { runs } = this.context;
      if (runs.suits(this) && this.mayTake() && runs.take(this, nowMs, this.room)) return;
      this.gets.begin(this.#mayJoinGets);
    }
    while (this.mayTake() && parser.next()) dispatch(this, parser, nowMs);
  }

  get #mayJoinGets(): boolean {
    const { router } = this.context;
    return this.isPlain && router.isPlain && router.ownLinks.size === 0;
  }

  /** Whether what has come behind GETs has to wait until they are answered. */
  endGets(): boolean {
    return this.gets.end(this.head);
  }

  /** GETs that the near cache can answer are looked for before anything else is made of a command. */
  #takeNear(reads: NearReads, nowMs: number): void {
    const { parser } = this;
    const { watch } = this.context;
    let isPlain = this.isPlain;
    // One that is no part of a run may be the only one; behind two of them others are looked for together.
    let isAlone = false;
    try {
      while (this.mayTake()) {
        if (isPlain && !parser.hasAhead) {
          const most = Math.min(watch.quiet, this.room);
          const taken = most > 0 ? reads.answersRun(this, most, nowMs) : 0;
          watch.quiet -= taken;
          if (taken === 0 && isAlone) reads.expect(parser);
          isAlone = taken === 0;
        }
        if (!parser.next()) break;
        if (isPlain && watch.quiet > 0 && reads.answers(this, parser, nowMs)) {
          watch.quiet--;
          continue;
        }
        reads.finish(this, nowMs);
        dispatch(this, parser, nowMs);
        isPlain = this.isPlain;
      }
    } finally {
      reads.finish(this, nowMs);
      reads.forget(parser);
    }
  }

  /** Nothing changes what reads of this client mean, and the near cache may answer them. */
  get isPlain(): boolean {
    if (this.modes !== NO_MODES || this.database !== 0 || this.replyMode !== 'on') return false;
    if (this.isComposing || this.watching !== null) return false;
    return this.isAuthenticated && this.user.isUnlimited;
  }

  protected override get isPartial(): boolean {
    return this.parser.bufferedBytes > 0;
  }

  /** A long command that one shard gets as it came is kept in the pieces in which it comes. */
  protected override beginLarge(): LargeFrame | null {
    const { parser } = this;
    const missing = parser.missingBytes;
    if (missing === 0 || Math.max(missing, parser.bufferedBytes) < LARGE_BYTES || !parser.peek()) return null;
    const prepared = prepareLarge(this, parser);
    if (prepared === null) return null;
    this.#largeRequest = prepared;
    parser.detach();
    const { buffer, frameStart, frameEnd } = parser;
    const { length } = prepared.head;
    recycleBytes(buffer, length);
    return new LargeFrame(missing, buffer.subarray(frameStart + length, frameEnd));
  }

  protected override endLarge(large: LargeFrame): void {
    const request = this.#largeRequest!;
    this.#largeRequest = null;
    if (large.endsWell) submitLarge(this, request, large, this.lastActiveMs);
    else this.refuseInput(new RespProtocolError('expected CRLF behind a bulk string'));
  }

  protected override explain(error: Error): boolean {
    this.replyError(`ERR ${error.message}`);
    return error.name === 'RespProtocolError';
  }

  protected override give(request: Request, nowMs: number): number {
    this.context.commands.ended(request, nowMs);
    if (!request.isMuted) this.env.output.addRequest(request);
    if (this.context.nearReads?.lent(request)) this.#lent++;
    if (request.ownsRest && request.rest !== null)
      for (const piece of request.rest) this.#leaving.push(piece);
    return request.length;
  }

  protected override write(count: number): boolean {
    const { output, stats } = this.env;
    if (this.#composedLeft > 0) this.#composedLeft = Math.max(0, this.#composedLeft - count);
    stats.add(Stat.commands, count);
    const flows = output.writeTo(this.socket);
    if (this.#leaving.length > 0) this.#recycleWritten();
    if (this.#lent > 0) this.#giveBack();
    return flows;
  }

  /** What the system has not taken at once is never given back: it ends with its slab. */
  #giveBack(): void {
    if (this.socket.writableLength === 0) this.context.nearReads!.written(this.#lent);
    this.#lent = 0;
  }

  #recycleWritten(): void {
    if (this.socket.writableLength > 0) return;
    recycle(this.#leaving);
    this.#leaving.length = 0;
  }

  protected override writeReady(): void {
    if (this.#leaving.length > 0) this.#recycleWritten();
    super.writeReady();
    if (this.#pushes !== null) this.#writeWaitingPushes();
  }

  #writeWaitingPushes(): void {
    if (!this.isBlocked && this.#composedLeft === 0) this.#writePushes(this.#pushes!);
  }

  /** What was pushed before a command leaves before its reply, whether the client reads or not. */
  #writeOut(): void {
    super.writeReady();
    this.#writePushes(this.#pushes!);
  }

  #writePushes(pushes: PushQueue): void {
    const { output } = this.env;
    this.#pushes = null;
    this.waitingBytes -= pushes.bytes;
    pushes.moveTo(output);
    if (!output.writeTo(this.socket)) this.isBlocked = true;
  }

  protected override gone(): void {
    this.#pushes = null;
    this.onGone?.();
    this.#endModes();
    this.endWatch()?.close();
    this.context.closed(this);
  }
}
