import type { Logger } from '../../lib/base/index.ts';
import type { UpstreamConfig } from '../../lib/config/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import { chooseServers, leadersOf, type Servers } from './choose.ts';
import { loginOf } from './engine-of.ts';
import { RoleWatch } from './role-watch.ts';
import { latestView } from './sentinel.ts';
import { SentinelWatch } from './sentinel-watch.ts';
import type { WatchEnvironment } from './watch.ts';

/** How often everybody is asked while the leader says that it leads, and while nobody does. */
const SETTLED_MS = 1000;
const UNSETTLED_MS = 100;

/** What a shard of another engine is followed with. */
export interface ShardFollowerOptions {
  readonly upstream: UpstreamConfig;
  /** Arguments of AUTH for its nodes; null: none is sent. */
  readonly login: readonly string[] | null;
  readonly tls: TlsMaterial | undefined;
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Other servers than before, or the same in another role. */
  readonly changed: () => void;
}

/** Knows who leads and who follows in one shard that Ringside does not govern. */
export class ShardFollower {
  readonly #options: ShardFollowerOptions;
  readonly #env: WatchEnvironment;
  readonly #nodes = new Map<string, RoleWatch>();
  readonly #sentinels: readonly SentinelWatch[];
  #servers: Servers;
  #isSettled = false;
  #isClosed = false;
  #leaders = '';
  #known: () => void = () => {};
  /** Resolves once everybody has answered, or failed to, for the first time. */
  readonly known: Promise<void>;

  constructor(options: ShardFollowerOptions) {
    this.#options = options;
    const { upstream, tls, timeoutMs, log } = options;
    const { name, leader, followers, sentinels, masterName } = upstream;
    this.#servers = { leader, followers };
    this.known = new Promise((resolve) => {
      this.#known = resolve;
    });
    this.#env = {
      ...{ shard: name, timeoutMs, tls, log },
      everyMs: () => (this.#isSettled ? SETTLED_MS : UNSETTLED_MS),
      changed: () => this.#decide(),
    };
    this.#watch(leader === null ? followers : [leader, ...followers]);
    const { sentinelUsername, sentinelPassword } = upstream;
    const login = sentinelPassword === null ? null : loginOf(sentinelUsername, sentinelPassword);
    this.#sentinels = sentinels.map((address) => new SentinelWatch(address, masterName!, login, this.#env));
  }

  get servers(): Servers {
    return this.#servers;
  }

  /** Asks everybody now: the leader refused a write, or is gone. */
  hurry(): void {
    for (const watch of [...this.#sentinels, ...this.#nodes.values()]) watch.hurry();
  }

  close(): void {
    this.#isClosed = true;
    for (const watch of [...this.#sentinels, ...this.#nodes.values()]) watch.close();
    this.#known();
  }

  #decide(): void {
    if (this.#isClosed) return;
    const latest = latestView(this.#sentinels.map(({ view }) => view));
    if (latest !== null) this.#watch([latest.leader, ...latest.followers]);
    const nodes = new Map([...this.#nodes].map(([address, { view }]) => [address, view]));
    const before = this.#servers;
    this.#servers = chooseServers({ nodes, leader: before.leader, named: latest?.leader });
    const { leader } = this.#servers;
    const wasSettled = this.#isSettled;
    this.#isSettled = leader !== null && nodes.get(leader)?.role === 'leader';
    this.#tell(before, leadersOf(nodes));
    if (wasSettled && !this.#isSettled) this.hurry();
    const wasAsked = this.#sentinels.every((sentinel) => sentinel.wasAsked);
    if (wasAsked && [...nodes.values()].every(({ role }) => role !== 'unknown')) this.#known();
  }

  #tell(before: Servers, leaders: readonly string[]): void {
    const { log, changed, upstream } = this.#options;
    const { leader, followers } = this.#servers;
    const shard = upstream.name;
    if (leaders.length > 1 && leaders.join() !== this.#leaders)
      log.warn({ shard, leaders, followed: leader }, 'several servers say that they lead');
    this.#leaders = leaders.join();
    if (leader !== before.leader)
      log.info({ shard, before: before.leader, leader }, 'another server leads the shard');
    if (leader !== before.leader || followers.join() !== before.followers.join()) changed();
  }

  /** Exactly these from now on. */
  #watch(addresses: readonly string[]): void {
    for (const [address, watch] of this.#nodes) {
      if (addresses.includes(address)) continue;
      watch.close();
      this.#nodes.delete(address);
    }
    for (const address of addresses) {
      if (!this.#nodes.has(address))
        this.#nodes.set(address, new RoleWatch(address, this.#options.login, this.#env));
    }
  }
}
