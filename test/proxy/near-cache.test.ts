import t, { type Test } from 'tap';
import { request } from 'undici';
import { MemcachedClient } from '../support/memcached-client.ts';
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
  // Nothing is forgotten because its time is up.
  nearCache: { mode: 'always', minTtlMs: 600_000, maxTtlMs: 600_000 },
  namespaces: [{ name: 'near', prefix: 'n:', stalenessMs: 600_000 }],
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

t.test('HTTP, memcached and RESP answer from the same memory, and tell so', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const ports = { httpPort: 'auto', memcachedPort: 'auto', adminPort: 'auto' };
  const upstreams = [{ name: 's0', leader: ready.resp }];
  const { proxy, client } = await proxyWith(t, { upstreams, ...ports }, near);
  const url = `http://${proxy.listeners.http}/v1`;
  const c = client();
  const get = async (key: string) => {
    const { statusCode: status, headers, body } = await request(`${url}/key/${key}`);
    return {
      status,
      cache: headers['x-cache'],
      etag: headers.etag,
      ttl: headers['x-ttl-seconds'],
      text: await body.text(),
    };
  };
  await request(`${url}/key/n:h`, { method: 'PUT', body: 'value', headers: { 'x-ttl-seconds': '500' } });
  const first = await get('n:h');
  t.equal(first.cache, 'HIT');
  await until('HTTP answers from memory', async () => (await get('n:h')).cache === 'HIT-L1');
  const again = await get('n:h');
  t.ok(Number(again.ttl) <= Number(first.ttl));
  t.same(again, { ...first, ttl: again.ttl, cache: 'HIT-L1' }, 'the same but for where it comes from');
  t.equal(await c.text('GET', 'n:h'), 'value');
  t.equal(fieldsOf(await c.send('RS.ROUTE', 'n:h')).get('l1'), 'value');
  t.equal(fieldsOf(await c.send('RS.ROUTE', 'other')).get('l1'), 'off');
  const m = new MemcachedClient(t, proxy.listeners.memcached);
  t.equal(await m.ask('get n:h\r\n'), 'VALUE n:h 0 5\r\nvalue\r\nEND\r\n');
  const version = first.etag!.toString().replaceAll('"', '');
  t.equal(await m.ask('gets n:h\r\n'), `VALUE n:h 0 5 ${version}\r\nvalue\r\nEND\r\n`);
  t.equal(await m.ask('mg n:h v c\r\n'), `VA 5 c${version}\r\nvalue\r\n`);
  const status = (await (await request(`http://${proxy.listeners.admin}/status`)).body.json()) as {
    nearCache: { namespace: string; hits: number }[];
  };
  t.equal(status.nearCache[0].namespace, 'near');
  t.ok(status.nearCache[0].hits >= 5, 'all of these were hits');
  const kept = await (await request(`http://${proxy.listeners.admin}/near?key=n:h`)).body.json();
  t.match(kept, { state: 'value', ageMs: Number });
  const metrics = await (await request(`http://${proxy.listeners.admin}/metrics`)).body.text();
  t.match(metrics, /ringside_proxy_near_hits_total\{namespace="near"\} [1-9]/);
  await request(`${url}/purge`, { method: 'POST', body: JSON.stringify({ prefixes: ['n:'] }) });
  t.equal((await get('n:h')).status, 404, 'purged');
  await until('the absence is kept', async () => {
    t.equal((await get('n:h')).status, 404);
    return fieldsOf(await c.send('RS.ROUTE', 'n:h')).get('l1') === 'miss';
  });
});

t.test('what is used otherwise is forgotten, and read from the node', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const { client, server } = await nearTo(t, ready.resp, 'ringside');
  const c = client();
  const stateOf = async (key: string) => fieldsOf(await c.send('RS.ROUTE', key)).get('l1');
  const ways: [string, () => Promise<unknown>][] = [
    [
      'a transaction',
      async () => [await c.send('MULTI'), await c.send('APPEND', 'n:k', '!'), await c.send('EXEC')],
    ],
    ['several keys', () => c.send('MSET', 'n:k', '1', 'n:l', '2')],
    [
      'another database',
      async () => [await c.send('SELECT', 3), await c.send('DEL', 'n:k'), await c.send('SELECT', 0)],
    ],
    ['no key at all', () => c.send('FLUSHALL')],
    ['a read in another way', () => c.send('STRLEN', 'n:k')],
    ['a purge of the node', () => server.send('RS.PURGE', 'PREFIX', 'n:')],
  ];
  for (const [name, act] of ways) {
    await c.send('SET', 'n:k', 'x');
    await keep(c, server, 'n:k');
    t.equal(await stateOf('n:k'), 'value', name);
    await act();
    await until(`forgotten: ${name}`, async () => (await stateOf('n:k')) !== 'value');
  }
  await c.send('DEL', 'n:k');
  await c.send('RPUSH', 'n:k', 'a');
  t.match(await c.send('GET', 'n:k'), { message: /^WRONGTYPE/ });
  await until('known to hold no string', async () => {
    await c.send('GET', 'n:k');
    return (await stateOf('n:k')) === 'pass';
  });
  t.match(await c.send('GET', 'n:k'), { message: /^WRONGTYPE/ });
  await server.send('SET', 'n:long', 'v'.repeat(3_000_000));
  t.equal((await c.text('GET', 'n:long'))!.length, 3_000_000, 'too long to be kept');
  t.equal((await c.text('GET', 'n:long'))!.length, 3_000_000);
});

t.test('a client that watches, or tracks, is answered by the node', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const { client, server } = await nearTo(t, ready.resp, 'ringside');
  const [c, watcher, tracker] = [client(), client(), client()];
  await c.send('SET', 'n:w', '1');
  await keep(c, server, 'n:w');
  await watcher.send('WATCH', 'n:w');
  const before = await readsAt(server);
  t.equal(await watcher.text('GET', 'n:w'), '1');
  await watcher.send('UNWATCH');
  await tracker.send('HELLO', 3);
  await tracker.send('CLIENT', 'TRACKING', 'ON');
  t.equal(await tracker.text('GET', 'n:w'), '1');
  t.equal(await readsAt(server), before + 2);
});

t.test('a lost connection makes everything forgotten that came over it', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const { client, server } = await nearTo(t, ready.resp, 'ringside');
  const c = client();
  await server.send('SET', 'n:a', '1');
  await keep(c, server, 'n:a');
  await server.send('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until('forgotten', async () => fieldsOf(await c.send('RS.ROUTE', 'n:a')).get('l1') === 'absent');
  await keep(c, server, 'n:a');
  t.equal(await c.text('GET', 'n:a'), '1');
});

/** Names and values in turn, as a map. */
function fieldsOf(reply: unknown): Map<string, string> {
  const flat = (reply as (string | null)[]).map(String);
  return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]] as const] : [])));
}

t.test(
  'a leader that stops: who waits for a fetch is answered by a follower, and nothing of that is kept',
  { skip: !hasRedisServer && NO_REDIS },
  async (t) => {
    const [leader, follower] = [await startRedis(), await startRedis()];
    t.teardown(() => Promise.all([leader.stop(), follower.stop()]));
    const upstreams = [{ name: 's0', leader: leader.address, followers: [follower.address] }];
    const options = { upstreams, engine: 'redis', readTimeoutMs: 100, operationTimeoutMs: 1000 };
    const short = { nearCache: { mode: 'always', minTtlMs: 30, maxTtlMs: 30 }, namespaces: near.namespaces };
    const { client } = await proxyWith(t, options, short);
    const [onLeader, onFollower] = [new RespClient(leader.address), new RespClient(follower.address)];
    t.teardown(() => {
      for (const one of [onLeader, onFollower]) one.close();
    });
    const [host, port] = leader.address.split(':');
    await onFollower.send('REPLICAOF', host, port);
    await onLeader.send('SET', 'n:s', '1');
    await until('replicated', async () => (await onFollower.text('GET', 'n:s')) === '1');
    const c = client();
    await until('fetches go to the leader', async () => {
      await c.send('GET', 'n:s');
      return (await onLeader.text('CLIENT', 'LIST'))!.includes('flags=t');
    });
    process.kill(leader.pid, 'SIGSTOP');
    await until('the follower answers', async () => {
      t.equal(await c.text('GET', 'n:s'), '1', 'from memory for a moment, then from the follower');
      return /possibly_stale_reads:[1-9]/.test((await c.text('INFO', 'stats'))!);
    });
    t.not(fieldsOf(await c.send('RS.ROUTE', 'n:s')).get('l1'), 'value');
  },
);
