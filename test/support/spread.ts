import type { Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { type ProxyUnderTest, proxyWith } from './proxy-under-test.ts';
import { RespClient } from './resp-client.ts';
import { type Ringside, startStandaloneNode } from './ringside.ts';
import { until } from './until.ts';

/** The key that everybody reads. */
export const HOT = 'n:hot';

/** A proxy that spreads the reads of hot keys, in front of real nodes. */
export interface Spread extends ProxyUnderTest {
  /** Connections past the proxy, to the leaders in the order of the shards. */
  readonly nodes: readonly RespClient[];
}

/** A configuration in which keys that begin with `n:` may be spread. */
export function spreading(mode: string, more: object = {}) {
  return {
    namespaces: [{ name: 'near', prefix: 'n:', stalenessMs: 60_000 }],
    balance: { mode, ...more },
    nearCache: { hotKeysPerSecond: 100 },
  };
}

/** Starts so many standalone nodes with these arguments. */
export function startNodesWith(t: Test, count: number, ...args: string[]): Promise<Ringside[]> {
  return Promise.all(Array.from({ length: count }, () => startStandaloneNode(t, ...args)));
}

/** Starts `count` followers of each of these leaders. */
export function startFollowers(t: Test, leaders: readonly Ringside[], count: number): Promise<Ringside[][]> {
  const each = ({ ready }: Ringside) => startNodesWith(t, count, '--replicaof', ready.resp.replace(':', ' '));
  return Promise.all(leaders.map(each));
}

/** A proxy with these `options` in front of these nodes, one shard for each leader. */
export async function inFrontOf(
  t: Test,
  leaders: readonly Ringside[],
  followers: readonly (readonly Ringside[])[],
  rest: object,
  options: object = {},
): Promise<Spread> {
  const upstreams = leaders.map(({ ready }, i) => ({
    name: `s${i}`,
    leader: ready.resp,
    followers: (followers[i] ?? []).map((one) => one.ready.resp),
  }));
  const proxy = await proxyWith(t, { upstreams, adminPort: 'auto', httpPort: 'auto', ...options }, rest);
  const nodes = leaders.map(({ ready }) => new RespClient(ready.resp));
  t.teardown(() => {
    for (const node of nodes) node.close();
  });
  return { ...proxy, nodes };
}

/** What RS.ROUTE says of the key, by name. */
export async function routeOf(client: RespClient, key: string): Promise<Map<string, string>> {
  const flat = ((await client.send('RS.ROUTE', key)) as unknown[]).map(String);
  return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]] as const] : [])));
}

/** 19 of 20 reads are of the hot key. */
export async function readMostlyHot(clients: readonly RespClient[], each: number): Promise<void> {
  const random = seededRandom(each);
  const run = async (client: RespClient) => {
    for (let i = 0; i < each; i++) {
      const isHot = random.int(20) > 0;
      const value = await client.text('GET', isHot ? HOT : `n:${random.int(1000)}`);
      if (isHot && value === null) throw new Error('the hot key is gone');
    }
  };
  await Promise.all(clients.map(run));
}

/** Reads until the hot key is read elsewhere. */
export async function heatUp(clients: readonly RespClient[], decision: string): Promise<Map<string, string>> {
  return until(`reads go to ${decision}`, async () => {
    await readMostlyHot(clients, 50);
    const route = await routeOf(clients[0], HOT);
    return route.get('decision') === decision ? route : null;
  });
}
