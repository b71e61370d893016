import type { BalanceConfig } from '../../lib/config/index.ts';
import { murmur3x86_32 } from '../../lib/ring/index.ts';
import type { BalancePort, BalanceState, LoadFigure } from '../core/balance-port.ts';
import { argumentRange } from '../core/frames.ts';
import type { NamespaceMatcher, NamespaceRules } from '../core/namespace-rules.ts';
import { markRequest } from '../core/read-port.ts';
import type { Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { ShardRoute, UpstreamNode } from '../core/topology.ts';
import { CommandsUnderWay, type Form, HotKeys, keysInFrame, ReadForm } from '../near/index.ts';
import { type BalanceCounts, noCounts } from './balance-figures.ts';
import { CopyStore } from './copies.ts';
import { LoadReports } from './load-reports.ts';
import { type NodeLoad, NodeLoads } from './node-loads.ts';
import { overflowOrder } from './overflow-order.ts';
import { type Place, placeAt, SpreadKey } from './spread-key.ts';
import { SpreadReads } from './spread-reads.ts';

const SWEEP_MS = 1000;
/** A key of which no read was placed elsewhere for so long is no longer spread. */
const IDLE_MS = 5000;
/** Keys that are spread at once. */
const MAX_KEYS = 1024;
/** While a floor is aging, its leader is asked so often. */
const REFRESH_MS = 20;

/** What it works with. */
export interface BoundedLoadParts {
  readonly router: Router;
  readonly namespaces: NamespaceMatcher;
  readonly config: BalanceConfig;
  /** Reads of one key a second through this thread, from which on the key is hot. */
  readonly hotKeysPerSecond: number;
}

/**
 * Bounded load: while a shard's leader has more than `loadFactor` times the mean to do, hot keys of it are also read at its followers and at other
 * shards, which keep copies for a moment. Only keys of namespaces that allow values to be a little old; where there is a near cache, of reads that it does
 * not answer.
 *
 * A connection reads its own writes, and never an older value after a newer one: see `SpreadReads` and `VersionFloor`. One for each thread.
 */
export class BoundedLoad implements BalancePort {
  readonly figures: BalanceCounts = noCounts();
  readonly #router: Router;
  readonly #namespaces: NamespaceMatcher;
  readonly #config: BalanceConfig;
  /** By index of the namespace. */
  readonly #takesPart: readonly boolean[];
  readonly #loads: NodeLoads<UpstreamNode>;
  readonly #reports: LoadReports;
  readonly #underWay = new CommandsUnderWay(nothing);
  readonly #hot: HotKeys;
  readonly #reads: SpreadReads;
  readonly #keys = new Map<number, SpreadKey>();
  readonly #form = new ReadForm();
  readonly #hashSeed: number;
  readonly #ticker: NodeJS.Timeout;
  readonly #onChanged = () => this.#ringChanged();
  /** Of the leaders, by position of the shard; null where there is none. */
  #leaders: readonly (NodeLoad<UpstreamNode> | null)[] = [];

  constructor({ router, namespaces, config, hotKeysPerSecond }: BoundedLoadParts) {
    const { random } = router.env;
    this.#router = router;
    this.#namespaces = namespaces;
    this.#config = config;
    this.#takesPart = namespaces.all.map(takesPart);
    this.#hashSeed = random.int(2 ** 31);
    this.#loads = new NodeLoads(config.loadFactor, ({ inFlight }) => inFlight);
    this.#reports = new LoadReports(router, this.#loads);
    this.#hot = new HotKeys(hotKeysPerSecond, random, (key) => this.#hashOfText(key));
    this.#reads = new SpreadReads({
      router,
      loads: this.#loads,
      underWay: this.#underWay,
      copies: new CopyStore(router, config.copyTtlMs, this.figures),
      figures: this.figures,
      choose: (key, protocol, nowMs) => this.#choose(key, protocol, nowMs),
      sendAsIs: (request, key) => {
        markRequest(request, this, this.#underWay.add(this.#underWay.bucketOf(key.hash)));
        router.sendOn(request);
      },
    });
    router.changed.add(this.#onChanged);
    this.#ticker = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** Whether the configuration has any use for it. */
  static isNeeded({ balance }: { balance: BalanceConfig }, namespaces: NamespaceMatcher): boolean {
    return balance.mode !== 'off' && namespaces.all.some(takesPart);
  }

  takes(request: Request): boolean {
    const form = this.#form;
    if (
      request.isWrite ||
      request.rest !== null ||
      !form.recognize(request.bytes, request.start, request.end)
    ) {
      this.#count(request);
      this.#passes(request);
      return false;
    }
    const rules = this.#namespaces.rulesOf(request.bytes, form.keyStart, form.keyEnd);
    if (this.#takesPart[rules.index] && request.database === 0) return this.#reading(request, rules);
    this.#count(request);
    return false;
  }

  bypassed(frame: Buffer): number {
    const buckets: number[] = [];
    const concernsAll = keysInFrame(frame, (buffer, start, end, isWrite) => {
      const bucket = this.#barAt(buffer, start, end, isWrite);
      if (bucket !== null) buckets.push(bucket);
    });
    if (!concernsAll) return this.#underWay.addSeveral(buckets);
    for (const key of this.#keys.values()) this.#reads.bar(key, true);
    return this.#underWay.addAll();
  }

  settled(mark: number): void {
    this.#underWay.settle(mark);
  }

  /** Where the next read of the key would go. */
  stateOf(buffer: Buffer, route: ShardRoute): BalanceState {
    const nowMs = this.#router.env.clock.monotonicMs();
    this.#loads.look(nowMs);
    const hash = this.#hash(buffer, 0, buffer.length);
    const key = this.#keyAt(hash, buffer, 0, buffer.length);
    const place = key?.floor.isGood(nowMs) ? this.#placeFor(key, 2, nowMs) : null;
    return {
      decision: place?.kind ?? 'leader',
      node: place?.load.node.name ?? route.leader?.name ?? null,
      load: Math.round(this.#leaders[route.index]?.total ?? 0),
      cap: Math.round(this.#loads.cap),
    };
  }

  resetFigures(): void {
    Object.assign(this.figures, noCounts());
  }

  /** What each node has to do. */
  loads(): LoadFigure[] {
    this.#loads.look(this.#router.env.clock.monotonicMs());
    const cap = Math.round(this.#loads.cap);
    return this.#loads.all.map((load) => ({ node: load.node.name, load: Math.round(load.total), cap }));
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#router.changed.delete(this.#onChanged);
  }

  /** A read of one key that may be placed elsewhere. */
  #reading(request: Request, rules: NamespaceRules): boolean {
    const { form, keyStart, keyEnd } = this.#form;
    const { bytes, startedMs } = request;
    const hash = this.#hash(bytes, keyStart, keyEnd);
    this.#hot.saw(bytes, keyStart, keyEnd, startedMs);
    let key = this.#keyAt(hash, bytes, keyStart, keyEnd);
    const isMine = this.#maySpread(request);
    if (isMine && key === null && this.#isWanted(hash, request)) {
      const name = Buffer.from(bytes.subarray(keyStart, keyEnd));
      const places = this.#placesOf(name, request.route!);
      key = new SpreadKey({ key: name, hash, rules, places, nowMs: startedMs });
      this.#keys.set(hash, key);
    }
    if (isMine && key !== null) {
      this.#router.onlooker?.sees(request);
      this.#reads.take(key, request, form as Form);
      return true;
    }
    this.#count(request);
    if (key !== null) this.#reads.bar(key, false);
    markRequest(request, this, this.#underWay.add(this.#underWay.bucketOf(hash)));
    return false;
  }

  /** Whether nothing ties the read to the leader, or to what its client has sent before. */
  #maySpread({ fromLeader, route, sink }: Request): boolean {
    const router = this.#router;
    if (fromLeader || router.isHolding || route?.engine !== 'ringside') return false;
    if (route.leader === null || route.leader.health.isTroubled || router.hasParked(sink)) return false;
    return router.ownLinks.size === 0 || !router.ownLinks.has(sink.command?.sink ?? sink);
  }

  /** Whether the key is hot, and its leader has too much to do. */
  #isWanted(hash: number, { route, startedMs }: Request): boolean {
    if (!this.#hot.isHot(hash) || this.#keys.size >= MAX_KEYS || this.#keys.has(hash)) return false;
    const load = this.#leaders[route!.index] ?? null;
    if (load === null) return false;
    this.#loads.look(startedMs);
    return this.#loads.isFull(load);
  }

  #choose(key: SpreadKey, protocol: 2 | 3, nowMs: number): Place {
    const { leader, floor } = key;
    if (key.isOff || !floor.isGood(nowMs)) return leader;
    if (floor.isAging(nowMs) && nowMs - key.askedMs > REFRESH_MS) return leader;
    this.#loads.look(nowMs);
    return this.#placeFor(key, protocol, nowMs);
  }

  /** The first place that has less than it may; the leader when none has. */
  #placeFor(key: SpreadKey, protocol: 2 | 3, nowMs: number): Place {
    const { leader, places } = key;
    for (const place of places) {
      if (this.#loads.isFull(place.load)) continue;
      if (place === leader || this.#isUsable(place, protocol, nowMs)) return place;
    }
    return leader;
  }

  #isUsable({ load: { node }, isStoring, restsUntilMs }: Place, protocol: 2 | 3, nowMs: number): boolean {
    if (isStoring || restsUntilMs > nowMs || node.health.isTroubled) return false;
    const link = this.#router.linkTo(node, protocol, 0);
    const { maxInFlightPerShard } = this.#router.env.settings;
    return link?.isReady === true && !link.mustWait && link.length < maxInFlightPerShard;
  }

  /** The leader, the followers, and the overflow shards in their order. */
  #placesOf(key: Buffer, route: ShardRoute): Place[] {
    const { routes } = this.#router;
    const loadOf = (node: UpstreamNode) => this.#loads.all.find((load) => load.node === node)!;
    const places = [placeAt('leader', this.#leaders[route.index] ?? loadOf(route.leader!))];
    for (const follower of route.followers) places.push(placeAt('follower', loadOf(follower)));
    if (this.#config.mode !== 'overflow') return places;
    for (const at of overflowOrder(key, route.index, routes.length)) {
      const load = this.#leaders[at];
      if (load && routes[at].engine === 'ringside') places.push(placeAt('overflow', load));
    }
    return places;
  }

  /** A command that is no such read. */
  #passes(request: Request): void {
    const { bytes, start, end, keyIndex, isWrite, database } = request;
    if (!isWrite && database !== 0) return;
    if (keyIndex > 0) {
      const range = argumentRange(bytes, start, keyIndex);
      const bucket = this.#barAt(bytes, range.start, range.end, isWrite);
      if (bucket !== null) markRequest(request, this, this.#underWay.add(bucket));
    } else if (request.rest === null) {
      markRequest(request, this, this.bypassed(bytes.subarray(start, end)));
    } else {
      for (const key of this.#keys.values()) this.#reads.bar(key, isWrite);
      markRequest(request, this, this.#underWay.addAll());
    }
  }

  /** A command on the key is about to be sent. Returns its bucket; null when its namespace takes no part. */
  #barAt(buffer: Buffer, start: number, end: number, isWrite: boolean): number | null {
    if (!this.#takesPart[this.#namespaces.rulesOf(buffer, start, end).index]) return null;
    const hash = this.#hash(buffer, start, end);
    const key = this.#keyAt(hash, buffer, start, end);
    if (key !== null) this.#reads.bar(key, isWrite);
    return this.#underWay.bucketOf(hash);
  }

  #keyAt(hash: number, buffer: Buffer, start: number, end: number): SpreadKey | null {
    if (this.#keys.size === 0) return null;
    const key = this.#keys.get(hash);
    return key?.is(buffer, start, end) ? key : null;
  }

  #count({ route }: Request): void {
    const load = this.#leaders[route!.index];
    if (load) this.#loads.sent(load);
  }

  #ringChanged(): void {
    const router = this.#router;
    const { routes } = router;
    const followers = new Set(routes.flatMap((route) => route.followers));
    const leaders = routes.flatMap(({ leader }) => leader ?? []);
    this.#loads.use([...new Set([...leaders, ...followers])], routes.length);
    this.#leaders = routes.map(({ leader }) => this.#loads.all.find(({ node }) => node === leader) ?? null);
    for (const key of this.#keys.values()) {
      this.#reads.bar(key, false);
      const route = router.routeOf(key.key, 0, key.key.length);
      if (route.leader === null) this.#keys.delete(key.hash);
      else key.places = this.#placesOf(key.key, route);
    }
  }

  /** Once a second: lets keys go that are not hot any more, and asks nodes how much they do. */
  #sweep(): void {
    const nowMs = this.#router.env.clock.monotonicMs();
    this.#hot.tick(nowMs);
    this.#loads.look(nowMs);
    for (const key of this.#keys.values()) {
      const isIdle = !this.#hot.isHot(key.hash) || nowMs - key.spreadMs > IDLE_MS;
      if (isIdle && key.lanes.size === 0) this.#keys.delete(key.hash);
    }
    if (this.#loads.mean >= 1) this.#reports.ask();
  }

  #hash(buffer: Buffer, start: number, end: number): number {
    return murmur3x86_32(buffer, start, end, this.#hashSeed);
  }

  #hashOfText(key: string): number {
    const bytes = Buffer.from(key, 'latin1');
    return this.#hash(bytes, 0, bytes.length);
  }
}

/** Keys of which values may be a little old, which no origin tells, and whose reads are not sent twice. */
function takesPart({ stalenessMs, config }: NamespaceRules): boolean {
  return stalenessMs > 0 && !config?.origin && !config?.hedgedReads;
}

function nothing(): void {}
