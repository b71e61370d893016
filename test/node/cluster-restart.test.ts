import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { infoField, lastingDifferences } from '../support/data-set.ts';
import { versionOf } from '../support/lasting.ts';
import { type Member, Shard, takesWrites } from '../support/shard.ts';

/* Nodes of a shard that have their data set on disk: they come back with it, and go on in the stream where the shard's leader lets them. */

const SAVES = ['--save', '3600 1', '--enable-debug-command', 'yes'];

const stateOf = (shard: Shard, id: string) => shard.fleet.nodes.get(id)!.heartbeat!.replication!;

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
  await n1.client.send('WAIT', '1', '30000');
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
    t.equal(await n1.client.send('WAIT', '2', '30000'), 2);
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
    const before = await versionOf(n2.client, 'versioned');
    t.same(await lastingDifferences(n2.client, first.client), []);
    t.same(await lastingDifferences(n2.client, n3.client), []);

    // n2 writes what nobody else gets, has it on its disk, and is gone.
    shard.fleet.grantedEpoch = 2;
    for (const id of ['n1', 'n3']) await shard.fleet.seal(id, 3);
    const lost = await versionOf(n2.client, 'lost');
    t.equal(await n2.client.text('SAVE'), 'OK');
    n2.client.close();
    n2.process.kill('SIGKILL');
    await n2.process.ended;
    await shard.fleet.shape({ epoch: 3, leader: 'n3', followers: ['n1'] }, ['n1', 'n3']);
    await shard.fleet.synced('n1');
    await takesWrites(n3);
    const after = await versionOf(n3.client, 'versioned');
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
