import t from 'tap';
import { Client } from 'undici';
import { calm, DevCluster } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';
import { requester } from './http-contract.ts';

/* A purge reaches every shard of a real cluster, or says which it did not reach. */

const KEYS = 300;

t.test('tags and purges in a cluster', async (t) => {
  const cluster = await DevCluster.start(
    '--shards',
    '3',
    '--followers',
    '1',
    ...calm(),
    '--set',
    'proxy.operationTimeoutMs=16000',
  );
  t.teardown(() => cluster.stop());
  const { shards } = await cluster.whole(3, 1);
  const client = new Client(`http://${cluster.at(7380)}`);
  t.teardown(() => client.destroy());
  const send = requester(client);
  const purge = (what: object) => send('POST', '/v1/purge', { body: JSON.stringify(what) });
  const fill = async () => {
    for (let i = 0; i < KEYS; i++) {
      const headers = { 'x-tags': `all, third:${i % 3}` };
      await send('PUT', `/v1/key/k:${i}`, { headers, body: 'x' });
    }
  };
  /** Keys on each node, leaders and followers. */
  const sizes = async () =>
    Promise.all(
      shards
        .flatMap(({ leader, followers }) => [leader!, ...followers])
        .map(async ({ address }) => {
          const node = new RespClient(address);
          return Number(await node.send('DBSIZE').finally(() => node.close()));
        }),
    );
  const empty = () => until('no node has a key', async () => (await sizes()).every((size) => size === 0));

  await fill();
  t.ok(
    (await sizes()).every((size) => size > 0),
    'every shard has keys',
  );
  t.equal((await purge({ tags: ['third:0', 'third:1'] })).status, 204);
  t.equal((await send('GET', '/v1/key/k:0')).status, 404);
  t.equal((await send('GET', '/v1/key/k:2')).status, 200);
  t.equal((await purge({ prefixes: ['k:'] })).status, 204);
  t.equal((await send('GET', '/v1/key/k:2')).status, 404);
  await empty();
  await fill();
  t.equal((await purge({ keys: Array.from({ length: KEYS }, (_, i) => `k:${i}`) })).status, 204);
  await empty();

  await fill();
  const [lost, ...others] = shards;
  for (const { pid } of [lost.leader!, ...lost.followers]) process.kill(pid, 'SIGKILL');
  const failed = await purge({ tags: ['all'] });
  const { code, message } = failed.json<{ error: { code: string; message: string } }>().error;
  t.match(`${failed.status} ${code}`, /^(503 shard_down|504 write_unknown)$/);
  t.match(message, new RegExp(`^the purge failed on 1 of 3 shards, repeat it: shard ${lost.name}: `));
  for (const { leader } of others) {
    const node = new RespClient(leader!.address);
    t.same(await node.send('KEYS', '*').finally(() => node.close()), [], 'the other shards have purged');
  }
});
