import { readFileSync } from 'node:fs';
import net from 'node:net';
import grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Pool } from 'undici';
import { patientArgs } from '../support/patience.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';
import { caller, failure, grpcContract, packages } from './grpc-contract.ts';
import { httpContract, requester } from './http-contract.ts';

/* The HTTP, gRPC, memcached and admin listeners of real proxy processes over real upstreams. */

const ALL_PORTS = ['resp', 'http', 'grpc', 'memcached', 'admin'].flatMap((name) => [
  `--${name}-port`,
  'auto',
]);

async function startProxy(upstreams: string[], ...args: string[]): Promise<Ringside> {
  const shards = upstreams.flatMap((address, i) => ['--upstream', `s${i}=${address}`]);
  return startRingside(['proxy', ...ALL_PORTS, ...shards, ...patientArgs, ...args]);
}

async function startNode(t: Test, ...args: string[]): Promise<{ node: Ringside; address: string }> {
  const node = await startRingside([
    'node',
    '--standalone',
    '--port',
    'auto',
    '--admin-port',
    'off',
    ...args,
  ]);
  t.teardown(() => node.kill('SIGKILL'));
  return { node, address: node.ready.resp };
}

function clients(t: Test, proxy: Ringside) {
  const http = new Pool(`http://${proxy.ready.http}`, { connections: 8 });
  const cache = new packages.ringside.v1.Cache(proxy.ready.grpc, grpc.credentials.createInsecure());
  const resp = new RespClient(proxy.ready.resp);
  t.teardown(async () => {
    resp.close();
    cache.close();
    await http.destroy();
  });
  return { send: requester(http), call: caller(cache), resp };
}

function everyInterface(t: Test, start: (t: Test) => Promise<Ringside>, features = { tags: true }): void {
  let proxy: Ringside;
  t.before(async () => {
    proxy = await start(t);
    t.teardown(() => proxy.kill('SIGKILL'));
  });
  t.test('HTTP', async (t) => httpContract(t, () => proxy.ready.http, features));
  t.test('gRPC', async (t) => grpcContract(t, () => proxy.ready.grpc, features));
  t.test('one key through every protocol', async (t) => {
    const { send, call, resp } = clients(t, proxy);
    const key = Buffer.from([0x6b, 0xff, 0x00, 0x2f]);
    const value = Buffer.from([0, 1, 0xfe, 0xff]);
    await send('PUT', '/v1/key/k%FF%00%2F', { body: value, headers: { 'x-ttl-seconds': '1000000000000' } });
    t.match(await call('get', { key }), { found: true, value });
    t.equal(await resp.text('STRLEN', key), '4');
    await call('increment', { key: Buffer.from('n'), by: 41 });
    t.equal(await resp.text('INCR', 'n'), '42');
    t.equal((await send('GET', '/v1/key/n')).body.toString(), '42');
    await resp.text('SET', 'n', '7', 'PX', '60000');
    const left = Number((await send('GET', '/v1/key/n')).headers['x-ttl-seconds']);
    t.ok(left > 30 && left <= 60, `${left} seconds left`);
    await resp.send('DEL', 'n');
    t.equal((await send('GET', '/v1/key/n')).status, 404);
  });
}

t.test('over two Ringside nodes', async (t) => {
  everyInterface(t, async (t) => {
    const nodes = await Promise.all([startNode(t), startNode(t)]);
    return startProxy(nodes.map(({ address }) => address));
  });
});

async function redisAddress(t: Test): Promise<string> {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  return redis.address;
}

const noRedis = hasRedisServer ? false : NO_REDIS;
t.test('over two redis-servers', { skip: noRedis }, async (t) => {
  everyInterface(
    t,
    async (t) => startProxy(await Promise.all([redisAddress(t), redisAddress(t)]), '--engine', 'redis'),
    { tags: false },
  );
});

t.test('what a namespace has no room for', async (t) => {
  const rules =
    '[{name: small, prefix: "s:", maxValueBytes: 10}, {name: full, prefix: "f:", maxBytes: 1mb, policy: noeviction}]';
  const { address } = await startNode(t, '--set', `namespaces=${rules}`);
  const proxy = await startProxy([address]);
  t.teardown(() => proxy.kill('SIGKILL'));
  const { send, call } = clients(t, proxy);
  const put = async (key: string, bytes: number, headers = {}) => {
    const answer = await send('PUT', `/v1/key/${key}`, { body: Buffer.alloc(bytes), headers });
    return answer.status < 300 ? answer.status : [answer.status, answer.json<{ error: object }>().error];
  };
  const message = 'a value of 11 bytes is larger than maxValueBytes (10) of namespace small';
  for (const headers of [{}, { 'x-tags': 'a' }])
    t.same(await put('s:a', 11, headers), [413, { code: 'too_large', message }]);
  t.same((await failure(call('put', { key: Buffer.from('s:a'), value: Buffer.alloc(11) }))).slice(0, 2), [
    'INVALID_ARGUMENT',
    'too_large',
  ]);
  t.equal(await put('f:a', 1 << 20), 201);
  t.match(await put('f:b', 1), [507, { code: 'out_of_memory', message: /'maxBytes' of namespace full/ }]);
});

t.test('an upstream that stops, dies and comes back', async (t) => {
  const { node, address } = await startNode(t);
  // All are sent before the first times out, after which the node is known not to answer.
  const timeouts = ['proxy.operationTimeoutMs=5000', 'proxy.readTimeoutMs=4900'];
  const proxy = await startProxy([address], ...timeouts.flatMap((set) => ['--set', set]));
  t.teardown(() => proxy.kill('SIGKILL'));
  const { send, call } = clients(t, proxy);
  await send('PUT', '/v1/key/a', { body: 'x' });
  node.kill('SIGSTOP');
  const [put, get, incr, put2] = await Promise.all([
    send('PUT', '/v1/key/a', { body: 'y' }),
    send('GET', '/v1/key/a'),
    send('POST', '/v1/key/n/incr'),
    failure(call('put', { key: Buffer.from('a') })),
  ]);
  const codeOf = (answer: typeof put) => answer.json<{ error: { code: string } }>().error.code;
  t.same([put.status, codeOf(put)], [504, 'write_unknown']);
  t.same([incr.status, codeOf(incr)], [504, 'write_unknown']);
  // Whichever is noticed first: that its time is over, or that the node says nothing any more.
  t.match(`${get.status} ${codeOf(get)}`, /^(504 timeout|503 shard_down)$/);
  t.same(put2.slice(0, 2), ['DEADLINE_EXCEEDED', 'write_unknown']);
  t.equal((await send('GET', '/v1/key/')).status, 400, 'the listener itself goes on');
  node.kill('SIGCONT');
  await until('it works again', async () => (await send('GET', '/v1/key/a')).status === 200);
  node.kill('SIGKILL');
  await node.ended;
  const down = await until('the shard is known to be down', async () => {
    const answer = await send('PUT', '/v1/key/a', { body: 'z' });
    return answer.status === 503 ? answer : null;
  });
  t.equal(codeOf(down), 'shard_down');
  const mget = await send('POST', '/v1/mget', { body: '{"keys":["a"]}' });
  t.equal(mget.status, 200);
  t.match(mget.json(), { results: [{ key: 'a', error: { code: 'shard_down' } }] });
});

t.test('memory stays bounded under clients that misbehave', async (t) => {
  const { address } = await startNode(t);
  const limit = 32 * 1024 * 1024;
  const proxy = await startProxy(
    [address],
    ...['--set', `proxy.limits.maxApiBytes=${limit}`, '--set', 'proxy.limits.maxHttpBodyBytes=16mb'],
  );
  t.teardown(() => proxy.kill('SIGKILL'));
  const { send, call, resp } = clients(t, proxy);
  const key = Buffer.from('big');
  const value = Buffer.alloc(250_000, 'v');
  await send('PUT', '/v1/key/big', { body: value });
  await call('get', { key });
  const resident = () =>
    1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${proxy.pid}/status`, 'utf8'))![1]);
  const before = resident();
  const open = (listener: string, bytes: string | Buffer) => {
    const socket = net.connect(Number(proxy.ready[listener].split(':')[1]), '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.on('error', () => {}).pause();
    socket.write(bytes);
    return socket;
  };
  const head = 'PUT /v1/key/greedy HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n';
  const half = Buffer.alloc(8_000_000, 'h');
  const greedy = Array.from({ length: 30 }, () => open('http', Buffer.concat([Buffer.from(head), half])));
  const readers = Array.from({ length: 60 }, () =>
    open('http', 'GET /v1/key/big HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50)),
  );
  open('memcached', Buffer.alloc(8_000_000, 'x'));
  open('grpc', Buffer.alloc(8_000_000, 'x'));
  open('admin', Buffer.alloc(8_000_000, 'x'));
  await until('nothing more moves', async () => {
    const written = () => [...greedy, ...readers].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
    const earlier = written();
    await new Promise((resolve) => setTimeout(resolve, 200));
    return written() === earlier;
  });
  t.equal(await resp.text('PING'), 'PONG');
  // What misbehaves may have used up what all of them may hold for a moment.
  await until('others are answered', async () => (await send('GET', '/v1/key/none')).status === 404);
  // Both listeners' budgets, 64 MB, and room for garbage, of which a busy machine collects less (six of these at once: up to 220 MB in all): the clients tried to have 900 MB held.
  const bound = 2 * limit + 256 * 1024 * 1024;
  await until('it holds no more than it may', async () => {
    await send('GET', '/v1/key/none');
    return resident() - before < bound;
  });
});

t.test('a drained proxy finishes what is under way and ends', async (t) => {
  const { node, address } = await startNode(t);
  const proxy = await startProxy([address], '--set', 'proxy.operationTimeoutMs=30000');
  t.teardown(() => proxy.kill('SIGKILL'));
  const { send, call } = clients(t, proxy);
  await send('PUT', '/v1/key/a', { body: 'x' });
  await call('get', { key: Buffer.from('a') });
  const adminClient = new Pool(`http://${proxy.ready.admin}`);
  t.teardown(() => adminClient.destroy());
  const admin = requester(adminClient);
  t.equal((await admin('GET', '/readyz')).status, 200);
  node.kill('SIGSTOP');
  const slowWrite = send('PUT', '/v1/key/b', { body: 'y' });
  const slowCall = call('put', { key: Buffer.from('c') });
  await until('both are under way', async () => {
    const { upstreams } = (await admin('GET', '/status')).json<{ upstreams: { inFlight: number }[] }>();
    return upstreams[0].inFlight >= 2;
  });
  t.equal((await admin('POST', '/drain')).status, 202);
  t.equal((await admin('GET', '/readyz')).status, 503);
  node.kill('SIGCONT');
  t.equal((await slowWrite).status, 201);
  t.match(await slowCall, { stored: true });
  t.equal(await proxy.stop(), 'code 0');
});
