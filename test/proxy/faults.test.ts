import t from 'tap';
import { Ring } from '../../lib/ring/index.ts';
import { FakeNode } from '../support/fake-node.ts';
import { wakingClock } from '../support/patience.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { until } from '../support/until.ts';

/* What a client sees when nodes misbehave: reads fall back, writes are repeated only when they certainly did not happen. */

const fast = { operationTimeoutMs: 1000, readTimeoutMs: 150, connectTimeoutMs: 1000 };

async function pair(t: Parameters<typeof proxyWith>[0], options: object = {}, rest: object = {}) {
  const [leader, follower] = await fakeNodes(t, 2);
  leader.store.set('a', Buffer.from('from leader'));
  follower.store.set('a', Buffer.from('from follower'));
  const upstreams = upstreamsOf([{ leader, followers: [follower] }]);
  const proxy = await proxyWith(t, { upstreams, ...fast, ...options }, rest, wakingClock(t));
  return { leader, follower, ...proxy };
}

const stale = (proxy: { proxy: { admin: { upstreams(): readonly { state: string; role: string }[] } } }) =>
  proxy.proxy.admin.upstreams().find(({ role }) => role === 'leader')?.state;

t.test('a leader that stops answering: reads go to a follower, then back', async (t) => {
  const test = await pair(t);
  const { leader, follower, client } = test;
  const c = client();
  t.equal(await c.text('GET', 'a'), 'from leader');
  leader.isFrozen = true;
  t.equal(await c.text('GET', 'a'), 'from follower', 'after the read timeout');
  t.equal(stale(test), 'suspect');
  const asked = leader.received.length;
  t.equal(await c.text('GET', 'a'), 'from follower');
  t.equal(leader.received.length, asked, 'later reads do not wait for the leader');
  t.equal(await c.text('MGET', 'a', 'b'), 'from follower,');
  const write = await c.send('SET', 'a', '2');
  t.match(write, { message: /^UNKNOWN write outcome unknown: shard s0: 127\.0\.0\.1:\d+: / });
  leader.isFrozen = false;
  await until('the leader is trusted again', () => stale(test) === 'connected');
  t.equal(await c.text('GET', 'a'), 'from leader');
  t.ok(
    follower.names.every((name) => name !== 'SET'),
    'no follower is ever written to',
  );
});

t.test('a reply that comes too late is dropped, and the order stays right', async (t) => {
  const { leader, follower, client } = await pair(t);
  const c = client();
  leader.refuse = ({ name }) => (name === 'GET' ? 'silent' : undefined);
  t.equal(await c.text('GET', 'a'), 'from follower');
  leader.refuse = () => undefined;
  leader.say('$4\r\nlate\r\n');
  await c.text('SET', 'b', 'new');
  t.equal(await c.text('GET', 'b'), 'new');
  t.equal(follower.names.length, 1);
});

t.test(
  'a connection that breaks: reads again elsewhere, sent writes are unknown, unsent ones are not lost',
  async (t) => {
    const { leader, client } = await pair(t);
    const c = client();
    leader.refuse = ({ name }) => (name === 'SET' || name === 'GET' ? 'silent' : undefined);
    const write = c.send('SET', 'a', '2');
    const read = c.text('GET', 'a');
    await until('both are sent', () => leader.names.length === 2);
    leader.cut();
    leader.refuse = () => undefined;
    t.match(await write, { message: /^UNKNOWN .*the connection was lost before the answer came/ });
    t.equal(await read, 'from follower');
    t.equal(await c.text('SET', 'a', '3'), 'OK', 'written after the reconnect');
  },
);

t.test(
  'a leader that is gone: writes are answered as not sent, and a read without a follower too',
  async (t) => {
    // Longer than the longest wait between two attempts to connect.
    const { leader, follower, client } = await pair(t, { operationTimeoutMs: 3000 });
    const c = client();
    await c.text('GET', 'a');
    await leader.stop();
    t.equal(await c.text('GET', 'a'), 'from follower');
    t.match(await c.send('SET', 'a', '2'), {
      message:
        /^CLUSTERDOWN shard s0: 127\.0\.0\.1:\d+ was not reachable within 3000 ms \(.*ECONNREFUSED.*\); nothing was sent/,
    });
    const late = c.send('SET', 'a', '3');
    const again = await FakeNode.start(leader.port);
    t.teardown(() => again.stop());
    t.equal(String(await late), 'OK', 'a write that waits is sent once the leader is back');
    t.strictSame(again.names, ['SET'], 'exactly once, and not the one that was given up');
    await again.stop();
    await follower.stop();
    t.match(await c.send('GET', 'a'), { message: /^CLUSTERDOWN .*nothing was sent/ });
  },
);

t.test('readFallback: off answers an error instead', async (t) => {
  const namespaces = [
    { name: 'strict', prefix: 'strict:', readFallback: 'off' },
    { name: 'loose', prefix: 'strict:not:', readFallback: 'follower' },
  ];
  const { leader, follower, client } = await pair(t, {}, { namespaces });
  follower.store.set('strict:not:a', Buffer.from('stale'));
  const c = client();
  leader.isFrozen = true;
  t.equal(await c.text('GET', 'a'), 'from follower');
  t.equal(await c.text('GET', 'strict:not:a'), 'stale', 'the longest prefix decides');
  t.match(await c.send('GET', 'strict:a'), { message: /^(TIMEOUT|CLUSTERDOWN) / });
  t.match(
    await c.send('MGET', 'a', 'b'),
    { message: /^(TIMEOUT|CLUSTERDOWN) / },
    'keys that cannot all be told',
  );
});

t.test('a node that speaks nonsense, and one that says too much', async (t) => {
  const { leader, client } = await pair(t);
  const c = client();
  leader.refuse = ({ name }) => (name === 'SET' ? 'HTTP/1.1 400 Bad Request\r\n\r\n' : undefined);
  t.match(await c.send('SET', 'a', '1'), { message: /^UNKNOWN .*make no sense/ });
  leader.refuse = () => undefined;
  leader.say('+unasked\r\n');
  t.equal(await c.text('SET', 'a', '4'), 'OK');
  t.equal(await c.text('GET', 'a'), '4');
});

t.test('WAIT asks each shard written to, on connections of its own', async (t) => {
  const nodes = await fakeNodes(t, 3);
  const upstreams = upstreamsOf(nodes.map((leader) => ({ leader })));
  const { client } = await proxyWith(t, { upstreams });
  const c = client();
  nodes.forEach((node, i) => {
    node.replicas = i + 1;
  });
  const waits = () => nodes.map((node) => node.received.filter(({ name }) => name === 'WAIT').length);
  t.equal(await c.send('WAIT', '1', '10000'), 1, 'nothing written: all shards');
  t.strictSame(waits(), [1, 1, 1]);
  const ring = Ring.of(['s0', 's1', 's2'].map((name) => ({ name, weight: 1 })));
  const keys = Array.from({ length: 100 }, (_, i) => `key:${i}`);
  const key = keys.find((one) => ring.shardOf(Buffer.from(one), 0, one.length) === 2)!;
  await c.send('SET', key, '1');
  t.equal(await c.send('WAIT', '1', '10000'), 3);
  t.strictSame(waits(), [1, 1, 2]);
  t.equal(await c.send('WAIT', '1', '10000'), 3, 'asked again, it is the same write');
  const pings = nodes[2].received.filter(({ name }) => name === 'PING' || name === 'WAIT').slice(-2);
  t.strictSame(
    pings.map(({ name }) => name),
    ['PING', 'WAIT'],
  );
  const sets = nodes[2].received.find(({ name }) => name === 'SET');
  t.not(pings[1].connection, sets?.connection, 'not the shared connection');
  const pipelined = [c.send('SET', key, '2'), c.send('WAIT', '0', '10000'), c.text('GET', key)];
  t.strictSame((await Promise.all(pipelined)).map(String), ['OK', '3', '2']);
  nodes[2].refuse = ({ name }) => (name === 'WAIT' ? 'silent' : undefined);
  await c.send('SET', key, '3');
  t.equal(await c.send('WAIT', '1', '50'), 0, 'no answer counts as none');
  t.match(await c.send('WAIT', '1', '-1'), { message: 'ERR timeout is negative' });
  t.match(await c.send('WAIT', 'x', '1'), { message: 'ERR value is not an integer or out of range' });
  const gone = client();
  await gone.send('SET', key, '4');
  void gone.send('WAIT', '1', '0').catch(() => {});
  await until('it waits', () => nodes[2].received.at(-1)?.args[1] === '0');
  const before = nodes[2].connections;
  gone.close();
  await until('its connection to the node is given up', () => nodes[2].connections < before);
});
