import type { Socket } from 'node:net';
import type { User } from '../../lib/acl/index.ts';
import {
  RequestParser,
  type RespLimits,
  RespProtocolError,
  type RespWriter,
} from '../../lib/codec/resp/index.ts';
import { readChunks, unsentBytes } from '../../lib/net/index.ts';
import type { GuardedClient } from '../access/index.ts';
import type { BlockedCommand } from '../core/blocked-command.ts';
import { plainError } from '../core/frames.ts';
import { LARGE_BYTES, LargeFrame } from '../core/large-frame.ts';
import type { PinnedSession } from '../core/pinned-session.ts';
import {
  acquireRequest,
  discard,
  type Request,
  RequestState,
  releaseRequest,
  type Sink,
} from '../core/request.ts';
import { Stat } from '../core/stats.ts';
import type { ShardRoute } from '../core/topology.ts';
import type { Flushable } from '../core/turn.ts';
import { commandName, NO_COMMAND } from '../watch/proxy-watch.ts';
import type { Trace, TracedClient } from '../watch/trace.ts';
import { lineOf, listed } from './client-list.ts';
import type { ListenerContext } from './context.ts';
import { dispatch, type PreparedLarge, prepareLarge, submitLarge } from './dispatch.ts';
import { type ConnectionMode, NO_MODES } from './mode.ts';
import type { ClientSubscriptions } from './pubsub-subscriptions.ts';
import { PushQueue } from './push-queue.ts';
import { ReplyWindow } from './reply-window.ts';
import type { ClientTracking } from './tracking.ts';
import type { Transaction } from './transaction.ts';

/** Written to the socket at once at most. */
const BATCH_BYTES = 1024 * 1024;
/** A head that has waited this long makes the replies behind it move to memory of their own. */
const STUCK_MS = 50;
/** Messages of so many bytes do not wait for the end of a turn. */
const PUSH_BATCH_BYTES = 64 * 1024;

/** What one client may use. */
export interface ConnectionLimits extends RespLimits {
  readonly maxInFlight: number;
  /** Requests and replies held for one client. */
  readonly maxHeldBytes: number;
  /** Messages that one client has not read. */
  readonly maxPushBytes: number;
}

/**
 * One client. Commands leave for their shards as they are parsed; replies go back in the order of the commands, whichever
 * shard answers first. A client that does not read its replies is not read from, and is closed when too many pile up.
 */
export class RespConnection implements Sink, Flushable, GuardedClient, TracedClient {
  readonly id: number;
  readonly context: ListenerContext;
  readonly address: string;
  readonly localAddress: string;
  readonly parser: RequestParser;
  readonly connectedMs: number;
  name = '';
  libName = '';
  libVersion = '';
  /** Id of the command that is or was under way last. */
  commandId = NO_COMMAND;
  protocol: 2 | 3 = 2;
  /** What SELECT chose: 0 to 15. */
  database = 0;
  isAuthenticated: boolean;
  /** Who it is; the default user before it has logged in. */
  user: User;
  /** What CLIENT REPLY asked for; `skip` is about the next command alone. */
  replyMode: 'on' | 'off' | 'skip' = 'on';
  /** It waits for what other threads say: it must hear of it before it is closed. */
  isAsking = false;
  /** Of the command that is taken just now, if somebody wants to hear of it. */
  trace: Trace | null = null;
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
  /** The command under way has no deadline. */
  waitsForEver = false;
  /** Shards written to since the last WAIT, as they were then. */
  written: Set<ShardRoute> | null = null;
  /** Monotonic milliseconds when bytes last arrived. */
  lastActiveMs: number;
  /** Monotonic milliseconds when the present incomplete request began; 0: none. */
  partialSinceMs = 0;
  /** Monotonic milliseconds when this side was closed; 0: it is open. */
  endedMs = 0;

  readonly #socket: Socket;
  readonly #limits: ConnectionLimits;
  readonly #window: ReplyWindow;
  #head: Request | null = null;
  #tail: Request | null = null;
  #pending = 0;
  #heldBytes = 0;
  #replyBytes = 0;
  #lastWritten: ShardRoute | null = null;
  #hasWaited = false;
  #isScheduled = false;
  #isBlocked = false;
  /** A long command that has come in part. */
  #large: LargeFrame | null = null;
  #largeRequest: PreparedLarge | null = null;
  #isHeld = false;
  #isPaused = false;
  #isProcessing = false;
  #unsentBytes = 0;
  #unsentSinceMs = 0;
  #isEnding = false;
  #isFinishing = false;
  #inputEnded = false;
  #isClosed = false;
  #isBarred = false;
  #barrier: ((done: () => void) => void) | null = null;
  /** Grows with each barrier: an action may set up the next. */
  #barrierId = 0;
  /** Replies that are parts of one and have not left yet. */
  #composedLeft = 0;
  /** What leaves between replies at the end of this turn. */
  #pushes: PushQueue | null = null;

  constructor(
    id: number,
    socket: Socket,
    address: string,
    limits: ConnectionLimits,
    context: ListenerContext,
  ) {
    this.id = id;
    this.#socket = socket;
    this.address = address;
    this.localAddress = `${socket.localAddress}:${socket.localPort}`;
    this.#limits = limits;
    this.#window = new ReplyWindow(limits.maxInFlight);
    this.context = context;
    this.parser = new RequestParser(limits);
    const { users } = context.access;
    this.user = users.default;
    this.isAuthenticated = !users.requireLogin;
    this.parser.authenticated = this.isAuthenticated;
    this.connectedMs = this.lastActiveMs = context.router.env.clock.monotonicMs();
    readChunks(socket, (chunk) => this.#received(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#closed());
  }

  /** Name of the command that is or was under way last. */
  get lastCommand(): string {
    return commandName(this.commandId);
  }

  get userName(): string {
    return this.user.name;
  }

  get isQueueing(): boolean {
    return this.transaction !== null;
  }

  /** Its line of CLIENT LIST. */
  describe(): string {
    return lineOf(listed(this));
  }

  /** What it listens to. */
  *channels(): Iterable<{ readonly name: string; readonly isPattern: boolean }> {
    for (const mode of this.modes) yield* mode.channels?.() ?? [];
  }

  /** Closes the connection: at once, or when it waits for the answer that tells of this, behind that. */
  disconnect(): void {
    if (this.isAsking) this.end();
    else this.destroy();
  }

  /** Nobody hears replies any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Commands that have not been answered yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Nothing under way and nothing half arrived. */
  get isIdle(): boolean {
    return this.#pending === 0 && !this.#isBarred && this.#large === null && this.parser.bufferedBytes === 0;
  }

  /** Milliseconds for which the client has taken nothing of what was written to it; 0 while nothing waits. To be asked now and then. */
  stalledMs(nowMs: number): number {
    const bytes = unsentBytes(this.#socket);
    if (bytes === 0 || bytes !== this.#unsentBytes) this.#unsentSinceMs = nowMs;
    this.#unsentBytes = bytes;
    return nowMs - this.#unsentSinceMs;
  }

  get heldBytes(): number {
    const queuedBytes = this.transaction?.bytes ?? 0;
    return this.#heldBytes + queuedBytes + (this.#large?.bytes ?? 0) + this.#socket.writableLength;
  }

  /** Whether a reply, or a part of one, may be here that cannot leave before an earlier one. */
  get hasStuckReply(): boolean {
    let request = this.#head;
    while (request !== null && request.state === RequestState.READY) request = request.next;
    for (; request !== null; request = request.next)
      if (request.state === RequestState.READY || request.keyIndex < 0) return true;
    return false;
  }

  /** Puts a request into the order of replies. Its command bytes must be set. */
  append(request: Request): void {
    if (this.#pushes !== null && this.#composedLeft === 0) this.#writeOut();
    request.sink = this;
    request.protocol = this.protocol;
    request.database = this.database;
    request.commandId = this.commandId;
    if (this.trace !== null) this.#giveTrace(request);
    if (this.replyMode !== 'on') this.#mute(request);
    request.fromLeader = this.watching !== null;
    request.next = null;
    if (this.#tail === null) this.#head = request;
    else this.#tail.next = request;
    this.#tail = request;
    this.#pending++;
    this.#heldBytes += request.length;
  }

  #giveTrace(request: Request): void {
    request.trace = this.trace;
    this.trace = null;
  }

  #mute(request: Request): void {
    request.isMuted = true;
    if (this.replyMode === 'skip') this.replyMode = 'on';
  }

  noted(whole: Request, part: Request): void {
    this.context.watch.noted(this, whole, part);
  }

  /** Answers the current command with these bytes. */
  reply(bytes: Buffer): void {
    const request = acquireRequest();
    request.bytes = bytes;
    request.end = bytes.length;
    request.startedMs = this.lastActiveMs;
    request.state = RequestState.READY;
    this.append(request);
    this.#replyBytes += bytes.length;
    if (request === this.#head) this.#schedule();
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
    if (this.#socket.destroyed) return;
    this.#pushes ??= new PushQueue();
    this.#pushes.add(bytes, this.#isBlocked);
    this.#heldBytes += bytes.length;
    this.#schedule();
    if (!this.#isBlocked && this.#pushes.bytes > PUSH_BATCH_BYTES && this.#composedLeft === 0) {
      // Many in one turn are not many unread.
      this.#writeOut();
      return;
    }
    const unreadBytes = this.#pushes.bytes + this.#socket.writableLength;
    if (unreadBytes > this.#limits.maxPushBytes)
      this.#cut(
        'proxy.limits.maxUnreadMessageBytes',
        unreadBytes,
        'client closed: it does not read its messages',
      );
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
    this.#composedLeft = this.#pending;
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

  ready(request: Request, grewBytes: number): void {
    this.#heldBytes += grewBytes;
    this.#replyBytes += request.length;
    if (request.isWrite) this.noteWritten(request.route);
    if (request === this.#head) this.#schedule();
    if (this.#isBlocked || request !== this.#head) this.#compactIfStuck(request);
    if (this.#replyBytes > this.#limits.maxHeldBytes) this.#cutReader();
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

  /**
   * Runs `action` once every earlier command is answered; no later command is looked at before the action calls `done`.
   * To be called as the last thing that a command does.
   */
  barrier(action: (done: () => void) => void): void {
    // Within EXEC there is nothing to wait for, and EXEC itself goes on afterwards.
    if (this.isComposing) {
      action(() => {});
      return;
    }
    this.#isBarred = true;
    this.#barrierId++;
    this.#barrier = action;
    if (this.#pending === 0) this.#runBarrier();
  }

  /** Takes no more commands, lets what is under way finish, then closes. */
  end(): void {
    this.#isEnding = true;
    this.#endIfDone();
  }

  /** Answers every command that has arrived whole, then closes: for a proxy that shuts down. */
  finish(): void {
    this.#isFinishing = true;
    this.blocked?.dismiss();
    this.#finishIfRead();
  }

  /** Commands that wait in the parser, held back or behind a barrier, are still taken. */
  #finishIfRead(): void {
    if (this.#isFinishing && !this.#isHeld && !this.#isBarred) this.end();
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#isClosed) return;
    while (!this.#isBlocked && this.#head !== null && this.#head.state === RequestState.READY)
      this.#writeBatch();
    if (this.#pushes !== null && !this.#isBlocked && this.#composedLeft === 0)
      this.#writePushes(this.#pushes);
    if (this.#pending === 0 && this.#barrier !== null) this.#runBarrier();
    if (this.#isHeld && this.#pending * 2 <= this.#window.allowed && this.#hasRoom()) this.#resume();
    this.#endIfDone();
  }

  #writeBatch(): void {
    const { watch, router } = this.context;
    const { output, stats, turn } = router.env;
    let request = this.#head;
    let count = 0;
    while (request !== null && request.state === RequestState.READY && output.bytes < BATCH_BYTES) {
      watch.ended(request, turn.nowMs);
      if (request.isMuted) this.#drop(request);
      else output.addRequest(request);
      const { next } = request;
      releaseRequest(request);
      request = next;
      count++;
    }
    this.#head = request;
    if (request === null) this.#tail = null;
    this.#pending -= count;
    if (this.#composedLeft > 0) this.#composedLeft = Math.max(0, this.#composedLeft - count);
    stats.add(Stat.commands, count);
    const { bytes } = output;
    this.#heldBytes -= bytes;
    this.#replyBytes -= bytes;
    this.#window.learn(count, bytes);
    if (!output.writeTo(this.#socket)) this.#isBlocked = true;
  }

  /** The client does not want to hear this. */
  #drop({ length }: Request): void {
    this.#heldBytes -= length;
    this.#replyBytes -= length;
  }

  #writePushes(pushes: PushQueue): void {
    const { output } = this.context.router.env;
    this.#pushes = null;
    this.#heldBytes -= pushes.bytes;
    pushes.moveTo(output);
    if (!output.writeTo(this.#socket)) this.#isBlocked = true;
  }

  /** What was pushed before a command leaves before its reply, whether the client reads or not. */
  #writeOut(): void {
    while (!this.#isBlocked && this.#head !== null && this.#head.state === RequestState.READY)
      this.#writeBatch();
    this.#writePushes(this.#pushes!);
  }

  #received(chunk: Buffer): void {
    this.lastActiveMs = this.context.router.env.clock.monotonicMs();
    if (this.#isEnding) return;
    this.parser.push(this.#large === null ? chunk : this.#takeLarge(this.#large, chunk));
    if (this.#large !== null) return;
    if (this.#isBarred || this.#isHeld) {
      if (this.parser.bufferedBytes > this.#limits.maxHeldBytes / 2) this.#pause();
      return;
    }
    this.#process();
  }

  #process(): void {
    const { parser } = this;
    const nowMs = this.lastActiveMs;
    this.#isProcessing = true;
    try {
      while (this.#mayTake() && parser.next()) dispatch(this, parser, nowMs);
      if (!this.#isBarred && !this.#isEnding && !this.#isHeld) this.#beginLarge();
    } catch (error) {
      this.#refuseInput(error as Error);
    }
    this.#isProcessing = false;
    if ((parser.bufferedBytes === 0 && this.#large === null) || this.#isHeld || this.#isBarred)
      this.partialSinceMs = 0;
    else if (this.partialSinceMs === 0) this.partialSinceMs = nowMs;
  }

  /** A long command that one shard gets as it came is kept in the pieces in which it comes. */
  #beginLarge(): void {
    const { parser } = this;
    const missing = parser.missingBytes;
    if (missing < LARGE_BYTES || !parser.peek()) return;
    const request = prepareLarge(this, parser);
    if (request === null) return;
    parser.detach();
    this.#large = new LargeFrame(missing);
    this.#largeRequest = request;
  }

  /** What lies behind the large command in `chunk`. */
  #takeLarge(large: LargeFrame, chunk: Buffer): Buffer {
    const behind = large.take(chunk);
    if (!large.isComplete) return behind;
    const request = this.#largeRequest!;
    this.#large = this.#largeRequest = null;
    if (large.endsWell) submitLarge(this, request, large, this.lastActiveMs);
    else this.#refuseInput(new RespProtocolError('expected CRLF behind a bulk string'));
    return behind;
  }

  #mayTake(): boolean {
    if (this.#isBarred || this.#isEnding) return false;
    if (this.#pending < this.#window.allowed && this.#hasRoom()) return true;
    this.#isHeld = true;
    this.#pause();
    return false;
  }

  #hasRoom(): boolean {
    return this.#heldBytes <= this.#limits.maxHeldBytes / 2;
  }

  /** What came is no RESP, or more than allowed: earlier commands are answered, then the error, then the end. */
  #refuseInput(error: Error): void {
    const { log, stats } = this.context.router.env;
    if (error.name !== 'RespProtocolError')
      log.error({ client: this.address, err: error }, 'a command failed');
    stats.add(Stat.protocolErrors);
    this.replyError(`ERR ${error.message}`);
    this.end();
  }

  #resume(): void {
    this.#isHeld = false;
    if (!this.#isProcessing) this.#process();
    this.#finishIfRead();
    if (this.#isHeld || this.#isBarred || !this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  #runBarrier(): void {
    const action = this.#barrier!;
    const id = this.#barrierId;
    this.#barrier = null;
    action(() => {
      if (!this.#isBarred || id !== this.#barrierId) return;
      this.#isBarred = false;
      if (!this.#isClosed && !this.#isProcessing) this.#resume();
      this.#endIfDone();
    });
    if (this.#inputEnded && this.waitsForEver) this.destroy();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.context.router.env.turn.schedule(this);
  }

  #drained(): void {
    this.#isBlocked = false;
    this.context.router.env.turn.readClock();
    this.flush();
  }

  /** A reply that will wait keeps only its own bytes alive, not the whole chunk it came in. */
  #compactIfStuck(request: Request): void {
    const length = request.end - request.start;
    if (request.rest !== null || request.bytes.length <= length * 4) return;
    if (!this.#isBlocked && this.lastActiveMs + STUCK_MS > this.context.router.nowMs) return;
    request.bytes = Buffer.from(request.bytes.subarray(request.start, request.end));
    request.start = 0;
    request.end = length;
  }

  #cutReader(): void {
    const setting = 'proxy.limits.maxBufferedBytesPerConnection';
    this.#cut(setting, this.#replyBytes, 'client closed: it does not read its replies');
  }

  #cut(setting: string, heldBytes: number, why: string): void {
    const { log, stats } = this.context.router.env;
    log.warn({ client: this.address, setting, heldBytes }, why);
    stats.add(Stat.connectionsCut);
    this.destroy();
  }

  /** The client closed its side: what it sent before is still answered. */
  #ended(): void {
    this.#inputEnded = true;
    // It may be gone for good: nothing may wait for it without end.
    if (this.waitsForEver) this.destroy();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#pending > 0 || this.#isBarred || this.#isHeld || this.#isClosed) return;
    if (this.endedMs > 0 || !(this.#isEnding || this.#inputEnded)) return;
    this.endedMs = this.context.router.env.clock.monotonicMs();
    this.#socket.end();
  }

  #closed(): void {
    this.#isClosed = true;
    let request = this.#head;
    while (request !== null) {
      const { next } = request;
      request.next = null;
      if (request.state === RequestState.READY) releaseRequest(request);
      else request.sink = discard;
      request = next;
    }
    this.#head = this.#tail = null;
    this.#pending = 0;
    this.#pushes = null;
    this.onGone?.();
    this.#endModes();
    this.endWatch()?.close();
    this.context.closed(this);
  }
}
