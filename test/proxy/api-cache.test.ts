import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Pool } from 'undici';
import { OpenApiCheck } from '../support/openapi-check.ts';
import { patientArgs } from '../support/patience.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { type Ringside, startRingside, startStandaloneNode } from '../support/ringside.ts';
import { grpcCacheContract, plainEngineGrpc } from './grpc-cache-contract.ts';
import { httpCacheContract, plainEngineContract } from './http-cache-contract.ts';
import { httpContract, requester } from './http-contract.ts';

/* What HTTP and gRPC do beyond reading and writing, over real proxies and nodes; every HTTP answer is held to the OpenAPI document. */

const PORTS = [
  '--resp-port',
  'off',
  '--memcached-port',
  'off',
  '--admin-port',
  'off',
  '--http-port',
  'auto',
  '--grpc-port',
  'auto',
];
const MB = 1024 * 1024;

async function startProxy(t: Test, addresses: readonly string[], ...args: string[]): Promise<Ringside> {
  const upstreams = addresses.flatMap((address, i) => ['--upstream', `s${i}=${address}`]);
  const proxy = await startRingside(['proxy', ...PORTS, ...upstreams, ...patientArgs, ...args]);
  t.teardown(() => proxy.stop());
  return proxy;
}

function sender(t: Test, { ready }: Ringside) {
  const pool = new Pool(`http://${ready.http}`, { connections: 4 });
  t.teardown(() => pool.close());
  return requester(pool);
}

/** Holds the answers that come to the document of this proxy, and says at the end what was wrong. */
async function documented(t: Test, proxy: Ringside): Promise<OpenApiCheck> {
  const answer = await sender(t, proxy)('GET', '/v1/openapi.json');
  const document = answer.json<{ openapi: string }>();
  t.equal(document.openapi, '3.1.0');
  const check = new OpenApiCheck(document);
  check.witness('GET', '/v1/openapi.json', answer);
  return check;
}

const RULES =
  '[{name: brief, prefix: "brief:", defaultTtlSeconds: 30}, {name: small, prefix: "small:", maxValueBytes: 10}]';

t.test('over two nodes, through two proxies', async (t) => {
  const nodes = await Promise.all([0, 1].map(() => startStandaloneNode(t, '--set', `namespaces=${RULES}`)));
  const addresses = nodes.map(({ ready }) => ready.resp);
  const timeout = ['proxy.operationTimeoutMs=6000', 'proxy.readTimeoutMs=5000'].flatMap((set) => [
    '--set',
    set,
  ]);
  const proxies = await Promise.all([0, 1].map(() => startProxy(t, addresses, ...timeout)));
  const ports = (name: string) => (): [string, string] => [proxies[0].ready[name], proxies[1].ready[name]];
  const check = await documented(t, proxies[0]);
  const witness = check.witness.bind(check);

  await t.test('HTTP, caching', async (t) => httpCacheContract(t, ports('http'), witness));
  await t.test('HTTP, reading and writing', async (t) =>
    httpContract(t, () => proxies[0].ready.http, { witness }),
  );
  await t.test('gRPC, caching', async (t) => grpcCacheContract(t, ports('grpc')));

  await t.test('what a namespace gives and forbids', async (t) => {
    const send = sender(t, proxies[0]);
    await send('PUT', '/v1/key/brief:a', { body: 'x' });
    const left = Number((await send('GET', '/v1/key/brief:a')).headers['x-ttl-seconds']);
    t.ok(left > 25 && left <= 30, `remaining ${left}`);
    for (const headers of [{}, { 'idempotency-key': 'k' }, { 'x-soft-ttl-seconds': '5' }])
      t.match((await send('PUT', '/v1/key/small:a', { body: 'x'.repeat(11), headers })).json(), {
        error: { code: 'too_large', message: /maxValueBytes \(10\) of namespace small/ },
      });
    t.equal(
      (await send('PUT', '/v1/key/small:a', { body: 'x', headers: { 'idempotency-key': 'k' } })).status,
      201,
    );
  });

  await t.test('every answer is as the document says', async (t) => {
    t.same(check.problems, []);
    const seen = [...check.seen].map((what) => what.replace(/ \d+$/, ''));
    t.same(
      check.operations.filter((operation) => !seen.includes(operation)),
      [],
    );
  });

  await t.test('the first answer is lost', async (t) => {
    const send = sender(t, proxies[0]);
    const other = sender(t, proxies[1]);
    const headers = { 'idempotency-key': 'lost' };
    await send('PUT', '/v1/key/lost', { body: '1' });
    for (const node of nodes) node.kill('SIGSTOP');
    const answer = await send('POST', '/v1/key/lost/incr', { headers });
    t.match([answer.status, answer.json()], [504, { error: { code: 'write_unknown' } }]);
    for (const node of nodes) node.kill('SIGCONT');
    for (const through of [other, send])
      t.match((await through('POST', '/v1/key/lost/incr', { headers })).json(), { value: '2' });
    t.equal((await send('GET', '/v1/key/lost')).body.toString(), '2', 'it was done once');
  });
});

t.test('a long value lies in the memory of the proxy once', async (t) => {
  const node = await startStandaloneNode(t);
  const proxy = await startProxy(t, [node.ready.resp]);
  const send = sender(t, proxy);
  const status = (field: string) =>
    1024 *
    Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${proxy.pid}/status`, 'utf8'))![1]);
  const value = Buffer.alloc(60 * MB, 'v');
  await send('PUT', '/v1/key/warm', { body: value.subarray(0, MB) });
  await send('GET', '/v1/key/warm');
  const peakOf = async (work: () => Promise<void>) => {
    writeFileSync(`/proc/${proxy.pid}/clear_refs`, '5');
    const before = status('VmRSS');
    await work();
    return (status('VmHWM') - before) / MB;
  };
  const written = await peakOf(async () => {
    t.equal((await send('PUT', '/v1/key/long', { body: value })).status, 201);
  });
  const read = await peakOf(async () => {
    t.ok((await send('GET', '/v1/key/long')).body.equals(value));
  });
  // The value, and what the collector has not come to: 25 to 50 MB, which come on top of 120 when it lies there twice.
  t.ok(written < 135, `writing took ${written.toFixed(0)} MB more`);
  t.ok(read < 135, `reading took ${read.toFixed(0)} MB more`);
});

t.test('over a redis-server', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const proxy = await startProxy(t, [redis.address], '--engine', 'redis');
  const check = await documented(t, proxy);
  plainEngineContract(t, () => proxy.ready.http, check.witness.bind(check));
  plainEngineGrpc(t, () => proxy.ready.grpc);
  t.test('every answer is as the document says', async (t) => t.same(check.problems, []));
});
