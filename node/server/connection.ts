import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { RingsideError } from '../../lib/base/index.ts';
import { FramesAhead, RequestParser, RespProtocolError } from '../../lib/codec/resp/index.ts';
import { readBytes, writeBytes } from '../../lib/net/index.ts';
import type { LinkTransport } from '../replication/follower-link.ts';
import { Client } from './client.ts';
import type { ConnectedClient, Debt } from './client-registry.ts';
import type { ConnectionHost } from './connection-host.ts';
import type { Departing } from './departures.ts';
import { OutputGuard, outputLimitOf } from './output-limit.ts';
import { type HeldReply, type Output, OutputQueue, withErrors } from './output-queue.ts';
import { ReplyWriter } from './reply-writer.ts';

/** Replies are handed to the socket at the latest when there are so many bytes of them. */
const TURN_BYTES = 1 << 20;
/** While all clients together leave more than this unread, each may pile up only `CROWDED_PAUSE_BYTES`. */
const CROWDED_BYTES = 256 * 1024 * 1024;
const CROWDED_PAUSE_BYTES = 64 * 1024;
/** What a client may leave unread before no more of its commands are executed, as a part of what closes it. */
const PAUSE_FRACTION = 1 / 4;

/** What has queued is sent in pieces of about this size. */
const SEND_BYTES = 64 * 1024;
/** With TLS so much at most is on its way without being counted. */
const UNTOLD_BYTES = 64 * 1024;
/** What is taken in from a client that waits. */
const READ_AHEAD_BYTES = 1 << 20;
/** How long a connection that was ended waits for the client's side to end too. */
const LINGER_MS = 1000;

/** Of the connection whose turn it is. */
const framesAhead = new FramesAhead();
const NOTHING = Buffer.alloc(0);
const NONE: readonly HeldReply[] = [];
const UNKNOWN_OUTCOME = errorLine('no follower acknowledged it in time');
const LOST_LEADERSHIP = errorLine('this node stopped leading before a follower acknowledged it');

/**
 * One client's connection. Executes what arrives in turns: all whole commands of a chunk, their replies in one write.
 *
 * Replies leave in the order of their commands. A reply that acknowledges a write leaves only under the lease, and never waits inside
 * the socket's own buffer, where nobody could hold it back any more: what the socket does not take at once queues here.
 */
export class Connection implements ConnectedClient, Departing, LinkTransport {
  readonly client: Client;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #isTls: boolean;
  readonly #parser: RequestParser;
  readonly #queue = new OutputQueue();
  /** Bytes in the socket's buffer that the kernel has not taken; nothing is written until it has. */
  #inSocket = 0;
  #reportedOutput = 0;
  readonly #guard = new OutputGuard();
  #reportedInput = 0;
  /** Too many replies wait: nothing is executed until the client has read some. */
  #isCrowded = false;
  #isInTurn = false;
  #isTurnScheduled = false;
  #holdTimer: NodeJS.Timeout | undefined;
  /** What `#holdTimer` is set to. */
  #holdDeadlineMs = 0;
  #onLinkClose: (() => void) | null = null;
  #held: HeldReply[] = [];
  #holdMs = Infinity;
  #acknowledges = false;
  /** Replies in the writer's memory that leave at the end of the turn of the event loop. */
  #departing: Buffer | null = null;
  #departingAcknowledges = false;
  /** Those of them that wait for the disk, if it does not take them before the turn ends. */
  #departingHeld: readonly HeldReply[] = NONE;
  #isToDepart = false;
  /** Bytes of what waits for the end of a reply that takes several turns. */
  #deferredBytes = 0;
  /** The last reply is out: what still comes is of no interest. */
  #hasLeft = false;

  constructor(host: ConnectionHost, socket: Socket, addresses: { address: string; localAddress: string }) {
    const { node, limits } = host;
    this.#host = host;
    this.#socket = socket;
    this.#isTls = socket instanceof TLSSocket;
    this.#parser = new RequestParser(limits);
    this.client = new Client({
      ...addresses,
      id: node.clients.nextId(),
      nowMs: node.clock.monotonicMs(),
      authenticated: !node.access.users.requireLogin,
    });
    this.client.user = node.access.users.default;
    this.client.mayBlock = true;
    this.#parser.authenticated = this.client.authenticated;
    node.clients.add(this);
    node.stats.connectionsReceived++;
    readBytes(socket, (memory, length) => this.#received(memory, length));
    socket.once('close', () => this.#closed());
  }

  get inputBytes(): number {
    const { frameStart, frameEnd, bufferedBytes } = this.#parser;
    return (
      bufferedBytes + (this.client.transaction?.bytes ?? 0) + (this.#isInTurn ? frameEnd - frameStart : 0)
    );
  }

  get isLink(): boolean {
    return this.#onLinkClose !== null;
  }

  get outputBytes(): number {
    return this.#unreadBytes() + this.#deferredBytes;
  }

  /** Bytes on their way that the client could have read. */
  #unreadBytes(): number {
    return this.#queue.bytes + this.#inSocket;
  }

  /** The first `length` bytes of `memory` have come, and stay as they are until this returns. */
  #received(memory: Buffer, length: number): void {
    this.#host.node.stats.inputBytes += length;
    if (this.#hasLeft) return;
    this.#parser.push(memory, 0, length);
    if (this.#isStopped() || this.client.unfinished !== null) this.#stocked();
    else this.#run();
    this.#parser.own();
  }

  /** Something has come that must wait. */
  #stocked(): void {
    // Who waits is read on for a while, so that it is noticed when the client goes away.
    const { blocked, unfinished } = this.client;
    const isWaiting = blocked !== null || unfinished !== null;
    if (!isWaiting || this.#parser.bufferedBytes > READ_AHEAD_BYTES) this.#socket.pause();
    this.#accountInput();
  }

  /** Nothing may be executed for this client now. */
  #isStopped(): boolean {
    return this.#isCrowded || this.client.blocked !== null || this.client.closing;
  }

  /** Executes what is there, in turns; lets others have theirs in between when there is much. */
  #run(): void {
    const more = this.#turn();
    this.#accountInput();
    if (this.#unreadBytes() > this.#crowdedBytes() && !this.#onLinkClose) {
      this.#isCrowded = true;
      this.#socket.pause();
    } else if (more) {
      this.#scheduleTurn();
    }
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    setImmediate(() => {
      this.#isTurnScheduled = false;
      this.#goOn();
    });
  }

  /** Executes what is left and takes more, unless something still forbids it. */
  #goOn(): void {
    if (this.#isStopped() || this.#socket.destroyed) return;
    this.#run();
    if (!this.#isCrowded && this.client.unfinished === null) this.#socket.resume();
  }

  /** One turn. Returns whether commands were left because of the size of the replies. */
  #turn(): boolean {
    const { executor } = this.#host;
    const { reply } = this.#host.departures;
    const { client } = this;
    executor.beginTurn();
    client.lastActiveMs = executor.nowMs;
    reply.protocol = client.protocol;
    let more = false;
    this.#isInTurn = true;
    try {
      if (client.unfinished !== null) more = this.#goOnReplying(reply);
      while (!more && client.blocked === null && !client.closing && this.#next()) {
        this.#execute(reply);
        more = reply.length >= TURN_BYTES || client.unfinished !== null;
      }
    } catch (error) {
      this.#failed(error, reply);
    } finally {
      this.#isInTurn = false;
    }
    this.#parser.forgetAhead(framesAhead);
    executor.endTurn();
    this.#flush();
    return more;
  }

  /** Writes more of the reply under way, and behind its end what was pushed meanwhile; whether there is still more. */
  #goOnReplying(reply: ReplyWriter): boolean {
    const { client } = this;
    if (client.unfinished!(reply)) return true;
    client.unfinished = null;
    for (const message of client.deferred) reply.raw(message, 0, message.length);
    client.deferred = [];
    this.#deferredBytes = 0;
    return false;
  }

  /** Moves to the next command; one that had to wait for the end of a pause is still there. */
  #next(): boolean {
    const parser = this.#parser;
    if (!this.client.isPostponed) {
      if (parser.scanAhead(framesAhead)) this.#host.executor.lookAhead(this.client, framesAhead);
      return parser.next();
    }
    this.client.isPostponed = false;
    return true;
  }

  /** Nothing more of this client can be understood; nobody else is affected. */
  #failed(error: unknown, reply: ReplyWriter): void {
    const { log } = this.#host.node;
    this.client.closing = true;
    if (error instanceof RespProtocolError) {
      reply.error(`ERR ${error.message}`);
      return;
    }
    log.error({ err: error, command: this.client.lastCommand }, 'a command failed in an unforeseen way');
    reply.error(new RingsideError('internal', String(error)).toResp());
  }

  #execute(reply: ReplyWriter): void {
    const { executor } = this.#host;
    const { client } = this;
    if (client.replyMode !== 'on') {
      this.#executeMuted(reply);
      return;
    }
    const start = reply.length;
    executor.execute(client, this.#parser, reply);
    if (executor.followerTimeoutMs > 0 || executor.awaitsDisk) this.#hold(start, reply.length);
    else if (executor.needsLease) this.#acknowledges = true;
    if (client.authenticated !== this.#parser.authenticated)
      this.#parser.authenticated = client.authenticated;
  }

  /** The client asked for no reply (CLIENT REPLY). */
  #executeMuted(reply: ReplyWriter): void {
    const { client } = this;
    const muted = new ReplyWriter();
    muted.protocol = client.protocol;
    this.#host.executor.execute(client, this.#parser, muted);
    if (client.isPostponed) return;
    client.unfinished = null;
    reply.protocol = client.protocol;
    const bytes = muted.take();
    if (client.replyMode === 'on') reply.raw(bytes, 0, bytes.length);
    if (client.blocked) client.blocked.muted = true;
    if (client.replyMode === 'skip-next') client.replyMode = 'on';
  }

  /** The reply of the last command waits for what it owes. */
  #hold(start: number, end: number): void {
    const { executor, log } = this.#host;
    const { followerTimeoutMs, awaitsDisk } = executor;
    const awaitsFollower = followerTimeoutMs > 0;
    this.#held.push({ start, end, offset: log.end, awaitsFollower, awaitsDisk });
    if (awaitsFollower) this.#holdMs = Math.min(this.#holdMs, followerTimeoutMs);
  }

  /** Sends the replies of the turn, or lets them wait in order. */
  #flush(): void {
    const { departures, node, log, executor } = this.#host;
    const bytes = departures.reply.take();
    const acknowledges = this.#acknowledges;
    this.#acknowledges = false;
    if (bytes.length > 0) {
      const held = this.#held.length > 0 ? this.#held : NONE;
      if (this.#holdMs < Infinity || this.#isAhead()) {
        this.#enqueue({
          bytes: Buffer.from(bytes),
          acknowledges,
          held,
          deadlineMs: executor.nowMs + this.#holdMs,
        });
      } else {
        this.#departing = bytes;
        this.#departingAcknowledges = acknowledges;
        this.#departingHeld = held;
        this.#departLater();
      }
      if (held !== NONE) this.#held = [];
      this.#holdMs = Infinity;
      departures.taken(bytes.length);
    }
    if (log.active) node.followers.wake();
    const { afterReply } = this.client;
    if (afterReply) {
      this.#queueDeparting();
      this.#advance();
      this.client.afterReply = null;
      afterReply();
    }
    this.#finish();
  }

  /** Something is on its way, and has to go before what comes now. */
  #isAhead(): boolean {
    return this.#inSocket > 0 || this.#departing !== null || !this.#queue.isEmpty;
  }

  depart(): boolean {
    this.#isToDepart = false;
    if (this.#departingHeld !== NONE) this.#settleDeparting();
    if (this.#departing !== null && this.#isSocketBehind()) this.#queueDeparting();
    const bytes = this.#departing;
    this.#departing = null;
    if (this.#socket.destroyed) return false;
    const isKept = bytes !== null && this.#send(bytes, this.#departingAcknowledges);
    if (this.#queue.isEmpty) this.#finish();
    else this.#advance();
    return isKept;
  }

  /** What would leave waits for the disk: it has it by now, or the replies queue. */
  #settleDeparting(): void {
    const { aof, shard } = this.#host.node;
    if (this.#departingHeld.at(-1)!.offset > aof.settledOffset) {
      this.#queueDeparting();
      return;
    }
    this.#departingHeld = NONE;
    this.#departingAcknowledges ||= shard.clustered;
  }

  #departLater(): void {
    if (this.#isToDepart) return;
    this.#isToDepart = true;
    this.#host.departures.add(this);
  }

  push(bytes: Buffer): void {
    if (this.client.unfinished !== null) {
      this.client.deferred.push(bytes);
      this.#deferredBytes += bytes.length;
      this.#accountOutput();
      return;
    }
    if (this.#isInTurn) {
      this.#host.departures.reply.raw(bytes, 0, bytes.length);
      return;
    }
    if (this.#socket.destroyed || this.client.closing) return;
    this.#queueDeparting();
    this.#queue.push({ bytes, acknowledges: false, held: NONE, deadlineMs: 0 });
    this.#accountOutput();
    this.#departLater();
  }

  /** What would leave at the end of the turn goes before what comes now. */
  #queueDeparting(): void {
    if (this.#departing === null) return;
    const held = this.#departingHeld;
    const acknowledges = this.#departingAcknowledges;
    const bytes = Buffer.from(this.#departing);
    this.#departing = null;
    this.#departingHeld = NONE;
    this.#queue.push({ bytes, acknowledges, held, deadlineMs: Infinity });
  }

  #enqueue(output: Output): void {
    this.#queueDeparting();
    this.#queue.push(output);
    this.#accountOutput();
    this.#advance();
  }

  /** Returns whether the socket keeps the bytes for longer than this call. */
  #send(bytes: Buffer, acknowledges: boolean): boolean {
    const { node } = this.#host;
    if (acknowledges && !node.shard.mayWrite(node.clock.monotonicMs())) {
      node.stats.leaseLossKills++;
      node.log.warn(
        { client: this.client.address },
        'connection closed: its write was executed, and the lease is over',
      );
      this.#socket.destroy();
      return false;
    }
    node.stats.outputBytes += bytes.length;
    writeBytes(this.#socket, bytes);
    // TLS has encrypted it by now, and needs the bytes no more; that the kernel has taken it all, it says a turn later.
    if (this.#isTls && bytes.length <= UNTOLD_BYTES) return false;
    return this.#isSocketBehind();
  }

  /** Whether the kernel has not taken all that the socket was given; then whatever waits goes on once it has. */
  #isSocketBehind(): boolean {
    if (this.#inSocket > 0) return true;
    const { writableLength } = this.#socket;
    if (writableLength === 0) return false;
    this.#inSocket = writableLength;
    this.#accountOutput();
    this.#socket.write(NOTHING, () => this.#drained());
    return true;
  }

  #drained(): void {
    this.#inSocket = 0;
    this.#accountOutput();
    this.#advance();
    if (this.#onLinkClose) this.#host.node.followers.wake();
    if (!this.#isCrowded || this.#unreadBytes() > this.#crowdedBytes() / 2) return;
    this.#isCrowded = false;
    this.#goOn();
  }

  /** Sends what waited, as far as socket and followers allow. */
  #advance(): void {
    const { waiting } = this.#host;
    for (;;) {
      const output = this.#queue.first;
      if (!output || this.#isSocketBehind()) break;
      if (output.held.length === 0) {
        const { bytes, acknowledges } = this.#queue.shiftFree(SEND_BYTES);
        this.#send(bytes, acknowledges);
        continue;
      }
      const ready = this.#judge(output);
      if (!ready) break;
      this.#queue.shift();
      this.#send(ready.bytes, ready.acknowledges);
    }
    this.#accountOutput();
    const held = this.#queue.first?.held.length ? this.#queue.first : null;
    if (held) this.#setHoldTimer(held.deadlineMs);
    if (held) waiting.add(this);
    else waiting.delete(this);
    this.#finish();
  }

  #setHoldTimer(deadlineMs: number): void {
    if (this.#holdDeadlineMs === deadlineMs || deadlineMs === Infinity) return;
    this.#holdDeadlineMs = deadlineMs;
    clearTimeout(this.#holdTimer);
    const inMs = Math.max(1, Math.ceil(deadlineMs - this.#host.node.clock.monotonicMs()));
    this.#holdTimer = setTimeout(() => {
      this.#holdDeadlineMs = 0;
      this.#advance();
    }, inMs);
  }

  /** What may go out of replies that wait: nothing yet (null), or with errors for what waited too long for a follower, or cannot be put on disk. */
  #judge(output: Output): Output | null {
    const { node } = this.#host;
    const replicated = node.followers.replicatedOffset;
    const { settledOffset, refusal } = node.aof;
    const isUnsettled = (held: HeldReply) => held.awaitsDisk && held.offset > settledOffset;
    const isOpen = (held: HeldReply) =>
      isUnsettled(held) || (held.awaitsFollower && held.offset > replicated);
    if (!output.held.some(isOpen)) return { ...output, held: NONE, acknowledges: node.shard.clustered };
    const cannotSettle = refusal !== null && output.held.some(isUnsettled);
    if (!cannotSettle && node.clock.monotonicMs() < output.deadlineMs) return null;
    const notOnDisk = Buffer.from(`-${refusal}\r\n`);
    node.stats.unknownWrites += output.held.filter(isOpen).length;
    return withErrors(output, (held) => {
      if (refusal !== null && isUnsettled(held)) return notOnDisk;
      return isOpen(held) ? UNKNOWN_OUTCOME : null;
    });
  }

  /**
   * The node leads no more: nobody will ever acknowledge what waits. Offsets of this client's writes mean nothing in the next leader's
   * stream, so a later WAIT must not find them reached.
   */
  leadershipLost(): void {
    this.#host.node.blocked.leadershipLost(this.client);
    this.client.writeOffset = Number.POSITIVE_INFINITY;
    this.#queueDeparting();
    if (this.#queue.isEmpty) return;
    this.#queue.replaceAll((output) => {
      if (output.held.length === 0) return output;
      this.#host.node.stats.unknownWrites += output.held.length;
      return withErrors(output, () => LOST_LEADERSHIP);
    });
    this.#advance();
  }

  /** Followers have made progress. Not to be called in anybody's turn. */
  progressed(): void {
    this.#advance();
  }

  answer(bytes: Buffer, debt: Debt | null): void {
    const { node } = this.#host;
    if (bytes.length === 0) this.#advance();
    else if (debt && (debt.followerTimeoutMs > 0 || debt.awaitsDisk)) {
      const { followerTimeoutMs, awaitsDisk, offset } = debt;
      const awaitsFollower = followerTimeoutMs > 0;
      const held = [{ start: 0, end: bytes.length, offset, awaitsFollower, awaitsDisk }];
      const deadlineMs = awaitsFollower ? node.clock.monotonicMs() + followerTimeoutMs : Infinity;
      this.#enqueue({ bytes, acknowledges: false, held, deadlineMs });
    } else {
      this.#enqueue({ bytes, acknowledges: debt?.needsLease ?? false, held: NONE, deadlineMs: 0 });
    }
    this.#scheduleTurn();
  }

  /** Unread replies beyond this stop the client. */
  #crowdedBytes(): number {
    if (this.client.unfinished !== null) return TURN_BYTES;
    const { limits, node } = this.#host;
    const bytes = limits.maxOutputBytes * PAUSE_FRACTION;
    return node.clients.outputBytes > CROWDED_BYTES ? Math.min(bytes, CROWDED_PAUSE_BYTES) : bytes;
  }

  #accountOutput(): void {
    this.#reportOutput(this.outputBytes);
    this.closeWhenUnread();
  }

  #reportOutput(bytes: number): void {
    const { clients } = this.#host.node;
    const more = bytes - this.#reportedOutput;
    this.#reportedOutput = bytes;
    clients.outputBytes += more;
    if (this.#onLinkClose) clients.followerBytes += more;
  }

  /** Closes the connection of a client that leaves too much unread, or for too long. To be called from time to time. */
  closeWhenUnread(): void {
    if (this.#onLinkClose || this.#socket.destroyed) return;
    const { node, limits } = this.#host;
    const bytes = this.outputBytes;
    const limit = outputLimitOf(this.client, node.settings.outputLimits);
    const isCrowding = this.#guard.closes(limit, bytes, node.clock.monotonicMs());
    if (bytes <= limits.maxOutputBytes && !isCrowding) return;
    node.stats.outputLimitKills++;
    const fields = { client: this.client.address, bytes, limit: limits.maxOutputBytes };
    node.log.warn(
      fields,
      'connection closed: more replies wait than limits.maxOutputBytes or client-output-buffer-limit',
    );
    this.#socket.destroy();
  }

  #accountInput(): void {
    const { node, limits } = this.#host;
    const { transaction } = this.client;
    const bytes = this.#parser.bufferedBytes + (transaction === null ? 0 : transaction.bytes);
    if (bytes === this.#reportedInput) return;
    node.clients.inputBytes += bytes - this.#reportedInput;
    const grew = bytes > this.#reportedInput;
    this.#reportedInput = bytes;
    if (!grew || node.clients.inputBytes <= limits.maxInputBytes) return;
    const message = 'unfinished commands and transactions of all clients exceed 2 x node.limits.maxBulkBytes';
    this.#host.departures.reply.error(new RingsideError('overloaded', message).toResp());
    this.client.closing = true;
    this.#flush();
  }

  /** Ends the connection when its client is done and everything has left. */
  #finish(): void {
    if (!this.client.closing || this.#departing !== null) return;
    if (!this.#queue.isEmpty || this.#socket.destroyed) return;
    if (this.#socket.writableEnded) return;
    this.#leave();
    this.#hasLeft = true;
    this.#socket.end();
    // What still comes is thrown away, so that the client can read its last reply; but not for ever.
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  kill(): void {
    if (this.#host.node.clients.get(this.client.id) !== this) return;
    if (this.#isInTurn) this.client.closing = true;
    else this.#socket.destroy();
  }

  becomeLink(onClose: () => void): LinkTransport {
    this.#onLinkClose = onClose;
    this.#host.node.clients.followerBytes += this.#reportedOutput;
    return this;
  }

  get pendingBytes(): number {
    return this.outputBytes;
  }

  write(bytes: Buffer): void {
    if (this.#isAhead() || this.#isSocketBehind()) {
      this.#enqueue({ bytes, acknowledges: false, held: NONE, deadlineMs: 0 });
    } else {
      this.#send(bytes, false);
    }
  }

  close(reason: string): void {
    this.#host.node.log.info({ client: this.client.address, reason }, 'connection closed');
    this.#socket.destroy();
  }

  /** Nobody is to find the client any more. */
  #leave(): void {
    const { clients, blocked, pause, observers } = this.#host.node;
    clients.remove(this);
    blocked.remove(this.client);
    pause.forget(this.client);
    observers.forget(this.client);
  }

  #closed(): void {
    const { node, waiting } = this.#host;
    clearTimeout(this.#holdTimer);
    waiting.delete(this);
    this.#leave();
    this.#reportOutput(0);
    node.clients.inputBytes -= this.#reportedInput;
    this.#reportedInput = 0;
    this.#onLinkClose?.();
  }
}

function errorLine(message: string): Buffer {
  return Buffer.from(`-${new RingsideError('write_unknown', message).toResp()}\r\n`);
}
