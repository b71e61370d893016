import { readFileSync, statSync } from 'node:fs';
import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { lastingDifferences, level } from '../support/data-set.ts';
import { following, Lasting, SAVES_AT_END, versionOf } from '../support/lasting.ts';
import { ScriptedLeader } from '../support/scripted-leader.ts';
import { until } from '../support/until.ts';

/* Which file a node comes back from: the snapshot that was whole before half of another came, or the append-only file. */

const random = seededRandom(Number(process.env.SEED ?? 20261121));

t.test('what of a full sync has come is not saved', async (t) => {
  const node = await Lasting.start(t, ...SAVES_AT_END);
  await node.client.send('SET', 'whole', 'yes');
  await node.client.send('SAVE');
  const [bytes, { mtimeMs }] = [readFileSync(node.path), statSync(node.path)];
  const leader = await ScriptedLeader.start(t);
  await node.client.send('REPLICAOF', '127.0.0.1', String(leader.port));
  (await leader.next()).beginFullSync('f'.repeat(40), 1000, Buffer.from('REDIS0010'));
  await until('half a snapshot is there', async () => (await node.info('loading')) === '1');
  t.match(await node.client.send('SAVE'), { message: /^LOADING / });
  t.match(await node.client.send('BGSAVE'), { message: /^LOADING / });
  t.equal(await node.end('SIGTERM'), 'code 0');
  t.ok(readFileSync(node.path).equals(bytes));
  t.equal(statSync(node.path).mtimeMs, mtimeMs);
});

t.test('with an append-only file a node goes on where it was killed', async (t) => {
  const appending = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const leader = await Lasting.start(t, ...appending);
  await leader.write(random, 5);
  const follower = await Lasting.start(t, ...appending, ...following(leader));
  await level(leader.client, follower.client);
  let highest = await versionOf(leader.client, 'counted');
  for (const [killed, other] of [
    [leader, follower],
    [follower, leader],
  ]) {
    // Until the file of what a full sync has brought is whole, the one before counts.
    for (const one of [leader, follower]) await until('its file is whole', () => hasFile(one));
    await leader.client.send('CONFIG', 'RESETSTAT');
    const writing = killed === leader ? leader.writeToTheEnd(random) : leader.write(random, 20);
    await until('it is written to', async () => Number(await leader.info('total_commands_processed')) > 300);
    await killed.end('SIGKILL');
    await writing;
    const had = Number(await other.info('master_repl_offset'));
    await killed.start();
    await level(leader.client, follower.client);
    // What a leader has sent to followers may not have come to its file.
    const end = Number(await leader.info('second_repl_offset')) - 1;
    const isAhead = killed === leader && had > end;
    const who =
      killed === leader ? `the leader killed at ${end}, its follower at ${had}` : 'the follower killed';
    t.equal(await leader.info('sync_full'), isAhead ? '1' : '0', who);
    t.equal(await leader.info('sync_partial_ok'), isAhead ? '0' : '1', who);
    t.same(await lastingDifferences(leader.client, follower.client), []);
    const next = await versionOf(leader.client, 'counted');
    t.ok(next > highest, 'versions go on');
    highest = next;
  }
});

t.test('what a full sync has brought goes into a file at once', async (t) => {
  const appending = ['--appendonly', 'yes'];
  const leader = await Lasting.start(t, ...appending);
  await leader.write(random, 5);
  const follower = await Lasting.start(t, ...appending, ...following(leader));
  await level(leader.client, follower.client);
  t.not(await follower.info('aof_rewrites'), '0', 'not when it is next looked after');
  await until('its file is whole', () => hasFile(follower));
  await leader.client.send('CONFIG', 'RESETSTAT');
  await follower.end('SIGKILL');
  await follower.start();
  await level(leader.client, follower.client);
  t.equal(await leader.info('sync_full'), '0');
  t.equal(await leader.info('sync_partial_ok'), '1');
});

async function hasFile(node: Lasting): Promise<boolean> {
  const fields = ['aof_rewrite_in_progress', 'aof_rewrite_scheduled'];
  return (await Promise.all(fields.map((field) => node.info(field)))).every((value) => value === '0');
}
