import type { Socket } from 'node:net';
import type { Clock, Logger, Random } from '../../lib/base/index.ts';
import {
  encodeCommand,
  RequestParser,
  type RespLimits,
  RespProtocolError,
} from '../../lib/codec/resp/index.ts';
import { BackoffPolicy, connectSocket, type TlsMaterial } from '../../lib/net/index.ts';
import type { Databases } from '../databases.ts';
import type { Replayer } from './replayer.ts';
import { StreamApplier, StreamError } from './stream-applier.ts';
import { StreamUnit } from './stream-unit.ts';

const BACKOFF = { initialMs: 50, maxMs: 1000 };
/** Longest line of an answer to the greeting. */
const MAX_LINE_BYTES = 1024;
const LF = 0x0a;

/** Whom to follow, and as whom. */
export interface LeaderTarget {
  readonly host: string;
  readonly port: number;
  readonly shard: string;
  readonly shardEpoch: number;
  /** Node id of this node. */
  readonly id: string;
}

/** What a link to the leader needs. */
export interface LeaderLinkOptions {
  readonly target: LeaderTarget;
  readonly databases: Databases;
  readonly replayer: Replayer;
  readonly tls: TlsMaterial | undefined;
  readonly password: string;
  readonly limits: RespLimits;
  /** Silence, in milliseconds, after which the link is opened again; also the time to connect. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly hooks: LeaderLinkHooks;
}

/** What the owner of a link decides and wants to know. */
export interface LeaderLinkHooks {
  /** The leader of `epoch` asks for its lease. */
  mayGrant(epoch: number): boolean;
  /** Whether what is here is a whole data set to go on from. */
  isComplete(): boolean;
  /** A full sync begins: what was here is gone. */
  onFullSync(): void;
  /** Data set complete and the stream followed (true), or no longer followed (false). */
  onSynced(synced: boolean): void;
  /** The leader refused, with this text. */
  onRefused(text: string): void;
}

/**
 * The follower's end of the link: connects to the leader, asks for the stream from where it stands, applies it, and acknowledges. Opens
 * the link again, with backoff, for as long as it is not closed.
 */
export class LeaderLink {
  readonly #options: LeaderLinkOptions;
  readonly #backoff: BackoffPolicy;
  /** The stream had something in it that cannot be applied: only a full sync gets past it. */
  #mustStartOver = false;
  readonly #applier: StreamApplier;
  #socket: Socket | null = null;
  #parser: RequestParser | null = null;
  /** Answers to the greeting that are still to come. */
  #greetings = 0;
  /** What has come of a unit whose end has not; lost with the link. */
  #unit: StreamUnit | null = null;
  #line = Buffer.alloc(0);
  #retry: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isSynced = false;
  #ackedOffset = -1;
  /** Offset at which a stream that is continued is level with what the leader had at the greeting. */
  #levelAt = Infinity;
  #lastProblem = '';
  /** Monotonic milliseconds of the last byte from the leader; -1 for never. A refusal comes from nobody who leads. */
  heardAtMs = -1;
  /** Monotonic milliseconds of the last lease granted; -1 for never. */
  grantedAtMs = -1;

  constructor(options: LeaderLinkOptions) {
    this.#options = options;
    this.#backoff = new BackoffPolicy(BACKOFF, options.random);
    this.#applier = new StreamApplier(options.databases, options.replayer);
    this.#open();
  }

  /** Whether the data set is complete and the stream is being followed. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  #open(): void {
    const { target, tls, timeoutMs } = this.#options;
    const socket = connectSocket({ host: target.host, port: target.port, tls, timeoutMs }, () =>
      this.#greet(),
    );
    this.#socket = socket;
    this.#parser = null;
    this.#line = Buffer.alloc(0);
    let reason = 'the leader closed the link';
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.once('close', () => this.#lost(socket, reason));
  }

  #greet(): void {
    const { target, databases, password, hooks, timeoutMs } = this.#options;
    const { log } = databases.data;
    const complete = hooks.isComplete() && log.active && !this.#mustStartOver;
    this.#greetings = password === '' ? 1 : 2;
    if (password !== '') this.#send('AUTH', password);
    this.#send(
      'RS.REPLICATE',
      target.shard,
      target.shardEpoch,
      target.id,
      complete ? log.replId : '?',
      complete ? log.end : 0,
    );
    this.#silence = setTimeout(() => this.#fail(`nothing arrived for ${timeoutMs} ms`), timeoutMs);
  }

  #send(...parts: (string | number)[]): void {
    this.#socket?.write(encodeCommand(...parts));
  }

  #received(chunk: Buffer): void {
    this.#silence?.refresh();
    try {
      const rest = this.#parser ? chunk : this.#readGreeting(chunk);
      if (!rest || !this.#parser) return;
      this.heardAtMs = this.#options.clock.monotonicMs();
      this.#applyAll(rest, this.#parser);
    } catch (error) {
      const isForeseen = error instanceof RespProtocolError || error instanceof StreamError;
      if (!isForeseen) this.#options.log.error({ err: error }, 'the stream could not be applied');
      // The same bytes would come again: what is there is taken anew instead.
      this.#mustStartOver = true;
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** Takes the lines that answer the greeting; returns what follows the last one, null while they are not all there. */
  #readGreeting(chunk: Buffer): Buffer | null {
    let rest = Buffer.concat([this.#line, chunk]);
    while (this.#greetings > 0) {
      const end = rest.indexOf(LF);
      if (end < 0) {
        if (rest.length > MAX_LINE_BYTES) throw new StreamError('the leader does not speak this protocol');
        this.#line = rest;
        return null;
      }
      const line = rest.latin1Slice(0, end).trimEnd();
      rest = rest.subarray(end + 1);
      this.#greetings--;
      if (!this.#accept(line)) return null;
    }
    this.#parser = new RequestParser(this.#options.limits);
    return rest;
  }

  #accept(line: string): boolean {
    const { databases, log, hooks, target } = this.#options;
    const stream = databases.data.log;
    const leader = `${target.host}:${target.port}`;
    if (this.#greetings > 0 && line === '+OK') return true;
    const [word, replId, offset] = line.slice(1).split(' ');
    if (line.startsWith('+FULLRESYNC ')) {
      log.info({ leader, offset }, 'full sync begins');
      this.#mustStartOver = false;
      hooks.onFullSync();
      databases.reset();
      stream.restart(replId, Number(offset));
      this.#applier.isSyncing = true;
    } else if (line.startsWith('+CONTINUE ')) {
      log.info({ leader, offset: stream.end }, 'following on');
      if (replId !== stream.replId) stream.rename(replId);
      this.#levelAt = Number(offset);
    } else {
      if (line.startsWith('-')) hooks.onRefused(line.slice(1));
      this.#fail(line.startsWith('-') ? `refused: ${line.slice(1)}` : `unexpected answer ${word}`);
      return false;
    }
    return true;
  }

  #synced(): void {
    this.#isSynced = true;
    this.#lastProblem = '';
    this.#backoff.reset();
    this.#options.hooks.onSynced(true);
    this.#acknowledge();
  }

  #applyAll(chunk: Buffer, parser: RequestParser): void {
    const stream = this.#options.databases.data.log;
    parser.push(chunk);
    while (parser.next()) {
      if (this.#unit?.takes(parser)) this.#collect(parser, this.#unit);
      else this.#apply(parser);
      // A hook may have closed the link.
      if (this.#isClosed) return;
    }
    if (!this.#isSynced && stream.end >= this.#levelAt) this.#synced();
    else if (this.#isSynced && stream.end !== this.#ackedOffset) this.#acknowledge();
  }

  #apply(parser: RequestParser): void {
    const frame = this.#applier.apply(parser);
    if (frame.kind === 'unit') this.#unit = new StreamUnit(parser, frame.bytes);
    else if (frame.kind === 'lease') this.#grant(frame.epoch, frame.seq);
    else if (frame.kind === 'snapshot end') this.#endSnapshot(frame.offset);
    else if (frame.kind === 'effect') {
      this.#options.databases.data.log.append(parser.buffer, parser.frameStart, parser.frameEnd);
    }
  }

  /** Takes a frame of a unit; with the last one they take effect together, and are in this node's own stream together. */
  #collect(parser: RequestParser, unit: StreamUnit): void {
    unit.add(parser);
    if (!unit.isWhole) return;
    this.#unit = null;
    const bytes = unit.take();
    const frames = new RequestParser({ ...this.#options.limits, maxBufferedBytes: bytes.length });
    frames.push(bytes);
    frames.next();
    while (frames.next()) {
      const { kind } = this.#applier.apply(frames);
      if (kind !== 'effect') throw new StreamError(`a unit of the stream had a ${kind} in it`);
    }
    this.#options.databases.data.log.append(bytes, 0, bytes.length);
  }

  #endSnapshot(offset: number): void {
    const { databases, log } = this.#options;
    const { end } = databases.data.log;
    if (offset !== end) {
      throw new StreamError(`the snapshot ends at offset ${offset}, the stream stands at ${end}`);
    }
    this.#applier.isSyncing = false;
    log.info({ keys: databases.size, offset }, 'full sync done');
    this.#synced();
  }

  #grant(epoch: number, seq: number): void {
    if (!this.#options.hooks.mayGrant(epoch)) return;
    this.grantedAtMs = this.#options.clock.monotonicMs();
    this.#send('RS.LEASEACK', seq);
  }

  #acknowledge(): void {
    this.#ackedOffset = this.#options.databases.data.log.end;
    this.#send('REPLCONF', 'ACK', this.#ackedOffset);
  }

  #fail(reason: string): void {
    this.#socket?.destroy();
    if (this.#socket) this.#lost(this.#socket, reason);
  }

  #lost(socket: Socket, reason: string): void {
    if (socket !== this.#socket) return;
    const { log, target } = this.#options;
    this.#release();
    if (reason !== this.#lastProblem) {
      log.warn({ leader: `${target.host}:${target.port}`, reason }, 'link to the leader is down');
    }
    this.#lastProblem = reason;
    this.#retry = setTimeout(() => this.#open(), this.#backoff.nextDelayMs());
  }

  #release(): void {
    clearTimeout(this.#silence);
    this.#socket = null;
    this.#parser = null;
    this.#unit = null;
    this.#ackedOffset = -1;
    this.#levelAt = Infinity;
    if (!this.#isSynced) return;
    this.#isSynced = false;
    this.#options.hooks.onSynced(false);
  }

  /** Ends the link for good; nothing of it is applied any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#release();
    socket?.destroy();
  }
}
