import type { Socket } from 'node:net';
import type { Clock, Logger, Random } from '../../lib/base/index.ts';
import { RdbFormatError } from '../../lib/codec/rdb/index.ts';
import {
  encodeCommand,
  RequestParser,
  type RespLimits,
  RespProtocolError,
} from '../../lib/codec/resp/index.ts';
import { BackoffPolicy, connectSocket, type TlsMaterial } from '../../lib/net/index.ts';
import type { LeaderLinkFacts, SyncBytes } from '../cluster/shard-state.ts';
import type { Databases } from '../databases.ts';
import { readStreamFacts, SnapshotLoader } from '../persistence/index.ts';
import { BulkReceiver } from './bulk-receiver.ts';
import { Handshake, type Outcome } from './handshake.ts';
import type { Replayer } from './replayer.ts';
import { StreamApplier, StreamError } from './stream-applier.ts';
import { StreamUnit } from './stream-unit.ts';

const BACKOFF = { initialMs: 50, maxMs: 1000 };
/** Longest line of an answer in the handshake. */
const MAX_LINE_BYTES = 1024;
const LF = 0x0a;
const ACK_MS = 1000;

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
  /** As whom to log in; an empty password for not at all. */
  readonly login: { readonly user: string; readonly password: string };
  /** Port at which this node listens. */
  readonly listeningPort: number;
  /** The host it wants to be known by; empty for the one it is seen at. */
  readonly announcedHost: string;
  readonly limits: RespLimits;
  /** Silence, in milliseconds, after which the link is opened again; also the time to connect. */
  readonly timeoutMs: number;
  /** The same for a redis-server, which says something every 10 s, and takes its time before a full sync. */
  readonly redisTimeoutMs: () => number;
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
  /** The snapshot of a full sync is here. */
  onLoaded(): void;
  /** The stream has another name now, of which whoever follows this node knows nothing. */
  onRenamed(): void;
  /** More of the stream is here. */
  onStream(): void;
  /** Data set complete and the stream followed (true), or no longer followed (false). */
  onSynced(synced: boolean): void;
  /** The leader refused, with this text. */
  onRefused(text: string): void;
}

/**
 * The follower's end of the link: connects to the leader, asks for the stream from where it stands, applies it, and acknowledges. Opens
 * the link again, with backoff, for as long as it is not closed.
 */
export class LeaderLink implements LeaderLinkFacts {
  readonly #options: LeaderLinkOptions;
  readonly #backoff: BackoffPolicy;
  /** The stream had something in it that cannot be applied: only a full sync gets past it. */
  #mustStartOver = false;
  /** The leader follows another one, and passes on what that one says. */
  #isRelay = false;
  readonly #applier: StreamApplier;
  #socket: Socket | null = null;
  /** Each is there in its turn: handshake, snapshot, stream. */
  #handshake: Handshake | null = null;
  #bulk: BulkReceiver | null = null;
  #loader: SnapshotLoader | null = null;
  #parser: RequestParser | null = null;
  /** What has come of a unit whose end has not; lost with the link. */
  #unit: StreamUnit | null = null;
  #line = Buffer.alloc(0);
  #retry: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #acks: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isSynced = false;
  #ackedOffset = -1;
  /** Offset at which a stream that is continued is level with what the leader had at the handshake. */
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

  /** Whether a snapshot is being taken in. */
  get isLoading(): boolean {
    return this.#bulk !== null;
  }

  /** Bytes of the snapshot that have come, and in all (0: the leader did not say); null while none is being taken in. */
  get syncBytes(): SyncBytes | null {
    return this.#bulk && { read: this.#loader!.offset, total: this.#bulk.totalBytes };
  }

  get state(): string {
    if (this.#isSynced) return 'connected';
    if (this.#bulk !== null || this.#parser !== null) return 'sync';
    if (this.#handshake !== null) return 'handshake';
    return this.#socket === null ? 'connect' : 'connecting';
  }

  /** Why the link was lost or could not be made, the last time; empty once it is level. */
  get lastProblem(): string {
    return this.#lastProblem;
  }

  #open(): void {
    const { target, tls, timeoutMs } = this.#options;
    const socket = connectSocket({ host: target.host, port: target.port, tls, timeoutMs }, () =>
      this.#greet(),
    );
    this.#socket = socket;
    this.#line = Buffer.alloc(0);
    let reason = 'the leader closed the link';
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.once('close', () => this.#lost(socket, reason));
  }

  #greet(): void {
    const { target, databases, login, hooks, listeningPort, announcedHost } = this.#options;
    const { log } = databases.data;
    const goesOn = hooks.isComplete() && log.active && !this.#mustStartOver;
    this.#handshake = new Handshake({
      ...target,
      ...login,
      listeningPort,
      announcedHost,
      position: goesOn ? { replId: log.replId, offset: log.end } : null,
    });
    this.#socket?.write(this.#handshake.ask());
    this.#watchSilence();
  }

  /** Opens the link again when nothing arrives for too long. */
  #watchSilence(): void {
    const { timeoutMs, redisTimeoutMs } = this.#options;
    const isRedis = this.#handshake === null && !this.#applier.isFromNode;
    const ms = isRedis ? Math.max(timeoutMs, redisTimeoutMs()) : timeoutMs;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#fail(`nothing arrived for ${ms} ms`), ms);
  }

  #send(...parts: (string | number)[]): void {
    this.#socket?.write(encodeCommand(...parts));
  }

  #received(chunk: Buffer): void {
    this.#silence?.refresh();
    try {
      let rest: Buffer | null = chunk;
      if (this.#handshake) rest = this.#readAnswers(rest, this.#handshake);
      if (this.#bulk || this.#parser) this.heardAtMs = this.#options.clock.monotonicMs();
      if (rest && this.#bulk) rest = this.#readSnapshot(rest, this.#bulk);
      if (rest && this.#parser) this.#applyAll(rest, this.#parser);
    } catch (error) {
      const isForeseen =
        error instanceof RespProtocolError || error instanceof StreamError || error instanceof RdbFormatError;
      if (!isForeseen) this.#options.log.error({ err: error }, 'the stream could not be applied');
      // The same bytes would come again: what is there is taken anew instead.
      this.#mustStartOver = true;
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** Takes the lines that answer the handshake; returns what follows the last one, null while they are not all there. */
  #readAnswers(chunk: Buffer, handshake: Handshake): Buffer | null {
    let rest = Buffer.concat([this.#line, chunk]);
    for (;;) {
      const end = rest.indexOf(LF);
      if (end < 0) {
        if (rest.length > MAX_LINE_BYTES) throw new StreamError('the leader does not speak this protocol');
        this.#line = rest;
        return null;
      }
      const line = rest.latin1Slice(0, end).trimEnd();
      rest = rest.subarray(end + 1);
      // Signs of life of a leader that is not ready yet.
      if (line === '') continue;
      const outcome = handshake.answer(line);
      if (outcome === null) this.#socket?.write(handshake.ask());
      else return this.#begin(outcome, handshake) ? rest : null;
    }
  }

  /** Does what the handshake has come to; false when it was refused. */
  #begin(outcome: Outcome, { isNode, isRelay }: Handshake): boolean {
    const { databases, log, hooks, target } = this.#options;
    const stream = databases.data.log;
    const leader = `${target.host}:${target.port}`;
    if (outcome.kind === 'refused') {
      hooks.onRefused(outcome.text);
      this.#fail(`refused: ${outcome.text}`);
      return false;
    }
    this.#handshake = null;
    this.#isRelay = isRelay;
    const isRenamed =
      outcome.kind === 'continue' && outcome.replId !== '' && outcome.replId !== stream.replId;
    // A redis-server may pass on the stream of a node.
    const isPassedOn = outcome.kind === 'continue' && !isRenamed && stream.position.saysVersions;
    this.#applier.isFromNode = isNode || isPassedOn;
    this.#watchSilence();
    if (outcome.kind === 'full sync') this.#beginFullSync(outcome.replId, outcome.offset);
    else {
      log.info({ leader, offset: stream.end }, 'following on');
      if (isRenamed) {
        stream.rename(outcome.replId);
        stream.position.saysVersions = isNode;
        hooks.onRenamed();
      }
      this.#levelAt = outcome.levelAt < 0 ? stream.end : outcome.levelAt;
      this.#followStream();
      if (stream.end >= this.#levelAt) this.#synced();
    }
    return true;
  }

  #beginFullSync(replId: string, offset: number): void {
    const { databases, log, hooks, target, clock } = this.#options;
    log.info({ leader: `${target.host}:${target.port}`, offset }, 'full sync begins');
    this.#mustStartOver = false;
    hooks.onFullSync();
    databases.reset();
    databases.data.log.restart(replId, offset);
    if (this.#applier.isFromNode) databases.data.versions.forget();
    else databases.data.versions.startAtTime(clock.wallMs());
    databases.data.log.position.saysVersions = this.#applier.isFromNode;
    // What has expired goes when the leader says so.
    const loader = new SnapshotLoader(databases, { skipsExpired: false, nowMs: clock.wallMs() });
    this.#loader = loader;
    this.#bulk = new BulkReceiver(loader);
  }

  /** Takes a piece of the snapshot; returns what follows it, null while it is not whole. */
  #readSnapshot(chunk: Buffer, bulk: BulkReceiver): Buffer | null {
    const rest = bulk.push(chunk);
    if (rest === null) return null;
    const { databases, log, hooks } = this.#options;
    const loader = this.#loader!;
    if (!loader.isDone) throw new StreamError(`the snapshot ends at offset ${loader.offset}, in the middle`);
    this.#bulk = null;
    this.#loader = null;
    const { data } = databases;
    const facts = readStreamFacts(loader.fields);
    const { position } = data.log;
    position.database = facts?.database ?? 0;
    if (!this.#applier.isFromNode) position.moveTo(data.versions.high, data.versions.low);
    else if (facts?.version) position.moveTo(facts.version.high, facts.version.low);
    log.info({ keys: databases.size, offset: data.log.end }, 'full sync done');
    hooks.onLoaded();
    this.#followStream();
    // A node that leads says when the follower is level; others do not.
    if (!this.#applier.isFromNode || this.#isRelay) this.#synced();
    else this.#acknowledge();
    return rest;
  }

  #followStream(): void {
    this.#parser = new RequestParser(this.#options.limits);
    this.#acks = setInterval(() => this.#acknowledge(), ACK_MS);
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
      if (this.#unit) this.#collect(parser, this.#unit);
      else this.#apply(parser);
      // A hook may have closed the link.
      if (this.#isClosed) return;
    }
    this.#options.hooks.onStream();
    if (!this.#isSynced && stream.end >= this.#levelAt) this.#synced();
    else if (stream.end !== this.#ackedOffset) this.#acknowledge();
  }

  #apply(parser: RequestParser): void {
    const stream = this.#options.databases.data.log;
    const asked = this.#applier.apply(parser);
    if (asked.kind === 'multi') {
      this.#unit = new StreamUnit(parser);
      return;
    }
    stream.append(parser.buffer, parser.frameStart, parser.frameEnd);
    if (asked.kind === 'lease') this.#grant(asked.epoch, asked.seq);
    else if (asked.kind === 'acknowledgement') this.#acknowledge();
    else if (asked.kind === 'level' && asked.id === this.#options.target.id && !this.#isSynced)
      this.#synced();
    else if (asked.kind === 'exec') throw new StreamError('the stream has an EXEC without a MULTI');
  }

  /** Takes a command of a unit; with EXEC they take effect together, and are in this node's own stream together. */
  #collect(parser: RequestParser, unit: StreamUnit): void {
    if (!unit.add(parser)) return;
    this.#unit = null;
    const bytes = unit.take();
    const frames = new RequestParser({ ...this.#options.limits, maxBufferedBytes: bytes.length });
    frames.push(bytes);
    while (frames.next()) this.#applier.apply(frames);
    this.#options.databases.data.log.append(bytes, 0, bytes.length);
  }

  #grant(epoch: number, seq: number): void {
    if (!this.#options.hooks.mayGrant(epoch)) return;
    this.grantedAtMs = this.#options.clock.monotonicMs();
    this.#send('RS.GRANT', seq);
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
    clearInterval(this.#acks);
    this.#socket = null;
    this.#handshake = null;
    this.#bulk = null;
    this.#loader = null;
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
