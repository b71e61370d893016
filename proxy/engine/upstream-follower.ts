import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../lib/base/index.ts';
import type { Config, UpstreamConfig } from '../../lib/config/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import { accessOf, engineOf } from './engine-of.ts';
import { ShardFollower } from './shard-follower.ts';

/** What following needs of the proxy. */
export interface UpstreamFollowerOptions {
  readonly proxy: Config['proxy'];
  /** The fleet's identity; undefined: plain TCP. */
  readonly tls: TlsMaterial | undefined;
  readonly log: Logger;
  /** Takes over the upstreams with those in the lead who are. */
  readonly apply: (upstreams: readonly UpstreamConfig[]) => void;
}

/**
 * The upstreams of a fixed ring as they are at present: with engine `redis` whoever says that it leads is the leader, and the proxy follows. It
 * promotes nobody. A shard of one server is what it is configured as: there is nobody else to turn to.
 */
export class UpstreamFollower {
  readonly #options: UpstreamFollowerOptions;
  #upstreams: readonly UpstreamConfig[] = [];
  #shards = new Map<string, ShardFollower>();

  constructor(options: UpstreamFollowerOptions) {
    this.#options = options;
  }

  /** Takes over these upstreams once their servers have said who leads, as far as they do in time. */
  async start(upstreams: readonly UpstreamConfig[]): Promise<void> {
    this.#watch(upstreams);
    const known = Promise.all(Array.from(this.#shards.values(), (shard) => shard.known));
    await Promise.race([known, delay(this.#options.proxy.connectTimeoutMs, undefined, { ref: false })]);
    this.#apply();
  }

  /** Takes over other upstreams at once. */
  replace(upstreams: readonly UpstreamConfig[]): void {
    this.#watch(upstreams);
    this.#apply();
  }

  /** A leader refused a write: everybody is asked now. */
  hurry(): void {
    for (const shard of this.#shards.values()) shard.hurry();
  }

  close(): void {
    for (const shard of this.#shards.values()) shard.close();
    this.#shards.clear();
  }

  #watch(upstreams: readonly UpstreamConfig[]): void {
    this.close();
    this.#upstreams = upstreams;
    const { proxy, tls, log } = this.#options;
    const followed = upstreams.filter((upstream) => isFollowed(upstream, proxy));
    const shards = followed.map((upstream): [string, ShardFollower] => {
      const { login, usesTls } = accessOf(upstream, proxy);
      const shard = new ShardFollower({
        ...{ upstream, login, log },
        tls: usesTls ? tls : undefined,
        timeoutMs: proxy.connectTimeoutMs,
        changed: () => {
          if (this.#shards.get(upstream.name) === shard) this.#apply();
        },
      });
      return [upstream.name, shard];
    });
    this.#shards = new Map(shards);
  }

  #apply(): void {
    const present = this.#upstreams.map((upstream) => {
      const servers = this.#shards.get(upstream.name)?.servers;
      return servers === undefined
        ? upstream
        : { ...upstream, ...servers, followers: [...servers.followers] };
    });
    this.#options.apply(present);
  }
}

/** Whether the leader of a shard may be another than the configured one. */
export function isFollowed(upstream: UpstreamConfig, proxy: Config['proxy']): boolean {
  const hasChoice = upstream.followers.length > 0 || upstream.sentinels.length > 0;
  return hasChoice && engineOf(upstream, proxy) === 'redis';
}
