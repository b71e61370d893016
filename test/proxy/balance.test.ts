import t from 'tap';
import { request } from 'undici';
import type { ProxyUnderTest } from '../support/proxy-under-test.ts';
import type { RespClient } from '../support/resp-client.ts';
import {
  HOT,
  heatUp,
  inFrontOf,
  readMostlyHot,
  routeOf,
  spreading,
  startNodesWith,
} from '../support/spread.ts';

/* Bounded load in front of real nodes: where reads of a hot key go, and that nobody notices but by the load. */

async function executedBy(nodes: readonly RespClient[]): Promise<number[]> {
  const texts = await Promise.all(nodes.map((node) => node.text('INFO', 'stats')));
  return texts.map((text) => Number(/total_commands_processed:(\d+)/.exec(text!)![1]));
}

const metricsOf = async ({ proxy }: ProxyUnderTest) =>
  (await request(`http://${proxy.listeners.admin}/metrics`)).body.text();

t.test('a hot key over four shards: none has more than its bound', async (t) => {
  const spread = await inFrontOf(t, await startNodesWith(t, 4), [], spreading('overflow'));
  const { nodes, proxy } = spread;
  const clients = Array.from({ length: 8 }, () => spread.client());
  await clients[0].send('SET', HOT, 'value');
  t.equal((await routeOf(clients[0], HOT)).get('decision'), 'leader');
  const route = await heatUp(clients, 'overflow');
  t.not(route.get('decision-node'), route.get('node'));
  t.ok(Number(route.get('load')) <= 1.3 * Number(route.get('load-cap')));
  await readMostlyHot(clients, 100);
  const before = await executedBy(nodes);
  await readMostlyHot(clients, 800);
  const after = await executedBy(nodes);
  const done = after.map((count, i) => count - before[i]);
  const mean = done.reduce((sum, count) => sum + count) / 4;
  t.comment(`${done.join(' ')}, mean ${mean}`);
  t.ok(Math.max(...done) <= 1.3 * mean, 'the busiest shard');
  const { overflowReads, leaderReads } = await proxy.admin.figures.balance();
  t.ok(overflowReads > 1.5 * leaderReads, 'most reads are answered by copies');

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
  await readMostlyHot(clients, 50);
  t.equal(await clients[3].send('STRLEN', HOT), 5);
  await clients[3].send('DEL', HOT);
  for (const client of clients) t.equal(await client.text('GET', HOT), null);
});

t.test('off, and where values may not be old, nothing is read elsewhere', async (t) => {
  const nodes = await startNodesWith(t, 2);
  for (const rest of [
    spreading('off'),
    { ...spreading('overflow'), namespaces: [{ name: 'a', prefix: 'a:', stalenessMs: 9 }] },
  ]) {
    const spread = await inFrontOf(t, nodes, [], rest);
    const clients = Array.from({ length: 8 }, () => spread.client());
    await clients[0].send('SET', HOT, 'value');
    await readMostlyHot(clients, 100);
    t.equal((await routeOf(clients[0], HOT)).get('decision'), 'leader');
    t.equal((await spread.proxy.admin.figures.balance()).overflowReads, 0);
  }
});
