import t, { type Test } from 'tap';
import { documentOf, FakeControlPlane } from '../support/fake-control-plane.ts';
import { wakingClock } from '../support/patience.ts';
import { fakeNodes, proxyWith } from '../support/proxy-under-test.ts';
import { until } from '../support/until.ts';

/* Reads that found nobody to answer them, and were never sent: whoever can answer from then on does. */

async function withoutLeader(t: Test, options: object) {
  const nodes = await fakeNodes(t, 2);
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  plane.document = documentOf(1, [{ leader: nodes[0] }]);
  const { proxy, client } = await proxyWith(
    t,
    { controlPlane: plane.address, ...options },
    {},
    wakingClock(t),
  );
  await nodes[0].stop();
  await until('the leader is gone', () => proxy.admin.upstreams()[0].state === 'suspect');
  const inFlight = () => proxy.admin.upstreams().reduce((sum, node) => sum + node.inFlight, 0);
  return { nodes, plane, client: client(), inFlight };
}

t.test('a read that waits for the former leader goes to the new one', async (t) => {
  const { nodes, plane, client, inFlight } = await withoutLeader(t, { operationTimeoutMs: 60_000 });
  nodes[1].store.set('k', Buffer.from('new'));
  const reading = client.text('GET', 'k');
  await until('it waits', () => inFlight() === 1);
  plane.push(documentOf(2, [{ epoch: 2, leader: nodes[1], followers: [nodes[0]] }]));
  t.equal(await reading, 'new');
});

t.test('a read that waits goes to a follower that comes', async (t) => {
  const options = { operationTimeoutMs: 60_000, readTimeoutMs: 50 };
  const { nodes, plane, client, inFlight } = await withoutLeader(t, options);
  nodes[1].store.set('k', Buffer.from('old'));
  const reading = client.text('GET', 'k');
  await until('it waits', () => inFlight() === 1);
  plane.push(documentOf(2, [{ leader: nodes[0], followers: [nodes[1]] }]));
  t.equal(await reading, 'old');
});

t.test('what left the parking has its deadline', async (t) => {
  const { nodes, plane, client } = await withoutLeader(t, { operationTimeoutMs: 2000, readTimeoutMs: 100 });
  nodes[1].refuse = ({ name }) => (name === 'SET' ? 'silent' : undefined);
  plane.push(documentOf(2, [{ epoch: 2, leader: null, followers: [nodes[0], nodes[1]] }]));
  const writing = client.send('SET', 'k', 'v');
  plane.push(documentOf(3, [{ epoch: 3, leader: nodes[1] }]));
  t.match(await writing, { message: /^UNKNOWN write outcome unknown: .*no answer within 2000 ms$/ });
});
