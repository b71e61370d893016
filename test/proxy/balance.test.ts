import t, { type Test } from 'tap';
import { request } from 'undici';
import { seededRandom } from '../../lib/base/index.ts';
import { readMonotonically, type Seen } from '../support/monotonic-readers.ts';
import { type ProxyUnderTest, proxyWith } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* Bounded load in front of real nodes: where reads of a hot key go, and that nobody notices but by the load. */

interface Spread extends ProxyUnderTest {
  /** Connections past the proxy, to the leaders in the order of the shards. */
  readonly nodes: readonly RespClient[];
}

const rules = { namespaces: [{ name: 'near', prefix: 'n:', stalenessMs: 60_000 }] };
const HOT = 'n:hot';

function spreading(mode: string, more: object = {}) {
  return { ...rules, balance: { mode, ...more }, nearCache: { hotKeysPerSecond: 100 } };
}

async function inFrontOf(
  t: Test,
  leaders: readonly Ringside[],
  followers: readonly (readonly Ringside[])[],
  rest: object,
): Promise<Spread> {
  const upstreams = leaders.map(({ ready }, i) => ({
    name: `s${i}`,
    leader: ready.resp,
    followers: (followers[i] ?? []).map((one) => one.ready.resp),
  }));
  const proxy = await proxyWith(t, { upstreams, adminPort: 'auto', httpPort: 'auto' }, rest);
  const nodes = leaders.map(({ ready }) => new RespClient(ready.resp));
  t.teardown(() => nodes.forEach((node) => node.close()));
  return { ...proxy, nodes };
}

const startNodes = (t: Test, count: number, ...args: string[]) =>
  Promise.all(Array.from({ length: count }, () => startStandaloneNode(t, ...args)));

async function routeOf(c: RespClient, key = HOT): Promise<Map<string, string>> {
  const flat = ((await c.send('RS.ROUTE', key)) as unknown[]).map(String);
  return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]]] : [])));
}

/** 19 of 20 reads are of the hot key. */
async function read(clients: readonly RespClient[], each: number): Promise<void> {
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
async function heatUp(clients: readonly RespClient[], decision: string): Promise<Map<string, string>> {
  return until(`reads go to ${decision}`, async () => {
    await read(clients, 50);
    const route = await routeOf(clients[0]);
    return route.get('decision') === decision ? route : null;
  });
}

async function executedBy(nodes: readonly RespClient[]): Promise<number[]> {
  const texts = await Promise.all(nodes.map((node) => node.text('INFO', 'stats')));
  return texts.map((text) => Number(/total_commands_processed:(\d+)/.exec(text!)![1]));
}

const metricsOf = async ({ proxy }: ProxyUnderTest) =>
  (await request(`http://${proxy.listeners.admin}/metrics`)).body.text();

t.test('a hot key over four shards: none has more than its bound', async (t) => {
  const spread = await inFrontOf(t, await startNodes(t, 4), [], spreading('overflow'));
  const { nodes, proxy } = spread;
  const clients = Array.from({ length: 16 }, () => spread.client());
  await clients[0].send('SET', HOT, 'value');
  t.equal((await routeOf(clients[0])).get('decision'), 'leader');
  const route = await heatUp(clients, 'overflow');
  t.not(route.get('decision-node'), route.get('node'));
  t.ok(Number(route.get('load')) <= 1.3 * Number(route.get('load-cap')));
  await read(clients, 100);
  const before = await executedBy(nodes);
  await read(clients, 1000);
  const after = await executedBy(nodes);
  const done = after.map((count, i) => count - before[i]);
  const mean = done.reduce((sum, count) => sum + count) / 4;
  t.comment(`${done.join(' ')}, mean ${mean}`);
  t.ok(Math.max(...done) <= 1.3 * mean, 'the busiest shard');
  const { overflowReads, leaderReads, lost } = await proxy.admin.figures.balance();
  t.ok(overflowReads > 1.5 * leaderReads, 'most reads are answered by copies');
  t.equal(lost, 0);

  t.match(await metricsOf(spread), /ringside_proxy_balance_reads_total\{by="overflow"\} [1-9]/);
  const url = `http://${proxy.listeners.admin}`;
  t.match(await (await request(`${url}/status`)).body.json(), { balance: { overflowReads: Number } });
  t.match(await (await request(`${url}/balance?key=${HOT}`)).body.json(), { cap: Number, node: String });
  const clusters = (await (await request(`${url}/clusters?format=json`)).body.json()) as {
    shards: { nodes: { load: number; loadCap: number }[] }[];
  };
  t.ok(clusters.shards.every(({ nodes: [node] }) => node.load > 0 && node.loadCap > 0));

  t.equal(await clients[1].send('DBSIZE'), 1, 'copies are no keys');
  await clients[2].send('SET', HOT, 'other');
  for (const client of clients)
    t.equal(await client.text('GET', HOT), 'other', 'whoever reads after the write');
  const body = await request(`http://${proxy.listeners.http}/v1/key/${HOT}`);
  t.equal(await body.body.text(), 'other', 'HTTP goes the same ways');
  await read(clients, 50);
  t.equal(await clients[3].send('STRLEN', HOT), 5);
  await clients[3].send('DEL', HOT);
  for (const client of clients) t.equal(await client.text('GET', HOT), null);
});

t.test('followers come first', async (t) => {
  const leaders = await startNodes(t, 3);
  const followers = await Promise.all(
    leaders.map(({ ready }) => startNodes(t, 1, '--replicaof', ready.resp.replace(':', ' '))),
  );
  const spread = await inFrontOf(t, leaders, followers, spreading('followers'));
  const clients = Array.from({ length: 8 }, () => spread.client());
  await clients[0].send('SET', HOT, '1');
  const route = await heatUp(clients, 'follower');
  const { figures } = spread.proxy.admin;
  await until('followers answer', async () => {
    await read(clients, 50);
    return (await figures.balance()).followerReads > 100;
  });
  t.equal((await figures.balance()).overflowReads, 0);
  t.equal(route.get('followers'), route.get('decision-node'));
  const [follower] = followers[leaders.findIndex(({ ready }) => ready.resp === route.get('node'))];
  follower.kill('SIGSTOP');
  t.teardown(() => follower.kill('SIGCONT'));
  await read(clients, 300);
  t.ok((await figures.balance()).lost > 0, 'a stopped follower costs nobody an answer');
});

t.test('an overflow shard that is stopped or killed costs nobody an answer', async (t) => {
  const leaders = await startNodes(t, 3);
  const spread = await inFrontOf(t, leaders, [], spreading('overflow'));
  const clients = Array.from({ length: 8 }, () => spread.client());
  await clients[0].send('SET', HOT, 'value');
  const readHot = (each: number) =>
    Promise.all(
      clients.map(async (client) => {
        for (let i = 0; i < each; i++) t.equal(await client.text('GET', HOT), 'value');
      }),
    );
  const at = (await heatUp(clients, 'overflow')).get('decision-node');
  const node = leaders.find(({ ready }) => ready.resp === at)!;
  node.kill('SIGSTOP');
  await readHot(300);
  node.kill('SIGKILL');
  await readHot(300);
  t.ok((await spread.proxy.admin.figures.balance()).lost > 0);
});

t.test('off, and where values may not be old, nothing is read elsewhere', async (t) => {
  const nodes = await startNodes(t, 2);
  for (const rest of [
    spreading('off'),
    { ...spreading('overflow'), namespaces: [{ name: 'a', prefix: 'a:', stalenessMs: 9 }] },
  ]) {
    const spread = await inFrontOf(t, nodes, [], rest);
    const clients = Array.from({ length: 8 }, () => spread.client());
    await clients[0].send('SET', HOT, 'value');
    await read(clients, 100);
    t.equal((await routeOf(clients[0])).get('decision'), 'leader');
    t.equal((await spread.proxy.admin.figures.balance()).overflowReads, 0);
  }
});

for (const mode of ['followers', 'overflow'])
  t.test(`${mode}: no connection sees an older value after a newer one`, async (t) => {
    const leaders = await startNodes(t, 2);
    const followers = await Promise.all(
      leaders.map(({ ready }) =>
        startNodes(t, mode === 'followers' ? 1 : 0, '--replicaof', ready.resp.replace(':', ' ')),
      ),
    );
    const { resp, proxy, nodes } = await inFrontOf(t, leaders, followers, spreading(mode, { copyTtlMs: 50 }));
    const route = await routeOf(new RespClient(resp), 'n:a');
    const owner = nodes[leaders.findIndex(({ ready }) => ready.resp === route.get('node'))];
    let isOver = false;
    const writing = (async () => {
      const random = seededRandom(5);
      let writes = 0;
      for (; !isOver; writes++) {
        await owner.send('INCR', 'n:a');
        await new Promise((resolve) => setTimeout(resolve, random.int(5)));
      }
      return writes;
    })();
    const seen: Seen = { reads: 0, wrong: [] };
    const random = seededRandom(11);
    const reads = 60_000;
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        readMonotonically(resp, ['n:a'], { reads: reads / 8, depth: 1 + i * 4, random, seen }),
      ),
    );
    isOver = true;
    t.ok((await writing) > 50, 'values change meanwhile');
    t.same(seen.wrong.slice(0, 5), []);
    t.equal(seen.reads, reads);
    const figures = await proxy.admin.figures.balance();
    t.comment(JSON.stringify(figures));
    t.ok(figures.overflowReads + figures.followerReads > reads / 50, 'much is read elsewhere');
    t.ok(figures.refused > 10, 'and some of it was too old');
  });
