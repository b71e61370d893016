import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { anyCommands } from '../support/any-writes.ts';
import { infoField, lastingDifferences } from '../support/data-set.ts';
import { RawClient } from '../support/raw-client.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/*
 * Followers of followers: a chain passes on the same bytes, so offsets mean the same to all, and whoever loses the one before it goes on with
 * any other.
 */

const seed = Number(process.env.SEED ?? 20261121);
const ARGS = ['--enable-debug-command', 'yes', '--set', 'node.replication.backlogBytes=64mb'];
const skip = hasRedisServer ? false : NO_REDIS;

interface Party {
  readonly address: string;
  readonly client: RespClient;
}

function party(t: Test, address: string): Party {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  return { address, client };
}

async function node(t: Test, leader?: string): Promise<Party> {
  const following = leader ? ['--replicaof', leader.replace(':', ' ')] : [];
  return party(t, (await startStandaloneNode(t, ...ARGS, ...following)).ready.resp);
}

async function redis(t: Test, leader?: string): Promise<Party> {
  const following = leader ? ['--replicaof', leader.replace(':', ' ')] : [];
  const server = await startRedis([
    '--repl-diskless-sync-delay',
    '0',
    '--repl-backlog-size',
    '64mb',
    ...following,
  ]);
  t.teardown(() => server.stop());
  return party(t, server.address);
}

const isUp = ({ client }: Party) =>
  until('the link is up', async () => (await infoField(client, 'master_link_status')) === 'up');

function writer(t: Test, { address }: Party, ownCommands = true) {
  const random = seededRandom(seed);
  const raw = new RawClient(address);
  t.teardown(() => raw.close());
  return (batches: number) =>
    Array.from({ length: batches }).reduce<Promise<unknown>>(
      (before) =>
        before.then(() =>
          raw.run(anyCommands(random, 40).filter(([name]) => ownCommands || !/^RS\./i.test(String(name)))),
        ),
      Promise.resolve(),
    );
}

t.test(`three nodes in a row, seed ${seed}`, async (t) => {
  const leader = await node(t);
  const write = writer(t, leader);
  await write(10);
  const second = await node(t, leader.address);
  await isUp(second);
  await leader.client.text('SELECT', 9);
  await leader.client.text('SET', 'in another database', '1');
  await write(5);
  const link = await TcpProxy.start(second.address);
  t.teardown(() => link.stop());
  const writing = write(10);
  const third = await node(t, link.address);
  await isUp(third);
  await writing;
  t.same(await lastingDifferences(leader.client, second.client), [], 'leader and second');
  t.same(await lastingDifferences(leader.client, third.client), [], 'leader and third, with versions');
  const ids = await Promise.all(
    [leader, second, third].map(({ client }) => infoField(client, 'master_replid')),
  );
  t.equal(new Set(ids).size, 1, 'one stream');
  t.match(
    await second.client.text('INFO', 'replication'),
    /role:slave[\s\S]*connected_slaves:1\r\nslave0:ip=127/,
  );

  link.cut();
  await write(5);
  link.restore();
  await isUp(third);
  t.same(await lastingDifferences(leader.client, third.client), [], 'goes on after a cut');
  t.equal(await infoField(second.client, 'sync_full'), '1');
  t.equal(await infoField(second.client, 'sync_partial_ok'), '1');

  // The second steps out: the third goes on with the leader.
  t.equal(await third.client.text('REPLICAOF', ...leader.address.split(':')), 'OK');
  await write(2);
  await isUp(third);
  t.same(await lastingDifferences(leader.client, third.client), []);
  t.equal(await infoField(leader.client, 'sync_partial_ok'), '1', 'without a full sync');
});

t.test('a follower that is promoted takes its own followers along', async (t) => {
  const leader = await node(t);
  const second = await node(t, leader.address);
  await isUp(second);
  const third = await node(t, second.address);
  await isUp(third);
  await leader.client.text('SET', 'before', '1');
  await until('it is everywhere', async () => (await third.client.text('GET', 'before')) === '1');
  await second.client.text('REPLICAOF', 'NO', 'ONE');
  await second.client.text('SET', 'after', '1');
  await until('they go on', async () => (await third.client.text('GET', 'after')) === '1');
  t.same(await lastingDifferences(second.client, third.client), []);
  t.equal(await infoField(second.client, 'sync_full'), '1', 'only the first time');
  // The former leader comes back as the last in the row.
  await leader.client.text('REPLICAOF', ...third.address.split(':'));
  await isUp(leader);
  await second.client.text('SELECT', '0');
  await second.client.text('SET', 'at last', '1');
  await until('the former leader has it', async () => (await leader.client.text('GET', 'at last')) === '1');
  t.same(await lastingDifferences(second.client, leader.client), []);
});

t.test(`a chain whose links are cut anywhere, seed ${seed}`, async (t) => {
  const random = seededRandom(seed);
  const leader = await node(t);
  const write = writer(t, leader);
  await write(5);
  const upper = await TcpProxy.start(leader.address);
  const second = await node(t, upper.address);
  await isUp(second);
  const lower = await TcpProxy.start(second.address);
  t.teardown(() => [upper, lower].forEach((link) => void link.stop()));
  const third = await node(t, lower.address);
  await isUp(third);
  for (let round = 1; round <= 4; round++) {
    // In the last rounds the second needs all of it again, and so does the third then.
    if (round === 3) await leader.client.text('CONFIG', 'SET', 'repl-backlog-size', '16kb');
    const cuts = [upper, lower].map((link) => link.cutAfter(1 + random.int(300_000)));
    const writing = write(10);
    await Promise.race([Promise.all(cuts), writing]);
    for (const link of [upper, lower]) link.cut();
    await writing;
    if (round > 2) await leader.client.text('SET', 'more than the backlog', 'x'.repeat(2 << 20));
    for (const link of [upper, lower]) link.restore();
    await write(random.int(3));
    for (const follower of [second, third]) {
      t.same(await lastingDifferences(leader.client, follower.client), [], `round ${round}`);
    }
  }
  t.ok(Number(await infoField(leader.client, 'sync_partial_ok')) >= 2);
  t.ok(Number(await infoField(leader.client, 'sync_full')) >= 2);
});

t.test('SYNC of a follower', async (t) => {
  const leader = await node(t);
  const second = await node(t, leader.address);
  await isUp(second);
  const raw = new RespClient(second.address);
  t.teardown(() => raw.close());
  const came: Buffer[] = [];
  raw.socket.removeAllListeners('data');
  raw.socket.on('data', (chunk: Buffer) => came.push(chunk));
  raw.socket.write('SYNC\r\n');
  const text = () => Buffer.concat(came).toString('latin1');
  await until('the file is there', async () => text().includes('REDIS0'));
  await leader.client.text('SET', 'passed', 'on');
  await until('the stream is there', async () => text().includes('$6\r\npassed\r\n$2\r\non\r\n'));
  t.match(text(), /^\n*\$\d+\r\nREDIS/);
});

t.test('a node that has no leader to speak of accepts nobody', async (t) => {
  const lonely = await node(t, '127.0.0.1:1');
  for (const command of [['SYNC'], ['PSYNC', '?', '-1']]) {
    t.match(await lonely.client.send(...command), {
      message: "NOMASTERLINK Can't SYNC while not connected with my master",
    });
  }
});

t.test(`a chain of redis-server and nodes, seed ${seed}`, { skip }, async (t) => {
  const leader = await redis(t);
  const write = writer(t, leader, false);
  await write(5);
  const second = await node(t, leader.address);
  await isUp(second);
  const third = await node(t, second.address);
  const fourth = await redis(t, third.address);
  await isUp(third);
  await isUp(fourth);
  await write(5);
  // What a client of redis-server publishes is no metadata, however it looks.
  await leader.client.send('PUBLISH', '__ringside', '*1\r\n$8\r\nFLUSHALL\r\n');
  await leader.client.text('SET', 'last', '1');
  await until('the last has it', async () => (await fourth.client.text('GET', 'last')) === '1');
  const factsOf = ({ client }: Party) =>
    Promise.all([
      infoField(client, 'master_replid'),
      infoField(client, 'master_repl_offset'),
      client.send('DBSIZE'),
    ]);
  // Things expire meanwhile.
  await until('all stand at one place of one stream, with as many keys', async () => {
    const facts = await Promise.all([leader, second, third, fourth].map(factsOf));
    return facts.every((fact) => fact.join() === facts[0].join());
  });
});
