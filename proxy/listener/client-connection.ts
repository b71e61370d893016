import type { Socket } from 'node:net';
import type { User, Users } from '../../lib/acl/index.ts';
import type { ByteFeed } from '../../lib/codec/resp/index.ts';
import { certificateNameOf, readRanges, unsentBytes } from '../../lib/net/index.ts';
import type { KnownClient } from '../access/index.ts';
import type { LargeFrame } from '../core/large-frame.ts';
import {
  acquireRequest,
  discard,
  dropReply,
  type Request,
  RequestState,
  releaseRequest,
  type Sink,
} from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { RouterEnvironment } from '../core/router-environment.ts';
import { Stat } from '../core/stats.ts';
import type { Flushable } from '../core/turn.ts';
import { identityOf } from '../health/index.ts';
import type { CommandWatch } from '../watch/command-watch.ts';
import type { Trace, TracedClient } from '../watch/trace.ts';
import type { Group, QuestionName, Questions } from '../workers/questions.ts';
import { ReplyWindow } from './reply-window.ts';

/** Written to the socket at once at most. */
const BATCH_BYTES = 1024 * 1024;
/** A head that has waited this long makes the replies behind it move to memory of their own. */
const STUCK_MS = 50;
/** A reply that waits keeps its own bytes alive alone when they are less than this part of the chunk they came in. */
const COMPACT_RATIO = 4;

/** What is done behind a barrier that only holds later commands back. */
const NOTHING = (done: () => void) => done();

/** What one client may use, whichever protocol it speaks. */
export interface ClientLimits {
  readonly maxInFlight: number;
  /** Requests and replies held for one client. */
  readonly maxHeldBytes: number;
}

/** What a connection is made of. */
export interface ClientParts<Parser extends ByteFeed> {
  readonly socket: Socket;
  /** `host:port` of the client. */
  readonly address: string;
  readonly parser: Parser;
  readonly limits: ClientLimits;
  /** `LargeFrame`s of its protocol hold all that came of the value. */
  readonly expectsLong: boolean;
  readonly users: Users;
  readonly router: Router;
  /** Takes note of every command. */
  readonly commands: CommandWatch;
}

/**
 * One client of a protocol whose commands are answered in their order. Commands leave for their shards as they are parsed; replies go back in
 * the order of the commands, whichever shard answers first. A client that does not read its replies is not read from, and is closed when too
 * many pile up.
 *
 * A subclass knows the protocol: how commands are taken from the parser, and how replies are written.
 */
export abstract class ClientConnection<Parser extends ByteFeed>
  implements Sink, Flushable, TracedClient, KnownClient
{
  readonly address: string;
  readonly parser: Parser;
  name = '';
  /** Who it is; the default user before it has logged in. */
  user: User;
  isAuthenticated: boolean;
  /** Id of the command that is or was under way last, as its protocol numbers them. */
  commandId = 0;
  /** Of the command that is taken just now, if somebody wants to hear of it. */
  trace: Trace | null = null;
  /** It waits for what other threads say: it must hear of it before it is closed. */
  isAsking = false;
  /** The command under way has no deadline. */
  waitsForEver = false;
  /** Monotonic milliseconds when bytes last arrived. */
  lastActiveMs: number;
  /** Monotonic milliseconds when the present incomplete request began; 0: none. */
  partialSinceMs = 0;
  /** Monotonic milliseconds when this side was closed; 0: it is open. */
  endedMs = 0;

  protected readonly socket: Socket;
  protected readonly env: RouterEnvironment;
  readonly #router: Router;
  readonly #commands: CommandWatch;
  /** The first command that was not answered. */
  protected head: Request | null = null;
  /** Bytes of requests, replies and messages that wait. */
  protected waitingBytes = 0;
  /** The socket has enough to write for now. */
  protected isBlocked = false;
  readonly #limits: ClientLimits;
  readonly #window: ReplyWindow;
  #tail: Request | null = null;
  #pending = 0;
  #replyBytes = 0;
  /** A long command that has come in part. */
  #large: LargeFrame | null = null;
  #isScheduled = false;
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

  constructor(parts: ClientParts<Parser>) {
    const { socket, address, parser, limits, expectsLong, users, router, commands } = parts;
    this.socket = socket;
    this.address = address;
    this.parser = parser;
    this.env = router.env;
    this.#router = router;
    this.#commands = commands;
    this.#limits = limits;
    this.#window = new ReplyWindow(limits.maxInFlight);
    this.user = users.default;
    this.isAuthenticated = !users.requireLogin;
    this.lastActiveMs = this.env.clock.monotonicMs();
    const listener = (bytes: Buffer, start: number, end: number) => {
      this.received(bytes, start, end);
      return this.#isEnding ? 0 : (this.#large?.missing ?? 0);
    };
    readRanges(socket, listener, expectsLong);
    socket.on('drain', () => this.#drained());
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#closed());
  }

  /** Who it is to rate limits. */
  get identity(): string {
    return identityOf(this.user.name, certificateNameOf(this.socket), this.address);
  }

  /** Takes the commands that have come whole, while `mayTake` says so. */
  protected abstract takeCommands(nowMs: number): void;
  /** Something of a command has come, and not all. */
  protected abstract get isPartial(): boolean;
  /** Takes up the command of which a long end is missing, if it can be taken up; the frame for that end. */
  protected abstract beginLarge(): LargeFrame | null;
  /** The end of the long command has come. */
  protected abstract endLarge(large: LargeFrame): void;
  /** Answers what could not be taken; false when that is a defect and not the client's doing. */
  protected abstract explain(error: Error): boolean;
  /** Puts a reply with those that leave; how many bytes that frees. */
  protected abstract give(request: Request, nowMs: number): number;
  /** Hands what was given, `count` replies, to the socket; false when that has enough for now. */
  protected abstract write(count: number): boolean;
  /** The connection is gone. */
  protected abstract gone(): void;

  get userName(): string {
    return this.user.name;
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
    return this.#pending === 0 && !this.#isBarred && this.#large === null && !this.isPartial;
  }

  /** Bytes of one of its answers lately; 0 before the first. */
  get usualReplyBytes(): number {
    return this.#window.replyBytes;
  }

  /** All that is held for this client. */
  get heldBytes(): number {
    return this.waitingBytes + (this.#large?.bytes ?? 0) + this.socket.writableLength;
  }

  /** Milliseconds for which the client has taken nothing of what was written to it; 0 while nothing waits. To be asked now and then. */
  stalledMs(nowMs: number): number {
    const bytes = unsentBytes(this.socket);
    if (bytes === 0 || bytes !== this.#unsentBytes) this.#unsentSinceMs = nowMs;
    this.#unsentBytes = bytes;
    return nowMs - this.#unsentSinceMs;
  }

  noted(whole: Request, part: Request): void {
    this.#commands.noted(this, whole, part);
  }

  ready(request: Request, grewBytes: number): void {
    if (request === this.head) this.schedule();
    if (this.isBlocked || request !== this.head) this.#compactIfStuck(request);
    this.hold(grewBytes, request.length);
  }

  /**
   * Runs `action` once every earlier command is answered; no later command is looked at before the action calls `done`.
   * To be called as the last thing that a command does.
   */
  barrier(action: (done: () => void) => void): void {
    this.#isBarred = true;
    this.#barrierId++;
    this.#barrier = action;
    if (this.#pending === 0) this.#runBarrier();
  }

  /** No later command is looked at before every earlier one is answered. To be called as the last thing that a command does. */
  holdLater(): void {
    this.barrier(NOTHING);
  }

  /**
   * Asks all threads of the process once every earlier command is answered; `reply` answers this one with what they say. Later commands of the
   * client wait. To be called as the last thing that a command does.
   */
  askThreads<Q extends QuestionName>(
    group: Group,
    name: Q,
    asked: Questions[Q]['asked'],
    reply: (answers: readonly Questions[Q]['answer'][]) => void,
  ): void {
    this.barrier((done) => {
      this.isAsking = true;
      group.ask(name, asked, (answers) => {
        this.isAsking = false;
        if (!this.#isClosed) reply(answers);
        done();
      });
    });
  }

  /** Takes no more commands, lets what is under way finish, then closes. */
  end(): void {
    this.#isEnding = true;
    this.#endIfDone();
  }

  /** Answers every command that has arrived whole, then closes: for a proxy that shuts down. */
  finish(): void {
    this.#isFinishing = true;
    this.#finishIfRead();
  }

  /** Closes at once. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Closes the connection: at once, or when it waits for the answer that tells of this, behind that. */
  disconnect(): void {
    if (this.isAsking) this.end();
    else this.destroy();
  }

  /** What it listens to: nothing, in most protocols. */
  *channels(): Iterable<{ readonly name: string; readonly isPattern: boolean }> {}

  flush(): void {
    this.#isScheduled = false;
    if (this.#isClosed) return;
    this.writeReady();
    if (this.#pending === 0 && this.#barrier !== null) this.#runBarrier();
    if (this.#isHeld && this.#pending * 2 <= this.#window.allowed && this.#hasRoom()) this.#resume();
    this.#endIfDone();
  }

  /** Puts a request into the order of replies. Its command bytes must be set. */
  protected enqueue(request: Request): void {
    request.sink = this;
    request.commandId = this.commandId;
    if (this.trace !== null) this.#giveTrace(request);
    request.next = null;
    if (this.#tail === null) this.head = request;
    else this.#tail.next = request;
    this.#tail = request;
    this.#pending += request.times;
    this.waitingBytes += request.length;
  }

  /** `command` stands for several that came one behind the other: each gets a reply of its own. */
  divide(command: Request, replies: readonly Buffer[]): void {
    let last = command;
    for (const reply of replies.slice(1)) {
      const request = acquireRequest();
      request.sink = this;
      request.commandId = command.commandId;
      request.startedMs = command.startedMs;
      request.bytes = reply;
      request.end = reply.length;
      request.state = RequestState.READY;
      request.next = last.next;
      last.next = request;
      last = request;
      this.hold(reply.length, reply.length);
    }
    if (this.#tail === command) this.#tail = last;
    command.times = 1;
    command.answerWith(replies[0]);
  }

  /** A request that was enqueued with its reply may leave. */
  protected enqueuedReady(request: Request): void {
    this.#replyBytes += request.length;
    if (request === this.head) this.schedule();
  }

  /** So much more is held for this client, and so much of replies. */
  protected hold(bytes: number, replyBytes: number): void {
    this.waitingBytes += bytes;
    this.#replyBytes += replyBytes;
    if (this.#replyBytes > this.#limits.maxHeldBytes) this.#cutReader();
  }

  /** Writes the replies that are next in order. */
  protected writeReady(): void {
    while (!this.isBlocked && this.head !== null && this.head.state === RequestState.READY)
      this.#writeBatch();
  }

  protected received(bytes: Buffer, start: number, end: number): void {
    this.lastActiveMs = this.env.clock.monotonicMs();
    if (this.#isEnding) return;
    const { parser } = this;
    if (this.#large === null) parser.push(bytes, start, end);
    else parser.push(this.#takeLarge(this.#large, bytes.subarray(start, end)));
    if (this.#large !== null) return;
    if (this.#isBarred || this.#isHeld) {
      if (parser.bufferedBytes > this.#limits.maxHeldBytes / 2) this.#pause();
      return;
    }
    this.#process();
  }

  /** Commands that may be taken now, beside those under way. */
  protected get room(): number {
    return this.#window.allowed - this.#pending;
  }

  /** Whether the next command may be taken, beside so many that were and are not under way yet. */
  protected mayTake(taken = 0): boolean {
    if (this.#isBarred || this.#isEnding) return false;
    if (taken < this.room && this.#hasRoom()) return true;
    this.#isHeld = true;
    this.#pause();
    return false;
  }

  /** What came is not the protocol, or more than allowed: earlier commands are answered, then the error, then the end. */
  protected refuseInput(error: Error): void {
    const { log, stats } = this.env;
    stats.add(Stat.protocolErrors);
    if (!this.explain(error)) log.error({ client: this.address, err: error }, 'a command failed');
    this.end();
  }

  protected schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.env.turn.schedule(this);
  }

  /** Closes the connection of a client that is over a limit. */
  protected cut(setting: string, heldBytes: number, why: string): void {
    const { log, stats } = this.env;
    log.warn({ client: this.address, setting, heldBytes }, why);
    stats.add(Stat.connectionsCut);
    this.destroy();
  }

  #giveTrace(request: Request): void {
    request.trace = this.trace;
    this.trace = null;
  }

  #writeBatch(): void {
    const { nowMs } = this.env.turn;
    let request = this.head;
    let count = 0;
    let freed = 0;
    while (request !== null && request.state === RequestState.READY && freed < BATCH_BYTES) {
      freed += this.give(request, nowMs);
      const { next, times } = request;
      releaseRequest(request);
      request = next;
      count += times;
    }
    this.head = request;
    if (request === null) this.#tail = null;
    this.#pending -= count;
    this.waitingBytes -= freed;
    this.#replyBytes -= freed;
    this.#window.learn(count, freed);
    if (!this.write(count)) this.isBlocked = true;
  }

  #process(): void {
    const nowMs = this.lastActiveMs;
    this.#isProcessing = true;
    try {
      this.takeCommands(nowMs);
      if (!this.#isBarred && !this.#isEnding && !this.#isHeld) this.#large = this.beginLarge();
    } catch (error) {
      this.refuseInput(error as Error);
    }
    this.#isProcessing = false;
    if ((this.#large === null && !this.isPartial) || this.#isHeld || this.#isBarred) this.partialSinceMs = 0;
    else if (this.partialSinceMs === 0) this.partialSinceMs = nowMs;
  }

  /** What lies behind the large command in `chunk`. */
  #takeLarge(large: LargeFrame, chunk: Buffer): Buffer {
    const behind = large.take(chunk);
    if (!large.isComplete) return behind;
    this.#large = null;
    this.endLarge(large);
    return behind;
  }

  #hasRoom(): boolean {
    return this.waitingBytes <= this.#limits.maxHeldBytes / 2;
  }

  #resume(): void {
    this.#isHeld = false;
    if (!this.#isProcessing && this.parser.bufferedBytes > 0) this.#process();
    this.#finishIfRead();
    if (this.#isHeld || this.#isBarred || !this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  #runBarrier(): void {
    const action = this.#barrier!;
    const id = this.#barrierId;
    this.#barrier = null;
    if (action === NOTHING) this.#liftBarrier();
    else
      action(() => {
        if (this.#isBarred && id === this.#barrierId) this.#liftBarrier();
      });
    if (this.#inputEnded && this.waitsForEver) this.destroy();
  }

  #liftBarrier(): void {
    this.#isBarred = false;
    if (!this.#isClosed && !this.#isProcessing) this.#resume();
    this.#endIfDone();
  }

  /** Commands that wait in the parser, held back or behind a barrier, are still taken. */
  #finishIfRead(): void {
    if (this.#isFinishing && !this.#isHeld && !this.#isBarred) this.end();
  }

  #drained(): void {
    this.isBlocked = false;
    this.env.turn.readClock();
    this.flush();
  }

  /** A reply that will wait keeps only its own bytes alive, not the whole chunk it came in. */
  #compactIfStuck(request: Request): void {
    const length = request.end - request.start;
    if (request.rest !== null || request.bytes.length <= length * COMPACT_RATIO) return;
    if (!this.isBlocked && this.lastActiveMs + STUCK_MS > this.#router.nowMs) return;
    request.bytes = Buffer.from(request.bytes.subarray(request.start, request.end));
    request.start = 0;
    request.end = length;
  }

  #cutReader(): void {
    const setting = 'proxy.limits.maxBufferedBytesPerConnection';
    this.cut(setting, this.#replyBytes, 'client closed: it does not read its replies');
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
    this.endedMs = this.env.clock.monotonicMs();
    this.socket.end();
    // What still comes is thrown away: closing at once would reset the connection, and the replies with it.
    this.socket.resume();
  }

  #closed(): void {
    this.#isClosed = true;
    this.#barrier = null;
    let request = this.head;
    while (request !== null) {
      const { next } = request;
      request.next = null;
      if (request.state === RequestState.READY) dropReply(request);
      else request.sink = discard;
      request = next;
    }
    this.head = this.#tail = null;
    this.#pending = 0;
    this.gone();
  }
}
