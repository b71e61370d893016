import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { lastingDifferences, level } from '../support/data-set.ts';
import { following, Lasting, SAVES_AT_END, versionOf } from '../support/lasting.ts';

/* A follower that ends, orderly or not, and comes back from its snapshot: it goes on from the leader's backlog where that reaches so far, and leads with what it has. */

const random = seededRandom(Number(process.env.SEED ?? 20261121));

t.test('a follower that was away goes on from the backlog', async (t) => {
  const leader = await Lasting.start(t);
  await leader.write(random, 5);
  const follower = await Lasting.start(t, ...SAVES_AT_END, ...following(leader));
  await level(leader.client, follower.client);
  let synced = Number(await leader.info('sync_partial_ok'));
  for (const way of ['SIGTERM', 'SIGKILL'] as const) {
    await leader.write(random, 2);
    if (way === 'SIGKILL') t.equal(await follower.client.text('SAVE'), 'OK');
    await leader.write(random, 1);
    await follower.end(way);
    await leader.write(random, 3);
    const writing = leader.write(random, 6);
    await follower.start();
    await writing;
    t.same(await lastingDifferences(leader.client, follower.client), [], way);
    t.equal(await leader.info('sync_partial_ok'), String(++synced), `${way}: from where its file is`);
  }
  t.equal(await leader.info('sync_full'), '1', 'its first');

  await follower.client.send('SAVE');
  await follower.end('SIGKILL');
  await leader.client.send('SELECT', '0');
  await leader.client.send('SET', 'long', 'x'.repeat(3 << 20));
  await leader.client.send('SET', 'longer', 'x'.repeat(3 << 20));
  await leader.client.send('CONFIG', 'RESETSTAT');
  await follower.start();
  t.same(await lastingDifferences(leader.client, follower.client), []);
  await leader.client.send('SELECT', '0');
  const before = await versionOf(leader.client, 'own');
  await level(leader.client, follower.client);
  await follower.client.send('SAVE');
  await follower.end('SIGKILL');
  await follower.start('--replicaof', 'no one');
  t.equal((await follower.client.text('GET', 'long'))!.length, 3 << 20, 'it leads with what it has');
  t.ok((await versionOf(follower.client, 'own')) > before);
});
