import { parseAddress } from '../../lib/net/index.ts';
import type { KeyRanges, KeySorter, Ring } from '../../lib/ring/index.ts';
import type { Health } from '../health/index.ts';
import { argumentRange } from './frames.ts';
import type { Request } from './request.ts';
import { ringFor, ShardRoute, type Topology, type TopologyShard, UpstreamNode } from './topology.ts';

/** The present topology: which shard owns a key, and which nodes serve it. What stays the same from one topology to the next is the same object. */
export class Routes {
  readonly #health: Health;
  readonly #prepare: (node: UpstreamNode) => void;
  readonly #nodes = new Map<string, UpstreamNode>();
  #ring: Ring | null = null;
  #ringEpoch = '0';
  #inRing: readonly ShardRoute[] = [];
  #spare: readonly ShardRoute[] = [];

  /** `prepare` is called with every node of each topology that is applied. */
  constructor(health: Health, prepare: (node: UpstreamNode) => void) {
    this.#health = health;
    this.#prepare = prepare;
  }

  /** The shards in the order of the ring; empty before the first `apply`. */
  get inRing(): readonly ShardRoute[] {
    return this.#inRing;
  }

  /** Those of the gutter. */
  get spare(): readonly ShardRoute[] {
    return this.#spare;
  }

  get nodes(): Iterable<UpstreamNode> {
    return this.#nodes.values();
  }

  get ring(): Ring | null {
    return this.#ring;
  }

  get ringEpoch(): string {
    return this.#ringEpoch;
  }

  /** The shard that owns the key `buffer[start, end)`. */
  of(buffer: Buffer, start: number, end: number): ShardRoute {
    const routes = this.#inRing;
    return routes.length === 1 ? routes[0] : routes[this.#ring!.shardOf(buffer, start, end)];
  }

  /** As `of`, of the arguments `first`, `first + step`, … of a command, so many: their positions in `inRing`, to `places`. */
  placesOf(args: KeyRanges, first: number, step: number, count: number, places: Uint16Array): void {
    if (this.#inRing.length === 1) places.fill(0, 0, count);
    else this.#ring!.shardsOf(args, first, step, count, places);
  }

  /** The same keys sorted together by position in `inRing`, which holds up to the next call; null when they cannot be, or there is nothing to sort. */
  sort(args: KeyRanges, first: number, step: number, count: number): KeySorter | null {
    return this.#inRing.length === 1 ? null : this.#ring!.sort(args, first, step, count);
  }

  /** The shard that a request belongs to now; null when its shard has left and no key tells another. */
  currentOf({ route, bytes, start, keyIndex }: Request): ShardRoute | null {
    if (route === null) return null;
    const current = this.#inRing[route.index];
    if (current === route || current?.name === route.name) return current;
    const named = this.#inRing.find(({ name }) => name === route.name);
    if (named || keyIndex < 1 || this.#inRing.length === 0) return named ?? null;
    const key = argumentRange(bytes, start, keyIndex);
    return this.of(bytes, key.start, key.end);
  }

  /** Takes over a topology. Returns the nodes that have left. */
  apply(topology: Topology): UpstreamNode[] {
    this.#ring = ringFor(topology, this.#ring);
    this.#ringEpoch = topology.ringEpoch ?? '0';
    this.#inRing = this.#routesOf(topology.shards, this.#inRing);
    for (const [index, route] of this.#inRing.entries()) route.index = index;
    this.#spare = this.#routesOf(topology.gutters ?? [], this.#spare);
    const kept = new Set<UpstreamNode | null>();
    for (const { leader, followers } of this.#inRing)
      for (const node of [leader, ...followers]) kept.add(node);
    for (const { leader } of this.#spare) kept.add(leader);
    const gone: UpstreamNode[] = [];
    for (const [key, node] of this.#nodes) {
      if (kept.has(node)) continue;
      this.#nodes.delete(key);
      this.#health.forget(node.health);
      gone.push(node);
    }
    return gone;
  }

  #routesOf(shards: readonly TopologyShard[], before: readonly ShardRoute[]): ShardRoute[] {
    const byName = new Map(before.map((route) => [route.name, route]));
    return shards.map((shard) => this.#routeFor(shard, byName.get(shard.name)));
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
      const health = this.#health.nodeHealth(address, shard.name);
      node = new UpstreamNode(address, parseAddress(address), shard.name, health);
      node.engine = shard.engine ?? 'ringside';
      node.access = shard.access;
      this.#nodes.set(key, node);
    }
    node.epoch = shard.epoch;
    this.#prepare(node);
    return node;
  }
}
