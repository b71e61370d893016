import t from 'tap';
import { FakeControlPlane } from '../support/fake-control-plane.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { Shard } from '../support/shard.ts';
import { until } from '../support/until.ts';

/* CONFIG of a proxy for what its nodes have: set on the leader of every shard and on its followers, read from one. */

t.test('CONFIG GET and SET of settings of the nodes', async (t) => {
  const nodes = await Promise.all([startStandaloneNode(t), startStandaloneNode(t)]);
  const upstreams = nodes.map(({ ready }, i) => ({ name: `s${i}`, leader: ready.resp }));
  const { client } = await proxyWith(t, { upstreams });
  const c = client();
  const direct = nodes.map(({ ready }) => {
    const one = new RespClient(ready.resp);
    t.teardown(() => one.close());
    return one;
  });
  const say = async (...parts: string[]) => String(await c.send(...parts));
  const onNodes = (name: string) =>
    Promise.all(direct.map(async (one) => String(await one.send('CONFIG', 'GET', name))));

  t.equal(await say('CONFIG', 'SET', 'notify-keyspace-events', 'KEA', 'hash-max-ziplist-entries', '7'), 'OK');
  t.same(await onNodes('notify-keyspace-events'), Array(2).fill('notify-keyspace-events,AKE'));
  t.same(await onNodes('hash-max-listpack-entries'), Array(2).fill('hash-max-listpack-entries,7'));
  t.equal(await say('CONFIG', 'GET', 'notify-*'), 'notify-keyspace-events,AKE');
  const names = (await say('CONFIG', 'GET', 'hash-*', 'slowlog-max-len'))
    .split(',')
    .filter((_, i) => i % 2 === 0);
  t.same(
    names.sort().filter((name) => !name.includes('value')),
    ['hash-max-listpack-entries', 'hash-max-ziplist-entries', 'slowlog-max-len'],
  );

  t.equal(
    await say('CONFIG', 'SET', 'slowlog-max-len', '9', 'lfu-decay-time', '3'),
    'OK',
    'its own and theirs',
  );
  t.equal(await say('CONFIG', 'GET', 'slowlog-max-len'), 'slowlog-max-len,9');
  t.same(await onNodes('lfu-decay-time'), Array(2).fill('lfu-decay-time,3'));
  t.match(
    await say('CONFIG', 'SET', 'slowlog-max-len', '5', 'hash-max-listpack-entries', 'x'),
    "ERR CONFIG SET failed (possibly related to argument 'hash-max-listpack-entries') - argument couldn't be parsed into an integer",
    'refused in the words of the nodes',
  );
  t.equal(await say('CONFIG', 'GET', 'slowlog-max-len'), 'slowlog-max-len,9', 'all or nothing');
  t.match(
    await say('CONFIG', 'SET', 'dir', '/tmp'),
    /Unknown option or number of arguments/,
    'not for clients',
  );
  t.equal(await say('CONFIG', 'GET', 'replica-*'), '');

  await c.send('HELLO', '3');
  const map = await c.send('CONFIG', 'GET', 'maxmemory-policy');
  t.ok(map instanceof Map && map.has('maxmemory-policy'), 'a map in RESP3');
});

t.test('followers are told too, and what clients rely on is told to whoever leads next', async (t) => {
  const [shard, first, second] = await Shard.formed(t, 1);
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  plane.document = shard.fleet.document({ epoch: 1, leader: 'n1', followers: ['n2'] });
  const { client } = await proxyWith(t, { controlPlane: plane.address });
  const c = client();
  const valueAt = async ({ client }: typeof first, name: string) =>
    String(await client.send('CONFIG', 'GET', name)).split(',')[1];

  const changes = ['notify-keyspace-events', 'KEA', 'lfu-decay-time', '3'];
  t.equal(await c.text('CONFIG', 'SET', ...changes), 'OK');
  await until('the follower has it', async () => (await valueAt(second, 'notify-keyspace-events')) === 'AKE');
  t.equal(await valueAt(second, 'lfu-decay-time'), '3');

  // As if it had been restarted.
  await second.client.text('CONFIG', 'SET', 'notify-keyspace-events', '', 'lfu-decay-time', '1');
  plane.push(shard.fleet.document({ epoch: 2, leader: 'n2', followers: ['n1'] }));
  await until(
    'the new leader has it',
    async () => (await valueAt(second, 'notify-keyspace-events')) === 'AKE',
  );
  t.equal(await valueAt(second, 'lfu-decay-time'), '1', 'what only concerns the node is left to it');
});
