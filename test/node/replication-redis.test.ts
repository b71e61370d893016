import t, { type Test } from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { anyCommands } from '../support/any-writes.ts';
import { infoField } from '../support/data-set.ts';
import { RawClient } from '../support/raw-client.ts';
import { contentOf } from '../support/redis-content.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/*
 * A real redis-server follows a node, and a node follows a real redis-server, while values of every type are written, the link is cut and comes
 * back. In the end both hold the same: in every database, key by key, with type, expiry and value.
 */

const seed = Number(process.env.SEED ?? 20261121);
/** Writes of each direction: 100,000 in the long form. */
const WRITES = Number(process.env.WRITES ?? 4000);
const BATCH = 40;
const DEBUG = ['--enable-debug-command', 'yes'];

interface Party {
  readonly address: string;
  readonly client: RespClient;
}

function party(t: Test, address: string): Party {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  return { address, client };
}

async function redis(t: Test, ...args: string[]): Promise<Party> {
  const server = await startRedis([...DEBUG, ...args]);
  t.teardown(() => server.stop());
  return party(t, server.address);
}

async function node(t: Test, ...args: string[]): Promise<Party> {
  const running = await startStandaloneNode(t, ...DEBUG, ...args);
  return party(t, running.ready.resp);
}

/** Commands that Redis has too, in a connection of their own. */
async function write(t: Test, { address }: Party, random: Random, count: number): Promise<void> {
  const raw = new RawClient(address);
  t.teardown(() => raw.close());
  for (let done = 0; done < count; done += BATCH) {
    await raw.run(anyCommands(random, BATCH).filter(([name]) => !/^RS\./i.test(String(name))));
  }
}

const linkIs = ({ client }: Party, status: 'up' | 'down') =>
  until(`the link is ${status}`, async () => (await infoField(client, 'master_link_status')) === status);

async function same(t: Test, leader: Party, follower: Party, what: string): Promise<void> {
  await until(`${what}: both are level`, async () => {
    const [ours, theirs] = await Promise.all(
      [leader, follower].map(({ client }) => infoField(client, 'master_repl_offset')),
    );
    return ours === theirs && (await infoField(follower.client, 'master_link_status')) === 'up';
  });
  // What is about to expire is given its time to.
  let different: string[] = [];
  await until(`${what}: the data is the same`, async () => {
    const [ours, theirs] = await Promise.all([leader, follower].map(({ client }) => contentOf(client)));
    different = [...new Set([...ours.keys(), ...theirs.keys()])]
      .filter((key) => ours.get(key) !== theirs.get(key))
      .map((key) => `${key}: ${ours.get(key)} there, ${theirs.get(key)} here`);
    return different.length === 0;
  }).catch(() => {});
  t.same(different.slice(0, 5), [], what);
}

const skip = hasRedisServer ? false : NO_REDIS;

t.test(`redis-server follows a node, seed ${seed}`, { skip }, async (t) => {
  const random = seededRandom(seed);
  const leader = await node(t, '--set', 'node.replication.backlogBytes=512mb');
  await write(t, leader, random, WRITES / 4);
  const link = await TcpProxy.start(leader.address);
  t.teardown(() => link.stop());
  const follower = await redis(t, '--replicaof', '127.0.0.1', String(link.port));
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
  await same(t, leader, follower, 'in the stream');
  void leader.client.send('SET', 'waited', 'for');
  t.equal(await leader.client.send('WAIT', '1', '5000'), 1, 'WAIT counts it');
  t.match(
    await leader.client.text('INFO', 'replication'),
    /slave0:ip=127\.0\.0\.1,port=\d+,state=online,offset=\d+,lag=[01]/,
  );
});

t.test(`a node follows redis-server, seed ${seed}`, { skip }, async (t) => {
  const random = seededRandom(seed + 1);
  const leader = await redis(t, '--repl-diskless-sync-delay', '0', '--repl-backlog-size', '512mb');
  await write(t, leader, random, WRITES / 4);
  const link = await TcpProxy.start(leader.address);
  t.teardown(() => link.stop());
  const follower = await node(t, '--replicaof', `127.0.0.1 ${link.port}`);
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
  await same(t, leader, follower, 'in the stream');
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
