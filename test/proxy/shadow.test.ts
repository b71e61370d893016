import t, { type Test } from 'tap';
import { request } from 'undici';
import { MemcachedClient } from '../support/memcached-client.ts';
import { type ProxyUnderTest, proxyWith } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startRingside } from '../support/ringside.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* A share of the traffic goes to another cluster too, with real servers on both sides. */

interface Stage extends ProxyUnderTest {
  /** The servers themselves. */
  readonly own: RespClient;
  readonly other: RespClient;
  counts(): Promise<Record<string, number>>;
  /** Waits until so many commands were judged; resolves with the counts. */
  judged(count: number): Promise<Record<string, number>>;
}

const nodes: Ringside[] = [];

t.before(async () => {
  const ports = ['--port', 'auto', '--admin-port', 'off'];
  const start = () => startRingside(['node', '--standalone', ...ports]);
  nodes.push(...(await Promise.all([start(), start()])));
});

t.teardown(() => Promise.all(nodes.map((node) => node.stop())));

async function setUp(
  t: Test,
  settings: object = {},
  more: object = {},
  other: { address: string; engine: 'ringside' | 'redis' } = {
    address: nodes[1].ready.resp,
    engine: 'ringside',
  },
): Promise<Stage> {
  const shadow = {
    to: [{ name: 'x', leader: other.address, engine: other.engine }],
    share: 1,
    timeoutMs: 15_000,
    ...settings,
  };
  const upstreams = [{ name: 's0', leader: nodes[0].ready.resp }];
  const proxy = await proxyWith(t, { upstreams, adminPort: 'auto', shadow, ...more });
  const clients = [new RespClient(nodes[0].ready.resp), new RespClient(other.address)];
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  await Promise.all(clients.map((client) => client.send('FLUSHALL')));
  const counts = async () => (await proxy.proxy.admin.figures.shadow())!.counts as Record<string, number>;
  const judged = (count: number) =>
    until(`${count} are judged`, async () => {
      const now = await counts();
      return now.equal + now.different + now.failed + now.uncompared >= count ? now : null;
    });
  return { ...proxy, own: clients[0], other: clients[1], counts, judged };
}

t.test('reads go to both, and replies are compared', async (t) => {
  const { own, other, client, judged, log } = await setUp(t);
  const c = client();
  for (const server of [own, other]) {
    await server.send('SET', 'same', 'value');
    await server.send('SADD', 'set', 'a', 'b', 'c');
  }
  await own.send('SET', 'differs', 'one');
  await other.send('SET', 'differs', 'two');
  t.equal(await c.text('GET', 'same'), 'value');
  t.equal(await c.text('GET', 'nowhere'), null);
  t.same(new Set((await c.send('SMEMBERS', 'set')) as Buffer[]).size, 3);
  t.same(await c.send('MGET', 'same', 'nowhere'), [Buffer.from('value'), null]);
  t.match(await judged(4), { sent: 4, equal: 4, different: 0, failed: 0 });
  t.equal(await c.text('GET', 'differs'), 'one', 'the client has its own cluster’s answer');
  await c.send('PTTL', 'same');
  await c.send('SET', 'written', '1');
  t.match(await judged(6), { sent: 6, equal: 4, different: 1, uncompared: 1 });
  t.equal(await other.text('GET', 'written'), null, 'writes stay here');
  const line = log.find(({ msg }) => msg.includes('answered something else'));
  t.match(line, { command: 'get', key: 'differs' });
});

t.test('writes too, where that is wanted; a share by key', async (t) => {
  const { other, client, judged, counts } = await setUp(t, { writes: true, share: 0.5 });
  const c = client();
  const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
  await Promise.all(keys.map((key) => c.send('SET', key, `value of ${key}`)));
  const { sent } = await judged(1);
  t.ok(sent > 60 && sent < 140, `${sent} of 200`);
  await until('the other cluster has them', async () => (await other.send('DBSIZE')) === sent);
  await Promise.all(keys.map((key) => c.send('GET', key)));
  t.match(await judged(2 * sent), { sent: 2 * sent, equal: 2 * sent }, 'their reads find what was written');
  const long = 'x'.repeat(700_000);
  const big = Array.from({ length: 8 }, (_, i) => `long${i}`);
  for (const key of big) await c.send('SET', key, long);
  for (const key of big) t.equal((await c.text('GET', key))?.length, long.length);
  const after = await until('all have ended', async () => {
    const now = await counts();
    return now.sent === now.equal + now.uncompared ? now : null;
  });
  t.equal(after.different, 0);
});

t.test('long values arrive as they were written, however far behind the other cluster is', async (t) => {
  const between = await TcpProxy.start(nodes[1].ready.resp);
  t.teardown(() => between.stop());
  const other = { address: between.address, engine: 'ringside' } as const;
  const stage = await setUp(t, { writes: true, maxInFlightBytes: 100_000_000 }, {}, other);
  const direct = new RespClient(nodes[1].ready.resp);
  t.teardown(() => direct.close());
  const c = stage.client();
  const valueFor = (i: number) => Buffer.alloc(900_000, `value of ${i}, `);
  await c.send('SET', 'first', '1');
  await until('it is connected', async () => (await direct.send('EXISTS', 'first')) === 1);
  between.stall();
  for (let i = 0; i < 30; i++) await c.send('SET', `long${i}`, valueFor(i));
  for (let i = 0; i < 30; i++) await c.send('SET', `more${i}`, valueFor(100 + i));
  between.restore();
  await until('all are there', async () => (await direct.send('DBSIZE')) === 61);
  for (let i = 0; i < 30; i++) {
    t.ok(((await direct.send('GET', `long${i}`)) as Buffer).equals(valueFor(i)));
    t.ok(((await direct.send('GET', `more${i}`)) as Buffer).equals(valueFor(100 + i)));
  }
});

t.test('thrown away, unless compared', async (t) => {
  const { own, client, judged } = await setUp(t, { compare: false });
  await own.send('SET', 'a', '1');
  t.equal(await client().text('GET', 'a'), '1');
  t.match(await judged(1), { sent: 1, uncompared: 1, different: 0 });
});

t.test(
  'a redis-server as the other cluster, HTTP and memcached',
  { skip: !hasRedisServer && NO_REDIS },
  async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    const ports = { httpPort: 'auto', memcachedPort: 'auto' };
    const { proxy, own, other, client, counts, judged } = await setUp(t, {}, ports, {
      address: redis.address,
      engine: 'redis',
    });
    for (const server of [own, other]) await server.send('SET', 'a', '1');
    t.equal(await client().text('GET', 'a'), '1');
    const { statusCode, body } = await request(`http://${proxy.listeners.http}/v1/key/a`);
    t.same([statusCode, await body.text()], [200, '1']);
    const m = new MemcachedClient(t, proxy.listeners.memcached);
    t.equal(await m.ask('get a\r\n'), 'VALUE a 0 1\r\n1\r\nEND\r\n');
    t.match(await judged(1), { equal: 1 });
    t.ok((await counts()).unsupported >= 1, 'what only Ringside has is not sent to a redis-server');
  },
);

t.test('an other cluster that is away, or stands still, costs nobody anything', async (t) => {
  const nobody = { to: [{ name: 'x', leader: '127.0.0.1:1' }], share: 1, timeoutMs: 100 };
  const upstreams = [{ name: 's0', leader: nodes[0].ready.resp }];
  const away = await proxyWith(t, { upstreams, shadow: nobody });
  const ping = away.client();
  t.equal(await ping.text('GET', 'nothing'), null);
  await until('it has failed', async () => (await away.proxy.admin.figures.shadow())!.counts.failed === 1);

  const still = await startRingside(['node', '--standalone', '--port', 'auto', '--admin-port', 'off']);
  t.teardown(() => {
    still.kill('SIGCONT');
    return still.stop();
  });
  const stage = await setUp(
    t,
    { timeoutMs: 3000, maxInFlight: 50 },
    {},
    { address: still.ready.resp, engine: 'ringside' },
  );
  const c = stage.client();
  await stage.own.send('SET', 'a', '1');
  t.equal(await c.text('GET', 'a'), '1');
  await stage.judged(1);
  still.kill('SIGSTOP');
  const read = await Promise.all(Array.from({ length: 500 }, () => c.text('GET', 'a')));
  t.ok(
    read.every((value) => value === '1'),
    'everybody is answered',
  );
  const { sent, dropped } = await stage.counts();
  t.ok(sent <= 51 && dropped >= 450, `${sent} sent, ${dropped} dropped`);
  const after = await stage.judged(sent);
  t.equal(after.failed, sent - 1, 'what it did not answer in time has failed');
  still.kill('SIGCONT');
  await until('it is sent commands again', async () => {
    await c.send('GET', 'a');
    return (await stage.counts()).different > after.different || (await stage.counts()).equal > after.equal;
  });
});

t.test('in several workers, in /status and in the metrics', async (t) => {
  const stage = await setUp(t, {}, { workers: 2 });
  const clients = Array.from({ length: 6 }, () => stage.client());
  await Promise.all(clients.map((c) => c.send('GET', 'a')));
  await stage.judged(6);
  const admin = `http://${stage.proxy.listeners.admin}`;
  const status = await (await request(`${admin}/status`)).body.json();
  t.match(status, { shadow: { share: 1, counts: { sent: 6, equal: 6 } }, warmUp: null });
  const metrics = await (await request(`${admin}/metrics`)).body.text();
  t.match(metrics, /^ringside_proxy_shadow_commands_total\{result="equal"\} 6$/m);
  t.match(metrics, /^ringside_proxy_shadow_in_flight 0$/m);
});

t.test('together with a warm-up', async (t) => {
  const warmUp = { from: [{ name: 'old', leader: nodes[1].ready.resp }], timeoutMs: 15_000 };
  const stage = await setUp(t, {}, { warmUp });
  await stage.other.send('SET', 'warm', 'value');
  t.equal(await stage.client().text('GET', 'warm'), 'value', 'an answer that came from elsewhere');
  const counts = await stage.judged(1);
  t.equal(counts.different, 0);
});
