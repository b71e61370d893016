import type { Socket } from 'node:net';
import type { Clock, Logger, Random } from '../../lib/base/index.ts';
import {
  type CommandPart,
  encodeCommand,
  ReplyFramer,
  RespProtocolError,
} from '../../lib/codec/resp/index.ts';
import { BackoffPolicy, connectSocket, readRanges, recycle, type TlsMaterial } from '../../lib/net/index.ts';
import { type Health, LoadLimit } from '../health/index.ts';
import { hasErrorCode } from './frames.ts';
import { type ConnectionPurpose, greetingOf, isRefused, tlsTo } from './greeting.ts';
import { JoinedGets } from './joined-gets.ts';
import { LARGE_BYTES, LargeFrame, recyclePieces } from './large-frame.ts';
import type { Output } from './output.ts';
import type { FrameListener } from './private-connection.ts';
import { discard, Joined, noteAnswered, type Request, RequestState } from './request.ts';
import { RequestQueue } from './request-queue.ts';
import type { DataPathSettings } from './settings.ts';
import type { Slowness } from './slowness.ts';
import type { UpstreamNode } from './topology.ts';
import type { Flushable, Turn } from './turn.ts';

const NO_BYTES = Buffer.alloc(0);
const ERROR_TYPE = 0x2d;
const PUSH_TYPE = 0x3e;
const UNDERSCORE = 0x5f;
const DOLLAR = 0x24;
const MINUS = 0x2d;
const NULLS = { 2: Buffer.from('$-1\r\n'), 3: Buffer.from('_\r\n') };
/** Written at once at most; the rest waits, and stays certainly unsent, until the socket has taken it. */
const BATCH_BYTES = 512 * 1024;
const BACKOFF = { initialMs: 20, maxMs: 500, factor: 2 };

/** What a link tells the router. */
export interface LinkOwner {
  /** An error reply to a request somebody waits for. True: the owner has taken the request over, and nobody answers it. */
  refused(request: Request, reply: Buffer, start: number, end: number, node: UpstreamNode): boolean;
  /** The connection is gone, or was never made. `sent`: the node may have executed them. `unsent`: certainly not. */
  lost(node: UpstreamNode, sent: Request[], unsent: Request[], reason: string): void;
  /** The node does not have the database of this link, which is closed; `waiting` were not sent. */
  withoutDatabase(link: Link, waiting: Request[], refusal: Buffer): void;
  /** The link is about to send what has waited: what is past its deadline must leave the queue before. */
  expire(link: Link): void;
}

/** What links need from the worker they are part of. */
export interface LinkEnvironment {
  readonly settings: DataPathSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly tls: TlsMaterial | undefined;
  readonly turn: Turn;
  readonly output: Output;
  readonly slowness: Slowness;
  readonly health: Health;
}

/** What a link is for when it is not shared by all clients. */
export interface LinkRole {
  /** Commands said behind the greeting of each new connection, none of which may be refused. A rejection is a failed connection. */
  greeting(): Promise<readonly CommandPart[][]>;
  /** Hears pushes (RESP3), in order with the replies. */
  readonly onPush: FrameListener;
  /** A connection that was in use is gone. */
  onLost(): void;
}

/**
 * One pipelined connection to a node for one RESP version and one database: requests of many clients in one order, one write per turn.
 *
 * Nothing is sent before the node has answered the greeting (AUTH, HELLO, RS.EPOCH, SELECT, PING), so that a request in the queue of a dead or
 * stopped node is known not to have reached it. Reconnects for ever, with backoff, until closed.
 */
export class Link implements Flushable {
  readonly node: UpstreamNode;
  readonly protocol: 2 | 3;
  readonly database: number;
  readonly #env: LinkEnvironment;
  readonly #owner: LinkOwner;
  readonly #role: LinkRole | null;
  readonly #queue = new RequestQueue();
  readonly #joined = new JoinedGets();
  readonly #backoff: BackoffPolicy;
  #framer = new ReplyFramer();
  /** A long reply that has come in part, and its first piece. */
  #large: LargeFrame | null = null;
  #largeHead: Buffer = NO_BYTES;
  #socket: Socket | null = null;
  #greeting: string[] = [];
  #greetingTimer: NodeJS.Timeout | undefined;
  #reconnectTimer: NodeJS.Timeout | undefined;
  #isScheduled = false;
  #isBlocked = false;
  #isClosing = false;
  #announcedEpoch: string | null = null;
  /** Positions before which the reply of an RS.EPOCH comes. */
  readonly #epochMarks: number[] = [];
  /** Monotonic milliseconds since when replies have been due without a break. */
  #dueSinceMs = 0;
  /** Monotonic milliseconds when bytes last arrived. */
  lastReceivedMs = 0;
  /** What began before this and is answered now is slow. */
  #slowBeforeMs = 0;
  /** Commands that wait for the connection, or for it to take more, and their bytes: its part of what waits for the node. */
  #waitingCommands = 0;
  #waitingBytes = 0;
  isReady = false;
  /** How many commands may be queued or sent. */
  readonly load: LoadLimit;

  constructor(
    node: UpstreamNode,
    { protocol, database }: ConnectionPurpose,
    env: LinkEnvironment,
    owner: LinkOwner,
    role: LinkRole | null = null,
  ) {
    this.node = node;
    this.protocol = protocol;
    this.database = database;
    this.#env = env;
    this.#owner = owner;
    this.#role = role;
    this.#backoff = new BackoffPolicy(BACKOFF, env.random);
    const { maxInFlightPerShard, operationTimeoutMs } = env.settings;
    this.load = new LoadLimit(maxInFlightPerShard, operationTimeoutMs / 2);
    this.#begin();
  }

  /** Not shared by all clients. */
  get isPrivate(): boolean {
    return this.#role !== null;
  }

  /** Where the present connection leads; null while there is none that can be used. */
  get remoteAddress(): string | null {
    return (this.isReady && this.#socket?.remoteAddress) || null;
  }

  /** Commands queued or sent, abandoned ones included. */
  get length(): number {
    return this.#queue.length;
  }

  /** Bytes of commands that have not left. */
  get queuedBytes(): number {
    let bytes = this.#socket?.writableLength ?? 0;
    this.#queue.scan((request) => {
      if (request.state === RequestState.QUEUED) bytes += request.length;
      return true;
    });
    return bytes;
  }

  /** Whether somebody waits for the answer to a write. */
  get hasWrites(): boolean {
    let found = false;
    this.#queue.scan(({ isWrite }) => {
      found ||= isWrite;
      return !found;
    });
    return found;
  }

  get queue(): RequestQueue {
    return this.#queue;
  }

  /** Appends a request; it leaves at the end of the turn (a long one at once), or when the connection is made. */
  enqueue(request: Request, nowMs: number): void {
    request.link = this;
    request.queuedMs = nowMs;
    // It comes from another connection.
    if (request.joined === Joined.YES) request.joined = Joined.NO;
    this.#queue.push(request);
    if (this.mustWait) this.#setWaiting(this.#waitingCommands + 1, this.#waitingBytes + request.length);
    // While it lies in the processor's cache.
    if (request.rest !== null) this.#writeUnsent();
    else this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#env.turn.schedule(this);
  }

  /** Whether what is enqueued now leaves only when the connection is made, or takes more. */
  get mustWait(): boolean {
    return !this.isReady || this.#isBlocked;
  }

  /** Counts again what waits, after requests were taken out. */
  recount(): void {
    if (this.#waitingCommands === 0) return;
    let commands = 0;
    let bytes = 0;
    if (this.#queue.unsentCount > 0) {
      this.#queue.scan(({ state, length }) => {
        if (state !== RequestState.QUEUED) return true;
        commands++;
        bytes += length;
        return true;
      });
    }
    this.#setWaiting(commands, bytes);
  }

  #setWaiting(commands: number, bytes: number): void {
    const { waiting } = this.node;
    waiting.commands += commands - this.#waitingCommands;
    waiting.bytes += bytes - this.#waitingBytes;
    this.#waitingCommands = commands;
    this.#waitingBytes = bytes;
  }

  flush(): void {
    this.#isScheduled = false;
    this.#writeUnsent();
  }

  #writeUnsent(): void {
    const socket = this.#socket;
    if (!this.isReady || socket === null) return;
    const { sentSeq } = this.#queue;
    while (!this.#isBlocked && (this.#queue.unsentCount > 0 || this.#announcedEpoch !== this.node.epoch)) {
      this.#writeBatch(socket);
    }
    if (sentSeq !== this.#queue.sentSeq) this.recount();
    this.#endIfIdle();
  }

  /** Announces the node's shard epoch, ahead of whatever was not sent yet. */
  announceEpoch(): void {
    if (this.#announcedEpoch !== this.node.epoch) this.#schedule();
  }

  /** Gives up a connection that has not said anything for too long while replies are due. */
  checkSilence(nowMs: number): void {
    if (!this.isReady || this.#queue.sentCount === 0) return;
    const silentMs = nowMs - Math.max(this.lastReceivedMs, this.#dueSinceMs);
    if (silentMs < this.#env.settings.operationTimeoutMs) return;
    this.#fail(`nothing arrived for ${Math.round(silentMs)} ms while replies were due`);
  }

  /** Closes once everything sent is answered. Unsent requests are returned: they belong elsewhere now. */
  retire(): Request[] {
    this.#isClosing = true;
    clearTimeout(this.#reconnectTimer);
    const unsent = this.takeUnsent(() => true);
    this.#endIfIdle();
    return unsent;
  }

  /** Takes out the requests that were not sent yet and that `wanted` picks. */
  takeUnsent(wanted: (request: Request) => boolean): Request[] {
    const taken: Request[] = [];
    if (this.#queue.unsentCount === 0) return taken;
    this.#queue.scan((request) => {
      if (request.state === RequestState.QUEUED && wanted(request)) {
        this.#queue.take(request);
        taken.push(request);
      }
      return true;
    });
    this.recount();
    return taken;
  }

  /** Whether it takes no more requests. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Ends the present connection, as if it had been lost, and makes another. */
  reset(reason: string): void {
    if (!this.#isClosing) this.#fail(reason);
  }

  /** Closes at once. Whoever waits is told that the connection is lost. */
  destroy(reason: string): void {
    this.#isClosing = true;
    this.#fail(reason);
  }

  #begin(): void {
    if (this.#role === null) this.#connect([]);
    else
      this.#role.greeting().then(
        (more) => this.#connect(more),
        (error: Error) => this.#fail(error.message),
      );
  }

  /** `more`: said behind the greeting. */
  #connect(more: readonly CommandPart[][]): void {
    if (this.#isClosing) return;
    const { settings, tls } = this.#env;
    const { host, port } = this.node.address;
    const socket = connectSocket(
      { host, port, tls: tlsTo(this.node, tls), timeoutMs: settings.connectTimeoutMs, sharedReads: true },
      () => this.#greet(socket, more),
    );
    let reason = 'the connection was closed';
    this.#socket = socket;
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.#fail(reason);
    });
    socket.on('drain', () => {
      this.#isBlocked = false;
      this.#owner.expire(this);
      this.flush();
    });
    readRanges(socket, (bytes, start, end) => {
      if (this.#socket === socket) this.#received(bytes, start, end);
      return this.#large?.missing ?? 0;
    });
  }

  /** Sends the greeting; the link is ready when its last reply is in. */
  #greet(socket: Socket, more: readonly CommandPart[][]): void {
    const { connectTimeoutMs } = this.#env.settings;
    const commands = [...greetingOf(this.node, this, this.#env.settings), ...more];
    this.#announcedEpoch = this.node.epoch;
    this.#greeting = commands.map(([name]) => String(name));
    socket.write(Buffer.concat(commands.map((parts) => encodeCommand(...parts))));
    this.#greetingTimer = setTimeout(
      () => this.#fail(`no answer to the greeting within ${connectTimeoutMs} ms`),
      connectTimeoutMs,
    );
  }

  #received(bytes: Buffer, start: number, end: number): void {
    this.lastReceivedMs = this.#env.clock.monotonicMs();
    this.#slowBeforeMs = this.lastReceivedMs - this.#env.slowness.thresholdMs;
    const framer = this.#framer;
    const headSeq = this.#queue.headSeq;
    try {
      if (this.#large === null) framer.push(bytes, start, end);
      else framer.push(this.#takeLarge(this.#large, bytes.subarray(start, end)));
      while (this.#framer === framer && this.#next(framer)) {
        if (this.isReady) this.#deliver(framer);
        else this.#greeted(framer);
      }
      if (this.isReady && this.#large === null && framer.missingBytes >= LARGE_BYTES)
        this.#beginLarge(framer);
    } catch (error) {
      this.#fail(`the node's bytes make no sense: ${(error as Error).message}`);
      return;
    }
    this.node.figures.settle(this.lastReceivedMs);
    if (this.isReady) this.node.health.heard((this.#queue.headSeq - headSeq) | 0);
    if (this.#isClosing) this.#endIfIdle();
  }

  /** Moves to the next reply, or to the next element of an MGET's that stands for several. */
  #next(framer: ReplyFramer): boolean {
    const { headSeq } = this.#queue;
    const together = this.#joined.countAt(headSeq);
    if (together === 0 || this.#epochMarks[0] === headSeq) return framer.next();
    framer.unwraps = true;
    framer.unwrapped = 0;
    const isThere = framer.next();
    if (framer.unwrapped === together) this.#joined.shift();
    else if (framer.unwrapped > 0) throw new RespProtocolError('an array has another length than expected');
    return isThere;
  }

  /** The rest of this reply is kept in the pieces in which it comes. */
  #beginLarge(framer: ReplyFramer): void {
    this.#large = new LargeFrame(framer.missingBytes);
    framer.detach();
    this.#largeHead = framer.buffer.subarray(framer.frameStart, framer.frameEnd);
  }

  /** What lies behind the large reply in `chunk`. */
  #takeLarge(large: LargeFrame, chunk: Buffer): Buffer {
    const behind = large.take(chunk);
    if (!large.isComplete) return behind;
    const head = this.#largeHead;
    this.#large = null;
    this.#largeHead = NO_BYTES;
    if (!large.endsWell) throw new RespProtocolError('expected CRLF behind a bulk string');
    // Replies no longer match requests.
    if (this.#queue.sentCount === 0) throw new RespProtocolError('an unasked reply arrived');
    const request = this.#queue.shift();
    if (request === null) {
      recycle(large.pieces);
      return behind;
    }
    this.#note(request);
    if (request.joined === Joined.ONLY_FOR_ERROR) {
      recycle(large.pieces);
      request.answerWith(NULLS[this.protocol]);
    } else request.answerInPieces(head, 0, head.length, large.pieces, large.bytes, true);
    return behind;
  }

  #deliver(framer: ReplyFramer): void {
    const queue = this.#queue;
    if (framer.type === PUSH_TYPE) {
      this.#role?.onPush(framer.buffer, framer.frameStart, framer.frameEnd);
      return;
    }
    if (this.#epochMarks.length > 0 && this.#epochMarks[0] === queue.headSeq) {
      this.#epochMarks.shift();
      if (framer.type === ERROR_TYPE) this.#logRefusal('RS.EPOCH', framer);
      return;
    }
    if (queue.sentCount === 0) {
      // Replies no longer match requests.
      this.#fail('an unasked reply arrived');
      return;
    }
    if (framer.unwraps) {
      this.#refusedTogether(framer);
      return;
    }
    const request = queue.shift();
    if (request === null || (request.joined > Joined.MAY && this.#takesJoined(request, framer))) return;
    this.#answer(request, framer);
  }

  #answer(request: Request, framer: ReplyFramer): void {
    const { buffer, frameStart, frameEnd } = framer;
    this.#note(request);
    if (framer.type === ERROR_TYPE) {
      this.node.figures.errors++;
      if (this.#owner.refused(request, buffer, frameStart, frameEnd, this.node)) return;
    } else if (request.rest !== null) recyclePieces(request);
    request.answer(buffer, frameStart, frameEnd);
  }

  /** What an MGET brought for a GET, or the GET that followed since it brought nothing. False: it is the answer. */
  #takesJoined(request: Request, framer: ReplyFramer): boolean {
    if (request.joined === Joined.ONLY_FOR_ERROR) {
      if (framer.type === ERROR_TYPE) return false;
      this.#note(request);
      request.answerWith(NULLS[this.protocol]);
      return true;
    }
    if (!isNull(framer) || request.sink === discard) return false;
    this.#joined.missed();
    request.joined = Joined.ONLY_FOR_ERROR;
    this.enqueue(request, this.lastReceivedMs);
    return true;
  }

  /** An MGET was refused: all GETs that it stands for were, or it is refused for what it is, and they go apart. */
  #refusedTogether(framer: ReplyFramer): void {
    const { buffer, frameStart, type } = framer;
    if (type !== ERROR_TYPE) throw new RespProtocolError('expected an array');
    framer.unwraps = false;
    const isForMget = hasErrorCode(buffer, frameStart, 'NOPERM') || hasErrorCode(buffer, frameStart, 'ERR');
    if (isForMget) this.#joined.refused();
    for (let left = this.#joined.countAt(this.#queue.headSeq); left > 0; left--) {
      const request = this.#queue.shift();
      if (request === null) continue;
      if (isForMget && request.sink !== discard) this.enqueue(request, this.lastReceivedMs);
      else this.#answer(request, framer);
    }
    this.#joined.shift();
  }

  /** A reply has come, which is about to take the place of the command. */
  #note(request: Request): void {
    this.node.figures.replied(request.queuedMs, this.lastReceivedMs, request.times);
    if (request.startedMs <= this.#slowBeforeMs || request.trace !== null) noteAnswered(request);
  }

  /** A reply to the greeting. */
  #greeted(framer: ReplyFramer): void {
    const name = this.#greeting.shift()!;
    if (framer.type === ERROR_TYPE) {
      const text = this.#logRefusal(name, framer);
      if (name === 'SELECT') {
        const { buffer, frameStart, frameEnd } = framer;
        this.#giveUp(Buffer.from(buffer.subarray(frameStart, frameEnd)));
        return;
      }
      if (isRefused(name, text)) {
        this.#fail(`${name} was refused: ${text}`);
        return;
      }
    }
    if (this.#greeting.length > 0) return;
    clearTimeout(this.#greetingTimer);
    this.#backoff.reset();
    this.isReady = true;
    this.#owner.expire(this);
    this.flush();
  }

  /** Another try would be refused as well. */
  #giveUp(refusal: Buffer): void {
    this.#isClosing = true;
    this.#disconnect();
    const waiting = this.#queue.takeAll();
    this.#setWaiting(0, 0);
    this.#owner.withoutDatabase(this, waiting, refusal);
  }

  #logRefusal(command: string, { buffer, frameStart, frameEnd }: ReplyFramer): string {
    const reply = buffer.latin1Slice(frameStart + 1, frameEnd - 2);
    this.#env.log.warn(
      { node: this.node.name, shard: this.node.shard, command, reply },
      'a node refused the greeting',
    );
    return reply;
  }

  #writeBatch(socket: Socket): void {
    const { output } = this.#env;
    const queue = this.#queue;
    if (queue.sentCount === 0) this.#dueSinceMs = this.#env.clock.monotonicMs();
    if (this.#announcedEpoch !== this.node.epoch) this.#addEpoch();
    while (queue.unsentCount > 0 && output.bytes < BATCH_BYTES) {
      const together = this.#joined.next(queue);
      if (together > 0) {
        this.#joined.send(queue, together, output);
        continue;
      }
      const request = queue.moveToSent();
      if (request !== null) output.addRequest(request);
    }
    if (!output.writeTo(socket)) this.#isBlocked = true;
  }

  #addEpoch(): void {
    const { epoch, shard } = this.node;
    this.#announcedEpoch = epoch;
    if (epoch === null) return;
    const bytes = encodeCommand('RS.EPOCH', shard, epoch);
    this.#env.output.add(bytes, 0, bytes.length);
    this.#epochMarks.push(this.#queue.sentSeq);
  }

  #endIfIdle(): void {
    if (!this.#isClosing || this.#queue.length > 0 || this.#socket === null) return;
    this.#disconnect();
  }

  #disconnect(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.isReady = false;
    this.#isBlocked = false;
    this.#epochMarks.length = 0;
    this.#joined.clear();
    this.#framer = new ReplyFramer();
    this.#large = null;
    this.#largeHead = NO_BYTES;
    clearTimeout(this.#greetingTimer);
    socket?.destroy();
  }

  /** Ends the connection, hands its requests back, and tries again later. */
  #fail(reason: string): void {
    const wasReady = this.isReady;
    this.#disconnect();
    if (wasReady) this.#role?.onLost();
    const waiting = this.#queue.takeAll();
    this.#setWaiting(0, 0);
    const sent = waiting.filter((request) => request.state === RequestState.SENT);
    const unsent = waiting.filter((request) => request.state === RequestState.QUEUED);
    if (!this.#isClosing) {
      this.node.figures.failures++;
      this.#markSuspect(reason, wasReady);
      this.#reconnectTimer = setTimeout(() => this.#begin(), this.#backoff.nextDelayMs());
    }
    this.#owner.lost(this.node, sent, unsent, reason);
  }

  #markSuspect(reason: string, wasReady: boolean): void {
    const { node } = this;
    // The links that everybody uses tell.
    if (this.#role !== null) return;
    if (!node.isSuspect || wasReady) {
      this.#env.log.warn({ node: node.name, shard: node.shard, reason }, 'the node is unreachable');
    }
    node.health.lost(reason, this.#env.clock.monotonicMs());
  }
}

/** Whether nothing is there: `$-1`, or `_` in RESP3. */
function isNull({ type, buffer, frameStart }: ReplyFramer): boolean {
  return type === UNDERSCORE || (type === DOLLAR && buffer[frameStart + 1] === MINUS);
}
