import t from 'tap';
import { proxyWith } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';

/* CONFIG of a proxy for what its nodes have: set on the leader of every shard, read from one. */

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
