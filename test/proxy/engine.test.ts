import t, { type Test } from 'tap';
import { RespError } from '../../lib/codec/resp/index.ts';
import { Load } from '../scenario/load.ts';
import { PipelinedLoad } from '../scenario/pipelined-load.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, type RedisServer, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { startSentinel } from '../support/sentinel.ts';
import { until } from '../support/until.ts';

/*
 * A proxy in front of real redis-servers: whoever they or their Sentinel say leads gets the writes.
 */

const skip = hasRedisServer ? false : NO_REDIS;
const WORKERS = 4;
const KEYS = 16;

async function redis(t: Test, ...args: string[]): Promise<RedisServer> {
  const server = await startRedis(args);
  t.teardown(() => server.stop());
  return server;
}

function direct(t: Test, { address }: { address: string }): RespClient {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  return client;
}

/** A leader and its follower, in step. */
async function pair(t: Test): Promise<[RedisServer, RedisServer]> {
  const leader = await redis(t, '--repl-diskless-sync-delay', '0');
  const [host, port] = leader.address.split(':');
  const follower = await redis(t, '--replicaof', host, port, '--repl-diskless-sync-delay', '0');
  const client = direct(t, follower);
  await until('the follower is in step', async () => {
    const role = (await client.send('ROLE')) as unknown[];
    return String(role[3]) === 'connected';
  });
  return [leader, follower];
}

async function loadOn(t: Test, address: string): Promise<Load> {
  const load = new Load(address, KEYS);
  load.start(WORKERS);
  t.teardown(() => load.stop());
  await writtenAnew(load);
  return load;
}

async function writtenAnew(load: Load): Promise<void> {
  const since = performance.now();
  await until('every key is written again', () => load.allWrittenSince(since));
}

/** Errors of writes that are neither unknown nor refused for want of a leader. */
const otherErrors = (load: Load) =>
  [...load.errors.writes.keys()].filter((text) => !/^(UNKNOWN write outcome|CLUSTERDOWN) /.test(text));

t.test('a switchover under load loses nothing and mixes nothing up', { skip }, async (t) => {
  const [leader, follower] = await pair(t);
  const upstreams = [{ name: 'a', leader: leader.address, followers: [follower.address] }];
  const { resp, log, proxy } = await proxyWith(t, { engine: 'redis', upstreams });
  const load = new PipelinedLoad(resp, { connections: 4 });
  await load.start();
  t.teardown(() => load.stop());
  const [host, port] = follower.address.split(':');
  t.equal(await direct(t, leader).text('FAILOVER', 'TO', host, port, 'TIMEOUT', 5000), 'OK');
  await until('the proxy follows', () => proxy.admin.upstreams()[0].address === follower.address);
  const { pipelines } = load;
  await until('pipelines go on', () => load.pipelines > pipelines + 20);
  t.same([...load.errors.reads], [], 'no read failed');
  const texts = [...load.errors.writes.keys()];
  t.ok(
    texts.every((text) => text.startsWith('READONLY ')),
    `only writes that a later one of the same key had followed fail: ${texts}`,
  );
  t.same(load.disorders, [], 'every reply is that of its command');
  t.same(await load.lost(follower.address), [], 'every acknowledged write is there');
  const followed = log.filter(({ msg }) => msg === 'another server leads the shard');
  t.equal(followed.at(-1)?.leader, follower.address);
});

t.test('nobody leads for a while: reads behind writes that fail are still answered', { skip }, async (t) => {
  const [leader, follower] = await pair(t);
  const upstreams = [{ name: 'a', leader: leader.address, followers: [follower.address] }];
  const { client, proxy } = await proxyWith(t, { engine: 'redis', upstreams, operationTimeoutMs: 4000 });
  const through = client();
  t.equal(await through.text('SET', 'k', 'before'), 'OK');
  await until('the follower has it', async () => (await direct(t, follower).text('GET', 'k')) === 'before');
  const [host, port] = follower.address.split(':');
  t.equal(await direct(t, leader).text('REPLICAOF', host, port), 'OK');
  await until('nobody leads', () => proxy.admin.upstreams().every(({ role }) => role === 'follower'));
  const [write, read] = await Promise.all([through.send('SET', 'k', 'after'), through.send('GET', 'k')]);
  t.match(String(write), /CLUSTERDOWN .*shard a has no leader; nothing was sent/);
  t.equal(String(read), 'before');
  const waiting = through.send('SET', 'k', 'after');
  t.equal(await direct(t, follower).text('REPLICAOF', 'NO', 'ONE'), 'OK');
  t.equal(await waiting, 'OK', 'a write that waited goes to the new leader');
});

t.test('a killed leader: the proxy follows to whom somebody promotes', { skip }, async (t) => {
  const [leader, follower] = await pair(t);
  const upstreams = [{ name: 'a', leader: leader.address, followers: [follower.address] }];
  const { resp } = await proxyWith(t, { engine: 'redis', upstreams, workers: 2, operationTimeoutMs: 5000 });
  const load = await loadOn(t, resp);
  load.resetMeasures();
  process.kill(leader.pid, 'SIGKILL');
  await until('reads go on without a leader', () => load.errors.writes.size > 0);
  const promotedAt = performance.now();
  t.equal(await direct(t, follower).text('REPLICAOF', 'NO', 'ONE'), 'OK');
  await until('every key is written again', () => load.allWrittenSince(promotedAt));
  t.comment(`all keys written ${Math.round(performance.now() - promotedAt)} ms after the promotion`);
  t.same([...load.errors.reads], [], 'no read failed');
  t.same(otherErrors(load), [], 'every other write was answered');
});

t.test('Sentinels say who leads, and tell when that changes', { skip }, async (t) => {
  const [leader, follower] = await pair(t);
  const sentinels = [await startSentinel(t, 'cache', leader.address)];
  const upstreams = [{ name: 'a', sentinels, masterName: 'cache' }];
  const { resp, proxy } = await proxyWith(t, { engine: 'redis', upstreams });
  t.same(
    proxy.admin.upstreams().map(({ role, address }) => [role, address]),
    [
      ['leader', leader.address],
      ['follower', follower.address],
    ],
    'known before the first command',
  );
  const load = await loadOn(t, resp);
  load.resetMeasures();
  process.kill(leader.pid, 'SIGKILL');
  await until('the proxy follows', () => proxy.admin.upstreams()[0].address === follower.address);
  await writtenAnew(load);
  t.same([...load.errors.reads], [], 'no read failed');
  t.same(otherErrors(load), [], 'every other write was answered');
});

t.test('a user of its own for each shard, and both engines side by side', { skip }, async (t) => {
  const [plain, guarded] = await Promise.all([redis(t), redis(t)]);
  await direct(t, plain).text('CONFIG', 'SET', 'requirepass', 'general');
  const admin = direct(t, guarded);
  await admin.text('ACL', 'SETUSER', 'proxy', 'on', '>secret', '~*', '&*', '+@all');
  await admin.text('ACL', 'SETUSER', 'default', 'off');
  const node = await startStandaloneNode(t, '--requirepass', 'fleet');
  const { client, proxy } = await proxyWith(t, {
    nodePassword: 'fleet',
    upstreams: [
      { name: 'own', leader: node.ready.resp },
      { name: 'plain', leader: plain.address, engine: 'redis', password: 'general' },
      { name: 'guarded', leader: guarded.address, engine: 'redis', username: 'proxy', password: 'secret' },
    ],
  });
  t.same(new Set(proxy.admin.upstreams().map(({ state }) => state)), new Set(['connected']));
  const through = client();
  const keys = Array.from({ length: 60 }, (_, i) => `key:${i}`);
  for (const key of keys) await through.text('SET', key, `of ${key}`);
  t.same(
    ((await through.send('MGET', ...keys)) as Buffer[]).map(String),
    keys.map((key) => `of ${key}`),
  );
  t.equal(await through.send('DBSIZE'), 60);
  const seen = new Set<string>();
  let cursor = '0';
  do {
    const [next, found] = (await through.send('SCAN', cursor, 'COUNT', 7)) as [Buffer, Buffer[]];
    for (const key of found) seen.add(String(key));
    cursor = String(next);
  } while (cursor !== '0');
  t.same(seen, new Set(keys), 'SCAN goes through the shards of both');
  const own = direct(t, { address: node.ready.resp });
  t.equal(await own.text('AUTH', 'fleet'), 'OK');
  t.ok(Number(await own.send('DBSIZE')) > 0, 'the Ringside node has some of them');
});

t.test('a write that one server alone refuses comes back as its refusal', { skip }, async (t) => {
  const [, follower] = await pair(t);
  const upstreams = [{ name: 'a', leader: follower.address }];
  const { client } = await proxyWith(t, { engine: 'redis', upstreams });
  const reply = await client().send('SET', 'k', 'v');
  t.ok(reply instanceof RespError && reply.code === 'READONLY', `${reply}`);
});
