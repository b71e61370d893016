import type { ErrorCode } from '../../lib/base/index.ts';
import { parseAddress } from '../../lib/net/index.ts';
import { Ring } from '../../lib/ring/index.ts';
import { isOvertaken } from './command-order.ts';
import { DatabaseLinks } from './database-links.ts';
import { argumentRange, errorReply, hasErrorCode } from './frames.ts';
import type { ConnectionPurpose } from './greeting.ts';
import { HeldRequests } from './held-requests.ts';
import { Link, type LinkEnvironment, type LinkOwner, type LinkRole } from './link.ts';
import type { NearPort } from './near-port.ts';
import { Parking } from './parking.ts';
import { mayFallBack } from './read-fallback.ts';
import { discard, noteAnswered, type Request, RequestState, releaseRequest, type Sink } from './request.ts';
import { Stat, type Stats } from './stats.ts';
import { linkSlot, ShardRoute, type Topology, type TopologyShard, UpstreamNode } from './topology.ts';

/** How often deadlines are looked at: what a deadline may be late by. */
const TICK_MS = 10;
/** A tick this late tells that the process itself was held up. */
const LATE_MS = 50;
/** How long a refused write waits when no newer ring comes. */
const STALE_RETRY_MS = 50;
const READ_ONLY_RETRY_MS = 200;

/** The links of one client. */
export interface OwnLinks {
  /** Null: no more may be opened. */
  linkTo(node: UpstreamNode, protocol: 2 | 3, database: number): Link | null;
}

/** What the router needs beyond what its links need. */
export interface RouterEnvironment extends LinkEnvironment {
  readonly stats: Stats;
  /** Asks the control plane for its newest ring; undefined with a fixed ring, where a refusal goes to the client at once. */
  readonly refresh: (() => void) | undefined;
}

/**
 * Sends requests to the node that serves their shard, and decides what happens when it does not answer.
 *
 * Reads go to the leader; once more to a follower when the leader is unreachable or slower than `readTimeoutMs`. Writes go to the
 * leader, and once more only when the first attempt certainly was not executed: it never reached a socket, or the node refused it
 * (STALERING, READONLY, LOADING). Any other write without an answer is reported as of unknown outcome.
 */
export class Router implements LinkOwner {
  readonly #env: RouterEnvironment;
  readonly #nodes = new Map<string, UpstreamNode>();
  #ring: Ring | null = null;
  #routes: readonly ShardRoute[] = [];
  #ringEpoch = '0';
  /** Links to nodes that left the ring, until their last reply is in. */
  readonly #retired = new Set<Link>();
  readonly #parking: Parking;
  readonly #databaseLinks: DatabaseLinks;
  /** Set while new writes are held. */
  #held: HeldRequests | null = null;
  #ticker: NodeJS.Timeout | undefined;
  #nextFollower = 0;
  #isClosed = false;
  #isLate = false;
  /** Clients whose commands go over links of their own. */
  readonly ownLinks = new Map<Sink, OwnLinks>();
  /** Called when the ring has changed, and when new writes are held, or no longer. */
  readonly changed = new Set<() => void>();
  /** What answers reads from memory, and hears of every command; null: there is no such memory. */
  near: NearPort | null = null;
  /** Writes under way on private connections. */
  pinnedWrites = 0;
  /** Monotonic milliseconds at the last tick: coarse, and only right while something is under way. */
  nowMs = 0;

  constructor(env: RouterEnvironment) {
    this.#env = env;
    this.#parking = new Parking(env.settings.operationTimeoutMs);
    this.#databaseLinks = new DatabaseLinks(env.clock, env.settings.maxDatabaseLinksPerNode);
  }

  /** The shards in the order of the ring; empty before the first `apply`. */
  get routes(): readonly ShardRoute[] {
    return this.#routes;
  }

  /** Epoch of the ring document in use; `0` of a fixed ring. */
  get ringEpoch(): string {
    return this.#ringEpoch;
  }

  get stats(): Stats {
    return this.#env.stats;
  }

  get env(): RouterEnvironment {
    return this.#env;
  }

  /** Every node of the present topology. */
  get nodes(): Iterable<UpstreamNode> {
    return this.#nodes.values();
  }

  /** The shard that owns the key `buffer[start, end)`. Only after the first `apply`. */
  routeOf(buffer: Buffer, start: number, end: number): ShardRoute {
    const routes = this.#routes;
    return routes.length === 1 ? routes[0] : routes[this.#ring!.shardOf(buffer, start, end)];
  }

  /** Takes over a topology. What is on its way stays there; what was not sent yet goes where it belongs now. */
  apply(topology: Topology): void {
    const before = new Map(this.#routes.map((route) => [route.name, route]));
    const kept = new Set<UpstreamNode>();
    this.#ring = ringFor(topology, this.#ring);
    this.#ringEpoch = topology.ringEpoch ?? '0';
    this.#routes = topology.shards.map((shard, index) => {
      const route = this.#routeFor(shard, before.get(shard.name));
      route.index = index;
      for (const node of [route.leader, ...route.followers]) if (node) kept.add(node);
      return route;
    });
    const displaced: Request[] = [];
    for (const [key, node] of this.#nodes) {
      if (kept.has(node)) continue;
      this.#nodes.delete(key);
      for (const connection of node.privates) connection.nodeLeft();
      for (const link of [...node.links]) {
        if (link.database !== 0) this.#databaseLinks.remove(link);
        displaced.push(...link.retire());
        this.#retired.add(link);
      }
    }
    for (const request of displaced) this.#resubmit(request);
    this.#moveQueued();
    this.#releaseParked(true);
    this.#tellChanged();
  }

  /** Sends a request to `route`. The sink hears of it exactly once, possibly before this returns. */
  submit(request: Request, route: ShardRoute): void {
    request.route = route;
    if (this.near?.takes(request)) return;
    if (this.#held?.wants(request)) {
      if (!this.#held.add(request)) this.#overloaded(request, route);
      return;
    }
    if (this.#parking.size > 0 && this.#parking.has(request.sink)) {
      this.#park(request, 0, 'earlier commands of this connection wait for the ring');
      return;
    }
    this.#dispatch(request, route, request.startedMs);
  }

  /** Sends a request that was kept from being sent, to whoever serves its shard now. */
  sendOn(request: Request): void {
    this.#resubmit(request);
  }

  /** Sends a request over a link of one's own. */
  sendOver(link: Link, request: Request): void {
    if (this.#ticker === undefined) this.#startTicking();
    link.enqueue(request, request.startedMs);
  }

  /** Whether requests of this sink wait for the ring: later ones must not overtake them. */
  hasParked(sink: Sink): boolean {
    return this.#parking.has(sink);
  }

  /** Resolves once every node has answered or failed for the first time, after `timeoutMs` at the latest. */
  async settled(timeoutMs: number): Promise<void> {
    const endMs = this.#env.clock.monotonicMs() + timeoutMs;
    const isOpen = () =>
      Array.from(this.#nodes.values()).some((node) => !node.isConnected && !node.isSuspect);
    while (isOpen() && !this.#isClosed && this.#env.clock.monotonicMs() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  /** New writes wait from now on, with what their clients send behind them, until `release`. */
  hold(): void {
    this.#held ??= new HeldRequests(this.#env.settings.maxInFlightPerShard);
    this.#tellChanged();
  }

  /** Whether new writes wait. */
  get isHolding(): boolean {
    return this.#held !== null;
  }

  /** Whether another node may lead this one's shard one day: not in a fixed ring of Ringside nodes. */
  mayChangeLeader({ epoch, engine }: UpstreamNode): boolean {
    return this.#env.refresh !== undefined && (epoch !== null || engine === 'redis');
  }

  /** Asks for a newer ring, where there may be one. */
  refresh(): void {
    this.#env.refresh?.();
  }

  /** By which the shards of keys are told; another object when that changes. */
  get ring(): Ring | null {
    return this.#ring;
  }

  /** Requests that are held. */
  get heldCount(): number {
    return this.#held?.size ?? 0;
  }

  /** Sends what was held; its deadline counts from now. Returns how much that was. */
  release(): number {
    const held = this.#held?.takeAll() ?? [];
    this.#held = null;
    const nowMs = this.#env.clock.monotonicMs();
    for (const request of held) {
      request.startedMs = nowMs;
      this.#resubmit(request);
    }
    this.#tellChanged();
    return held.length;
  }

  /** Resolves with true once no write is on its way, with false after `timeoutMs`. */
  async writesAnswered(timeoutMs: number): Promise<boolean> {
    const endMs = this.#env.clock.monotonicMs() + timeoutMs;
    while (this.#hasWrites()) {
      if (this.#isClosed || this.#env.clock.monotonicMs() >= endMs) return false;
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    return true;
  }

  #tellChanged(): void {
    for (const tell of [...this.changed]) tell();
  }

  #hasWrites(): boolean {
    if (this.pinnedWrites > 0) return true;
    const links = [...this.#retired, ...Array.from(this.#nodes.values(), (node) => node.links).flat()];
    return links.some((link) => link.hasWrites);
  }

  /** The control plane has nothing newer: requests refused as STALERING are tried again, since it is the node that was behind. */
  confirmTopology(): void {
    this.#parking.hurryStale();
    this.#releaseParked(false);
  }

  /** Closes every connection; whoever waits is answered. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    this.#databaseLinks.close();
    for (const node of this.#nodes.values()) {
      for (const connection of node.privates) connection.abandon('the proxy is shutting down');
      for (const link of node.links) link.destroy('the proxy is shutting down');
    }
    for (const link of this.#retired) link.destroy('the proxy is shutting down');
    for (const { request, failure } of this.#parking.clear()) request.answerWith(failure);
    for (const request of this.#held?.takeAll() ?? [])
      this.#fail(request, 'shard_down', 'the proxy is shutting down; nothing was sent');
  }

  /** The link to `node` for replies in this protocol version about this database; null: no more may be opened. */
  linkTo(node: UpstreamNode, protocol: 2 | 3, database: number): Link | null {
    return node.linkSlots[linkSlot(protocol, database)] ?? this.#openLink(node, protocol, database);
  }

  #linkFor(request: Request, node: UpstreamNode): Link | null {
    if (this.ownLinks.size > 0) {
      const { sink } = request;
      const own = this.ownLinks.get(sink.command?.sink ?? sink);
      if (own !== undefined) return own.linkTo(node, request.protocol, request.database);
    }
    return this.linkTo(node, request.protocol, request.database);
  }

  /** Opens a link that only some client uses; null: no more may be opened. */
  openOwnLink(node: UpstreamNode, purpose: ConnectionPurpose, role: LinkRole): Link | null {
    const present = node.links.filter(({ isPrivate }) => isPrivate).length;
    if (present >= this.#env.settings.maxPrivateConnectionsPerNode) return null;
    const link = new Link(node, purpose, this.#env, this, role);
    node.links.push(link);
    return link;
  }

  /** Closes such a link once what was sent over it is answered; what was not sent yet goes where it belongs now. */
  closeOwnLink(link: Link): void {
    const at = link.node.links.indexOf(link);
    if (at < 0) return;
    link.node.links.splice(at, 1);
    const unsent = link.retire();
    this.#retired.add(link);
    if (this.#ticker === undefined) this.#startTicking();
    for (const request of unsent) this.#resubmit(request);
  }

  #openLink(node: UpstreamNode, protocol: 2 | 3, database: number): Link | null {
    if (database !== 0 && !this.#databaseLinks.makeRoom(node)) return null;
    const link = new Link(node, { protocol, database }, this.#env, this);
    node.links.push(link);
    node.linkSlots[linkSlot(protocol, database)] = link;
    if (database !== 0) this.#databaseLinks.add(link);
    return link;
  }

  withoutDatabase(link: Link, waiting: Request[], refusal: Buffer): void {
    this.#databaseLinks.remove(link);
    for (const request of waiting) {
      if (request.sink === discard) releaseRequest(request);
      else request.answerWith(refusal);
    }
  }

  refused(request: Request, reply: Buffer, start: number, end: number, node: UpstreamNode): boolean {
    if (request.retries > 0 || request.sink === discard) return false;
    const loading = hasErrorCode(reply, start, 'LOADING');
    // A follower that has lost its leader may be set up to answer nothing (`replica-serve-stale-data no`).
    const cannot = loading || hasErrorCode(reply, start, 'MASTERDOWN');
    if (!request.isWrite) return cannot && this.#readElsewhere(request, node);
    if (!this.mayChangeLeader(node)) return false;
    const stale = hasErrorCode(reply, start, 'STALERING');
    if (!stale && !loading && !hasErrorCode(reply, start, 'READONLY')) return false;
    this.refresh();
    if (isOvertaken(request)) return false;
    request.retries = 1;
    node.figures.retries++;
    this.#env.stats.add(Stat.writeRetries);
    const retryAtMs = this.#env.clock.monotonicMs() + (stale ? STALE_RETRY_MS : READ_ONLY_RETRY_MS);
    this.#parkUntil(request, retryAtMs, Buffer.from(reply.subarray(start, end)), stale);
    return true;
  }

  lost(node: UpstreamNode, sent: Request[], unsent: Request[], reason: string): void {
    if (!this.#isClosed) this.#env.stats.add(Stat.upstreamFailures);
    for (const request of sent) {
      if (request.sink === discard) releaseRequest(request);
      else if (request.isWrite)
        this.#failUnknown(request, node, `the connection was lost before the answer came (${reason})`);
      else if (!this.#readElsewhere(request, node)) this.#readAgain(request, node, reason);
    }
    for (const request of unsent) {
      if (this.#isClosed) this.#fail(request, 'shard_down', 'the proxy is shutting down; nothing was sent');
      else this.#resubmit(request);
    }
  }

  #dispatch(request: Request, route: ShardRoute, nowMs: number): void {
    const node = request.isWrite ? route.leader : this.#readTarget(request, route);
    if (node === null) {
      this.#park(request, Number.POSITIVE_INFINITY, `shard ${route.name} has no leader`);
      return;
    }
    const link = this.#linkFor(request, node);
    if (link === null) {
      this.#withoutLink(request, route);
      return;
    }
    if (link.length >= this.#env.settings.maxInFlightPerShard) {
      this.#overloaded(request, route);
      return;
    }
    if (this.#ticker === undefined) this.#startTicking();
    link.enqueue(request, nowMs);
  }

  #readTarget(request: Request, route: ShardRoute): UpstreamNode | null {
    const { leader } = route;
    if (leader !== null && !leader.isSuspect) return leader;
    const follower = this.#followerFor(request, route);
    if (follower === null) return leader;
    this.#countStale(request);
    return follower;
  }

  /** A follower that may answer this read; null: none, or the namespace does not allow it. */
  #followerFor(request: Request, route: ShardRoute): UpstreamNode | null {
    const { followers } = route;
    if (followers.length === 0 || request.fromLeader || !mayFallBack(this.#env.settings.namespaces, request))
      return null;
    for (let i = 0; i < followers.length; i++) {
      const follower = followers[(this.#nextFollower + i) % followers.length];
      if (follower.isSuspect || !follower.isConnected) continue;
      this.#nextFollower = (this.#nextFollower + i + 1) % followers.length;
      return follower;
    }
    return null;
  }

  /** Asks another node of the shard, once. False when there is none to ask. */
  #readElsewhere(request: Request, failed: UpstreamNode): boolean {
    const route = this.#currentRoute(request);
    if (this.#isClosed || wasTriedAgain(request) || route === null || request.sink === discard) return false;
    let target: UpstreamNode | null = null;
    if (failed !== route.leader) target = route.leader;
    else target = this.#followerFor(request, route);
    if (target === null || target === failed) return false;
    const link = this.#linkFor(request, target);
    if (link === null) return false;
    request.retries = 1;
    failed.figures.retries++;
    this.#env.stats.add(Stat.readRetries);
    if (target !== route.leader) this.#countStale(request);
    link.enqueue(request, this.#env.clock.monotonicMs());
    return true;
  }

  /** No other node to ask: the same one once more, when it is back before the deadline. */
  #readAgain(request: Request, node: UpstreamNode, reason: string): void {
    const route = this.#currentRoute(request);
    if (this.#isClosed || request.retries > 0 || route === null) {
      this.#fail(request, 'shard_down', `shard ${node.shard}: ${node.name} did not answer (${reason})`);
      return;
    }
    request.retries = 1;
    node.figures.retries++;
    this.#env.stats.add(Stat.readRetries);
    this.#dispatch(request, route, this.#env.clock.monotonicMs());
  }

  #countStale(request: Request): void {
    request.isPossiblyStale = true;
    this.#env.stats.add(Stat.possiblyStaleReads);
  }

  /** A request that never left goes to whoever serves its shard now. */
  #resubmit(request: Request): void {
    if (request.sink === discard && !request.isWrite) {
      releaseRequest(request);
      return;
    }
    const route = this.#currentRoute(request);
    if (route === null) {
      this.#fail(
        request,
        'shard_down',
        `shard ${request.route?.name} is no longer in the ring; nothing was sent`,
      );
      return;
    }
    request.route = route;
    this.#dispatch(request, route, this.#env.clock.monotonicMs());
  }

  #currentRoute(request: Request): ShardRoute | null {
    const route = request.route;
    if (route === null) return null;
    const current = this.#routes[route.index];
    if (current === route || current?.name === route.name) return current;
    const named = this.#routes.find(({ name }) => name === route.name);
    if (named || request.keyIndex < 1 || this.#routes.length === 0) return named ?? null;
    const { start, end } = argumentRange(request.bytes, request.start, request.keyIndex);
    return this.routeOf(request.bytes, start, end);
  }

  #routeFor(shard: TopologyShard, before: ShardRoute | undefined): ShardRoute {
    // Without epochs, another leader is what tells one time from the next.
    const isSame =
      before !== undefined &&
      before.epoch === shard.epoch &&
      (shard.epoch !== null || (before.leader?.name ?? null) === shard.leader);
    const route = isSame ? before : new ShardRoute(shard.name, shard.epoch, shard.engine);
    route.leader = shard.leader === null ? null : this.#nodeFor(shard, shard.leader);
    route.followers = shard.followers.map((address) => this.#nodeFor(shard, address));
    return route;
  }

  #nodeFor(shard: TopologyShard, address: string): UpstreamNode {
    const key = `${shard.name} ${address}`;
    let node = this.#nodes.get(key);
    if (node === undefined) {
      node = new UpstreamNode(address, parseAddress(address), shard.name);
      node.engine = shard.engine ?? 'ringside';
      node.access = shard.access;
      this.#nodes.set(key, node);
    }
    node.epoch = shard.epoch;
    // Connected ahead of need: the first read that falls back must not wait for a handshake.
    this.linkTo(node, 2, 0);
    for (const link of node.links) link.announceEpoch();
    for (const connection of node.privates) connection.announceEpoch();
    return node;
  }

  /** What waits for a node that is no longer the leader: writes, and reads that had nowhere else to go while it does not answer. */
  #moveQueued(): void {
    for (const node of this.#nodes.values()) {
      const isMisplaced = (waiting: Request) =>
        (waiting.isWrite || node.isSuspect) && this.#currentRoute(waiting)?.leader !== node;
      for (const link of node.links)
        for (const request of link.takeUnsent(isMisplaced)) this.#resubmit(request);
    }
  }

  #park(request: Request, retryAtMs: number, why: string): void {
    this.#parkUntil(request, retryAtMs, errorReply('shard_down', `${why}; nothing was sent`));
  }

  #parkUntil(request: Request, retryAtMs: number, failure: Buffer, isStale = false): void {
    if (this.#parking.size >= this.#env.settings.maxInFlightPerShard) {
      this.#overloaded(request, request.route!);
      return;
    }
    this.#parking.add(request, retryAtMs, failure, isStale);
    if (this.#ticker === undefined) this.#startTicking();
  }

  #releaseParked(all: boolean): void {
    if (this.#parking.size === 0) return;
    const { due, expired } = this.#parking.leave(this.#env.clock.monotonicMs(), all);
    for (const { request, failure } of expired)
      if (request.isWrite || !this.#readLate(request)) request.answerWith(failure);
    for (const request of due) this.#resubmit(request);
  }

  /** A read that waited behind a write in vain: a follower may have the answer. */
  #readLate(request: Request): boolean {
    const route = this.#currentRoute(request);
    const follower = route === null ? null : this.#followerFor(request, route);
    const link = follower && this.#linkFor(request, follower);
    if (link === null) return false;
    this.#countStale(request);
    request.startedMs = this.#env.clock.monotonicMs();
    link.enqueue(request, request.startedMs);
    return true;
  }

  #startTicking(): void {
    this.nowMs = this.#env.clock.monotonicMs();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const nowMs = this.#env.clock.monotonicMs();
    const lagMs = nowMs - this.nowMs;
    this.nowMs = nowMs;
    // After a pause of this process the answers may be here already, unread: they are read before anybody is judged.
    this.#isLate = lagMs > LATE_MS && !this.#isLate;
    if (this.#isLate) return;
    // First, so that the links that what leaves here goes to are found busy.
    this.#releaseParked(false);
    let isBusy = this.#retired.size > 0;
    for (const node of this.#nodes.values()) {
      for (const link of node.links) if (this.#tickLink(link, nowMs)) isBusy = true;
    }
    for (const link of this.#retired) if (!this.#tickLink(link, nowMs)) this.#retired.delete(link);
    if (isBusy || this.#parking.size > 0) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  /** False when nobody waits at the link. */
  #tickLink(link: Link, nowMs: number): boolean {
    if (link.length === 0) return false;
    this.#checkDeadlines(link, nowMs);
    link.checkSilence(nowMs);
    return true;
  }

  #checkDeadlines(link: Link, nowMs: number): void {
    const { readTimeoutMs, operationTimeoutMs } = this.#env.settings;
    const overdue: Request[] = [];
    const slow: Request[] = [];
    // While others are answered the leader is there, only busy: a follower's older value is the worse answer then.
    const isSilent = nowMs - link.lastReceivedMs >= readTimeoutMs;
    const patienceMs = isSilent ? readTimeoutMs : Math.max(readTimeoutMs, operationTimeoutMs / 2);
    link.queue.scan((request) => {
      const waitedMs = nowMs - request.queuedMs;
      const isOverdue = nowMs - request.startedMs >= operationTimeoutMs;
      if (isOverdue) overdue.push(request);
      else if (waitedMs < readTimeoutMs) return request.retries > 0;
      else if (waitedMs >= patienceMs && !request.isWrite && !wasTriedAgain(request)) slow.push(request);
      return true;
    });
    for (const request of overdue) this.#expire(link, request);
    if (slow.length > 0) this.#hurry(link, slow, nowMs);
    if (overdue.length + slow.length > 0) link.queue.closeGaps();
  }

  /** Reads that have waited long enough for this node. */
  #hurry(link: Link, slow: readonly Request[], nowMs: number): void {
    const { node } = link;
    if (nowMs - link.lastReceivedMs >= this.#env.settings.readTimeoutMs && !node.isSuspect) {
      node.isSuspect = true;
      node.lastFailure = `nothing arrived for ${Math.round(nowMs - link.lastReceivedMs)} ms`;
      this.#env.log.warn(
        { node: node.name, shard: node.shard },
        'the node does not answer: reads go to a follower',
      );
    }
    for (const request of slow) {
      const { seq } = request;
      if (this.#readElsewhere(request, node)) link.queue.takeAt(seq);
    }
  }

  #expire(link: Link, request: Request): void {
    const { node } = link;
    const wasSent = request.state === RequestState.SENT;
    link.queue.take(request);
    const ms = this.#env.settings.operationTimeoutMs;
    if (!wasSent) {
      const why = node.lastFailure === '' ? '' : ` (${node.lastFailure})`;
      this.#fail(
        request,
        'shard_down',
        `shard ${node.shard}: ${node.name} was not reachable within ${ms} ms${why}; nothing was sent`,
      );
    } else if (request.isWrite) {
      this.#failUnknown(request, node, `no answer within ${ms} ms`);
    } else {
      this.#env.stats.add(Stat.readTimeouts);
      this.#fail(request, 'timeout', `shard ${node.shard}: ${node.name} did not answer within ${ms} ms`);
    }
  }

  #failUnknown(request: Request, node: UpstreamNode, why: string): void {
    this.#env.stats.add(Stat.writesUnknown);
    this.#noteSlow(request);
    request.answerWith(errorReply('write_unknown', `shard ${node.shard}: ${node.name}: ${why}`));
  }

  #overloaded(request: Request, route: ShardRoute): void {
    this.#env.stats.add(Stat.overloadedErrors);
    const { maxInFlightPerShard } = this.#env.settings;
    const text = `shard ${route.name} has ${maxInFlightPerShard} commands in flight (proxy.limits.maxInFlightPerShard)`;
    request.answerWith(errorReply('overloaded', text));
  }

  #withoutLink(request: Request, route: ShardRoute): void {
    this.#env.stats.add(Stat.overloadedErrors);
    const { maxDatabaseLinksPerNode, maxPrivateConnectionsPerNode } = this.#env.settings;
    const { sink } = request;
    const text = this.ownLinks.has(sink.command?.sink ?? sink)
      ? `shard ${route.name}: ${maxPrivateConnectionsPerNode} connections of single clients are in use (proxy.limits.maxPrivateConnectionsPerNode)`
      : `shard ${route.name}: ${maxDatabaseLinksPerNode} connections for databases other than 0 are in use (proxy.limits.maxDatabaseLinksPerNode)`;
    request.answerWith(errorReply('overloaded', text));
  }

  #fail(request: Request, code: ErrorCode, message: string): void {
    if (code === 'shard_down') this.#env.stats.add(Stat.shardDownErrors);
    this.#noteSlow(request);
    request.answerWith(errorReply(code, message));
  }

  #noteSlow(request: Request): void {
    const { clock, slowness } = this.#env;
    if (clock.monotonicMs() - request.startedMs >= slowness.thresholdMs) noteAnswered(request);
  }
}

/** Whether it has been sent twice: one that only waits to be sent may go elsewhere at any time. */
function wasTriedAgain({ retries, state }: Request): boolean {
  return retries > 0 && state !== RequestState.QUEUED;
}

/** The ring of a topology: `held` itself when the members are the same, as after a failover. */
function ringFor({ shards, virtualNodes }: Topology, held: Ring | null): Ring {
  const members = shards.map(({ name, weight }) => ({ name, weight }));
  const isSame =
    held?.virtualNodes === virtualNodes &&
    held.shards.length === members.length &&
    held.shards.every(({ name, weight }, i) => name === members[i].name && weight === members[i].weight);
  return isSame ? held : Ring.of(members, { virtualNodes });
}
