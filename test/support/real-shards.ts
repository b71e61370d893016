import type { Test } from 'tap';
import { type ProxyUnderTest, proxyWith } from './proxy-under-test.ts';
import { RespClient } from './resp-client.ts';
import { startStandaloneNode } from './ringside.ts';

/** A proxy in the process of the test, in front of real nodes, one per shard. */
export interface RealShards extends ProxyUnderTest {
  /** A connection to each node, in the order of the shards s0, s1, … */
  readonly nodes: readonly RespClient[];
  /** A hash tag for each shard: keys that contain it are there. */
  readonly tags: readonly string[];
}

/** Starts so many standalone nodes; their addresses. They end with the test. */
export async function startNodes(t: Test, count: number): Promise<string[]> {
  const nodes = await Promise.all(Array.from({ length: count }, () => startStandaloneNode(t)));
  return nodes.map(({ ready }) => ready.resp);
}

/** A proxy with these options in front of servers that run, one per shard. */
export async function behindProxy(
  t: Test,
  addresses: readonly string[],
  options: object = {},
): Promise<RealShards> {
  const upstreams = addresses.map((leader, i) => ({ name: `s${i}`, leader }));
  const proxy = await proxyWith(t, { upstreams, ...options });
  const nodes = addresses.map((address) => new RespClient(address));
  t.teardown(() => {
    for (const node of nodes) node.close();
  });
  return { ...proxy, nodes, tags: await findTags(proxy.client(), nodes) };
}

/** Tries names, all of one length, until each node has got one. */
async function findTags(client: RespClient, nodes: readonly RespClient[]): Promise<string[]> {
  const tags: string[] = [];
  for (let n = 0; tags.filter(Boolean).length < nodes.length; n++) {
    const tag = `{${String(n).padStart(3, '0')}}`;
    await client.text('SET', tag, '');
    const found = await Promise.all(nodes.map((node) => node.send('EXISTS', tag)));
    tags[found.indexOf(1)] ??= tag;
    await client.text('DEL', tag);
  }
  return tags;
}

/** Clients of a node that are blocked, by its own account. */
export async function blockedAt(node: RespClient): Promise<number> {
  const info = (await node.text('INFO', 'clients'))!;
  return Number(/^blocked_clients:(\d+)/m.exec(info)![1]);
}

/** Connections of a node, by its own account. */
export async function connectionsAt(node: RespClient): Promise<number> {
  return (await node.text('CLIENT', 'LIST'))!.trimEnd().split('\n').length;
}
