import { join } from 'node:path';
import t from 'tap';
import { infoField, lastingDifferences } from '../support/data-set.ts';
import { versionOf } from '../support/lasting.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { Shard, takesWrites } from '../support/shard.ts';

/* All nodes of a shard end, and come back with what their folders have: versions go on. */

const SAVES = ['--save', '3600 1', '--enable-debug-command', 'yes'];

t.test(
  'entries of a file that says no versions get higher ones than there were',
  { skip: !hasRedisServer && NO_REDIS },
  async (t) => {
    const [shard, n1] = await Shard.formed(t, 0);
    const before = await versionOf(n1.client, 'brought');
    n1.client.close();
    await n1.process.stop();
    const redis = await startRedis(['--dir', join(shard.dir, 'n1'), '--dbfilename', 'dump.rdb']);
    const theirs = new RespClient(redis.address);
    await theirs.send('SET', 'brought', 'by redis-server');
    await theirs.send('SAVE');
    theirs.close();
    await redis.stop();
    const back = await shard.node('n1');
    await shard.fleet.attached('n1');
    await shard.fleet.shape({ epoch: 2, leader: 'n1' });
    await takesWrites(back);
    const [value, found] = (await back.client.send('RS.GET', 'brought')) as Buffer[];
    t.equal(String(value), 'by redis-server');
    t.ok(BigInt(String(found)) > before, `${found} after ${before}`);
    t.ok((await versionOf(back.client, 'brought')) > BigInt(String(found)));
  },
);

t.test('a shard that was down as a whole leads on with its data', async (t) => {
  const [shard, n1, n2] = await Shard.formed(t, 1, ...SAVES, '--ack', 'replica');
  await n1.client.send('SET', 'kept', 'yes', 'EX', '1000');
  const before = await versionOf(n1.client, 'versioned');
  for (const { client, process } of [n1, n2]) {
    client.close();
    t.equal(await process.stop(), 'code 0');
  }
  const [a, b] = await Promise.all(['n1', 'n2'].map((id) => shard.node(id, ...SAVES, '--ack', 'replica')));
  const hellos = await Promise.all(['n1', 'n2'].map((id) => shard.fleet.attached(id)));
  const [ours, theirs] = hellos.map(({ hello }) => hello.replication!);
  t.equal(ours.offset, theirs.offset, 'the leader waited for its follower, which ended later');
  await shard.fleet.shape({ epoch: 2, leader: 'n2', followers: ['n1'] });
  await shard.fleet.synced('n1');
  await takesWrites(b);
  t.equal(await b.client.text('GET', 'kept'), 'yes');
  t.ok((await versionOf(b.client, 'versioned')) > before);
  t.equal(await infoField(b.client, 'sync_full'), '0', 'and no full sync');
  t.same(await lastingDifferences(b.client, a.client), []);
});
