import t, { type Test } from 'tap';
import { type ProxyUnderTest, proxyWith } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* The near cache in front of real servers: what it answers, and what makes it forget. */

interface Near extends ProxyUnderTest {
  /** A connection to the server that nothing is kept of. */
  readonly server: RespClient;
}

const near = {
  nearCache: { mode: 'always' },
  namespaces: [{ name: 'near', prefix: 'n:', stalenessMs: 60_000 }],
};

async function nearTo(t: Test, address: string, engine: string, rest: object = near): Promise<Near> {
  const upstreams = [{ name: 's0', leader: address }];
  const proxy = await proxyWith(t, { upstreams, engine, adminPort: 'auto' }, rest);
  const server = new RespClient(address);
  t.teardown(() => server.close());
  return { ...proxy, server };
}

/** Reads of the server, whoever asks. */
async function readsAt(server: RespClient): Promise<number> {
  const stats = (await server.text('INFO', 'commandstats'))!;
  const calls = ['get', 'rs.get'].map((name) => new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats));
  return calls.reduce((sum, found) => sum + Number(found?.[1] ?? 0), 0);
}

/** Reads until the value is kept. */
async function keep(c: RespClient, server: RespClient, key: string): Promise<void> {
  await until(`${key} is kept`, async () => {
    const before = await readsAt(server);
    await c.send('GET', key);
    await c.send('GET', key);
    return (await readsAt(server)) === before;
  });
}

async function answersFromMemory(t: Test, { client, server }: Near) {
  const c = client();
  await server.send('SET', 'n:a', 'one');
  await keep(c, server, 'n:a');
  const before = await readsAt(server);
  for (let i = 0; i < 20; i++) t.equal(await c.text('GET', 'n:a'), 'one');
  t.equal(await readsAt(server), before, 'the server is not asked');
  await server.send('SET', 'n:a', 'two');
  await until('the change is told', async () => (await c.text('GET', 'n:a')) === 'two');
  await c.send('SET', 'n:a', 'three');
  t.equal(await c.text('GET', 'n:a'), 'three', 'an own write');
  await keep(c, server, 'n:nothing');
  t.equal(await c.text('GET', 'n:nothing'), null);
  await server.send('FLUSHALL');
  await until('the flush is told', async () => (await c.text('GET', 'n:a')) === null);
  await server.send('SET', 'other', '1');
  t.equal(await c.text('GET', 'other'), '1');
  await server.send('SET', 'other', '2');
  t.equal(await c.text('GET', 'other'), '2', 'other namespaces are always asked for');
}

t.test('answers reads from memory, and forgets what changes: Ringside', async (t) => {
  const { ready } = await startStandaloneNode(t);
  await answersFromMemory(t, await nearTo(t, ready.resp, 'ringside'));
});

t.test(
  'answers reads from memory, and forgets what changes: redis-server',
  { skip: !hasRedisServer && NO_REDIS },
  async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    await answersFromMemory(t, await nearTo(t, redis.address, 'redis'));
  },
);
