import { hasErrorCode, isErrorReply } from '../core/frames.ts';
import { discard, noteAnswered, type Request, releaseRequest, type Sink } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { UpstreamNode } from '../core/topology.ts';
import {
  answerRead,
  type CommandsUnderWay,
  canTell,
  Form,
  Found,
  FoundKind,
  readFilled,
} from '../near/index.ts';
import type { BalanceCounts } from './balance-figures.ts';
import type { CopyStore } from './copies.ts';
import type { NodeLoads } from './node-loads.ts';
import type { Lane, Place, SpreadKey } from './spread-key.ts';
import { NO_TEACHER, type ReadListener, SpreadRead } from './spread-read.ts';

/** A place that did not answer is left alone for so long. */
const REST_MS = 1000;

/** What reads of spread keys need. */
export interface SpreadReadsParts {
  readonly router: Router;
  readonly loads: NodeLoads<UpstreamNode>;
  readonly underWay: CommandsUnderWay;
  readonly copies: CopyStore;
  readonly figures: BalanceCounts;
  /** Where the next read of this key, in this version of RESP, should go. */
  readonly choose: (key: SpreadKey, protocol: 2 | 3, nowMs: number) => Place;
  /** Sends a read as it is to its leader. */
  readonly sendAsIs: (request: Request, key: SpreadKey) => void;
}

/**
 * Sends the reads of spread keys, and answers them.
 *
 * Instead of the client's command goes one that tells the version: to the leader, whose answer teaches what is the newest, or elsewhere. What comes from
 * elsewhere and is missing, or older than what was answered before, is read at the leader. The reads of one client stay in order: those behind one that
 * goes to the leader after all go there too.
 */
export class SpreadReads implements ReadListener {
  readonly #parts: SpreadReadsParts;
  readonly #found = new Found();

  constructor(parts: SpreadReadsParts) {
    this.#parts = parts;
  }

  /** A client's read of the key. */
  take(key: SpreadKey, request: Request, form: Form): void {
    const sender = request.sink.command?.sink ?? request.sink;
    const lane = key.lanes.get(sender);
    if (lane !== undefined && (lane.held.length > 0 || !this.#staysIn(lane, key, request))) {
      lane.held.push({ request, form });
      return;
    }
    this.#join(lane ?? this.#openLane(key, sender, request), key, request, form);
  }

  /** A command on the key is about to be sent whose effect is not known: everything that is elsewhere goes to the leader, ahead of it. */
  bar(key: SpreadKey, isWrite: boolean): void {
    for (const lane of [...key.lanes.values()]) this.#callBack(key, lane);
    key.floor.void();
    if (!isWrite) return;
    for (const place of key.places) if (place.hasCopy) this.#parts.copies.drop(key, place);
  }

  answered(read: SpreadRead, reply: Request): void {
    if (read.place.kind === 'leader') this.#leaderAnswered(read, reply);
    else this.#otherAnswered(read, reply);
  }

  lost(read: SpreadRead): void {
    read.place.restsUntilMs = this.#nowMs() + REST_MS;
    this.#parts.figures.lost++;
    this.#goToLeader(read);
  }

  /** Whether this read may follow those that the client has under way, right now. */
  #staysIn(lane: Lane, key: SpreadKey, { startedMs, protocol }: Request): boolean {
    if (lane.isBroken) return false;
    if (lane.sinceMs === startedMs || !this.#parts.loads.isFull(lane.at.load)) return true;
    return this.#parts.choose(key, protocol, startedMs) === lane.at;
  }

  #openLane(key: SpreadKey, sender: Sink, { protocol, startedMs }: Request): Lane {
    const at = this.#parts.choose(key, protocol, startedMs);
    const lane = { sender, at, sinceMs: startedMs, reads: [], held: [], isBroken: false };
    key.lanes.set(sender, lane);
    return lane;
  }

  #join(lane: Lane, key: SpreadKey, request: Request, form: Form): void {
    lane.sinceMs = request.startedMs;
    const read = new SpreadRead(key, lane, request, form, this);
    lane.reads.push(read);
    if (lane.at.kind === 'leader') this.#askLeader(read, true);
    else this.#askOther(read);
  }

  /** `mayTeach`: nothing that is sent right behind it makes what it tells old. */
  #askLeader(read: SpreadRead, mayTeach: boolean): void {
    const { router, underWay, loads } = this.#parts;
    const { key } = read;
    read.place = key.leader;
    const isAlone = !underWay.concernsAll && underWay.count(underWay.bucketOf(key.hash)) === 0;
    read.seq = mayTeach && isAlone ? key.floor.nextSeq() : NO_TEACHER;
    read.sentMs = this.#nowMs();
    key.askedMs = read.sentMs;
    loads.sent(key.leader.load);
    router.sendOn(read.ask(key.readFrame, 1));
  }

  #askOther(read: SpreadRead): void {
    const { router, loads } = this.#parts;
    const { key, place } = read;
    const link = router.linkTo(place.load.node, read.request.protocol, 0);
    if (!link?.isReady) {
      this.lost(read);
      return;
    }
    const isCopy = place.kind === 'overflow';
    key.spreadMs = this.#nowMs();
    loads.sent(place.load);
    router.submitOver(read.ask(isCopy ? key.copyFrame : key.readFrame, isCopy ? 2 : 1), link);
  }

  #otherAnswered(read: SpreadRead, reply: Request): void {
    const { figures } = this.#parts;
    const { lane, place, key, request } = read;
    const found = this.#found;
    if (isErrorReply(reply.bytes, reply.start)) {
      this.#failed(read, reply);
      return;
    }
    const isThere = readFilled(reply, found) && found.kind === FoundKind.VALUE;
    const { versionHigh, versionLow } = found;
    if (isThere && !lane.isBroken && key.floor.accepts(versionHigh, versionLow, this.#nowMs())) {
      if (place.kind === 'follower') figures.followerReads++;
      else figures.overflowReads++;
      if (place.kind === 'overflow') place.hasCopy = true;
      this.#leave(read);
      this.#tell(read, reply);
      return;
    }
    releaseRequest(reply);
    if (isThere) figures.refused++;
    else figures.missed++;
    if (place.kind === 'overflow' && !place.isStoring && request.sink !== discard) {
      place.isStoring = true;
      read.copyTo = place;
    }
    this.#goToLeader(read);
  }

  /** A place that is not the leader answered an error: the deadline, or it cannot serve now. */
  #failed(read: SpreadRead, reply: Request): void {
    const { operationTimeoutMs } = this.#parts.router.env.settings;
    const nowMs = this.#nowMs();
    if (nowMs - read.request.startedMs < operationTimeoutMs / 2) {
      releaseRequest(reply);
      this.lost(read);
      return;
    }
    read.place.restsUntilMs = nowMs + REST_MS;
    this.#leave(read);
    this.#passOn(read, reply);
  }

  #leaderAnswered(read: SpreadRead, reply: Request): void {
    const { figures, copies } = this.#parts;
    const { key, copyTo } = read;
    const found = this.#found;
    figures.leaderReads++;
    if (!readFilled(reply, found)) {
      this.#leaderFailed(read, reply);
      return;
    }
    const isValue = found.kind === FoundKind.VALUE;
    const { isPossiblyStale } = reply;
    if (isPossiblyStale) read.request.isPossiblyStale = true;
    else if (isValue) key.floor.teach(read.seq, read.sentMs, found.versionHigh, found.versionLow);
    else key.floor.void();
    if (copyTo !== null && isValue && !isPossiblyStale) copies.store(key, found, copyTo);
    else if (copyTo !== null) copyTo.isStoring = false;
    this.#leave(read);
    this.#tell(read, reply);
  }

  #leaderFailed(read: SpreadRead, reply: Request): void {
    const { key, copyTo } = read;
    key.floor.void();
    if (copyTo !== null) copyTo.isStoring = false;
    this.#leave(read);
    if (!hasErrorCode(reply.bytes, reply.start, 'WRONGTYPE')) {
      this.#passOn(read, reply);
      return;
    }
    key.isOff = true;
    releaseRequest(reply);
    this.#parts.sendAsIs(read.request, key);
  }

  #passOn({ request }: SpreadRead, reply: Request): void {
    request.answer(reply.bytes, reply.start, reply.end);
    releaseRequest(reply);
  }

  /** Answers with what was found. */
  #tell({ request, form, key }: SpreadRead, reply: Request): void {
    const { clock, slowness } = this.#parts.router.env;
    if (!canTell(form, this.#found)) {
      releaseRequest(reply);
      this.#parts.sendAsIs(request, key);
      return;
    }
    if (request.trace !== null || clock.monotonicMs() - request.startedMs >= slowness.thresholdMs)
      noteAnswered(request);
    const { bytes, start, end, rest, restBytes } = reply;
    if (form === Form.RS_GET) request.answerInPieces(bytes, start, end, rest, restBytes);
    else answerRead(request, form, this.#found, false);
    releaseRequest(reply);
  }

  #goToLeader(read: SpreadRead): void {
    read.lane.isBroken = true;
    this.#askLeader(read, true);
  }

  #callBack(key: SpreadKey, lane: Lane): void {
    lane.at = key.leader;
    lane.isBroken = false;
    for (const read of [...lane.reads]) {
      if (read.place.kind === 'leader') continue;
      read.recall();
      this.#parts.figures.recalled++;
      this.#askLeader(read, false);
    }
    for (const { request, form } of lane.held.splice(0)) {
      const read = new SpreadRead(key, lane, request, form, this);
      lane.reads.push(read);
      this.#askLeader(read, false);
    }
  }

  /** The read is about to be answered: those that have waited for it go on, ahead of whatever its client sends next. */
  #leave(read: SpreadRead): void {
    const { lane, key } = read;
    lane.reads.splice(lane.reads.indexOf(read), 1);
    if (lane.reads.length > 0) return;
    key.lanes.delete(lane.sender);
    for (const { request, form } of lane.held) {
      if (request.sink === discard) releaseRequest(request);
      else this.take(key, request, form);
    }
  }

  #nowMs(): number {
    return this.#parts.router.env.clock.monotonicMs();
  }
}
