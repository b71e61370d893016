import type { Test } from 'tap';
import { Ring } from '../../lib/ring/index.ts';
import { type ProxyUnderTest, proxyWith } from './proxy-under-test.ts';
import { startRedis } from './redis-server.ts';
import { RespClient } from './resp-client.ts';

/** A proxy over several redis-servers, and one redis-server that has all to itself, to compare with. */
export interface ShardedRedis extends ProxyUnderTest {
  /** A client of the redis-server alone. */
  readonly alone: RespClient;
  /** Addresses of the shards s0, s1, … */
  readonly shards: readonly string[];
  /** The index of the shard that owns the key. */
  shardOf(key: string): number;
}

/** Everything ends with the test. */
export async function shardedRedis(t: Test, shardCount = 3): Promise<ShardedRedis> {
  const servers = await Promise.all(Array.from({ length: shardCount + 1 }, () => startRedis()));
  t.teardown(() => Promise.all(servers.map((server) => server.stop())));
  const [single, ...leaders] = servers;
  const upstreams = leaders.map(({ address }, i) => ({ name: `s${i}`, leader: address, followers: [] }));
  const proxy = await proxyWith(t, { engine: 'redis', upstreams });
  const alone = new RespClient(single.address);
  t.teardown(() => alone.close());
  const ring = Ring.of(upstreams.map(({ name }) => ({ name, weight: 1 })));
  return {
    ...proxy,
    alone,
    shards: leaders.map(({ address }) => address),
    shardOf: (key) => ring.shardOf(Buffer.from(key), 0, Buffer.byteLength(key)),
  };
}
