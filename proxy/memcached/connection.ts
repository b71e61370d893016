import type { Socket } from 'node:net';
import { LARGE_BYTES, LargeFrame } from '../core/large-frame.ts';
import { acquireRequest, type Request, RequestState } from '../core/request.ts';
import type { ShardRoute } from '../core/topology.ts';
import { ClientConnection } from '../listener/index.ts';
import { type Answer, LineAnswer } from './answer.ts';
import { AnswerQueue } from './answer-queue.ts';
import type { MemcachedContext } from './context.ts';
import { dispatch, mayRun } from './dispatch.ts';
import type { JoinedGets } from './joined-gets.ts';
import { Parts } from './parts.ts';
import { MemcachedParser } from './protocol/index.ts';
import { type PreparedStore, prepareStore, submitLarge } from './store-command.ts';

/** One memcached client. */
export class MemcachedConnection extends ClientConnection<MemcachedParser> {
  readonly context: MemcachedContext;
  /** In the order of the requests. */
  readonly #answers = new AnswerQueue();
  #largeStore: PreparedStore | null = null;

  constructor(socket: Socket, address: string, context: MemcachedContext) {
    const { limits, access, router, commands } = context;
    const parser = new MemcachedParser({ ...limits, maxBufferedBytes: limits.maxHeldBytes });
    const expectsLong = false;
    super({ socket, address, parser, limits, expectsLong, users: access.users, router, commands });
    this.context = context;
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
    const parts = new Parts(command, (bytes) => this.hold(bytes, bytes));
    this.#append(command, answerOf(parts));
    return parts;
  }

  /** A place in the order of answers for a command of several requests, or so many commands, whose reply is made of theirs. */
  placeholder(answer: Answer, nowMs: number, times = 1): Request {
    const command = acquireRequest();
    command.keyIndex = -1;
    command.times = times;
    command.startedMs = nowMs;
    this.#append(command, answer);
    return command;
  }

  /** Answers the current command without asking a node. */
  say(answer: Answer): void {
    const request = acquireRequest();
    request.state = RequestState.READY;
    request.startedMs = this.lastActiveMs;
    this.#append(request, answer);
    this.enqueuedReady(request);
  }

  /**
   * Runs `action`, which sends parts of the current command, such that they overtake no earlier command: when some of those wait for the ring,
   * once they are answered. To be called as the last thing that a command does.
   */
  inOrder(action: () => void): void {
    if (!this.context.router.hasParked(this)) action();
    else
      this.barrier((done) => {
        action();
        done();
      });
  }

  #append(request: Request, answer: Answer): void {
    request.protocol = 2;
    this.#answers.push(answer);
    this.enqueue(request);
  }

  protected override received(bytes: Buffer, start: number, end: number): void {
    this.context.counters.bytes_read += end - start;
    super.received(bytes, start, end);
  }

  protected override takeCommands(nowMs: number): void {
    const { parser } = this;
    const { joined } = this.context;
    if (joined.mayJoin(this, this.usualReplyBytes)) this.#takeJoined(joined, nowMs);
    else while (this.mayTake() && parser.next()) dispatch(this, parser, nowMs);
    parser.trim();
  }

  /** As `takeCommands`; neighbouring `get`s go together. */
  #takeJoined(joined: JoinedGets, nowMs: number): void {
    const { parser } = this;
    const { watch } = this.context;
    try {
      while (this.mayTake(joined.count) && parser.next()) {
        if (watch.quiet > 0 && joined.takes(this, parser, nowMs)) {
          watch.quiet--;
          continue;
        }
        joined.send(this, nowMs);
        dispatch(this, parser, nowMs);
      }
    } finally {
      joined.send(this, nowMs);
    }
  }

  protected override get isPartial(): boolean {
    return this.parser.isPending;
  }

  /** A long block is kept in the pieces in which it comes. */
  protected override beginLarge(): LargeFrame | null {
    const { parser } = this;
    const missing = parser.missingBytes;
    if (missing < LARGE_BYTES || !this.isAuthenticated) return null;
    parser.detach();
    this.#largeStore = mayRun(this, parser) ? prepareStore(this, parser) : null;
    if (this.#largeStore !== null) return new LargeFrame(missing);
    parser.skip(missing);
    return null;
  }

  protected override endLarge(large: LargeFrame): void {
    const store = this.#largeStore!;
    this.#largeStore = null;
    submitLarge(this, store, large, this.lastActiveMs);
  }

  protected override explain({ name, message }: Error): boolean {
    const isExpected = name === 'MemcachedProtocolError';
    this.say(new LineAnswer(isExpected ? message : 'SERVER_ERROR internal error'));
    return isExpected;
  }

  protected override give(request: Request, nowMs: number): number {
    const { out, counters, commands } = this.context;
    const answer = this.#answers.shift();
    const sizeBefore = out.size;
    out.failure = null;
    out.failures = 0;
    answer.write(out, request, counters);
    commands.ended(request, nowMs, out.size - sizeBefore, out);
    if (answer.parts === null) return request.length;
    const { bytes } = answer.parts;
    answer.parts.release();
    return request.length + bytes;
  }

  protected override write(): boolean {
    const { out, counters } = this.context;
    counters.bytes_written += out.size;
    return out.writeTo(this.socket);
  }

  protected override gone(): void {
    for (const answer of this.#answers.drain()) answer.parts?.abandon();
    this.context.closed(this);
  }
}
