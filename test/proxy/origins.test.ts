import t, { type Test } from 'tap';
import { request } from 'undici';
import { MemcachedClient } from '../support/memcached-client.ts';
import { type OriginUnderTest, startOrigin } from '../support/origin.ts';
import { type ProxyUnderTest, proxyWith } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';

interface Setup extends ProxyUnderTest {
  readonly origin: OriginUnderTest;
  /** The node itself. */
  readonly node: RespClient;
}

let shard: Ringside;
let shared: OriginUnderTest;

t.before(async () => {
  const ports = ['--port', 'auto', '--admin-port', 'off'];
  [shard, shared] = await Promise.all([startRingside(['node', '--standalone', ...ports]), startOrigin()]);
});

t.teardown(() => Promise.all([shard.stop(), shared.stop()]));

const WELL = {
  status: 200,
  headers: {},
  body: 'made',
  bytes: 0,
  delayMs: 0,
  isHeld: false,
  isForgotten: true,
};

/** A proxy in front of an empty node, whose keys `o:…` have an origin with these settings. */
async function setUp(
  t: Test,
  settings: object = {},
  proxyOptions: object = {},
  namespace: object = {},
): Promise<Setup> {
  const patience = { operationTimeoutMs: 20_000, readTimeoutMs: 15_000 };
  const upstreams = [{ name: 's0', leader: shard.ready.resp }];
  const namespaces = [
    { name: 'filled', prefix: 'o:', origin: { url: shared.url, ...settings }, ...namespace },
  ];
  const proxy = await proxyWith(t, { upstreams, ...patience, ...proxyOptions }, { namespaces });
  const node = new RespClient(shard.ready.resp);
  t.teardown(() => node.close());
  await node.send('FLUSHALL');
  await shared.tell(WELL);
  return { ...proxy, origin: shared, node };
}

const text = (value: unknown) => (value instanceof Error ? value.message : String(value));

t.test('what is not there is fetched, kept and not fetched again', async (t) => {
  const { origin, client, node } = await setUp(t, { ttlSeconds: 100, softTtlSeconds: 50 });
  const own = client();
  t.equal(await own.text('GET', 'o:1'), 'made o:1');
  await until('the node has it', async () => (await node.text('GET', 'o:1')) === 'made o:1');
  t.ok(Number(await node.send('PTTL', 'o:1')) > 90_000, 'for as long as it was told');
  t.equal(await own.text('GET', 'o:1'), 'made o:1');
  t.equal(await own.send('GET', 'other:1'), null, 'keys without an origin are as ever');
  await own.send('SET', 'o:2', 'mine');
  t.equal(await own.text('GET', 'o:2'), 'mine', 'what was written is what is read');
  await own.send('DEL', 'o:2');
  t.equal(await own.text('GET', 'o:2'), 'made o:2');
  t.same((await origin.seen()).asked, ['o:1', 'o:2']);
  await own.send('SET', 'o:3', 'old');
  const [written, read] = await Promise.all([own.send('SET', 'o:3', 'new'), own.text('GET', 'o:3')]);
  t.same([text(written), read], ['OK', 'new'], 'behind one another');
  await own.send('LPUSH', 'o:list', 'x');
  t.match(text(await own.send('GET', 'o:list')), /^WRONGTYPE/);
  t.equal(await own.send('STRLEN', 'o:4'), 0, 'other commands see what is there');
});

t.test('MGET fetches what is missing, and mixes', async (t) => {
  const { origin, client } = await setUp(t);
  const own = client();
  await own.send('MSET', 'plain', 'p', 'o:there', 't', 'o:empty', '');
  await own.send('LPUSH', 'o:list', 'x');
  const keys = ['plain', 'none', 'o:there', 'o:a', 'o:list', 'o:empty', 'o:a'];
  const read = async () =>
    ((await own.send('MGET', ...keys)) as (Buffer | null)[]).map((one) => one && String(one));
  const expected = ['p', null, 't', 'made o:a', null, '', 'made o:a'];
  t.same(await read(), expected);
  await own.send('HELLO', '3');
  t.same(await read(), expected, 'in RESP3');
  t.same((await origin.seen()).asked, ['o:a'], 'twice in one command is one fetch');
});

t.test('a transaction, and whoever watches, sees what is there', async (t) => {
  const { client } = await setUp(t);
  const own = client();
  await own.send('MULTI');
  await own.send('GET', 'o:m');
  t.same(await own.send('EXEC'), [null]);
  await own.send('SELECT', '3');
  t.equal(await own.text('GET', 'o:m'), 'made o:m', 'in other databases too');
  await own.send('CLIENT', 'TRACKING', 'ON');
  t.equal(await own.text('GET', 'o:tracked'), 'made o:tracked', 'over connections of its own');
});

t.test('many who miss at once are one request, over all clients', async (t) => {
  const { origin, client } = await setUp(t);
  await origin.tell({ isHeld: true, bytes: 20_000, body: 'x' });
  const clients = Array.from({ length: 20 }, () => client());
  const reads = clients.flatMap((own) => Array.from({ length: 50 }, () => own.send('GET', 'o:hot')));
  await until('the origin is asked', async () => (await origin.seen()).present > 0);
  await origin.tell({ isHeld: false });
  const values = (await Promise.all(reads)) as Buffer[];
  t.ok(values.every((value) => value.length === 20_000 && value[19_999] === 0x78));
  t.same((await origin.seen()).asked, ['o:hot']);
});

t.test('that there is nothing is remembered, until somebody writes the key', async (t) => {
  const { origin, client } = await setUp(t, { negativeTtlSeconds: 60 });
  await origin.tell({ status: 404 });
  const own = client();
  for (let i = 0; i < 3; i++) t.equal(await own.send('GET', 'o:no'), null);
  await until('it is remembered', async () => {
    const before = (await origin.seen()).asked.length;
    await own.send('GET', 'o:no');
    return (await origin.seen()).asked.length === before;
  });
  t.equal((await origin.seen()).asked.length, 1);
  await origin.tell({ status: 200 });
  t.equal(await own.send('GET', 'o:no'), null, 'for a while');
  await own.send('DEL', 'o:no');
  t.equal(await own.text('GET', 'o:no'), 'made o:no');
});

t.test('a stale value is served while one fetches, and goes on while the origin fails', async (t) => {
  const breaker = { consecutiveFailures: 2, openMs: 60_000, maxOpenMs: 60_000 };
  const { origin, client, node, log } = await setUp(t, { breaker });
  const own = client();
  const makeStale = async (key: string) =>
    void (await node.send('RS.SET', key, 'old', 'PX', '100000', 'SOFTPX', '0'));
  await makeStale('o:s');
  await origin.tell({ isHeld: true });
  for (let i = 0; i < 10; i++) t.equal(await own.text('GET', 'o:s'), 'old', 'nobody waits');
  await until('one has asked', async () => (await origin.seen()).present === 1);
  await origin.tell({ isHeld: false });
  await until('it is new', async () => (await own.text('GET', 'o:s')) === 'made o:s');
  t.equal((await origin.seen()).asked.length, 1);
  await origin.tell({ status: 500 });
  await makeStale('o:f');
  await until('the breaker opens', async () => {
    t.equal(await own.text('GET', 'o:f'), 'old');
    return log.some(({ state }) => state === 'open');
  });
  t.match(
    log.find(({ state }) => state === 'open'),
    { setting: 'namespaces.0.origin.breaker', reason: '2 failures in a row' },
  );
  const { asked } = await origin.seen();
  for (let i = 0; i < 20; i++) t.equal(await own.text('GET', 'o:f'), 'old', 'stale values go on');
  t.match(
    text(await own.send('GET', 'o:none')),
    /^ORIGIN the origin of namespace filled has no answer: its circuit breaker is open/,
  );
  t.same((await origin.seen()).asked, asked, 'and it is left in peace');
  const { token } = await leaseOf(node, 'o:f');
  t.ok(token, 'nobody sits on the lease');
});

async function leaseOf(node: RespClient, key: string) {
  const reply = (await node.send('RS.GET', key, 'LEASE', '1000')) as (Buffer | null)[];
  return { state: String(reply[5]), token: reply[6] };
}

t.test('the breaker closes again by itself', async (t) => {
  const breaker = { consecutiveFailures: 1, openMs: 50, maxOpenMs: 50 };
  const { origin, client, log } = await setUp(t, { breaker });
  await origin.tell({ status: 503 });
  const own = client();
  t.match(text(await own.send('GET', 'o:b')), /it answered 503$/);
  await origin.tell({ status: 200 });
  await until('it recovers', async () => text(await own.send('GET', 'o:b')) === 'made o:b');
  const states = log.map(({ state }) => state).filter(Boolean);
  t.same([states[0], ...states.slice(-2)], ['open', 'half-open', 'closed']);
});

t.test('a fill that was overtaken is told to those who waited, and not kept', async (t) => {
  const { origin, client, node } = await setUp(t);
  await origin.tell({ isHeld: true });
  const [own, other] = [client(), client()];
  const waiting = own.text('GET', 'o:race');
  await until('the origin is asked', async () => (await origin.seen()).present === 1);
  await other.send('SET', 'o:race', 'newer');
  t.equal(await other.text('GET', 'o:race'), 'newer', 'who wrote it does not wait');
  await origin.tell({ isHeld: false });
  t.equal(await waiting, 'made o:race');
  t.equal(await own.text('GET', 'o:race'), 'newer');
  await origin.tell({ isHeld: true });
  const before = own.text('GET', 'o:gone');
  await until('the origin is asked', async () => (await origin.seen()).present === 1);
  await other.send('DEL', 'o:gone');
  const behind = other.text('GET', 'o:gone');
  await until(
    'it is asked again by who came behind the deletion',
    async () => (await origin.seen()).present === 2,
  );
  await origin.tell({ isHeld: false });
  t.same(await Promise.all([before, behind]), ['made o:gone', 'made o:gone']);
  await until('it is kept', async () => (await node.text('GET', 'o:gone')) === 'made o:gone');
});

t.test('what an origin must not do costs its own clients an error', async (t) => {
  const { origin, client, node } = await setUp(t, {
    maxBytes: 1024,
    timeoutMs: 3000,
    breaker: { consecutiveFailures: 1000, minimumRequests: 1000 },
  });
  const own = client();
  const get = async (key: string) => text(await own.send('GET', key));
  await origin.tell({ bytes: 2000 });
  t.match(
    await get('o:long'),
    /^ORIGIN the origin of namespace filled has no answer: its value is longer than 1024 bytes/,
  );
  await origin.tell({ bytes: 0, headers: { 'content-encoding': 'gzip' } });
  t.match(await get('o:zip'), /with Content-Encoding gzip/);
  await origin.tell({ headers: {}, status: 302 });
  t.match(await get('o:moved'), /it answered 302/);
  await origin.tell({ status: 200, isHeld: true });
  t.match(
    await get('o:slow'),
    /^TIMEOUT the origin of namespace filled has no answer: no whole answer within \d+ ms/,
  );
  await origin.tell({ isHeld: false, headers: { 'cache-control': 'no-store' } });
  t.equal(await get('o:private'), 'made o:private');
  t.equal(await get('o:private'), 'made o:private');
  t.equal(await node.send('GET', 'o:private'), null, 'no-store is kept nowhere');
});

t.test('an origin that is not there is an error', async (t) => {
  const gone = await startOrigin();
  await gone.stop();
  const own = (await setUp(t, { url: gone.url })).client();
  t.match(text(await own.send('GET', 'o:dead')), /^ORIGIN the origin of namespace filled has no answer: /);
  t.equal(await own.text('PING'), 'PONG');
});

t.test('so many requests at once and no more; so many keys wait and no more', async (t) => {
  const { origin, client, log } = await setUp(t, { maxConcurrent: 2, maxQueued: 3 });
  await origin.tell({ isHeld: true });
  const own = client();
  const reads = Array.from({ length: 8 }, (_, i) => own.send('GET', `o:${i}`));
  await until('two are there', async () => (await origin.seen()).present === 2);
  await origin.tell({ isHeld: false });
  const answers = (await Promise.all(reads)).map(text);
  t.equal(answers.filter((one) => one.startsWith('made')).length, 5);
  const refused = answers.filter((one) => one.startsWith('OVERLOADED'));
  t.equal(refused.length, 3);
  t.match(refused[0], /namespaces\.0\.origin\.maxQueued/);
  t.equal((await origin.seen()).most, 2);
  const lines = log.filter(({ setting }) => setting === 'namespaces.0.origin.maxQueued');
  t.match(lines, [{ namespace: 'filled' }], 'one line says which setting');
});

t.test('nobody waits longer than operationTimeoutMs, and the fill goes on', async (t) => {
  const { origin, client, node } = await setUp(t, {}, { operationTimeoutMs: 2500, readTimeoutMs: 2000 });
  await origin.tell({ isHeld: true });
  const own = client();
  t.match(
    text(await own.send('GET', 'o:late')),
    /^TIMEOUT the key has not been filled .* proxy\.operationTimeoutMs/,
  );
  await origin.tell({ isHeld: false });
  await until('it is there', async () => (await node.text('GET', 'o:late')) === 'made o:late');
});

t.test('HTTP reads through too', async (t) => {
  const { origin, proxy } = await setUp(t, { ttlSeconds: 100, negativeTtlSeconds: 60 }, { httpPort: 'auto' });
  const at = (path: string) => `http://${proxy.listeners.http}${path}`;
  const get = async (key: string, method: 'GET' | 'HEAD' = 'GET') => {
    const { statusCode, headers, body } = await request(at(`/v1/key/${encodeURIComponent(key)}`), { method });
    return { statusCode, cache: headers['x-cache'], ttl: headers['x-ttl-seconds'], body: await body.text() };
  };
  t.same(await get('o:1'), { statusCode: 200, cache: 'MISS', ttl: '100', body: 'made o:1' });
  await until('it is kept', async () => (await get('o:1')).cache === 'HIT');
  t.match(await get('o:2', 'HEAD'), { statusCode: 200, body: '' });
  await origin.tell({ status: 404 });
  t.match(await get('o:none'), { statusCode: 404, cache: 'MISS' });
  await origin.tell({ status: 500 });
  t.match(await get('o:bad'), { statusCode: 502, body: /the origin of namespace filled/ });
  await origin.tell({ status: 200 });
  const many = await request(at('/v1/mget'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ keys: ['o:1', 'o:m', 'plain'] }),
  });
  const { results } = (await many.body.json()) as { results: { value?: string }[] };
  const values = results.map(({ value }) => value);
  t.same(values, ['made o:1', 'made o:m', undefined]);
});

t.test('memcached clients read through too', async (t) => {
  const { origin, proxy, client } = await setUp(t, { negativeTtlSeconds: 60 }, { memcachedPort: 'auto' });
  const mc = new MemcachedClient(t, proxy.listeners.memcached);
  t.equal(await mc.ask('get o:1\r\n'), 'VALUE o:1 0 8\r\nmade o:1\r\nEND\r\n');
  t.equal(await mc.ask('mg o:2 s v\r\n'), 'VA 8 s8\r\nmade o:2\r\n');
  t.match(
    await mc.ask('gets o:3 plain o:1\r\n'),
    /^VALUE o:3 0 8 \d+\r\nmade o:3\r\nVALUE o:1 0 8 \d+\r\nmade o:1\r\nEND\r\n$/,
  );
  t.match(await mc.ask('mg o:4 v N30\r\n'), /^VA 0 W\r\n/, 'who asks for the lease fills the key itself');
  await origin.tell({ status: 404 });
  t.equal(await mc.ask('get o:none\r\n'), 'END\r\n');
  await origin.tell({ status: 500 });
  t.match(await mc.ask('get o:bad\r\n'), /^SERVER_ERROR .*the origin of namespace filled/);
  t.match(await mc.ask('get o:1 o:bad2\r\n'), /^SERVER_ERROR /);
  t.same((await origin.seen()).asked, ['o:1', 'o:2', 'o:3', 'o:none', 'o:bad', 'o:bad2']);
  t.equal(await client().text('GET', 'o:2'), 'made o:2');
});

t.test("the proxy's own memory and an origin go together", async (t) => {
  const near = { nearCache: 'always', stalenessMs: 60_000 };
  const { origin, client, node, proxy } = await setUp(
    t,
    { ttlSeconds: 100 },
    { memcachedPort: 'auto' },
    near,
  );
  const own = client();
  await own.send('GET', 'plain');
  t.equal(await own.text('GET', 'o:1'), 'made o:1');
  const readsAt = async () => {
    const info = (await node.text('INFO', 'commandstats'))!;
    return Number(/^cmdstat_rs\.get:calls=(\d+)/m.exec(info)?.[1] ?? 0);
  };
  await until('reads are answered from memory', async () => {
    const before = await readsAt();
    for (let i = 0; i < 20; i++) t.equal(await own.text('GET', 'o:1'), 'made o:1');
    return (await readsAt()) === before;
  });
  const mc = new MemcachedClient(t, proxy.listeners.memcached);
  t.equal(await mc.ask('get o:1\r\n'), 'VALUE o:1 0 8\r\nmade o:1\r\nEND\r\n');
  await own.send('DEL', 'o:1');
  await origin.tell({ body: 'new' });
  t.equal(await own.text('GET', 'o:1'), 'new o:1', 'a deletion is not answered from memory');
  await node.send('RS.SET', 'o:1', 'old', 'PX', '100000', 'SOFTPX', '0');
  await until('a stale value is refreshed', async () => {
    await own.text('GET', 'o:1');
    return (await node.text('GET', 'o:1')) === 'new o:1';
  });
  t.same((await origin.seen()).asked, ['o:1', 'o:1', 'o:1']);
});

t.test('everything is counted by namespace', async (t) => {
  const { origin, client, proxy } = await setUp(t, {}, { adminPort: 'auto' });
  const own = client();
  await own.send('MGET', 'o:1', 'o:2');
  await origin.tell({ status: 404 });
  await own.send('GET', 'o:3');
  await origin.tell({ status: 500 });
  await own.send('GET', 'o:4');
  const figures = async () => {
    const { body } = await request(`http://${proxy.listeners.admin}/metrics`);
    const lines = (await body.text())
      .split('\n')
      .filter((line) => line.startsWith('ringside_proxy_origin_requests_total'));
    return Object.fromEntries(
      lines.map((line) => [/result="(\w+)"/.exec(line)![1], Number(line.split(' ').at(-1))]),
    );
  };
  t.same(await figures(), { value: 2, absent: 1, failure: 1, timeout: 0 });
  await own.send('CONFIG', 'RESETSTAT');
  t.same(await figures(), { value: 0, absent: 0, failure: 0, timeout: 0 });
});

t.test('a popular value is refreshed before it is stale, and nobody waits', async (t) => {
  const { origin, client, node } = await setUp(t, {
    earlyRefreshBeta: 100,
    ttlSeconds: 3600,
    softTtlSeconds: 2,
  });
  await origin.tell({ delayMs: 50 });
  const own = client();
  t.equal(await own.text('GET', 'o:1'), 'made o:1', 'the proxy has seen how long a fetch takes');
  await until('it is kept', async () => (await node.text('GET', 'o:1')) === 'made o:1');
  await origin.tell({ body: 'again' });
  await until('it is refreshed', async () => {
    const value = await own.text('GET', 'o:1');
    t.match(value, /^(made|again) o:1$/);
    return value === 'again o:1';
  });
});

t.test('without a lease to be had the value is served and not kept', async (t) => {
  const poor = [
    'node',
    '--standalone',
    '--port',
    'auto',
    '--admin-port',
    'off',
    '--set',
    'node.limits.maxLeases=1',
  ];
  const few = await startRingside(poor);
  t.teardown(() => few.stop());
  const upstreams = [{ name: 's0', leader: few.ready.resp }];
  const { client } = await setUp(t, {}, { upstreams });
  const node = new RespClient(few.ready.resp);
  t.teardown(() => node.close());
  await node.send('RS.GET', 'taken', 'LEASE', '60000');
  const own = client();
  t.equal(await own.text('GET', 'o:1'), 'made o:1');
  t.equal(await own.text('GET', 'o:1'), 'made o:1');
  t.equal(await node.send('GET', 'o:1'), null);
});

t.test('a client that goes while it waits takes nothing with it', async (t) => {
  const { origin, client, node } = await setUp(t);
  await origin.tell({ isHeld: true });
  const [going, staying] = [client(), client()];
  const lost = Promise.allSettled([going.send('GET', 'o:1'), going.send('MGET', 'o:1', 'o:2')]);
  await until('both keys are asked for', async () => (await origin.seen()).present === 2);
  going.close();
  await lost;
  const read = staying.text('GET', 'o:1');
  await origin.tell({ isHeld: false });
  t.equal(await read, 'made o:1');
  await until('the other is kept too', async () => (await node.text('GET', 'o:2')) === 'made o:2');
  t.equal((await origin.seen()).asked.length, 2);
});

t.test('a long value is passed on while it comes, to everybody at their own pace', async (t) => {
  const { origin, client, proxy, node } = await setUp(t, {}, { httpPort: 'auto' });
  const bytes = 2 << 20;
  await origin.tell({ bytes, body: 'x', holdsHalf: true });
  const get = () => request(`http://${proxy.listeners.http}/v1/key/o%3Along`);
  const first = await get();
  t.match(first.headers, { 'x-cache': 'MISS', 'content-length': String(bytes) });
  const second = await get();
  const slow = await get();
  const parts = second.body[Symbol.asyncIterator]();
  let came = ((await parts.next()).value as Buffer).length;
  t.ok(came > 0, 'a part is here while the rest is still at the origin');
  const whole = client().send('GET', 'o:long');
  t.equal((await origin.seen()).present, 0);
  await origin.tell({ holdsHalf: false });
  for (let part = await parts.next(); !part.done; part = await parts.next())
    came += (part.value as Buffer).length;
  t.equal(came, bytes);
  t.equal(((await whole) as Buffer).length, bytes);
  t.equal((await first.body.bytes()).length, bytes);
  await until('it is kept', async () => (await node.send('STRLEN', 'o:long')) === bytes);
  t.equal((await slow.body.bytes()).length, bytes, 'who took nothing so far gets all of it');
  t.same((await origin.seen()).asked, ['o:long']);
});

t.test('a value that stops coming is no value', async (t) => {
  const { client, proxy } = await setUp(t, { timeoutMs: 3000 }, { httpPort: 'auto' });
  await shared.tell({ bytes: 1 << 20, body: 'x', holdsHalf: true });
  const { statusCode, body } = await request(`http://${proxy.listeners.http}/v1/key/o%3Acut`);
  t.equal(statusCode, 200);
  await t.rejects(body.bytes(), 'the connection ends before the announced length');
  t.match(text(await client().send('GET', 'o:cut')), /^TIMEOUT /);
  await shared.tell({ holdsHalf: false });
});
