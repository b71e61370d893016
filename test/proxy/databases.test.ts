import t, { type Test } from 'tap';
import { silentLogger, systemClock, systemRandom } from '../../lib/base/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { startProxy } from '../../proxy/index.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { behindProxy, connectionsAt, type RealShards, startNodes } from '../support/real-shards.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* SELECT: sixteen databases, each over a link of its own, which comes when it is asked for and goes when nobody uses it. */

const addresses = await startNodes(t, 2);

t.test('in front of nodes', async (t) => {
  const shards = await behindProxy(t, addresses);
  await t.test('what SELECT takes', (t) => select(t, shards));
  await t.test('each database has its own keys', (t) => separate(t, shards));
  await t.test('commands about two databases keep their place', (t) => two(t, shards));
  await t.test('commands to all shards are about the database of the client', (t) => everywhere(t, shards));
  await t.test('RESP2 and RESP3 beside each other', (t) => protocols(t, shards));
});

t.test('in front of redis-server', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const shards = await behindProxy(t, [redis.address], { engine: 'redis' });
  await separate(t, shards);
  await two(t, shards);
});

async function select(t: Test, { client }: RealShards) {
  const c = client();
  t.equal(await c.text('SELECT', '15'), 'OK');
  for (const index of ['16', '-1'])
    t.match(await c.send('SELECT', index), { message: 'ERR DB index is out of range' });
  t.match(await c.send('SELECT', 'x'), { message: 'ERR value is not an integer or out of range' });
  await c.text('SET', 'a', '15');
  t.equal(await c.text('RESET'), 'RESET');
  t.equal(await c.send('GET', 'a'), null, 'RESET goes back to 0');
  await c.text('SELECT', '15');
  t.equal(await c.send('DEL', 'a'), 1);
}

async function separate(t: Test, { client }: RealShards) {
  const clients = Array.from({ length: 16 }, () => client());
  const keys = Array.from({ length: 20 }, (_, i) => `key${i}`);
  await Promise.all(
    clients.map(async (c, db) => {
      await c.text('SELECT', String(db));
      for (const key of keys) await c.text('SET', key, `${db} ${key}`);
    }),
  );
  for (const [db, c] of clients.entries()) {
    const values = (await c.send('MGET', ...keys)) as unknown[];
    t.same(
      values.map(String),
      keys.map((key) => `${db} ${key}`),
      `database ${db}`,
    );
    t.equal(await c.send('DEL', ...keys), 20);
    t.equal(await c.send('EXISTS', ...keys), 0);
  }
}

async function two(t: Test, { client, tags: [tag] }: RealShards) {
  const c = client();
  const key = `${tag}two`;
  const replies = await Promise.all([
    c.text('SELECT', '1'),
    c.text('SET', key, 'one'),
    c.text('SELECT', '0'),
    c.send('MOVE', key, '1'),
    c.text('SET', key, 'zero'),
    c.send('COPY', key, key, 'DB', '2'),
    c.text('SELECT', '1'),
    c.text('GET', key),
    c.text('SELECT', '2'),
    c.text('GET', key),
    c.send('MOVE', key, '3'),
    c.text('SELECT', '3'),
    c.text('GET', key),
    c.send('DEL', key),
    c.text('SELECT', '1'),
    c.send('DEL', key),
    c.text('SELECT', '0'),
    c.send('DEL', key),
  ]);
  t.same(replies, [
    'OK',
    'OK',
    'OK',
    0,
    'OK',
    1,
    'OK',
    'one',
    'OK',
    'zero',
    1,
    'OK',
    'zero',
    1,
    'OK',
    1,
    'OK',
    1,
  ]);
}

async function everywhere(t: Test, { client }: RealShards) {
  const c = client();
  const keys = Array.from({ length: 10 }, (_, i) => `e${i}`);
  await c.text('SET', 'zero', '');
  await c.text('SELECT', '9');
  await c.text('MSET', ...keys.flatMap((key) => [key, '1']));
  t.equal(await c.send('DBSIZE'), 10);
  t.same(((await c.send('KEYS', '*')) as unknown[]).map(String).sort(), keys);
  t.ok(keys.includes(String(await c.send('RANDOMKEY'))));
  t.same(await scanned(c), keys);
  t.equal(await c.text('FLUSHDB'), 'OK');
  t.equal(await c.send('DBSIZE'), 0);
  await c.text('SELECT', '0');
  t.equal(await c.send('EXISTS', 'zero'), 1, 'the others are as before');
  await c.text('SELECT', '9');
  await c.text('FLUSHALL');
  await c.text('SELECT', '0');
  t.equal(await c.send('DBSIZE'), 0, 'FLUSHALL is about all of them');
}

async function scanned(c: RespClient): Promise<string[]> {
  const found: string[] = [];
  for (let cursor = '0'; ; ) {
    const [next, keys] = (await c.send('SCAN', cursor)) as [unknown, unknown[]];
    found.push(...keys.map(String));
    cursor = String(next);
    if (cursor === '0') return found.sort();
  }
}

async function protocols(t: Test, { client }: RealShards) {
  const [a, b] = [client(), client()];
  await b.send('HELLO', '3');
  for (const c of [a, b]) await c.text('SELECT', '11');
  await a.send('HSET', 'h', 'f', '1');
  t.ok(Array.isArray(await a.send('HGETALL', 'h')));
  t.ok((await b.send('HGETALL', 'h')) instanceof Map);
  await a.send('DEL', 'h');
}

t.test('no more links than allowed: an idle one makes way', async (t) => {
  const { client, nodes } = await behindProxy(t, addresses.slice(0, 1), {
    limits: { maxDatabaseLinksPerNode: 2 },
  });
  const c = client();
  const before = await connectionsAt(nodes[0]);
  for (let db = 1; db < 16; db++) {
    await c.text('SELECT', String(db));
    t.equal(await c.text('SET', 'a', String(db)), 'OK');
  }
  await until('two are left', async () => (await connectionsAt(nodes[0])) === before + 2);
  await c.text('SELECT', '5');
  t.equal(await c.text('GET', 'a'), '5');
});

t.test('all of them busy: OVERLOADED names the setting', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const options = { limits: { maxDatabaseLinksPerNode: 1 }, operationTimeoutMs: 5000 };
  const { client } = await proxyWith(t, { upstreams: upstreamsOf([{ leader: node }]), ...options });
  const [busy, other] = [client(), client()];
  await busy.text('SELECT', '1');
  node.refuse = ({ name }) => (name === 'GET' ? 'silent' : undefined);
  const waiting = busy.send('GET', 'a');
  await until('it is there', () => node.names.includes('GET'));
  await other.text('SELECT', '2');
  t.match(await other.send('SET', 'a', '1'), {
    message: /^OVERLOADED .*proxy\.limits\.maxDatabaseLinksPerNode/,
  });
  await other.text('SELECT', '0');
  t.equal(await other.text('SET', 'a', '1'), 'OK', 'database 0 does not count');
  waiting.catch(() => {});
  busy.close();
});

t.test(
  'a server with fewer databases says so, and is none the worse for it',
  { skip: hasRedisServer ? false : NO_REDIS },
  async (t) => {
    const redis = await startRedis(['--databases', '2']);
    t.teardown(() => redis.stop());
    const { client } = await behindProxy(t, [redis.address], { engine: 'redis' });
    const c = client();
    for (let i = 0; i < 3; i++) {
      await c.text('SELECT', '2');
      t.match(await c.send('GET', 'a'), { message: 'ERR DB index is out of range' });
      await c.text('SELECT', '1');
      t.equal(await c.text('SET', 'a', '1'), 'OK');
    }
  },
);

t.test('what nobody uses for a minute is closed', async (t) => {
  const [leader] = addresses;
  let laterMs = 0;
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + laterMs };
  const off = { httpPort: 'off', grpcPort: 'off', memcachedPort: 'off', adminPort: 'off' } as const;
  const config = configFrom({
    proxy: { respPort: 'auto', ...off, upstreams: [{ name: 's0', leader }] },
  });
  const proxy = await startProxy(config, { clock, random: systemRandom, log: silentLogger });
  t.teardown(() => proxy.close());
  const [direct, c] = [new RespClient(leader), new RespClient(proxy.listeners.resp)];
  t.teardown(() => direct.close());
  t.teardown(() => c.close());
  await c.text('SET', 'a', '0');
  const before = await connectionsAt(direct);
  for (const db of ['1', '2']) {
    await c.text('SELECT', db);
    await c.text('SET', 'a', db);
  }
  await c.text('MULTI');
  await c.text('SET', 'b', '1');
  await c.send('EXEC');
  t.equal(await c.send('BLPOP', 'c', '0.01'), null);
  t.equal(await connectionsAt(direct), before + 4, 'two links, one for transactions, one that blocked');
  laterMs = 61_000;
  await until('only the link to database 0 is left', async () => (await connectionsAt(direct)) === before);
  t.equal(await c.text('GET', 'a'), '2', 'it comes back');
});
