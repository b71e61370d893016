import type { Socket } from 'node:net';
import { RingsideError } from '../../lib/base/index.ts';
import { encodeCommand, ReplyFramer } from '../../lib/codec/resp/index.ts';
import { connectSocket, readRanges } from '../../lib/net/index.ts';
import { isErrorReply } from './frames.ts';
import { type ConnectionPurpose, greetingOf, isRefused, tlsTo } from './greeting.ts';
import type { Router } from './router.ts';
import type { UpstreamNode } from './topology.ts';

const PUSH_TYPE = 0x3e;
/** The longest that a timer of the platform can be set to. */
const MAX_TIMER_MS = 0x7fffffff;

/** Hears a reply, or a push: `buffer[start, end)`, which stays true for as long as somebody keeps it. */
export type FrameListener = (buffer: Buffer, start: number, end: number) => void;

/** What a private connection is opened for. */
export interface PrivateOptions extends ConnectionPurpose {
  readonly router: Router;
}

interface Awaited {
  /** Replies that this listener still gets. */
  left: number;
  readonly onReply: FrameListener;
}

const ignore = (): void => {};

/**
 * A connection to a node for one purpose alone: a client that blocks or WATCHes, transactions, subscriptions, WAIT. Says the same greeting
 * as a `Link`, and announces each later shard epoch before whatever is sent behind it, so that a deposed leader refuses what comes over it.
 *
 * It neither retries nor reconnects, and knows no deadlines but that of the greeting: whoever opened it decides. Writes once per turn.
 */
export class PrivateConnection {
  readonly node: UpstreamNode;
  readonly protocol: 2 | 3;
  readonly database: number;
  /** Hears pushes (RESP3), and whatever else comes while no reply is due: messages of RESP2 subscriptions, lines of MONITOR. */
  onPush: FrameListener = ignore;
  /** Called once when the connection ends in any way but by `close`; listeners of replies that were due hear nothing any more. */
  onClosed: (reason: string) => void = ignore;
  /** Called when the node has left the ring; null: the connection is closed then, as any other reason closes it. */
  onNodeLeft: (() => void) | null = null;
  /** The id by which the node knows this connection (CLIENT ID); null: it does not say. */
  remoteId: string | null = null;
  readonly #router: Router;
  readonly #framer = new ReplyFramer();
  #socket: Socket | null = null;
  #awaited: Awaited[] = [];
  #unsent: Buffer[] = [];
  /** Those who wait in `ask`. */
  readonly #askers = new Set<(error: Error) => void>();
  #isScheduled = false;
  #announcedEpoch: string | null;

  private constructor(node: UpstreamNode, { protocol, database, router }: PrivateOptions) {
    this.node = node;
    this.protocol = protocol;
    this.database = database;
    this.#router = router;
    this.#announcedEpoch = node.epoch;
  }

  /**
   * Connects and says the greeting within `connectTimeoutMs`. Rejects with RingsideError `shard_down` when the node cannot be reached or
   * refuses (nothing was executed then).
   */
  static open(node: UpstreamNode, options: PrivateOptions): Promise<PrivateConnection> {
    const connection = new PrivateConnection(node, options);
    return new Promise((resolve, reject) => {
      connection.onClosed = (reason) => {
        const text = `shard ${node.shard}: no connection to ${node.name} (${reason}); nothing was sent`;
        reject(new RingsideError('shard_down', text));
      };
      connection.#connect(() => {
        connection.onClosed = ignore;
        resolve(connection);
      });
    });
  }

  get isOpen(): boolean {
    return this.#socket !== null;
  }

  /** Whether replies are still due. */
  get isAwaiting(): boolean {
    return this.#awaited.length > 0;
  }

  /** Whether the connection has output that its socket did not take yet. */
  get isBacklogged(): boolean {
    return this.#socket?.writableNeedDrain ?? false;
  }

  /**
   * Sends encoded commands, at the end of the turn. `onReply` hears each of the `replies` that they get, errors included; with 0 replies
   * (SUBSCRIBE in RESP3) everything comes as a push. Does nothing on a closed connection.
   */
  send(frame: Buffer, onReply: FrameListener, replies = 1): void {
    if (this.#socket === null) return;
    if (replies > 0) this.#awaited.push({ left: replies, onReply });
    this.#unsent.push(frame);
    this.#schedule();
  }

  /**
   * As `send`, for a few replies in memory of their own. Rejects with RingsideError `shard_down` when the connection ends before they are there,
   * or because they are not there in `timeoutMs` (by default `operationTimeoutMs`; 0: without end).
   */
  ask(frame: Buffer, { replies = 1, timeoutMs = this.#patienceMs } = {}): Promise<Buffer[]> {
    if (this.#socket === null) return Promise.reject(this.#lost('closed before'));
    return new Promise((resolve, reject) => {
      const expire = () => setImmediate(() => this.abandon(`no answer within ${timeoutMs} ms`));
      const timer = timeoutMs === 0 ? undefined : setTimeout(expire, Math.min(timeoutMs, MAX_TIMER_MS));
      const heard: Buffer[] = [];
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      this.#askers.add(fail);
      const hear: FrameListener = (buffer, start, end) => {
        if (heard.push(Buffer.from(buffer.subarray(start, end))) < replies) return;
        clearTimeout(timer);
        this.#askers.delete(fail);
        resolve(heard);
      };
      this.send(frame, hear, replies);
    });
  }

  get #patienceMs(): number {
    return this.#router.env.settings.operationTimeoutMs;
  }

  /** Tells the node's present shard epoch, if it has changed, ahead of what is sent from now on. */
  announceEpoch(): void {
    const { epoch, shard } = this.node;
    if (this.#announcedEpoch === epoch) return;
    this.#announcedEpoch = epoch;
    if (epoch === null || this.#socket === null) return;
    this.send(encodeCommand('RS.EPOCH', shard, epoch), (buffer, start, end) => {
      if (isErrorReply(buffer, start)) this.#logRefusal('RS.EPOCH', buffer, start, end);
    });
  }

  /** The node has left the ring. */
  nodeLeft(): void {
    if (this.onNodeLeft === null) this.abandon('the node left the ring');
    else this.onNodeLeft();
  }

  /** Closes at once; nobody hears of it. What was sent may still be executed. */
  close(): void {
    this.onClosed = ignore;
    this.abandon('closed');
  }

  /** Closes at once for this reason, which `onClosed` hears. */
  abandon(reason: string): void {
    this.node.privates.delete(this);
    const socket = this.#socket;
    if (socket === null) return;
    this.#socket = null;
    this.#awaited = [];
    this.#unsent = [];
    socket.destroy();
    for (const reject of this.#askers) reject(this.#lost(reason));
    this.#askers.clear();
    this.onClosed(reason);
  }

  flush(): void {
    this.#isScheduled = false;
    const socket = this.#socket;
    if (socket === null || this.#unsent.length === 0) return;
    socket.write(this.#unsent.length === 1 ? this.#unsent[0] : Buffer.concat(this.#unsent));
    this.#unsent = [];
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#router.env.turn.schedule(this);
  }

  #connect(onReady: () => void): void {
    const { settings, tls } = this.#router.env;
    const { connectTimeoutMs } = settings;
    const socket = connectSocket(
      { ...this.node.address, tls: tlsTo(this.node, tls), timeoutMs: connectTimeoutMs, sharedReads: true },
      () => this.#greet(onReady),
    );
    let reason = 'the connection was closed';
    this.#socket = socket;
    this.node.privates.add(this);
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('close', () => this.abandon(reason));
    readRanges(socket, (bytes, start, end) => {
      this.#received(bytes, start, end);
      return 0;
    });
  }

  #greet(onReady: () => void): void {
    const { settings } = this.#router.env;
    this.#announcedEpoch = this.node.epoch;
    const commands = [...greetingOf(this.node, this, settings), ['CLIENT', 'ID']];
    const timer = setTimeout(
      () => this.abandon(`no answer to the greeting within ${settings.connectTimeoutMs} ms`),
      settings.connectTimeoutMs,
    );
    let left = commands.length;
    for (const parts of commands) {
      this.send(encodeCommand(...parts), (buffer, start, end) => {
        this.#greeted(parts, buffer, start, end);
        if (--left > 0 || this.#socket === null) return;
        clearTimeout(timer);
        onReady();
      });
    }
    const { onClosed } = this;
    this.onClosed = (reason) => {
      clearTimeout(timer);
      onClosed(reason);
    };
  }

  #greeted(command: readonly string[], buffer: Buffer, start: number, end: number): void {
    const [name] = command;
    if (name === 'CLIENT') {
      if (!isErrorReply(buffer, start)) this.remoteId = buffer.latin1Slice(start + 1, end - 2);
      return;
    }
    if (!isErrorReply(buffer, start)) return;
    const text = this.#logRefusal(name, buffer, start, end);
    if (isRefused(name, text)) this.abandon(`${name} was refused: ${text}`);
  }

  #received(bytes: Buffer, start: number, end: number): void {
    const framer = this.#framer;
    try {
      framer.push(bytes, start, end);
      while (this.#socket !== null && framer.next()) this.#deliver(framer);
    } catch (error) {
      this.abandon(`the node's bytes make no sense: ${(error as Error).message}`);
    }
  }

  #deliver({ type, buffer, frameStart, frameEnd }: ReplyFramer): void {
    const awaited = this.#awaited[0];
    if (type === PUSH_TYPE || awaited === undefined) {
      this.onPush(buffer, frameStart, frameEnd);
      return;
    }
    if (--awaited.left === 0) this.#awaited.shift();
    awaited.onReply(buffer, frameStart, frameEnd);
  }

  #lost(reason: string): RingsideError {
    const { name, shard } = this.node;
    return new RingsideError('shard_down', `shard ${shard}: the connection to ${name} was lost (${reason})`);
  }

  #logRefusal(command: string, buffer: Buffer, start: number, end: number): string {
    const reply = buffer.latin1Slice(start + 1, end - 2);
    const { name, shard } = this.node;
    this.#router.env.log.warn({ node: name, shard, command, reply }, 'a node refused the greeting');
    return reply;
  }
}
