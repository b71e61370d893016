import t, { type Test } from 'tap';
import { request } from 'undici';
import { MemcachedClient } from '../support/memcached-client.ts';
import { startOrigin } from '../support/origin.ts';
import { type ProxyUnderTest, proxyWith } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, runRingside, startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* A new cluster that takes what it misses from an old one, with real servers on both sides. */

interface Stage extends ProxyUnderTest {
  /** The servers themselves. */
  readonly cold: RespClient;
  readonly old: RespClient;
  /** What the proxy has counted. */
  counts(): Promise<Record<string, number>>;
}

const nodes: Ringside[] = [];

t.before(async () => {
  const ports = ['--port', 'auto', '--admin-port', 'off'];
  const start = () => startRingside(['node', '--standalone', ...ports]);
  nodes.push(...(await Promise.all([start(), start()])));
});

t.teardown(() => Promise.all(nodes.map((node) => node.stop())));

type Engine = 'ringside' | 'redis';

async function serverOf(t: Test, engine: Engine, at: number): Promise<string> {
  if (engine === 'ringside') return nodes[at].ready.resp;
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  return redis.address;
}

/** A proxy before an empty server, and an old one that it takes from. */
async function setUp(
  t: Test,
  { cold = 'ringside', old = 'ringside' }: { cold?: Engine; old?: Engine } = {},
  settings: object = {},
  more: { proxy?: object; rest?: object } = {},
): Promise<Stage> {
  const [coldAddress, oldAddress] = [await serverOf(t, cold, 0), await serverOf(t, old, 1)];
  const warmUp = {
    from: [{ name: 'old', leader: oldAddress, engine: old }],
    timeoutMs: 15_000,
    ...settings,
  };
  const upstreams = [{ name: 's0', leader: coldAddress, engine: cold }];
  const proxy = await proxyWith(t, { upstreams, adminPort: 'auto', warmUp, ...more.proxy }, more.rest);
  const [coldClient, oldClient] = [new RespClient(coldAddress), new RespClient(oldAddress)];
  t.teardown(() => {
    coldClient.close();
    oldClient.close();
  });
  await Promise.all([coldClient.send('FLUSHALL'), oldClient.send('FLUSHALL')]);
  const counts = async () => (await proxy.proxy.admin.figures.warmUp())!.counts;
  return { ...proxy, cold: coldClient, old: oldClient, counts };
}

async function warmsAndStays(t: Test, cold: Engine, old: Engine) {
  const stage = await setUp(t, { cold, old });
  const c = stage.client();
  await stage.old.send('SET', 'plain', 'from the old one');
  await stage.old.send('SET', 'short', 'lived', 'PX', 100_000);
  t.equal(await c.text('GET', 'plain'), 'from the old one');
  t.equal(await c.text('GET', 'short'), 'lived');
  t.equal(await c.text('GET', 'nowhere'), null);
  await until('both are in the new cluster', async () => (await stage.cold.send('DBSIZE')) === 2);
  const ttlMs = Number(await stage.cold.send('PTTL', 'short'));
  t.ok(ttlMs > 50_000 && ttlMs <= 100_000, `the time to live goes along: ${ttlMs}`);
  t.equal(await stage.cold.send('PTTL', 'plain'), -1);
  await stage.old.send('SET', 'plain', 'changed there');
  t.equal(await c.text('GET', 'plain'), 'from the old one', 'it is asked no more');

  await c.send('SET', 'written', 'new');
  await stage.old.send('SET', 'written', 'old');
  t.equal(await c.text('GET', 'written'), 'new');
  await c.send('DEL', 'written');
  t.equal(await c.text('GET', 'written'), null, 'what was deleted does not come back');
  await stage.old.send('MSET', 'm1', 'a', 'm2', 'b');
  await c.send('SET', 'mine', 'x');
  t.same(await c.send('MGET', 'm1', 'mine', 'no', 'm2'), ['a', 'x', null, 'b'].map(bufferOf));
  t.equal(await stage.old.text('GET', 'mine'), null, 'writes go to the new cluster alone');
  await until('MGET warms too', async () => (await stage.cold.send('EXISTS', 'm1', 'm2')) === 2);
  await stage.old.send('HSET', 'hash', 'field', 'value');
  t.equal(await c.text('HGET', 'hash', 'field'), 'value', 'another type');
  t.equal(await stage.cold.text('TYPE', 'hash'), 'hash');
  await stage.old.send('RPUSH', 'list', 'a', 'b');
  t.equal(await c.send('LLEN', 'list'), 2);
  await stage.old.send('SET', 'seen', '1');
  t.equal(await c.send('EXISTS', 'seen'), 1);
  await c.send('SELECT', 3);
  t.equal(await c.text('GET', 'plain'), null, 'another database');
  await stage.old.send('SELECT', 3);
  await stage.old.send('SET', 'there', '3');
  t.equal(await c.text('GET', 'there'), '3');
  const counts = await stage.counts();
  t.ok(
    counts.warmed >= 7 && counts.added >= 7 && counts.outdated >= 1 && counts.failures === 0,
    `${JSON.stringify(counts)}`,
  );
}

const bufferOf = (text: string | null) => (text === null ? null : Buffer.from(text));

t.test('a Ringside cluster warms from a Ringside cluster', (t) => warmsAndStays(t, 'ringside', 'ringside'));
t.test('a Ringside cluster warms from a redis-server', { skip: !hasRedisServer && NO_REDIS }, (t) =>
  warmsAndStays(t, 'ringside', 'redis'),
);
t.test('a redis-server warms from a redis-server', { skip: !hasRedisServer && NO_REDIS }, (t) =>
  warmsAndStays(t, 'redis', 'redis'),
);

t.test('HTTP and memcached read through to the old cluster, with flags', async (t) => {
  const stage = await setUp(t, {}, {}, { proxy: { httpPort: 'auto', memcachedPort: 'auto' } });
  const { http, memcached } = stage.proxy.listeners;
  const get = async (key: string) => {
    const { statusCode, headers, body } = await request(`http://${http}/v1/key/${key}`);
    return [statusCode, headers['x-ttl-seconds'], await body.text()];
  };
  await stage.old.send('RS.SET', 'h', 'over HTTP', 'PX', 50_000);
  const [status, ttl, body] = await get('h');
  t.same([status, body], [200, 'over HTTP']);
  t.ok(Number(ttl) > 10 && Number(ttl) <= 50);
  t.equal((await get('none'))[0], 404);
  const m = new MemcachedClient(t, memcached);
  await stage.old.send('RS.SET', 'f', 'flagged', 'FLAGS', 5);
  await stage.old.send('RS.SET', 'g', 'other');
  t.equal(await m.ask('get f none g\r\n'), 'VALUE f 5 7\r\nflagged\r\nVALUE g 0 5\r\nother\r\nEND\r\n');
  await stage.old.send('RS.SET', 'meta', 'data', 'FLAGS', 9);
  t.equal(await m.ask('mg meta v f\r\n'), 'VA 4 f9\r\ndata\r\n');
  await stage.old.send('RS.SET', 'head', 'data', 'FLAGS', 3);
  t.equal(await m.ask('mg head f s\r\n'), 'HD f3 s4\r\n');
  await until('all five are there', async () => (await stage.cold.send('DBSIZE')) === 5);
  t.equal(await m.ask('mg f v f\r\n'), 'VA 7 f5\r\nflagged\r\n', 'with its flags');
});

t.test('long values, and very many readers of one key', async (t) => {
  const stage = await setUp(t);
  const long = 'x'.repeat(700_000);
  await stage.old.send('SET', 'long', long, 'PX', 100_000);
  const clients = Array.from({ length: 20 }, () => stage.client());
  const read = await Promise.all(clients.map((c) => c.text('GET', 'long')));
  t.ok(read.every((value) => value === long));
  t.equal((await clients[0].text('GET', 'long')) === long, true);
  await until('it is there', async () => (await stage.cold.send('STRLEN', 'long')) === long.length);
  const { warmed, added } = await stage.counts();
  t.ok(warmed <= 20 && added === 1, `${warmed} looks, ${added} added`);
});

t.test('a delete while a value is on its way in keeps it out', async (t) => {
  const stage = await setUp(t);
  for (let i = 0; i < 300; i++) await stage.old.send('SET', `k${i}`, 'old');
  const reader = stage.client();
  const writer = stage.client();
  const away = new RespClient(nodes[0].ready.resp);
  t.teardown(() => away.close());
  const reads: Promise<unknown>[] = [];
  const deletes: Promise<unknown>[] = [];
  for (let i = 0; i < 300; i++) {
    reads.push(reader.send('GET', `k${i}`));
    // Through the proxy, and by somebody else, who cannot know that the old cluster has it: that one deletes what came in, or voids the lease.
    if (i % 2 === 0) deletes.push(writer.send('DEL', `k${i}`));
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all([...reads, ...deletes]);
  const c = stage.client();
  for (let i = 0; i < 300; i += 2) t.equal(await c.text('GET', `k${i}`), null, `k${i} stays deleted`);
  for (let i = 0; i < 300; i += 2)
    t.equal(await stage.cold.text('GET', `k${i}`), null, `k${i} is not in the cluster`);
  for (let i = 1; i < 300; i += 2) t.equal(await c.text('GET', `k${i}`), 'old');
  await reader.send('MULTI');
  await reader.send('SET', 'in', 'new');
  await reader.send('EXEC');
  await stage.old.send('SET', 'in', 'old');
  await reader.send('DEL', 'in');
  t.equal(await reader.text('GET', 'in'), null, 'a transaction writes too');
});

t.test('with deleteOld, what is written here is deleted there', async (t) => {
  const stage = await setUp(t, {}, { deleteOld: true });
  const { proxy } = await proxyWith(t, {
    upstreams: [{ name: 's0', leader: nodes[0].ready.resp }],
    warmUp: { from: [{ name: 'old', leader: nodes[1].ready.resp }], timeoutMs: 15_000 },
  });
  const elsewhere = new RespClient(proxy.listeners.resp);
  t.teardown(() => elsewhere.close());
  const c = stage.client();
  for (let i = 0; i < 50; i++) await stage.old.send('SET', `d${i}`, 'old');
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => c.send('DEL', `d${i}`)));
  t.ok(
    answers.every((answer) => answer === 0),
    'none was there yet',
  );
  for (let i = 0; i < 50; i++)
    t.equal(await elsewhere.text('GET', `d${i}`), null, 'nor does another proxy find it');
  t.equal(await stage.old.send('DBSIZE'), 0);
  await stage.old.send('MSET', 'a', '1', 'b', '2', 'c', '3');
  await c.send('MSET', 'a', 'x', 'b', 'y');
  await c.send('MULTI');
  await c.send('SET', 'c', 'z');
  await c.send('EXEC');
  await until('all are deleted there', async () => (await stage.old.send('DBSIZE')) === 0);
  t.equal((await stage.counts()).failures, 0);
  const gone = await setUp(
    t,
    {},
    { deleteOld: true, from: [{ name: 'old', leader: '127.0.0.1:1' }], timeoutMs: 100 },
  );
  t.equal(await gone.client().text('SET', 'k', 'v'), 'OK', 'writes go on without it');
});

t.test('an old cluster that is away costs hits, not answers', async (t) => {
  const stage = await setUp(t, {}, { from: [{ name: 'old', leader: '127.0.0.1:1' }], timeoutMs: 100 });
  const c = stage.client();
  t.equal(await c.text('GET', 'a'), null);
  t.same(await c.send('MGET', 'a', 'b'), [null, null]);
  t.equal(await c.send('HLEN', 'h'), 0);
  t.ok((await stage.counts()).failures >= 1);
});

t.test('over the rate values are answered and not put in; too many at once are misses', async (t) => {
  const stage = await setUp(t, {}, { ratePerSecond: 5 });
  for (let i = 0; i < 30; i++) await stage.old.send('SET', `r${i}`, `v${i}`);
  const c = stage.client();
  for (let i = 0; i < 30; i++) t.equal(await c.text('GET', `r${i}`), `v${i}`);
  const { added, overRate, warmed } = await stage.counts();
  t.equal(warmed, 30);
  t.ok(overRate > 0 && added < 30, `${added} put in, ${overRate} over the rate`);

  const narrow = await setUp(t, {}, { maxConcurrent: 1, maxQueued: 0 });
  for (let i = 0; i < 50; i++) await narrow.old.send('SET', `q${i}`, 'v');
  const n = narrow.client();
  const read = await Promise.all(Array.from({ length: 50 }, (_, i) => n.text('GET', `q${i}`)));
  const misses = read.filter((value) => value === null).length;
  t.ok(misses > 0 && misses < 50, `${misses} misses`);
  t.equal((await narrow.counts()).queueFull, misses);
});

t.test('only the shards named, and the end: by share, by FLUSHALL, by hand', async (t) => {
  const elsewhere = await setUp(t, {}, { shards: ['s9'] });
  await elsewhere.old.send('SET', 'a', '1');
  t.equal(await elsewhere.client().text('GET', 'a'), null, 'another shard is cold');

  const stage = await setUp(t, {}, { until: { share: 1, forMs: 1000 } });
  await stage.old.send('MSET', 'a', '1', 'b', '2', 'c', '3');
  const c = stage.client();
  const over = await until('the share is reached', async () => {
    await c.send('GET', 'a');
    const status = (await stage.proxy.admin.figures.warmUp())!;
    return status.state === 'over' ? status : null;
  });
  t.equal(over.end, 'share');
  t.equal(await c.text('GET', 'b'), null, 'the old cluster is asked no more');
  t.ok(stage.log.some(({ msg }) => msg === 'the warm-up is over'));

  const flushed = await setUp(t);
  await flushed.old.send('SET', 'a', '1');
  await flushed.client().send('FLUSHALL');
  t.equal(await flushed.client().text('GET', 'a'), null, 'all is gone');
  t.equal((await flushed.proxy.admin.figures.warmUp())!.end, 'flush');

  const stopped = await setUp(t);
  const admin = `http://${stopped.proxy.listeners.admin}`;
  const status = async () => (await (await request(`${admin}/status`)).body.json()) as { warmUp: object };
  t.match(await status(), { warmUp: { state: 'warming', end: null, goalShare: 0.001 } });
  const ctl = await runRingside(['ctl', 'warm-up', '--proxy', admin, '--json']);
  t.match(JSON.parse(ctl.stdout), { [admin]: { state: 'warming', counts: { added: 0 } } });
  t.match((await runRingside(['ctl', 'warm-up', '--proxy', admin])).stdout, /warming .*0\.10 %/);
  const forbidden = await request(`${admin}/warm-up/stop`, {
    method: 'POST',
    headers: { origin: 'http://x' },
  });
  t.equal(forbidden.statusCode, 403);
  await forbidden.body.dump();
  const answer = await request(`${admin}/warm-up/stop`, { method: 'POST' });
  t.match(await answer.body.json(), { state: 'over', end: 'stopped' });
  await stopped.old.send('SET', 'a', '1');
  t.equal(await stopped.client().text('GET', 'a'), null);
  const metrics = await (await request(`${admin}/metrics`)).body.text();
  t.match(metrics, /^ringside_proxy_warm_up_warmed_total 0$/m);
});

t.test('several workers share what was written', async (t) => {
  const stage = await setUp(t, {}, {}, { proxy: { workers: 2 } });
  const clients = Array.from({ length: 8 }, () => stage.client());
  for (let i = 0; i < 40; i++) await stage.old.send('SET', `w${i}`, 'old');
  for (let i = 0; i < 40; i += 2) await clients[i % 8].send('DEL', `w${i}`);
  const seen = await Promise.all(
    Array.from({ length: 40 }, (_, i) => Promise.all(clients.map((c) => c.text('GET', `w${i}`)))),
  );
  for (const [i, values] of seen.entries())
    t.ok(
      values.every((value) => value === (i % 2 === 0 ? null : 'old')),
      `w${i}: ${values}`,
    );
  await clients[0].send('FLUSHALL');
  const after = await Promise.all(clients.map((c) => c.text('GET', 'w1')));
  t.ok(
    after.every((value) => value === null),
    'the end is everybody’s',
  );
  t.ok((await stage.counts()).warmed >= 20, 'counts of all threads');
});

t.test('before an origin is asked, the old cluster is', async (t) => {
  const origin = await startOrigin();
  t.teardown(() => origin.stop());
  await origin.tell({ status: 200, body: 'made' });
  const namespaces = [{ name: 'filled', prefix: 'o:', origin: origin.url }];
  const stage = await setUp(t, {}, {}, { rest: { namespaces } });
  await stage.old.send('SET', 'o:a', 'known', 'PX', 100_000);
  const c = stage.client();
  t.equal(await c.text('GET', 'o:a'), 'known');
  t.same((await origin.seen()).asked, []);
  t.equal(await stage.cold.text('GET', 'o:a'), 'known');
  t.ok(Number(await stage.cold.send('PTTL', 'o:a')) > 50_000);
  await c.send('DEL', 'o:a');
  t.equal(await c.text('GET', 'o:a'), 'made o:a', 'what was deleted is fetched anew');
  t.same((await origin.seen()).asked, ['o:a']);
});
