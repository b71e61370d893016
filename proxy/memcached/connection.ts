import type { Socket } from 'node:net';
import type { User } from '../../lib/acl/index.ts';
import { readChunks } from '../../lib/net/index.ts';
import { LARGE_BYTES, LargeFrame } from '../core/large-frame.ts';
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
import { ReplyWindow } from '../resp/reply-window.ts';
import { type Answer, LineAnswer } from './answer.ts';
import { AnswerQueue } from './answer-queue.ts';
import type { MemcachedContext } from './context.ts';
import { dispatch, mayRun } from './dispatch.ts';
import { Parts } from './parts.ts';
import { MemcachedParser } from './protocol/index.ts';
import { type PreparedStore, prepareStore, submitLarge } from './store-command.ts';

/** Written to the socket at once at most. */
const BATCH_BYTES = 1024 * 1024;
/** A reply that waits keeps its own bytes alive alone when they are less than this part of the chunk they came in. */
const COMPACT_RATIO = 4;
const MINUS = 0x2d;

/**
 * One memcached client. Commands leave for their shards as they are parsed; answers go back in the order of the commands, whichever shard
 * answers first. A client that does not read its answers is not read from, and is closed when too many pile up.
 */
export class MemcachedConnection implements Sink, Flushable {
  readonly context: MemcachedContext;
  readonly address: string;
  user: User;
  isAuthenticated: boolean;
  /** The command at hand, by its number in `commandNames`. */
  commandId = 0;
  /** Monotonic milliseconds when bytes last arrived. */
  lastActiveMs: number;
  /** Monotonic milliseconds when the present incomplete request began; 0: none. */
  partialSinceMs = 0;
  /** Monotonic milliseconds when this side was closed; 0: it is open. */
  endedMs = 0;

  readonly #socket: Socket;
  readonly #parser: MemcachedParser;
  readonly #window: ReplyWindow;
  readonly #answers = new AnswerQueue();
  #head: Request | null = null;
  #tail: Request | null = null;
  #pending = 0;
  #heldBytes = 0;
  #replyBytes = 0;
  /** A command with a long block that has come in part. */
  #large: LargeFrame | null = null;
  #largeStore: PreparedStore | null = null;
  #isScheduled = false;
  #isBlocked = false;
  #isHeld = false;
  #isPaused = false;
  #isProcessing = false;
  #isEnding = false;
  #isFinishing = false;
  #inputEnded = false;
  #isClosed = false;
  #barrier: (() => void) | null = null;

  constructor(socket: Socket, address: string, context: MemcachedContext) {
    const { limits } = context;
    this.#socket = socket;
    this.address = address;
    this.context = context;
    this.#window = new ReplyWindow(limits.maxInFlight);
    this.#parser = new MemcachedParser({ ...limits, maxBufferedBytes: limits.maxHeldBytes });
    const { users } = context.access;
    this.user = users.default;
    this.isAuthenticated = !users.requireLogin;
    this.lastActiveMs = context.router.env.clock.monotonicMs();
    readChunks(socket, (chunk) => this.#received(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#closed());
  }

  /** Nothing under way and nothing half arrived. */
  get isIdle(): boolean {
    return this.#pending === 0 && this.#barrier === null && this.#large === null && !this.#parser.isPending;
  }

  /** Sends the frame that `context.frames` holds; the reply makes the answer. `keyIndex` as for `Request`. */
  send(route: ShardRoute, answer: Answer, isWrite: boolean, keyIndex: number, nowMs: number): void {
    const { frames } = this.context;
    const request = acquireRequest();
    request.bytes = frames.buffer;
    request.start = frames.start;
    request.end = frames.end;
    request.isWrite = isWrite;
    request.keyIndex = keyIndex;
    request.startedMs = nowMs;
    this.submit(request, route, answer);
  }

  /** As `send`, of a request that was made elsewhere. */
  submit(request: Request, route: ShardRoute, answer: Answer): void {
    this.#append(request, answer);
    this.context.router.submit(request, route);
  }

  /** A place in the order of answers for a command of several requests; they are to be sent and sealed by the caller. */
  split(nowMs: number, answerOf: (parts: Parts) => Answer): Parts {
    const command = acquireRequest();
    command.keyIndex = -1;
    command.startedMs = nowMs;
    const parts = new Parts(command, (bytes) => this.#grown(bytes));
    this.#append(command, answerOf(parts));
    return parts;
  }

  /** Answers the current command without asking a node. */
  say(answer: Answer): void {
    const request = acquireRequest();
    request.state = RequestState.READY;
    request.startedMs = this.lastActiveMs;
    this.#append(request, answer);
    if (request === this.#head) this.#schedule();
  }

  /**
   * Runs `action`, which sends parts of the current command, such that they overtake no earlier command: when some of those wait for the ring,
   * once they are answered. To be called as the last thing that a command does.
   */
  inOrder(action: () => void): void {
    if (!this.context.router.hasParked(this)) action();
    else this.#barrier = action;
  }

  ready(request: Request, grewBytes: number): void {
    this.#heldBytes += grewBytes;
    this.#replyBytes += request.length;
    if (request === this.#head) this.#schedule();
    else this.#compact(request);
    if (this.#replyBytes > this.context.limits.maxHeldBytes) this.#cut();
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
    this.#socket.destroy();
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#isClosed) return;
    while (!this.#isBlocked && this.#head !== null && this.#head.state === RequestState.READY)
      this.#writeBatch();
    if (this.#pending === 0 && this.#barrier !== null) this.#runBarrier();
    if (this.#isHeld && this.#pending * 2 <= this.#window.allowed && this.#hasRoom()) this.#resume();
    this.#endIfDone();
  }

  #append(request: Request, answer: Answer): void {
    request.sink = this;
    request.protocol = 2;
    request.commandId = this.commandId;
    request.next = null;
    if (this.#tail === null) this.#head = request;
    else this.#tail.next = request;
    this.#tail = request;
    this.#answers.push(answer);
    this.#pending++;
    this.#heldBytes += request.length;
  }

  #writeBatch(): void {
    const { out, counters, figures, router } = this.context;
    const { nowMs } = router.env.turn;
    let request = this.#head;
    let count = 0;
    let freed = 0;
    while (request !== null && request.state === RequestState.READY && out.size < BATCH_BYTES) {
      const answer = this.#answers.shift();
      answer.write(out, request, counters);
      freed += request.length;
      const hasFailed = answer.parts === null && request.bytes[request.start] === MINUS;
      figures.ended(request.commandId, request.startedMs, nowMs, hasFailed);
      if (answer.parts !== null) {
        freed += answer.parts.bytes;
        answer.parts.release();
      }
      const { next } = request;
      releaseRequest(request);
      request = next;
      count++;
    }
    this.#head = request;
    if (request === null) this.#tail = null;
    this.#pending -= count;
    this.#heldBytes -= freed;
    this.#replyBytes -= freed;
    counters.bytes_written += out.size;
    this.#window.learn(count, freed);
    if (!out.writeTo(this.#socket)) this.#isBlocked = true;
  }

  #received(chunk: Buffer): void {
    this.lastActiveMs = this.context.router.env.clock.monotonicMs();
    this.context.counters.bytes_read += chunk.length;
    if (this.#isEnding) return;
    const parser = this.#parser;
    parser.push(this.#large === null ? chunk : this.#takeLarge(this.#large, chunk));
    if (this.#large !== null) return;
    if (this.#barrier !== null || this.#isHeld) {
      if (parser.bufferedBytes > this.context.limits.maxHeldBytes / 2) this.#pause();
      return;
    }
    this.#process();
  }

  #process(): void {
    const parser = this.#parser;
    const nowMs = this.lastActiveMs;
    this.#isProcessing = true;
    try {
      while (this.#mayTake() && parser.next()) dispatch(this, parser, nowMs);
      if (this.#barrier === null && !this.#isEnding && !this.#isHeld) this.#beginLarge();
    } catch (error) {
      this.#refuseInput(error as Error);
    }
    this.#isProcessing = false;
    parser.trim();
    const isWhole = !parser.isPending && this.#large === null;
    if (isWhole || this.#isHeld || this.#barrier !== null) this.partialSinceMs = 0;
    else if (this.partialSinceMs === 0) this.partialSinceMs = nowMs;
  }

  /** A long block is kept in the pieces in which it comes. */
  #beginLarge(): void {
    const parser = this.#parser;
    const missing = parser.missingBytes;
    if (missing < LARGE_BYTES || !this.isAuthenticated) return;
    parser.detach();
    const store = mayRun(this, parser) ? prepareStore(this, parser) : null;
    if (store === null) {
      parser.skip(missing);
      return;
    }
    this.#large = new LargeFrame(missing);
    this.#largeStore = store;
  }

  /** What lies behind the long block in `chunk`. */
  #takeLarge(large: LargeFrame, chunk: Buffer): Buffer {
    const behind = large.take(chunk);
    if (!large.isComplete) return behind;
    const store = this.#largeStore!;
    this.#large = this.#largeStore = null;
    submitLarge(this, store, large, this.lastActiveMs);
    return behind;
  }

  #mayTake(): boolean {
    if (this.#barrier !== null || this.#isEnding) return false;
    if (this.#pending < this.#window.allowed && this.#hasRoom()) return true;
    this.#isHeld = true;
    this.#pause();
    return false;
  }

  #hasRoom(): boolean {
    return this.#heldBytes <= this.context.limits.maxHeldBytes / 2;
  }

  /** What came is no memcached protocol: earlier commands are answered, then the error, then the end. */
  #refuseInput(error: Error): void {
    const { log, stats } = this.context.router.env;
    const isExpected = error.name === 'MemcachedProtocolError';
    if (!isExpected) log.error({ client: this.address, err: error }, 'a command failed');
    stats.add(Stat.protocolErrors);
    this.say(new LineAnswer(isExpected ? error.message : 'SERVER_ERROR internal error'));
    this.end();
  }

  #grown(bytes: number): void {
    this.#heldBytes += bytes;
    this.#replyBytes += bytes;
    if (this.#replyBytes > this.context.limits.maxHeldBytes) this.#cut();
  }

  #resume(): void {
    this.#isHeld = false;
    if (!this.#isProcessing) this.#process();
    this.#finishIfRead();
    if (this.#isHeld || this.#barrier !== null || !this.#isPaused) return;
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
    this.#barrier = null;
    action();
    if (!this.#isClosed && !this.#isProcessing) this.#resume();
  }

  /** Commands that wait in the parser, held back or behind a barrier, are still taken. */
  #finishIfRead(): void {
    if (this.#isFinishing && !this.#isHeld && this.#barrier === null) this.end();
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

  /** A reply that waits does not keep all of the chunk it came in. */
  #compact(request: Request): void {
    const length = request.end - request.start;
    if (!this.#isBlocked || request.rest !== null || request.bytes.length <= length * COMPACT_RATIO) return;
    request.bytes = Buffer.from(request.bytes.subarray(request.start, request.end));
    request.start = 0;
    request.end = length;
  }

  #cut(): void {
    const { log, stats } = this.context.router.env;
    const setting = 'proxy.limits.maxBufferedBytesPerConnection';
    log.warn(
      { client: this.address, setting, heldBytes: this.#replyBytes },
      'client closed: it does not read its answers',
    );
    stats.add(Stat.connectionsCut);
    this.destroy();
  }

  /** The client closed its side: what it sent before is still answered. */
  #ended(): void {
    this.#inputEnded = true;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#pending > 0 || this.#barrier !== null || this.#isHeld || this.#isClosed) return;
    if (this.endedMs > 0 || !(this.#isEnding || this.#inputEnded)) return;
    this.endedMs = this.context.router.env.clock.monotonicMs();
    this.#socket.end();
    // What still comes is thrown away: closing at once would reset the connection, and the answers with it.
    this.#socket.resume();
  }

  #closed(): void {
    this.#isClosed = true;
    this.#barrier = null;
    let request = this.#head;
    while (request !== null) {
      const { next } = request;
      request.next = null;
      this.#answers.shift().parts?.abandon();
      if (request.state === RequestState.READY) releaseRequest(request);
      else request.sink = discard;
      request = next;
    }
    this.#head = this.#tail = null;
    this.#pending = 0;
    this.context.closed(this);
  }
}
