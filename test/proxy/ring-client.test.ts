import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { sealDocument } from '../../lib/ring/index.ts';
import { documentOf, FakeControlPlane } from '../support/fake-control-plane.ts';
import type { FakeNode } from '../support/fake-node.ts';
import { patience, wakingClock } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { fakeNodes, proxyWith } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* The proxy and the control plane: rings taken, refused, kept, and what a node's STALERING leads to. */

const fast = { operationTimeoutMs: 2000, readTimeoutMs: 300, connectTimeoutMs: 1000 };
const STALE = '-STALERING shard s0 is at epoch 2, connection at 1\r\n';
const READ_ONLY = "-READONLY You can't write against a read only replica.\r\n";

async function attached(t: Test, nodeCount: number, options: object = {}) {
  const nodes = await fakeNodes(t, nodeCount);
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  plane.document = documentOf(1, [{ leader: nodes[0], followers: nodes.slice(1, 2) }]);
  const where = { id: 'p1', controlPlane: plane.address };
  const proxy = await proxyWith(t, { ...where, ...fast, ...options }, {}, wakingClock(t));
  return { nodes, plane, ...proxy };
}

const epochs = (node: FakeNode) =>
  node.received.filter(({ name }) => name === 'RS.EPOCH').map(({ args }) => args.join(' '));
const acked = (plane: FakeControlPlane) => plane.heardOf('ack').at(-1)?.epoch;

t.test('says who it is, applies what is pushed, acknowledges it, beats', async (t) => {
  const { nodes, plane, proxy, client, resp } = await attached(t, 2);
  t.match(plane.heardOf('hello')[0], { kind: 'PROXY', id: 'p1', runId: /^[0-9a-f]{32}$/, resp });
  await until('acknowledged', () => acked(plane) === '1');
  t.match(plane.heardOf('ack')[0], { incarnation: '1', epoch: '1', sha256: plane.document!.sha256 });
  await until('heartbeats', () => plane.heardOf('heartbeat').length > 2);
  t.equal(proxy.admin.ring()?.epoch, '1');
  t.equal(proxy.admin.state(), 'serving');
  const c = client();
  await c.text('SET', 'a', '1');
  t.strictSame(epochs(nodes[0]), ['s0 1'], 'the epoch is announced once');
  const names = nodes[0].received.map(({ name }) => name);
  t.ok(names.indexOf('RS.EPOCH') < names.indexOf('SET'), 'before the first write');
  plane.push(documentOf(2, [{ epoch: 2, leader: nodes[0], followers: [nodes[1]] }]));
  await until('acknowledged', () => acked(plane) === '2');
  await c.text('SET', 'a', '2');
  t.strictSame(epochs(nodes[0]), ['s0 1', 's0 2'], 'and again after a change, in band');
  t.equal(
    nodes[0].received.at(-1)?.connection,
    nodes[0].received.find(({ name }) => name === 'SET')?.connection,
  );
});

t.test('a new leader gets the writes, also those that wait for the old one', async (t) => {
  const { nodes, plane, client } = await attached(t, 2, { operationTimeoutMs: 20_000 });
  const c = client();
  await c.text('SET', 'a', '1');
  await nodes[0].stop();
  await until('the break is noticed', async () => (await c.text('GET', 'a')) === null);
  const waiting = c.text('SET', 'a', '2');
  plane.push(documentOf(2, [{ epoch: 2, leader: nodes[1] }]));
  t.equal(await waiting, 'OK');
  t.equal(nodes[1].store.get('a')?.toString(), '2');
  plane.push(documentOf(3, [{ epoch: 2, leader: null }]));
  await until('acknowledged', () => acked(plane) === '3');
  const leaderless = c.text('SET', 'a', '3');
  plane.push(documentOf(4, [{ epoch: 3, leader: nodes[1] }]));
  t.equal(await leaderless, 'OK', 'a write waits for a leader too');
});

t.test('refuses older rings and a second content for one version', async (t) => {
  const { nodes, plane, proxy } = await attached(t, 2);
  const shards = [{ leader: nodes[0] }];
  plane.push(documentOf(5, shards));
  await until('acknowledged', () => acked(plane) === '5');
  plane.push(documentOf(4, shards));
  await until('refused', () => plane.heardOf('nack').length === 1);
  plane.push(documentOf(5, [{ leader: nodes[1] }]));
  await until('refused', () => plane.heardOf('nack').length === 2);
  const altered = { ...documentOf(6, shards), leaseMs: 1 };
  plane.push(altered as ReturnType<typeof sealDocument>);
  await until('refused', () => plane.heardOf('nack').length === 3);
  t.strictSame(
    plane.heardOf('nack').map(({ code }) => code),
    ['older', 'conflict', 'invalid'],
  );
  t.equal(proxy.admin.ring()?.epoch, '5');
  plane.push(documentOf(1, shards, 2));
  await until('a higher incarnation is newer', () => proxy.admin.ring()?.incarnation === '2');
});

t.test('STALERING: refreshes and tries once more', async (t) => {
  const { nodes, plane, client } = await attached(t, 1);
  const c = client();
  let refusals = 1;
  nodes[0].refuse = ({ name }) => (name === 'SET' && refusals-- > 0 ? STALE : undefined);
  plane.document = documentOf(2, [{ epoch: 2, leader: nodes[0] }]);
  t.equal(await c.text('SET', 'a', '1'), 'OK');
  t.equal(plane.heardOf('refresh').length, 1);
  t.strictSame(epochs(nodes[0]), ['s0 1', 's0 2']);
  refusals = 2;
  t.match(await c.send('SET', 'a', '2'), { message: /^STALERING / }, 'only once');
  t.equal(nodes[0].store.get('a')?.toString(), '1');
});

t.test('a refused write of a pipeline keeps its place', async (t) => {
  const { nodes, plane, client } = await attached(t, 1);
  const c = client();
  let refusals = 0;
  nodes[0].refuse = ({ name }) => (name === 'SET' && refusals-- > 0 ? READ_ONLY : undefined);
  refusals = 1;
  const [first, other, second] = await Promise.all([
    c.send('SET', 'a', '1'),
    c.send('SET', 'b', '1'),
    c.send('SET', 'a', '2'),
  ]);
  t.match(
    first,
    { message: /^READONLY / },
    'a later write of the key was done: the earlier one is not repeated',
  );
  t.strictSame([other, second].map(String), ['OK', 'OK']);
  t.equal(nodes[0].store.get('a')?.toString(), '2');
  refusals = 1;
  const alone = c.send('SET', 'a', '3');
  await until('it was refused', () => plane.heardOf('refresh').length === 2);
  const behind = [c.send('SET', 'a', '4'), c.text('GET', 'a'), c.send('MSET', 'a', '5', 'c', '1')];
  t.strictSame(
    (await Promise.all([alone, ...behind])).map(String),
    ['OK', 'OK', '4', 'OK'],
    'what came later waited',
  );
  t.equal(nodes[0].store.get('a')?.toString(), '5');
});

t.test('a refused part of a command keeps its place as well', async (t) => {
  const { nodes, plane, client } = await attached(t, 2);
  plane.push(documentOf(2, [{ leader: nodes[0] }, { leader: nodes[1] }]));
  await until('acknowledged', () => acked(plane) === '2');
  const c = client();
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
  await Promise.all(keys.map((key) => c.text('SET', key, '0')));
  const [here, there] = nodes.map(({ store }) => keys.find((key) => store.has(key))!);
  let refusals = 1;
  nodes[0].refuse = ({ name }) => (name === 'MSET' && refusals-- > 0 ? READ_ONLY : undefined);
  const [both] = await Promise.all([c.send('MSET', here, '1', there, '1'), c.send('SET', here, '2')]);
  t.match(
    both,
    { message: /^READONLY MSET failed for 1 of 2 keys/ },
    'its key may have been written meanwhile',
  );
  t.equal(nodes[0].store.get(here)?.toString(), '2');
  t.equal(nodes[1].store.get(there)?.toString(), '1');

  refusals = 1;
  const alone = c.send('MSET', here, '3', there, '3');
  await until('it was refused', () => plane.heardOf('refresh').length === 2);
  const behind = c.send('SET', here, '4');
  t.strictSame((await Promise.all([alone, behind])).map(String), ['OK', 'OK']);
  t.equal(nodes[0].store.get(here)?.toString(), '4', 'what came later waited');
});

t.test('WAIT answers 0 when the epoch changed since the write', async (t) => {
  const { nodes, plane, client } = await attached(t, 2);
  nodes[0].replicas = 1;
  const c = client();
  await c.text('SET', 'a', '1');
  t.equal(await c.send('WAIT', '1', '10000'), 1);
  await c.text('SET', 'a', '2');
  plane.push(documentOf(2, [{ epoch: 2, leader: nodes[0], followers: [nodes[1]] }]));
  await until('acknowledged', () => acked(plane) === '2');
  t.equal(await c.send('WAIT', '1', '10000'), 0);
  await c.text('SET', 'a', '3');
  t.equal(await c.send('WAIT', '1', '10000'), 1);
});

t.test(
  'the last known good ring serves while no control plane answers, and attaches when one is back',
  async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'ringside-proxy-'));
    t.teardown(() => rmSync(dir, { recursive: true, force: true }));
    const { nodes, plane, proxy } = await attached(t, 1, { dir });
    await until('acknowledged', () => acked(plane) === '1');
    await plane.stop();
    await proxy.close();
    const port = Number(plane.address.split(':')[1]);
    const again = await proxyWith(t, { id: 'p1', controlPlane: plane.address, dir, ...fast });
    t.equal(await again.client().text('SET', 'a', '1'), 'OK');
    t.equal(again.proxy.admin.ring()?.epoch, '1');
    const back = await FakeControlPlane.start(port);
    t.teardown(() => back.stop());
    await until('it says what it holds', () => back.heardOf('hello').length > 0);
    t.equal(JSON.parse(back.heardOf('hello')[0].ringJson).epoch, '1');
    back.push(documentOf(2, [{ epoch: 2, leader: nodes[0] }]));
    await until('acknowledged', () => acked(back) === '2');
  },
);

t.test('without any ring: listens, answers CLUSTERDOWN, and serves once one comes', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  const port = await freePort();
  const starting = proxyWith(t, { controlPlane: plane.address, respPort: port, ...fast });
  await until('it is attached', () => plane.heardOf('hello').length > 0);
  const c = new RespClient(`127.0.0.1:${port}`);
  t.teardown(() => c.close());
  t.equal(await c.text('PING'), 'PONG');
  for (const command of [['GET', 'a'], ['MGET', 'a', 'b'], ['DBSIZE'], ['SCAN', '0'], ['WAIT', '0', '1']]) {
    t.match(await c.send(...command), { message: /^CLUSTERDOWN this proxy has no ring yet/ }, command[0]);
  }
  plane.push(documentOf(1, [{ leader: node }]));
  const { proxy } = await starting;
  t.equal(proxy.admin.state(), 'serving');
  t.equal(await c.text('SET', 'a', '1'), 'OK');
});

t.test('two workers: one port, one ring, sums of their counters', async (t) => {
  const { nodes, plane, resp, proxy } = await attached(t, 1, { workers: 2, adminPort: 'auto', ...patience });
  const clients = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const one = new RespClient(resp);
      t.teardown(() => one.close());
      t.equal(await one.text('SET', 'a', '1'), 'OK');
      return one;
    }),
  );
  // The main thread has a connection of its own, for the other protocols.
  await until('each thread has one', () => nodes[0].connections === 3);
  plane.push(documentOf(2, [{ epoch: 2, leader: nodes[0] }]));
  await until('acknowledged', () => acked(plane) === '2');
  let refusals = 1;
  nodes[0].refuse = ({ name }) => (name === 'SET' && refusals-- > 0 ? STALE : undefined);
  t.equal(await clients[0].text('SET', 'a', '2'), 'OK', 'a worker has the ring refreshed');
  const metrics = await (await fetch(`http://${proxy.listeners.admin}/metrics`)).text();
  t.match(metrics, /ringside_proxy_commands_total 13\n/);
  await proxy.close();
  await t.rejects(clients[0].text('GET', 'a'), 'closed');
});
