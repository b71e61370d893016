import { mkdirSync, rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import { infoField, level } from '../support/data-set.ts';
import { folder, nodeWith } from '../support/folder.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startStandaloneNode } from '../support/ringside.ts';
import { Shard } from '../support/shard.ts';
import { until } from '../support/until.ts';

/* The end of a node by SIGTERM and SHUTDOWN, as Redis 7.0 has it: followers get what they have not, files are written, and it can be aborted. */

const FAILED = { message: 'ERR Errors trying to SHUTDOWN. Check logs.' };
const SECOND_MS = 1000;

function connect(t: Test, node: { ready: Readonly<Record<string, string>> }): RespClient {
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  return client;
}

interface Stopped {
  readonly leader: Ringside;
  readonly client: RespClient;
  readonly follower: Ringside;
  readonly behind: RespClient;
}

/** A leader, and a follower that has stopped before the leader's last write, `counter` 2. */
async function withStoppedFollower(t: Test, ...args: string[]): Promise<Stopped> {
  const [leader, client] = await nodeWith(t, folder(t, 'shutdown'), ...args);
  const follower = await startStandaloneNode(t, '--replicaof', leader.ready.resp.replace(':', ' '));
  const behind = connect(t, follower);
  await client.send('INCR', 'counter');
  await until('it follows', async () => (await infoField(client, 'connected_slaves')) === '1');
  await level(client, behind);
  follower.kill('SIGSTOP');
  t.teardown(() => follower.kill('SIGCONT'));
  await client.send('INCR', 'counter');
  return { leader, client, follower, behind };
}

const waits = (client: RespClient) =>
  until('it waits', async () => Number(await infoField(client, 'shutdown_in_milliseconds')) > 0);

for (const way of ['SIGTERM', 'SHUTDOWN'] as const) {
  t.test(`${way}: a follower gets what it has not, and nobody writes meanwhile`, async (t) => {
    const { leader, client, follower, behind } = await withStoppedFollower(t);
    t.equal(await infoField(client, 'shutdown_in_milliseconds'), undefined);
    if (way === 'SIGTERM') leader.kill('SIGTERM');
    else
      connect(t, leader)
        .send('SHUTDOWN')
        .catch(() => {});
    await waits(client);
    const writing = connect(t, leader)
      .send('INCR', 'counter')
      .catch(() => 'closed');
    t.equal(await client.text('GET', 'counter'), '2', 'reads go on');
    t.equal(await client.text('CLIENT', 'UNPAUSE'), 'OK', 'which is another pause');
    await new Promise((done) => setTimeout(done, 300));
    t.equal(await client.text('GET', 'counter'), '2');
    follower.kill('SIGCONT');
    t.equal(await leader.ended, 'code 0');
    t.equal(await writing, 'closed');
    t.equal(await behind.text('GET', 'counter'), '2', 'the follower has all of it');
  });
}

t.test('it waits for shutdown-timeout, and not at all with NOW or 0', async (t) => {
  const [slow, hasty, never] = await Promise.all([1, 2, 3].map(() => withStoppedFollower(t)));
  await slow.client.text('CONFIG', 'SET', 'shutdown-timeout', '1');
  await hasty.client.text('CONFIG', 'SET', 'shutdown-timeout', '60');
  await never.client.text('CONFIG', 'SET', 'shutdown-timeout', '0');
  const startedMs = performance.now();
  slow.leader.kill('SIGTERM');
  hasty.client.send('SHUTDOWN', 'NOW').catch(() => {});
  never.client.send('SHUTDOWN').catch(() => {});
  await slow.leader.ended;
  const tookMs = performance.now() - startedMs;
  t.ok(tookMs >= SECOND_MS * 0.9, `${tookMs} ms`);
  for (const { leader } of [slow, hasty, never]) t.equal(await leader.ended, 'code 0');
});

t.test('SHUTDOWN ABORT, of a signal and of the command', async (t) => {
  const { leader, client, follower } = await withStoppedFollower(t);
  const waiting = connect(t, leader).send('SHUTDOWN');
  await waits(client);
  const writing = connect(t, leader).send('INCR', 'counter');
  t.equal(await client.text('SHUTDOWN', 'ABORT'), 'OK');
  t.match(await waiting, FAILED);
  t.equal(await writing, 3, 'what waited is done');
  t.match(await client.send('SHUTDOWN', 'ABORT'), { message: 'ERR No shutdown in progress.' });
  leader.kill('SIGTERM');
  await waits(client);
  t.equal(await client.text('SHUTDOWN', 'ABORT'), 'OK');
  t.equal(await client.send('INCR', 'counter'), 4);
  follower.kill('SIGCONT');
  leader.kill('SIGTERM');
  t.equal(await leader.ended, 'code 0', 'the next one counts');
});

t.test('a node whose snapshot cannot be written goes on, unless it is forced', async (t) => {
  const dir = folder(t, 'shutdown');
  const [node, client] = await nodeWith(t, dir, '--save', '3600 1');
  t.equal(await client.text('SET', 'key', 'value'), 'OK');
  rmSync(dir, { recursive: true });
  t.match(await client.send('SHUTDOWN'), FAILED);
  t.match(await client.send('SHUTDOWN', 'SAVE', 'NOW'), FAILED);
  node.kill('SIGTERM');
  await until(
    'it says why',
    () => node.stderr().includes('does not end') || node.stdout().includes('does not end'),
  );
  t.equal(await client.text('SET', 'key', 'other'), 'OK', 'writes are taken again');
  mkdirSync(dir);
  t.equal(await client.text('CONFIG', 'SET', 'shutdown-on-sigterm', 'nosave'), 'OK');
  node.kill('SIGTERM');
  t.equal(await node.ended, 'code 0');
  const [empty] = await nodeWith(t, dir, '--save', '3600 1');
  const other = connect(t, empty);
  t.equal(await other.send('DBSIZE'), 0, 'nothing was saved');
  await other.text('SET', 'key', 'value');
  rmSync(dir, { recursive: true });
  other.send('SHUTDOWN', 'FORCE').catch(() => {});
  t.equal(await empty.ended, 'code 0');
});

t.test("a fleet's leader that ends says of writes that they have not happened", async (t) => {
  const [, leader, follower] = await Shard.formed(t, 1);
  follower.process.kill('SIGSTOP');
  await leader.client.text('SET', 'key', 'value');
  leader.process.kill('SIGTERM');
  await waits(leader.client);
  const writing = leader.client.send('SET', 'key', 'other');
  follower.process.kill('SIGCONT');
  t.match(await writing, { message: /^READONLY / }, 'so that a proxy goes to the next one');
  t.equal(await leader.process.ended, 'code 0');
  t.equal(await follower.client.text('GET', 'key'), 'value');
});

t.test('what SHUTDOWN refuses, as a redis-server', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const node = await startStandaloneNode(t);
  const clients = [connect(t, node), connect(t, { ready: { resp: redis.address } })];
  for (const words of [
    'SAVE NOSAVE',
    'ABORT NOW',
    'NOW ABORT',
    'LATER',
    'NOW LATER',
    'ABORT',
    'abort',
    'save nosave now',
  ]) {
    const [ours, theirs] = await Promise.all(
      clients.map((client) => client.send('SHUTDOWN', ...words.split(' '))),
    );
    t.equal(String(ours), String(theirs), words);
  }
});
