import { Failures } from '../core/failures.ts';
import { argumentRange } from '../core/frames.ts';
import type { Link } from '../core/link.ts';
import type { NamespaceMatcher, NamespaceRules } from '../core/namespace-rules.ts';
import { markRequest, NO_MARK, type ReadPort } from '../core/read-port.ts';
import { ReadTargets } from '../core/read-targets.ts';
import {
  acquireRequest,
  noteAnswered,
  type Request,
  RequestState,
  releaseRequest,
  type Sink,
} from '../core/request.ts';
import type { Router } from '../core/router.ts';
import { Stat } from '../core/stats.ts';
import type { UpstreamNode } from '../core/topology.ts';
import { RecentLatencies } from '../health/index.ts';
import { keysInFrame } from '../near/index.ts';
import { ASK_PLACE, Hedge, type HedgeListener, takePlace } from './hedge.ts';
import { HASHES, KeyUses } from './key-uses.ts';
import { MultiGetKeys } from './multi-get-keys.ts';
import { NodeReads } from './node-reads.ts';
import { isRepeatable } from './repeatable.ts';
import { hasReached, type Mark, type StreamPlace } from './stream-place.ts';
import { TrackedMultiGet } from './tracked-multi-get.ts';
import { TrackedKey, TrackedRead } from './tracked-read.ts';

/** While it has reads to answer, each leader is asked so often how far it has come. */
const ASK_MS = 20;
/**
 * A multi-get, or what one shard is asked for of it, with more keys is not sent a second time: one of them has nearly always been in use lately, and so much
 * is better not asked of two nodes.
 */
const MOST_KEYS = 128;
/** A timer is not set anew for less. */
const EARLIER_MS = 0.5;
/** Mark of commands that may concern any key. Those from `HASHES` on are places in `#tracked`, those below are hashes. */
const ALL_KEYS = -2;
const keys = new MultiGetKeys();

/** What it works with. */
export interface HedgedReadsParts {
  readonly router: Router;
  readonly namespaces: NamespaceMatcher;
  /** `percentile` of the answers of a node; milliseconds. */
  readonly settings: { readonly percentile: number; readonly minimumMs: number };
}

/**
 * Hedged reads: a read of one key, or what one shard is asked for of a multi-get, that its leader has not answered after the time that most of its answers
 * take is sent to a follower too, and the first good answer is the client's. Only where all keys are of namespaces that want it. One for each thread.
 *
 * A follower's answer is good when the follower has everything that the leader had at a moment since which this client has neither sent nor heard anything
 * about any of the keys but the read itself, and when that moment is not longer ago than the least `stalenessMs` of their namespaces. So a connection reads
 * its own writes, and never an older value after a newer one. (Clients that are not told from others, as those of HTTP, are taken for one.)
 *
 * Source: J. Dean and L. A. Barroso, "The Tail at Scale", CACM 2013.
 */
export class HedgedReads implements ReadPort, HedgeListener {
  readonly #router: Router;
  readonly #namespaces: NamespaceMatcher;
  readonly #settings: HedgedReadsParts['settings'];
  readonly #failures: Failures;
  readonly #targets: ReadTargets;
  /** By index of the namespace. */
  readonly #takesPart: readonly boolean[];
  readonly #uses: KeyUses;
  readonly #tracked: (TrackedRead | readonly number[] | null)[] = [];
  readonly #freePlaces: number[] = [];
  /** By leader. */
  readonly #nodes = new Map<UpstreamNode, NodeReads>();
  readonly #onChanged = () => this.#nodesChanged();
  /** One for all: it wakes up when the oldest read is due. */
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor({ router, namespaces, settings }: HedgedReadsParts) {
    this.#router = router;
    this.#namespaces = namespaces;
    this.#settings = settings;
    this.#failures = new Failures(router.env, router.stats);
    this.#targets = new ReadTargets(namespaces);
    this.#takesPart = namespaces.all.map(takesPart);
    this.#uses = new KeyUses(router.env.random.int(2 ** 31));
    router.changed.add(this.#onChanged);
  }

  /** Whether any namespace wants it. */
  static areNeeded({ all }: NamespaceMatcher): boolean {
    return all.some(takesPart);
  }

  takes(request: Request): boolean {
    const mark = request.keyIndex > 0 ? this.#beginOne(request) : this.#beginSeveral(request);
    markRequest(request, this, mark);
    return false;
  }

  bypassed(frame: Buffer): number {
    const hashes: number[] = [];
    const concernsAll = keysInFrame(frame, (buffer, start, end) => {
      if (!this.#takesPart[this.#namespaces.rulesOf(buffer, start, end).index]) return;
      hashes.push(this.#uses.hashOf(buffer, start, end, 0));
    });
    return concernsAll ? this.#beginAll() : this.#use(hashes);
  }

  settled(mark: number): void {
    if (mark === ALL_KEYS) this.#uses.leaveAll();
    else if (mark < HASHES) this.#uses.leave(mark);
    else this.#end(mark - HASHES);
  }

  answered({ read, mark }: Hedge, reply: Request, place: StreamPlace | null): void {
    read.hedge = null;
    const isGood = hasReached(place, mark) && this.#isUsable(read, mark, this.#nowMs());
    if (isGood && read.isWaiting) this.#win(read, reply);
    releaseRequest(reply);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#router.changed.delete(this.#onChanged);
  }

  /** A command on one key. */
  #beginOne(request: Request): number {
    const { bytes, keyIndex, sink } = request;
    const { start, end } = argumentRange(bytes, request.start, keyIndex);
    const rules = this.#namespaces.rulesOf(bytes, start, end);
    if (!this.#takesPart[rules.index]) return NO_MARK;
    const client = clientOf(sink).id ?? 0;
    const own = this.#uses.hashOf(bytes, start, end, client);
    if (!this.#mayHedge(request)) {
      this.#uses.add(own);
      return own;
    }
    return this.#track(new TrackedKey(request, rules.stalenessMs, own, client));
  }

  #beginSeveral(request: Request): number {
    const { bytes, start, end, rest, isWrite } = request;
    if (rest !== null) return this.#beginAll();
    const isMultiGet = !isWrite && keys.recognize(bytes, start);
    return isMultiGet ? this.#beginMultiGet(request) : this.bypassed(bytes.subarray(start, end));
  }

  /** The command whose keys `keys` goes through. */
  #beginMultiGet(request: Request): number {
    const { bytes, sink } = request;
    const client = clientOf(sink).id ?? 0;
    const own: number[] = [];
    let stalenessMs = Number.POSITIVE_INFINITY;
    while (keys.next()) {
      const rules = this.#namespaces.rulesOf(bytes, keys.start, keys.end);
      if (!this.#takesPart[rules.index]) continue;
      own.push(this.#uses.hashOf(bytes, keys.start, keys.end, client));
      stalenessMs = Math.min(stalenessMs, rules.stalenessMs);
    }
    if (own.length < keys.count || own.length > MOST_KEYS || !this.#mayHedge(request)) return this.#use(own);
    return this.#track(new TrackedMultiGet(request, stalenessMs, this.#nowMs(), own, client));
  }

  /** Something is about to be sent that is not sent twice. */
  #use(hashes: readonly number[]): number {
    if (hashes.length === 0) return NO_MARK;
    for (const hash of hashes) this.#uses.add(hash);
    return hashes.length === 1 ? hashes[0] : this.#keep(hashes);
  }

  #beginAll(): number {
    this.#uses.addAll();
    return ALL_KEYS;
  }

  /** Something is about to be sent that may be sent twice. */
  #track(read: TrackedRead): number {
    read.begin(this.#uses);
    this.#expect(read, this.#readsOf(read.request.route!.leader!));
    return this.#keep(read);
  }

  #keep(what: TrackedRead | readonly number[]): number {
    const place = this.#freePlaces.pop() ?? this.#tracked.length;
    this.#tracked[place] = what;
    return HASHES + place;
  }

  #end(place: number): void {
    const what = this.#tracked[place]!;
    this.#tracked[place] = null;
    this.#freePlaces.push(place);
    if (what instanceof TrackedRead) what.end(this.#uses);
    else for (const hash of what) this.#uses.leave(hash);
  }

  /** Whether there is a follower, and nothing ties the command to one node, or to what its client has sent before. */
  #mayHedge({ isWrite, rest, fromLeader, database, times, sink, route }: Request): boolean {
    const { leader, followers } = route!;
    if (leader === null || followers.length === 0) return false;
    if (isWrite || rest !== null || fromLeader || database !== 0 || times !== 1 || sink.handBack)
      return false;
    const { ownLinks } = this.#router;
    return ownLinks.size === 0 || !ownLinks.has(clientOf(sink));
  }

  /** The read is about to be sent. */
  #expect(read: TrackedRead, reads: NodeReads): void {
    const { sinceMs } = read;
    if (sinceMs - reads.askedMs >= ASK_MS && !reads.isAsking) this.#ask(reads);
    const delayMs = reads.delayMs(sinceMs);
    if (delayMs === Number.POSITIVE_INFINITY) return;
    reads.pending.add(read);
    if (sinceMs + delayMs < this.#dueMs - EARLIER_MS) this.#wake(sinceMs + delayMs);
  }

  /** Asks the leader how far it has come. What it has answered by now is part of that. */
  #ask(reads: NodeReads): void {
    const link = this.#router.linkTo(reads.node, 2, 0);
    if (!link?.isReady || link.mustWait) return;
    const askedMs = this.#nowMs();
    const moment = this.#uses.begin();
    const over = (place: StreamPlace | null) => {
      reads.isAsking = false;
      if (place !== null) reads.mark = place.leads ? { ...place, moment, askedMs } : null;
    };
    reads.isAsking = true;
    reads.askedMs = askedMs;
    const request = acquireRequest();
    request.bytes = ASK_PLACE;
    request.end = ASK_PLACE.length;
    request.protocol = 2;
    request.startedMs = askedMs;
    request.sink = {
      ready: (reply) => over(takePlace(reply)),
      handBack: (lost) => {
        releaseRequest(lost);
        over(null);
      },
    };
    this.#router.submitOver(request, link);
  }

  #wake(dueMs: number): void {
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    const ms = Math.max(1, Math.ceil(dueMs - this.#nowMs()));
    // Behind the sockets: answers that are here already, unread, are read before anybody is taken for slow.
    this.#timer = setTimeout(() => setImmediate(() => this.#look()), ms).unref();
  }

  #look(): void {
    if (this.#isClosed) return;
    const nowMs = this.#nowMs();
    this.#dueMs = Number.POSITIVE_INFINITY;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const reads of this.#nodes.values()) {
      const delayMs = reads.delayMs(nowMs);
      for (;;) {
        const read = reads.pending.takeDue(nowMs, delayMs);
        if (read === null) break;
        if (read.isWaiting) this.#hedge(read, reads, nowMs);
      }
      const { oldest } = reads.pending;
      if (oldest !== null) nextMs = Math.min(nextMs, oldest.sinceMs + delayMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#wake(nextMs);
  }

  /** Sends the read to a follower as well, where one may answer it and retries are left. */
  #hedge(read: TrackedRead, { node, mark }: NodeReads, nowMs: number): void {
    const { request } = read;
    const { bytes, start, end, route, link } = request;
    // What the leader is not asked for goes to a follower since the leader is in trouble: there is nobody better.
    if (link?.node !== node || route?.leader !== node || !this.#isUsable(read, mark, nowMs)) return;
    const follower = this.#targets.wellFollower(route);
    const other = follower && this.#linkTo(follower, request);
    if (other === null || !(read.isMultiGet || isRepeatable(bytes, start, end))) return;
    if (!this.#failures.mayRetry(node, 1)) return;
    node.figures.hedges++;
    if (read.isMultiGet) node.figures.multiGetHedges++;
    read.hedge = new Hedge(read, mark, this);
    read.hedge.send(this.#router, other, nowMs);
  }

  /** The link to a follower; null: none that takes the read at once. */
  #linkTo(node: UpstreamNode, { protocol }: Request): Link | null {
    const link = this.#router.linkTo(node, protocol, 0);
    return link?.isReady && !link.mustWait && link.length < link.load.allowed ? link : null;
  }

  /** Whether a follower that has reached the mark may answer the read. */
  #isUsable(read: TrackedRead, mark: Mark | null, nowMs: number): mark is Mark {
    return (
      mark !== null && nowMs - mark.askedMs <= read.stalenessMs && read.isUntouched(this.#uses, mark.moment)
    );
  }

  /** The client gets this answer. The place of the read in the order of its link stays, for the answer that will come. */
  #win(read: TrackedRead, reply: Request): void {
    const { request } = read;
    const { state, trace, startedMs } = request;
    const { queue, node } = request.link!;
    const nowMs = this.#nowMs();
    const waitedMs = nowMs - read.sinceMs;
    queue.take(request);
    if (state === RequestState.QUEUED) {
      queue.closeGaps();
      request.link!.recount();
    }
    node.figures.hedgesWon++;
    if (read.isMultiGet) node.figures.multiGetHedgesWon++;
    node.figures.recent?.record(waitedMs, 1);
    if (!request.isPossiblyStale) this.#router.stats.add(Stat.possiblyStaleReads);
    request.isPossiblyStale = true;
    if (trace !== null || nowMs - startedMs >= this.#router.env.slowness.thresholdMs) noteAnswered(request);
    const { bytes, start, end, rest, restBytes } = reply;
    request.answerInPieces(bytes, start, end, rest, restBytes);
  }

  #readsOf(node: UpstreamNode): NodeReads {
    const known = this.#nodes.get(node);
    if (known !== undefined) return known;
    const { percentile, minimumMs } = this.#settings;
    node.figures.recent ??= new RecentLatencies(percentile / 100);
    const reads = new NodeReads(node, node.figures.recent, minimumMs);
    this.#nodes.set(node, reads);
    return reads;
  }

  /** Nodes may have left. */
  #nodesChanged(): void {
    const present = new Set(this.#router.nodes);
    for (const node of this.#nodes.keys()) if (!present.has(node)) this.#nodes.delete(node);
  }

  #nowMs(): number {
    return this.#router.env.clock.monotonicMs();
  }
}

/** Who waits in the end, for a command or for what it is a part of. */
function clientOf(sink: Sink): Sink {
  let client = sink;
  while (client.command !== undefined) client = client.command.sink;
  return client;
}

function takesPart({ config }: NamespaceRules): boolean {
  return config?.hedgedReads === true;
}
