import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import t from 'tap';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { FakeNode } from '../support/fake-node.ts';
import { patientArgs } from '../support/patience.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* The proxy as a process of its own, in front of real nodes: stopped and killed ones, signals, threads, memory. */

const off = ['http', 'grpc', 'memcached', 'admin'].flatMap((name) => [`--${name}-port`, 'off']);
const node = () => startRingside(['node', '--standalone', '--port', 'auto', '--set', 'node.adminPort=off']);
const proxy = (...more: string[]) =>
  startRingside(['proxy', '--resp-port', 'auto', ...off, ...patientArgs, ...more]);
const timeouts = (operationMs: number, readMs: number) => [
  ...['--set', `proxy.operationTimeoutMs=${operationMs}`, '--set', `proxy.readTimeoutMs=${readMs}`],
];
const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

const nodes: Ringside[] = await Promise.all([node(), node(), node()]);
t.teardown(() => Promise.all(nodes.map((one) => one.stop())));
const upstream = (name: string, ...members: Ringside[]) => [
  '--upstream',
  `${name}=${members.map(({ ready }) => ready.resp).join('/')}`,
];
const shards = nodes.flatMap((one, i) => upstream(`s${i}`, one));

const residentBytes = (pid: number) =>
  1024 * Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

t.test('client libraries against two workers', async (t) => {
  const running = await proxy(...shards, '--workers', '2');
  t.teardown(() => running.stop());
  const [host, port] = running.ready.resp.split(':');
  const redis = new Redis(Number(port), host);
  const pipeline = redis.pipeline();
  for (let i = 0; i < 500; i++) pipeline.set(`k${i}`, i).get(`k${i}`);
  const replies = (await pipeline.exec())!.map(([error, value]) => error ?? value);
  t.strictSame(replies, Array.from({ length: 500 }, (_, i) => ['OK', `${i}`]).flat());
  const binary = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256));
  await redis.mset(binary, binary, 'k', 'v');
  t.same(await redis.mgetBuffer(binary, 'k', 'none'), [binary, Buffer.from('v'), null]);
  t.equal(await redis.unlink('k0', 'k1', 'k2', 'none'), 3);
  redis.disconnect();
  for (const RESP of [2, 3] as const) {
    const client = createClient({ url: `redis://${running.ready.resp}`, RESP });
    await client.connect();
    await client.set('x', 'y', { expiration: { type: 'EX', value: 100 } });
    t.equal(await client.get('x'), 'y');
    t.ok((await client.ttl('x')) > 90);
    t.strictSame(await client.mGet(['x', 'k10', 'none']), ['y', '10', null]);
    const found: string[] = [];
    for await (const keys of client.scanIterator({ MATCH: 'k1*' })) found.push(...keys);
    t.equal(found.length, new Set(found).size);
    t.equal(found.length, (await client.keys('k1*')).length);
    client.destroy();
  }
});

t.test('redis-benchmark and redis-cli', { skip: !has('redis-benchmark') && 'not installed' }, async (t) => {
  const running = await proxy(...shards);
  t.teardown(() => running.stop());
  const port = running.ready.resp.split(':')[1];
  const run = (program: string, ...args: string[]) =>
    spawnSync(program, ['-p', port, ...args], { encoding: 'utf8' });
  for (const depth of ['1', '16']) {
    const { stdout } = run(
      'redis-benchmark',
      '-n',
      '5000',
      '-r',
      '100',
      '-P',
      depth,
      '-q',
      '-t',
      'set,get,mset,ping',
    );
    t.notMatch(stdout, /error/i);
    t.match(stdout, /GET: [\d.]+ requests per second/);
  }
  t.match(run('redis-cli', 'set', 'a', '1').stdout, /^OK/);
  t.match(run('redis-cli', '-3', 'get', 'a').stdout, /1/);
});

t.test('a node that is stopped (SIGSTOP), with a follower: the others never notice', async (t) => {
  const follower = await startRingside([
    ...['node', '--standalone', '--port', 'auto', '--set', 'node.adminPort=off'],
    ...['--replicaof', nodes[0].ready.resp.replace(':', ' ')],
  ]);
  t.teardown(() => follower.stop());
  const running = await proxy(
    ...upstream('s0', nodes[0], follower),
    ...upstream('s1', nodes[1]),
    ...timeouts(5000, 1000),
  );
  t.teardown(() => running.stop());
  const c = new RespClient(running.ready.resp);
  t.teardown(() => c.close());
  for (let i = 0; i < 40; i++) await c.text('SET', `key:${i}`, `${i}`);
  const direct = new RespClient(follower.ready.resp);
  t.teardown(() => direct.close());
  const own = Number(
    await new RespClient(nodes[0].ready.resp).send(
      'EXISTS',
      ...Array.from({ length: 40 }, (_, i) => `key:${i}`),
    ),
  );
  t.ok(own > 0 && own < 40, `${own} of 40 keys on the first shard`);
  await until('the follower has them', async () => Number(await direct.send('DBSIZE')) >= own);
  nodes[0].kill('SIGSTOP');
  t.teardown(() => nodes[0].kill('SIGCONT'));
  const values = await Promise.all(Array.from({ length: 40 }, (_, i) => c.text('GET', `key:${i}`)));
  t.strictSame(
    values,
    Array.from({ length: 40 }, (_, i) => `${i}`),
    'every read is answered',
  );
  const writes = await Promise.all(Array.from({ length: 40 }, (_, i) => c.send('SET', `key:${i}`, 'x')));
  t.equal(
    writes.map(String).filter((text) => /^(RespError: |Error: )?(UNKNOWN|CLUSTERDOWN) /.test(text)).length,
    own,
  );
  nodes[0].kill('SIGCONT');
  await until(
    'writes go on',
    async () =>
      (await c.send('SET', 'key:0', 'y')) === 'OK' &&
      (await c.send('MSET', ...Array.from({ length: 40 }, (_, i) => [`key:${i}`, 'z']).flat())) === 'OK',
  );
});

t.test('a proxy that was stopped itself reads what has come before it judges anybody', async (t) => {
  const slow = await FakeNode.start();
  t.teardown(() => slow.stop());
  const running = await proxy('--upstream', `s0=${slow.address}`, ...timeouts(3000, 2000));
  t.teardown(() => running.stop());
  const c = new RespClient(running.ready.resp);
  t.teardown(() => c.close());
  slow.refuse = ({ name }) => (name === 'SET' ? 'silent' : undefined);
  const write = c.send('SET', 'a', '1');
  await until('it is under way', () => slow.names.includes('SET'));
  running.kill('SIGSTOP');
  slow.say('+OK\r\n');
  const stoppedMs = performance.now();
  await until('its deadline has passed', () => performance.now() - stoppedMs > 3500);
  running.kill('SIGCONT');
  t.equal(await write, 'OK');
});

t.test('SIGTERM: what is under way finishes, idle clients are closed, nobody new comes in', async (t) => {
  const slow = await FakeNode.start();
  t.teardown(() => slow.stop());
  const running = await proxy('--upstream', `s0=${slow.address}`);
  const idle = new RespClient(running.ready.resp);
  await idle.text('PING');
  const busy = new RespClient(running.ready.resp);
  slow.refuse = ({ name }) => (name === 'GET' ? 'silent' : undefined);
  const underWay = busy.text('GET', 'a');
  await until('it is under way', () => slow.names.includes('GET'));
  running.kill('SIGTERM');
  await until('the idle client is closed', () => idle.socket.destroyed);
  await until(
    'nobody new comes in',
    () =>
      new Promise<boolean>((resolve) => {
        const [host, port] = running.ready.resp.split(':');
        const socket = net.connect(Number(port), host, () => resolve(false));
        socket.on('error', () => resolve(true));
      }),
  );
  slow.say('$4\r\ndone\r\n');
  t.equal(await underWay, 'done');
  t.equal(await running.ended, 'code 0');
});

t.test('memory stays bounded: silent, slow and broken clients', async (t) => {
  const running = await proxy(
    ...shards,
    '--set',
    'proxy.limits.maxBufferedBytesPerConnection=4mb',
    '--set',
    'proxy.limits.maxBulkBytes=2mb',
    '--set',
    'proxy.limits.headerTimeoutMs=3000',
  );
  t.teardown(() => running.stop());
  const c = new RespClient(running.ready.resp);
  t.teardown(() => c.close());
  await c.send('SET', 'big', Buffer.alloc(1 << 20));
  const before = residentBytes(running.pid);
  const [host, port] = running.ready.resp.split(':');
  const sockets = Array.from({ length: 20 }, (_, i) => {
    const socket = net.connect(Number(port), host).on('error', () => {});
    t.teardown(() => socket.destroy());
    // Half ask for far more than they read; half announce a value and never send it.
    if (i % 2 === 0)
      socket.write(Buffer.concat(Array.from({ length: 100 }, () => encodeCommand('GET', 'big'))));
    else socket.write('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2000000\r\nabc');
    return socket;
  });
  let closed = 0;
  for (const [i, socket] of sockets.entries()) {
    socket.on('close', () => closed++);
    if (i % 2 === 1) socket.resume();
  }
  await until('those who dawdle are closed', () => closed >= 10);
  t.equal(await c.text('SET', 'b', '1'), 'OK', 'others go on');
  const grown = residentBytes(running.pid) - before;
  t.ok(grown < 10 * 8e6 + 64e6, `grew by ${(grown / 1e6).toFixed(0)} MB for 20 such clients`);
});
