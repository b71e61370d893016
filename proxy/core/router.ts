import type { KeyRanges, KeySorter, Ring } from '../../lib/ring/index.ts';
import type { BalancePort } from './balance-port.ts';
import { CallDeadlines } from './call-deadlines.ts';
import { isOvertaken, wasTriedAgain } from './command-order.ts';
import { DatabaseLinks } from './database-links.ts';
import { Deadlines } from './deadlines.ts';
import { Failures } from './failures.ts';
import { errorReply, hasErrorCode } from './frames.ts';
import type { ConnectionPurpose } from './greeting.ts';
import { Gutter } from './gutter.ts';
import { HeldRequests } from './held-requests.ts';
import { Link, type LinkOwner, type LinkRole } from './link.ts';
import type { NearPort } from './near-port.ts';
import type { Onlooker } from './onlooker.ts';
import type { OwnLinks } from './own-links.ts';
import { Parking } from './parking.ts';
import { Prober } from './prober.ts';
import { NO_MARK, type ReadPort } from './read-port.ts';
import { ReadTargets } from './read-targets.ts';
import { discard, type Request, RequestState, releaseRequest, type Sink } from './request.ts';
import type { RouterEnvironment } from './router-environment.ts';
import { Routes } from './routes.ts';
import { Stat, type Stats } from './stats.ts';
import { linkSlot, type ShardRoute, type Topology, type UpstreamNode } from './topology.ts';

/** How often deadlines are looked at: what a deadline may be late by. */
const TICK_MS = 10;
/** A tick this late tells that the process itself was held up. */
const LATE_MS = 50;
/** How long a refused write waits when no newer ring comes. */
const STALE_RETRY_MS = 50;
const READ_ONLY_RETRY_MS = 200;

/**
 * Sends requests to the node that serves their shard, and decides what happens when it does not answer.
 *
 * Reads go to the leader; once more to a follower when the leader is unreachable or slower than `readTimeoutMs`. Writes go to the
 * leader, and once more only when the first attempt certainly was not executed: it never reached a socket, or the node refused it
 * (STALERING, READONLY, LOADING). Any other write without an answer is reported as of unknown outcome.
 */
export class Router implements LinkOwner {
  readonly #env: RouterEnvironment;
  readonly #routes: Routes;
  /** Links to nodes that left the ring, until their last reply is in. */
  readonly #retired = new Set<Link>();
  readonly #parking: Parking;
  readonly #databaseLinks: DatabaseLinks;
  readonly #failures: Failures;
  readonly #targets: ReadTargets;
  readonly #prober: Prober;
  readonly #deadlines: Deadlines;
  /** Set while new writes are held. */
  #held: HeldRequests | null = null;
  #ticker: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isLate = false;
  /** What takes the keys of shards without a node that answers. */
  readonly gutter: Gutter;
  /** Clients whose commands go over links of their own. */
  readonly ownLinks = new Map<Sink, OwnLinks>();
  /** Callers that wait for a shorter time than others. */
  readonly calls = new CallDeadlines(TICK_MS, () => this.#startTicking());
  /** Called when the ring has changed, and when new writes are held, or no longer. */
  readonly changed = new Set<() => void>();
  /** What keeps reads back until their keys are filled; null: no key has an origin. */
  origins: { takes(request: Request): boolean } | null = null;
  /** What answers reads otherwise than by asking their leader, and hears of every command; null: nothing does. */
  reads: ReadPort | null = null;
  /** What of that answers from memory; null: there is no such memory. */
  near: NearPort | null = null;
  /** What of that spreads the reads of hot keys; null: nothing does. */
  balance: BalancePort | null = null;
  /** Sees every command that is sent; null: nobody wants to. */
  onlooker: Onlooker | null = null;
  /** Writes under way on private connections. */
  pinnedWrites = 0;
  /** Monotonic milliseconds at the last tick: coarse, and only right while something is under way. */
  nowMs = 0;

  constructor(env: RouterEnvironment) {
    this.#env = env;
    this.#routes = new Routes(env.health, (node) => this.#prepare(node));
    this.#parking = new Parking(env.settings.operationTimeoutMs);
    this.#databaseLinks = new DatabaseLinks(env.clock, env.settings.maxDatabaseLinksPerNode);
    this.#failures = new Failures(env, env.stats);
    this.#targets = new ReadTargets(env.settings.namespaces);
    this.gutter = new Gutter(env, env.settings.gutterTtlMs);
    this.#prober = new Prober(this);
    this.#deadlines = new Deadlines(env, this.#failures, {
      mayChangeLeader: (node) => this.mayChangeLeader(node),
      readElsewhere: (request, failed) => this.#readElsewhere(request, failed),
      troubled: () => this.#prober.start(),
      unpark: (request) => this.#parking.remove(request) || this.#held?.remove(request) === true,
    });
  }

  /** The shards in the order of the ring; empty before the first `apply`. */
  get routes(): readonly ShardRoute[] {
    return this.#routes.inRing;
  }

  /** The same, and behind them those of the gutter. */
  get allRoutes(): readonly ShardRoute[] {
    return [...this.#routes.inRing, ...this.#routes.spare];
  }

  /** Epoch of the ring document in use; `0` of a fixed ring. */
  get ringEpoch(): string {
    return this.#routes.ringEpoch;
  }

  get stats(): Stats {
    return this.#env.stats;
  }

  get env(): RouterEnvironment {
    return this.#env;
  }

  /** Every node of the present topology. */
  get nodes(): Iterable<UpstreamNode> {
    return this.#routes.nodes;
  }

  /** The shard that owns the key `buffer[start, end)`. Only after the first `apply`. */
  routeOf(buffer: Buffer, start: number, end: number): ShardRoute {
    return this.#routes.of(buffer, start, end);
  }

  /** As `routeOf`, of the arguments `first`, `first + step`, … of a command, so many: their positions in `routes`, to `places`. */
  placesOf(args: KeyRanges, first: number, step: number, count: number, places: Uint16Array): void {
    this.#routes.placesOf(args, first, step, count, places);
  }

  /** The same keys sorted together, by position in `routes`, which holds up to the next call; null when they are to be looked at one after the other. */
  sortKeys(args: KeyRanges, first: number, step: number, count: number): KeySorter | null {
    return this.#routes.sort(args, first, step, count);
  }

  /** Takes over a topology. What is on its way stays there; what was not sent yet goes where it belongs now. */
  apply(topology: Topology): void {
    const gone = this.#routes.apply(topology);
    this.gutter.use(topology.gutters ?? [], this.#routes.spare);
    this.#env.health.fanOut.keep(new Set(this.routes.map(({ name }) => name)));
    const displaced: Request[] = [];
    for (const node of gone) {
      for (const connection of node.privates) connection.nodeLeft();
      for (const link of [...node.links]) {
        if (link.database !== 0) this.#databaseLinks.remove(link);
        displaced.push(...link.retire());
        this.#retired.add(link);
      }
    }
    for (const request of displaced) this.sendOn(request);
    this.#moveQueued();
    this.#releaseParked(true);
    this.#prober.start();
    this.#tellChanged();
  }

  /** Sends a request to `route`. The sink hears of it exactly once, possibly before this returns. */
  submit(request: Request, route: ShardRoute): void {
    request.route = route;
    if (this.origins?.takes(request)) return;
    if (this.reads?.takes(request)) return;
    this.sendFirst(request, route, request.startedMs);
  }

  /** Sends a request to `route` for the first time: one that nobody answers otherwise, or not any more. */
  sendFirst(request: Request, route: ShardRoute, nowMs: number): void {
    request.route = route;
    this.onlooker?.sees(request);
    this.#env.health.retries.requested(request.times);
    if (this.#held?.wants(request)) {
      if (!this.#held.add(request)) this.#failures.overloaded(request, route);
      return;
    }
    if (this.#parking.size > 0 && this.#parking.has(request.sink)) {
      this.#park(request, 0, 'earlier commands of this connection wait for the ring');
      return;
    }
    this.#dispatch(request, route, nowMs);
  }

  /**
   * The commands in `frame` (encoded, one behind the other) are about to be sent over a connection of their own, about this database. Returns the mark that
   * `reads.settled` wants.
   */
  bypassed(frame: Buffer, database: number): number {
    this.onlooker?.bypassed(frame, database);
    return this.reads?.bypassed(frame) ?? NO_MARK;
  }

  /** Whether reads go to the nodes and nowhere else, and nobody but their client hears of them. */
  get isPlain(): boolean {
    return this.reads === null && this.origins === null && this.onlooker === null;
  }

  /** Whether the leader of this shard is well, and takes so many commands more in this version of RESP. */
  hasRoom({ leader }: ShardRoute, protocol: 2 | 3, commands: number): boolean {
    if (leader === null || leader.health.isTroubled) return false;
    const link = this.linkTo(leader, protocol, 0);
    return link !== null && !link.mustWait && link.length + commands <= link.load.allowed;
  }

  /** Whether anybody wants to hear of what is sent elsewhere. */
  get hearsOfBypasses(): boolean {
    return this.reads !== null || this.onlooker !== null;
  }

  /** Sends a request over this very link; its sink may get it back (`handBack`). */
  submitOver(request: Request, link: Link): void {
    if (this.#ticker === undefined) this.#startTicking();
    link.enqueue(request, this.#env.clock.monotonicMs());
  }

  /** Whether requests of this sink wait for the ring: later ones must not overtake them. */
  hasParked(sink: Sink): boolean {
    return this.#parking.has(sink);
  }

  /** Resolves once every node has answered or failed for the first time, after `timeoutMs` at the latest. */
  async settled(timeoutMs: number): Promise<void> {
    const endMs = this.#env.clock.monotonicMs() + timeoutMs;
    const isOpen = () => Array.from(this.nodes).some((node) => !node.isConnected && !node.isSuspect);
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
    return this.#routes.ring;
  }

  /** Requests that are held. */
  get heldCount(): number {
    return this.#held?.size ?? 0;
  }

  /** Sends what was held; its deadline counts from now. Returns how much that was. */
  release(): number {
    const nowMs = this.#env.clock.monotonicMs();
    this.#giveUpCalls(nowMs);
    const held = this.#held?.takeAll() ?? [];
    this.#held = null;
    for (const request of held) {
      request.startedMs = nowMs;
      this.sendOn(request);
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
    const links = [...this.#retired, ...Array.from(this.nodes, (node) => node.links).flat()];
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
    this.#prober.close();
    this.#databaseLinks.close();
    for (const node of this.nodes) {
      for (const connection of node.privates) connection.abandon('the proxy is shutting down');
      for (const link of node.links) link.destroy('the proxy is shutting down');
    }
    for (const link of this.#retired) link.destroy('the proxy is shutting down');
    for (const { request, failure } of this.#parking.clear()) request.answerWith(failure);
    for (const request of this.#held?.takeAll() ?? [])
      this.#failures.fail(request, 'shard_down', 'the proxy is shutting down; nothing was sent');
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
    for (const request of unsent) this.sendOn(request);
  }

  /** Replaces a shared link by a new one, unless something is under way on it. */
  renew(link: Link): void {
    const { node, protocol, database } = link;
    const at = node.links.indexOf(link);
    if (at < 0 || link.length > 0) return;
    node.links.splice(at, 1);
    node.linkSlots[linkSlot(protocol, database)] = null;
    if (database !== 0) this.#databaseLinks.remove(link);
    link.retire();
    this.#env.log.info(
      { node: node.name, shard: node.shard },
      'the name stands for another address: connecting to it',
    );
    this.linkTo(node, protocol, database);
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
    if (request.retries > 0 || request.sink === discard || request.sink.handBack) return false;
    const loading = hasErrorCode(reply, start, 'LOADING');
    // A follower that has lost its leader may be set up to answer nothing (`replica-serve-stale-data no`).
    const cannot = loading || hasErrorCode(reply, start, 'MASTERDOWN');
    if (!request.isWrite) return cannot && this.#readElsewhere(request, node);
    if (!this.mayChangeLeader(node)) return false;
    const stale = hasErrorCode(reply, start, 'STALERING');
    if (!stale && !loading && !hasErrorCode(reply, start, 'READONLY')) return false;
    this.refresh();
    if (isOvertaken(request) || !this.#failures.mayRetry(node, request.times)) return false;
    request.retries = 1;
    node.figures.retries += request.times;
    this.#env.stats.add(Stat.writeRetries, request.times);
    const retryAtMs = this.#env.clock.monotonicMs() + (stale ? STALE_RETRY_MS : READ_ONLY_RETRY_MS);
    this.#parkUntil(request, retryAtMs, Buffer.from(reply.subarray(start, end)), stale);
    return true;
  }

  lost(node: UpstreamNode, sent: Request[], unsent: Request[], reason: string): void {
    if (!this.#isClosed) {
      this.#env.stats.add(Stat.upstreamFailures);
      this.#prober.start();
    }
    for (const request of sent) {
      if (request.sink === discard) releaseRequest(request);
      else if (request.sink.handBack) request.sink.handBack(request, reason, true);
      else if (request.isWrite)
        this.#failures.failUnknown(
          request,
          node,
          `the connection was lost before the answer came (${reason})`,
        );
      else if (!this.#readElsewhere(request, node)) this.#readAgain(request, node, reason);
    }
    for (const request of unsent) {
      if (request.sink.handBack) request.sink.handBack(request, reason, false);
      else if (this.#isClosed)
        this.#failures.fail(request, 'shard_down', 'the proxy is shutting down; nothing was sent');
      else this.sendOn(request);
    }
  }

  #dispatch(request: Request, route: ShardRoute, nowMs: number): void {
    let node = route.leader;
    if (node === null || node.health.isTroubled) {
      if (this.#goesToGutter(request, route, nowMs)) return;
      if (!request.isWrite) node = this.#readTarget(request, route);
      if (node?.health.refuses(nowMs)) {
        this.#failures.barred(request, node);
        return;
      }
    }
    if (node === null) {
      this.#park(request, Number.POSITIVE_INFINITY, `shard ${route.name} has no leader`);
      return;
    }
    const link = this.#linkFor(request, node);
    if (link === null) {
      const { sink } = request;
      this.#failures.withoutLink(request, route, this.ownLinks.has(sink.command?.sink ?? sink));
      return;
    }
    const { length, load } = link;
    if (length >= load.allowed && !load.admits(length, nowMs)) {
      if (load.isLowered) this.#failures.tooSlow(request, node, load.allowed);
      else this.#failures.overloaded(request, route);
      return;
    }
    if (link.mustWait && this.#failures.isQueueFull(request, link)) return;
    if (this.#ticker === undefined) this.#startTicking();
    if (this.gutter.isUsed && !node.isSuspect && node === route.leader)
      for (const owed of this.gutter.returned(request, route))
        this.linkTo(node, owed.protocol, owed.database)?.enqueue(owed, nowMs);
    link.enqueue(request, nowMs);
  }

  /** The gutter's node that would be asked for a key of this shard now; null: its own is. */
  standInFor(route: ShardRoute, buffer: Buffer, start: number, end: number): UpstreamNode | null {
    return this.gutter.isFor(route) ? this.gutter.nodeFor(buffer, start, end, false) : null;
  }

  /** Sends the request to the gutter when no node of its shard answers, and its namespace lets it. */
  #goesToGutter(request: Request, route: ShardRoute, nowMs: number): boolean {
    const node = this.gutter.isFor(route) ? this.gutter.standIn(request) : null;
    const link = node && this.#linkFor(request, node);
    if (link === null || link.length >= this.#env.settings.maxInFlightPerShard) return false;
    if (this.#ticker === undefined) this.#startTicking();
    const behind = this.gutter.sent(request, request.route!);
    this.#env.stats.add(request.isWrite ? Stat.gutterWrites : Stat.gutterReads);
    if (!request.isWrite) this.#countStale(request);
    link.enqueue(request, nowMs);
    if (behind !== null) link.enqueue(behind, nowMs);
    return true;
  }

  #readTarget(request: Request, route: ShardRoute): UpstreamNode | null {
    const target = this.#targets.targetOf(request, route);
    if (target !== route.leader) this.#countStale(request);
    return target;
  }

  /** Asks another node of the shard, once. False when there is none to ask. */
  #readElsewhere(request: Request, failed: UpstreamNode): boolean {
    const route = this.#routes.currentOf(request);
    if (this.#isClosed || wasTriedAgain(request) || route === null || request.sink === discard) return false;
    if (request.sink.handBack) {
      request.sink.handBack(request, `${failed.name} is slow`, request.state === RequestState.SENT);
      return true;
    }
    let target: UpstreamNode | null = null;
    if (failed !== route.leader) target = route.leader;
    else target = this.#targets.followerFor(request, route);
    if (target === null && failed === route.leader && this.gutter.routes.length > 0) {
      request.route = route;
      return this.#goesToGutter(request, route, this.#env.clock.monotonicMs());
    }
    if (target === null || target === failed) return false;
    const link = this.#linkFor(request, target);
    if (link === null || link.length >= link.load.allowed) return false;
    if (request.state === RequestState.SENT && !this.#failures.mayRetry(failed, request.times)) return false;
    request.retries = 1;
    failed.figures.retries += request.times;
    this.#env.stats.add(Stat.readRetries, request.times);
    if (target !== route.leader) this.#countStale(request);
    link.enqueue(request, this.#env.clock.monotonicMs());
    return true;
  }

  /** No other node to ask: the same one once more, when it is back before the deadline. */
  #readAgain(request: Request, node: UpstreamNode, reason: string): void {
    const route = this.#routes.currentOf(request);
    if (this.#isClosed || request.retries > 0 || route === null) {
      this.#failures.fail(
        request,
        'shard_down',
        `shard ${node.shard}: ${node.name} did not answer (${reason})`,
      );
      return;
    }
    if (!this.#failures.mayRetry(node, request.times)) {
      const why = `${node.name} did not answer (${reason}), and too much is tried again already (proxy.resilience.retries)`;
      this.#failures.fail(request, 'shard_down', `shard ${node.shard}: ${why}`);
      return;
    }
    request.retries = 1;
    node.figures.retries += request.times;
    this.#env.stats.add(Stat.readRetries, request.times);
    this.#dispatch(request, route, this.#env.clock.monotonicMs());
  }

  #countStale(request: Request): void {
    request.isPossiblyStale = true;
    this.#env.stats.add(Stat.possiblyStaleReads);
  }

  /** Sends a request that was kept from being sent, or never left, to whoever serves its shard now. */
  sendOn(request: Request): void {
    if (request.sink === discard && !request.isWrite) {
      releaseRequest(request);
      return;
    }
    if (request.sink.handBack) {
      request.sink.handBack(request, 'the connection is not used any more', false);
      return;
    }
    const route = this.#routes.currentOf(request);
    if (route === null) {
      this.#failures.fail(
        request,
        'shard_down',
        `shard ${request.route?.name} is no longer in the ring; nothing was sent`,
      );
      return;
    }
    request.route = route;
    this.#dispatch(request, route, this.#env.clock.monotonicMs());
  }

  /** Connected ahead of need: the first read that falls back must not wait for a handshake. */
  #prepare(node: UpstreamNode): void {
    this.linkTo(node, 2, 0);
    for (const link of node.links) link.announceEpoch();
    for (const connection of node.privates) connection.announceEpoch();
  }

  /** What waits for a node that is no longer the leader: writes, and reads that had nowhere else to go while it does not answer. */
  #moveQueued(): void {
    for (const node of this.nodes) {
      const isMisplaced = (waiting: Request) =>
        (waiting.isWrite || node.isSuspect) && this.#routes.currentOf(waiting)?.leader !== node;
      for (const link of node.links) for (const request of link.takeUnsent(isMisplaced)) this.sendOn(request);
    }
  }

  #park(request: Request, retryAtMs: number, why: string): void {
    this.#parkUntil(request, retryAtMs, errorReply('shard_down', `${why}; nothing was sent`));
  }

  #parkUntil(request: Request, retryAtMs: number, failure: Buffer, isStale = false): void {
    if (this.#parking.size >= this.#env.settings.maxInFlightPerShard) {
      this.#failures.overloaded(request, request.route!);
      return;
    }
    this.#parking.add(request, retryAtMs, failure, isStale);
    if (this.#ticker === undefined) this.#startTicking();
  }

  #releaseParked(all: boolean): void {
    if (this.#parking.size === 0) return;
    const nowMs = this.#env.clock.monotonicMs();
    this.#giveUpCalls(nowMs);
    const { due, expired } = this.#parking.leave(nowMs, all);
    for (const { request, failure } of expired)
      if (request.isWrite || !this.#readLate(request)) request.answerWith(failure);
    for (const request of due) this.sendOn(request);
  }

  /** A read that waited behind a write in vain: a follower may have the answer. */
  #readLate(request: Request): boolean {
    const route = this.#routes.currentOf(request);
    const follower = route === null ? null : this.#targets.followerFor(request, route);
    const link = follower && this.#linkFor(request, follower);
    if (link === null) return false;
    this.#countStale(request);
    request.startedMs = this.#env.clock.monotonicMs();
    link.enqueue(request, request.startedMs);
    return true;
  }

  #startTicking(): void {
    if (this.#ticker !== undefined) return;
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
    this.#env.health.tick(nowMs);
    this.#giveUpCalls(nowMs);
    // First, so that the links that what leaves here goes to are found busy.
    this.#releaseParked(false);
    let isBusy = this.#retired.size > 0;
    for (const node of this.nodes) {
      for (const link of node.links) if (this.#tickLink(link, nowMs)) isBusy = true;
    }
    for (const link of this.#retired) if (!this.#tickLink(link, nowMs)) this.#retired.delete(link);
    if (isBusy || this.#parking.size > 0 || this.calls.size > 0) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  expire(link: Link): void {
    if (link.queue.unsentCount === 0) return;
    const nowMs = this.#env.clock.monotonicMs();
    this.#giveUpCalls(nowMs);
    this.#deadlines.check(link, nowMs);
  }

  #giveUpCalls(nowMs: number): void {
    if (this.calls.size > 0) this.#deadlines.giveUp(this.calls.takeDue(nowMs));
  }

  /** False when nobody waits at the link. */
  #tickLink(link: Link, nowMs: number): boolean {
    if (link.length === 0) return false;
    this.#deadlines.check(link, nowMs);
    link.checkSilence(nowMs);
    return true;
  }
}
