import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { lastingDifferences, level } from '../support/data-set.ts';
import { following, Lasting, SAVES_AT_END, versionOf } from '../support/lasting.ts';

/* A leader without a control plane that ends, orderly or not, and comes back from its snapshot: its followers go on in the stream where they can. */

const random = seededRandom(Number(process.env.SEED ?? 20261121));

t.test('a leader that ends leaves a file from which its followers go on', async (t) => {
  const leader = await Lasting.start(t, ...SAVES_AT_END);
  await leader.write(random, 5);
  const follower = await Lasting.start(t, ...following(leader));
  for (const way of ['SIGTERM', 'SHUTDOWN'] as const) {
    await level(leader.client, follower.client);
    await leader.client.send('SELECT', '0');
    const before = await versionOf(leader.client, 'counted');
    const name = await leader.info('master_replid');
    const writing = leader.writeToTheEnd(random);
    if (way === 'SIGTERM') t.equal(await leader.end('SIGTERM'), 'code 0');
    else {
      leader.client.send('SHUTDOWN').catch(() => {});
      t.equal(await leader.ended, 'code 0');
      await leader.end('SIGKILL');
    }
    await writing;
    const offset = Number(await follower.info('master_repl_offset'));
    await leader.start();
    await level(leader.client, follower.client);
    t.equal(await leader.info('sync_full'), '0', `${way}: no full sync`);
    t.equal(await leader.info('sync_partial_ok'), '1', `${way}: the follower went on`);
    t.equal(await leader.info('master_replid2'), name, 'the stream has another name now, and a second one');
    t.equal(await leader.info('second_repl_offset'), String(offset + 1));
    await leader.write(random, 3);
    t.same(await lastingDifferences(leader.client, follower.client), [], 'and the stream goes on');
    await leader.client.send('SELECT', '0');
    t.ok((await versionOf(leader.client, 'counted')) > before, 'versions went on');
  }
  t.equal(await follower.info('sync_full'), '0');
});

t.test('a leader that is killed comes back as its file has it', async (t) => {
  const leader = await Lasting.start(t, ...SAVES_AT_END);
  const [ahead, level_] = await Promise.all([1, 2].map(() => Lasting.start(t, ...following(leader))));
  await leader.client.send('SET', 'saved', 'yes');
  await level(leader.client, level_.client);
  await leader.client.send('RS.SET', 'locked', 'first', 'FENCE', 'lock', '40');
  await level(leader.client, level_.client);
  await level_.end('SIGTERM');
  await leader.client.send('SAVE');
  let highest = await versionOf(leader.client, 'unsaved');
  for (let i = 0; i < 100; i++) highest = await versionOf(leader.client, 'unsaved');
  await leader.client.send('RS.SET', 'locked', 'second', 'FENCE', 'lock', '41');
  await level(leader.client, ahead.client);
  t.equal(await leader.end('SIGKILL'), 'SIGKILL');
  await leader.start();
  t.equal(await leader.client.text('GET', 'saved'), 'yes');
  t.equal(await leader.client.send('GET', 'unsaved'), null);
  t.ok((await versionOf(leader.client, 'unsaved')) > highest, 'a version that was given is not given again');
  t.match(await leader.client.send('RS.SET', 'locked', 'late', 'FENCE', 'lock', '40'), {
    message: 'FENCED token 40 is older than 41, which this fence has seen',
  });
  t.same(await lastingDifferences(leader.client, ahead.client), [], 'who knew more begins anew');
  t.equal(await leader.info('sync_full'), '1');
  await level_.start();
  t.same(await lastingDifferences(leader.client, level_.client), []);
});
