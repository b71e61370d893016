import type { Test } from 'tap';
import { MemcachedClient } from './memcached-client.ts';
import { type ProxyUnderTest, proxyWith } from './proxy-under-test.ts';
import { RespClient } from './resp-client.ts';
import { startStandaloneNode } from './ringside.ts';

/** A proxy with a memcached listener in front of real nodes. */
export interface MemcachedStack {
  readonly under: ProxyUnderTest;
  /** `host:port` of the listener. */
  readonly address: string;
  /** `host:port` of each shard's node. */
  readonly nodes: readonly string[];
  /** A new memcached client. */
  client(): MemcachedClient;
  /** A new client of the node of shard `i`. */
  node(i: number): RespClient;
}

/** Starts it with so many shards, for as long as the test runs. */
export async function memcachedStack(
  t: Test,
  shards: number,
  options: object = {},
  rest: object = {},
): Promise<MemcachedStack> {
  return memcachedProxy(t, await memcachedNodes(t, shards), options, rest);
}

/** So many nodes, for as long as the test runs. */
export async function memcachedNodes(t: Test, count: number): Promise<string[]> {
  const processes = await Promise.all(Array.from({ length: count }, () => startStandaloneNode(t)));
  return processes.map(({ ready }) => ready.resp);
}

/** Starts the proxy in front of these nodes. */
export async function memcachedProxy(
  t: Test,
  nodes: readonly string[],
  options: object = {},
  rest: object = {},
): Promise<MemcachedStack> {
  const upstreams = nodes.map((leader, i) => ({ name: `s${i}`, leader, followers: [] }));
  const under = await proxyWith(t, { upstreams, memcachedPort: 'auto', ...options }, rest);
  const address = under.proxy.listeners.memcached;
  return {
    under,
    address,
    nodes,
    client: () => new MemcachedClient(t, address),
    node(i) {
      const client = new RespClient(nodes[i]);
      t.teardown(() => client.close());
      return client;
    },
  };
}
