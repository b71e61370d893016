import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { infoField, lastingDifferences } from '../support/data-set.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Member, Shard } from '../support/shard.ts';
import { until } from '../support/until.ts';

/* Nodes of a shard that have their data set on disk: they come back with it, and go on in the stream where the shard's leader lets them. */

const SAVES = ['--save', '3600 1', '--enable-debug-command', 'yes'];

const stateOf = (shard: Shard, id: string) => shard.fleet.nodes.get(id)!.heartbeat!.replication!;

async function version(client: RespClient, key: string): Promise<bigint> {
  return BigInt((await client.text('RS.SET', key, 'value'))!);
}

const takesWrites = ({ client }: Member) =>
  until('it takes writes', async () => (await client.send('SET', 'probe', '1')) === 'OK');

/** The lone process that is left when this one ends; a new one has its id and its folder. */
async function again(shard: Shard, { id, process, client }: Member, signal: NodeJS.Signals): Promise<Member> {
  client.close();
  process.kill(signal);
  await process.ended;
  const member = await shard.node(id, ...SAVES);
  await shard.fleet.attached(id);
  return member;
}

t.test('a follower comes back from its folder and resyncs partially', async (t) => {
  const [shard, n1, n2] = await Shard.formed(t, 1, ...SAVES);
  for (let i = 0; i < 100; i++) await n1.client.send('RS.SET', `k${i}`, 'v', 'TAGS', '1', 'tag');
  await n1.client.send('WAIT', '1', '1000');
  t.equal(await n2.client.text('SAVE'), 'OK');
  const saved = BigInt(stateOf(shard, 'n2').offset);
  await n1.client.send('MSET', 'k1', 'changed', 'more', 'x');
  let follower = n2;
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    follower = await again(shard, follower, signal);
    const { replication } = shard.fleet.nodes.get('n2')!.hello;
    t.match(replication, { complete: true, synced: false, restored: true, streamEpoch: '1' }, signal);
    t.equal(replication!.replId, stateOf(shard, 'n1').replId);
    t.ok(BigInt(replication!.offset) >= saved);
    await shard.fleet.shape({ epoch: 1, leader: 'n1' });
    await shard.fleet.synced('n2');
    t.notOk(stateOf(shard, 'n2').restored);
    t.same(await lastingDifferences(n1.client, follower.client), []);
  }
  t.equal(await infoField(n1.client, 'sync_full'), '1', 'the first one');
  t.equal(await infoField(n1.client, 'sync_partial_ok'), '2');
  t.ok(existsSync(join(shard.dir, 'n2', 'dump.rdb')));
});

t.test(
  'after a failover the old leader goes on where the streams part, or begins anew behind that',
  async (t) => {
    const [shard, n1, n2, n3] = await Shard.formed(t, 2, ...SAVES);
    await n1.client.send('RS.SET', 'lock', 'first', 'FENCE', 'fence', '7');
    await n1.client.send('SET', 'both', '1');
    t.equal(await n1.client.send('WAIT', '2', '1000'), 2);
    t.equal(await n1.client.text('SAVE'), 'OK');
    const first = await again(shard, n1, 'SIGKILL');
    const { hello } = await shard.fleet.attached('n1');
    t.match(hello.replication, { complete: true, restored: true, streamEpoch: '1' });
    t.match(await first.client.send('SET', 'x', 'y'), { message: /^READONLY/ }, 'it may not lead');
    t.equal(await first.client.text('GET', 'both'), '1', 'but it has what it had');

    await shard.fleet.seal('n3', 2);
    await shard.fleet.shape({ epoch: 2, leader: 'n2', followers: ['n3'] });
    await Promise.all(['n1', 'n3'].map((id) => shard.fleet.synced(id)));
    await takesWrites(n2);
    t.equal(await infoField(n2.client, 'sync_full'), '0', 'all went on with the former stream');
    t.equal(await infoField(n2.client, 'sync_partial_ok'), '2');
    const before = await version(n2.client, 'versioned');
    t.same(await lastingDifferences(n2.client, first.client), []);
    t.same(await lastingDifferences(n2.client, n3.client), []);

    // n2 writes what nobody else gets, has it on its disk, and is gone.
    shard.fleet.grantedEpoch = 2;
    for (const id of ['n1', 'n3']) await shard.fleet.seal(id, 3);
    const lost = await version(n2.client, 'lost');
    t.equal(await n2.client.text('SAVE'), 'OK');
    n2.client.close();
    n2.process.kill('SIGKILL');
    await n2.process.ended;
    await shard.fleet.shape({ epoch: 3, leader: 'n3', followers: ['n1'] }, ['n1', 'n3']);
    await shard.fleet.synced('n1');
    await takesWrites(n3);
    const after = await version(n3.client, 'versioned');
    t.ok(after > before && after > lost, 'versions never go back');
    const back = await shard.node('n2', ...SAVES);
    const found = await shard.fleet.attached('n2');
    t.match(found.hello.replication, { complete: true, restored: true, streamEpoch: '2' });
    t.equal(await back.client.text('GET', 'lost'), 'value', 'until it hears from the new leader');
    await back.client.send('RS.EPOCH', 's1', '3');
    t.match(await back.client.send('SET', 'x', 'y'), { message: /^(STALERING|READONLY)/ });
    await shard.fleet.shape({ epoch: 3, leader: 'n3', followers: ['n1'] });
    await shard.fleet.synced('n2');
    t.equal(await back.client.send('GET', 'lost'), null, 'what nobody else has is dropped');
    t.equal(await infoField(n3.client, 'sync_full'), '1');
    t.same(await lastingDifferences(n3.client, back.client), []);
    t.match(await n3.client.send('RS.SET', 'lock', 'late', 'FENCE', 'fence', '6'), {
      message: 'FENCED token 6 is older than 7, which this fence has seen',
    });
  },
);

t.test(
  'entries of a file that says no versions get higher ones than there were',
  { skip: !hasRedisServer && NO_REDIS },
  async (t) => {
    const [shard, n1] = await Shard.formed(t, 0);
    const before = await version(n1.client, 'brought');
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
    t.ok((await version(back.client, 'brought')) > BigInt(String(found)));
  },
);

t.test('a shard that was down as a whole leads on with its data', async (t) => {
  const [shard, n1, n2] = await Shard.formed(t, 1, ...SAVES, '--ack', 'replica');
  await n1.client.send('SET', 'kept', 'yes', 'EX', '1000');
  const before = await version(n1.client, 'versioned');
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
  await until('it takes writes', async () => (await b.client.send('SET', 'probe', '1')) === 'OK');
  t.equal(await b.client.text('GET', 'kept'), 'yes');
  t.ok((await version(b.client, 'versioned')) > before);
  t.equal(await infoField(b.client, 'sync_full'), '0', 'and no full sync');
  t.same(await lastingDifferences(b.client, a.client), []);
});
