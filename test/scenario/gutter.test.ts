import t from 'tap';
import { DevCluster } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* A gutter shard beside a control plane, which knows nothing of it: it takes the keys of a shard all nodes of which are gone. */

t.test('a whole shard stopped, with its control plane in place', async (t) => {
  const spare = await startStandaloneNode(t);
  const upstreams = `proxy.upstreams=[{name: spare, leader: "${spare.ready.resp}", gutter: true}]`;
  const namespaces = 'namespaces=[{name: soft, prefix: "g:", stalenessMs: 60000, gutter: true}]';
  const cluster = await DevCluster.start(
    ...['--shards', '2', '--followers', '1'],
    ...[upstreams, namespaces].flatMap((setting) => ['--set', setting]),
  );
  t.teardown(() => cluster.stop());
  const { shards } = await cluster.whole(2, 1);
  const clients = [cluster.at(7379), spare.ready.resp].map((address) => new RespClient(address));
  const [client, gutter] = clients;
  t.teardown(() => clients.map((one) => one.close()));
  const nodesOf = (shard: (typeof shards)[number]) => [shard.leader!, ...shard.followers];
  const owner = async (key: string) => {
    const route = ((await client.send('RS.ROUTE', key)) as unknown[]).map(String);
    return route[route.indexOf('shard') + 1];
  };
  const keys = Array.from({ length: 40 }, (_, i) => `g:${i}`);
  for (const key of keys) t.equal(await client.text('SET', key, 'of the shard'), 'OK');
  const [lost] = shards;
  const lostKeys: string[] = [];
  for (const key of keys) if ((await owner(key)) === lost.name) lostKeys.push(key);
  t.ok(lostKeys.length > 0 && lostKeys.length < keys.length);
  t.equal(await gutter.send('DBSIZE'), 0, 'it is idle');
  for (const { pid } of nodesOf(lost)) process.kill(pid, 'SIGSTOP');
  t.teardown(() => {
    for (const { pid } of nodesOf(lost)) process.kill(pid, 'SIGCONT');
  });
  const [first] = lostKeys;
  await until('the gutter is written to', async () => (await client.send('SET', first, 'filled')) === 'OK');
  t.equal(await client.text('GET', first), 'filled');
  t.equal(await gutter.text('GET', first), 'filled');
  const others = keys.filter((key) => !lostKeys.includes(key));
  for (const key of others) t.equal(await client.text('GET', key), 'of the shard');
  t.equal(await gutter.send('EXISTS', ...others), 0, 'what has its shard goes there');
  for (const { pid } of nodesOf(lost)) process.kill(pid, 'SIGCONT');
  await cluster.whole(2, 1);
  await until('the shard is written to again', async () => {
    const isSet = (await client.send('SET', lostKeys[1], 'again')) === 'OK';
    return isSet && (await gutter.send('EXISTS', lostKeys[1])) === 0;
  });
  t.equal(await client.text('GET', first), null, 'what was written meanwhile is deleted there');
  t.equal(await client.text('GET', lostKeys[2]), 'of the shard');
});
