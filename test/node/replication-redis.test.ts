import t, { type Test } from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { infoField } from '../support/data-set.ts';
import { linkIs, node, type Party, popMeanwhile, redis, same, write } from '../support/parties.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/*
 * A real redis-server follows a node, and a node follows a real redis-server, while values of every type are written and clients wait for some, the link is cut and comes
 * back. In the end both hold the same: in every database, key by key, with type, expiry and value.
 */

const seed = Number(process.env.SEED ?? 20261121);
/** Writes of each direction: 100,000 in the long form. */
const WRITES = process.env.RINGSIDE_LONG === '1' ? 100_000 : 4000;
const skip = hasRedisServer ? false : NO_REDIS;

/** Writes to a leader before somebody follows, meanwhile, while the link is cut, and behind that; both hold the same each time. Resolves with the follower. */
async function followed(
  t: Test,
  leader: Party,
  random: Random,
  follow: (port: number) => Promise<Party>,
): Promise<Party> {
  const stopPops = popMeanwhile(t, leader, random);
  await write(t, leader, random, WRITES / 4);
  const link = await TcpProxy.start(leader.address);
  t.teardown(() => link.stop());
  const follower = await follow(link.port);
  await write(t, leader, random, WRITES / 4);
  await linkIs(follower, 'up');
  await same(t, leader, follower, 'written before, during and after the full sync');
  link.cut();
  await linkIs(follower, 'down');
  await write(t, leader, random, WRITES / 4);
  link.restore();
  await linkIs(follower, 'up');
  await same(t, leader, follower, 'gone on with after a cut');
  t.equal(await infoField(leader.client, 'sync_full'), '1');
  t.equal(await infoField(leader.client, 'sync_partial_ok'), '1');
  await write(t, leader, random, WRITES / 4);
  await stopPops();
  await same(t, leader, follower, 'in the stream');
  return follower;
}

t.test(`redis-server follows a node, seed ${seed}`, { skip }, async (t) => {
  const random = seededRandom(seed);
  const leader = await node(t, '--set', 'node.replication.backlogBytes=512mb');
  await followed(t, leader, random, (port) => redis(t, '--replicaof', '127.0.0.1', String(port)));
  void leader.client.send('SET', 'waited', 'for');
  t.equal(await leader.client.send('WAIT', '1', '60000'), 1, 'WAIT counts it');
  const line = /slave0:ip=127\.0\.0\.1,port=\d+,state=online,offset=\d+,lag=[01]\r/;
  await until('INFO has it', async () => line.test((await leader.client.text('INFO', 'replication'))!));
});

t.test(`a node follows redis-server, seed ${seed}`, { skip }, async (t) => {
  const random = seededRandom(seed + 1);
  const leader = await redis(t, '--repl-diskless-sync-delay', '0', '--repl-backlog-size', '512mb');
  const follower = await followed(t, leader, random, (port) => node(t, '--replicaof', `127.0.0.1 ${port}`));
  t.match(await follower.client.send('SET', 'a', '1'), { message: /^READONLY/ });
  t.equal(await follower.client.text('REPLICAOF', 'NO', 'ONE'), 'OK');
  t.equal(await follower.client.text('SET', 'a', '1'), 'OK', 'it leads on');
});

t.test(
  'REPLICAOF turns a node to redis-server and back, also from files with a length before them',
  { skip },
  async (t) => {
    const leader = await redis(t, '--repl-diskless-sync', 'no');
    await leader.client.text('CONFIG', 'SET', 'requirepass', 'secret');
    await leader.client.text('AUTH', 'secret');
    const follower = await node(t);
    await leader.client.text('SET', 'theirs', '1');
    await follower.client.text('SET', 'ours', '1');
    const [host, port] = leader.address.split(':');
    await follower.client.text('CONFIG', 'SET', 'masterauth', 'secret');
    t.equal(await follower.client.text('REPLICAOF', host, port), 'OK');
    t.equal(await follower.client.text('REPLICAOF', host, port), 'OK Already connected to specified master');
    await linkIs(follower, 'up');
    t.equal(await follower.client.text('GET', 'theirs'), '1');
    t.equal(await follower.client.send('GET', 'ours'), null, 'what was there is gone');
    await leader.client.text('CONFIG', 'SET', 'requirepass', '');
    t.equal(await follower.client.text('REPLICAOF', 'NO', 'ONE'), 'OK');
    t.equal(await leader.client.text('REPLICAOF', ...follower.address.split(':')), 'OK');
    await linkIs(leader, 'up');
    await follower.client.text('SET', 'later', '1');
    await same(t, follower, leader, 'the other way round');
    t.match(await follower.client.send('REPLICAOF', 'host', '70000'), { message: 'ERR Invalid master port' });
  },
);
