import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import t from 'tap';
import { request } from 'undici';
import { calm, DevCluster, ringside } from '../support/dev-cluster.ts';

declare module 'express-session' {
  interface SessionData {
    user: string;
    visits: number;
  }
}

/* One cluster, and everything a user would point at it: client libraries, command line tools, an application. */

const cluster = await DevCluster.start('--shards', '3', '--followers', '1', ...calm());
t.teardown(() => cluster.stop());
const ready = await cluster.whole(3, 1);
const resp = { host: '127.0.0.1', port: 7379 + cluster.offset };
const node = ready.shards[0].leader!;
const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const run = promisify(execFile);
/** Options of a test that needs a program which may not be there. */
const needs = (program: string) => ({ skip: has(program) ? false : `skipped: ${program} not installed` });

t.test('one key written through any protocol reads the same through every other', async (t) => {
  const http = `http://${cluster.at(7380)}/v1/key`;
  const redis = new Redis(resp);
  t.teardown(() => redis.disconnect());
  t.equal(await redis.set('a', '1'), 'OK');
  t.equal(await (await request(`${http}/a`)).body.text(), '1', 'RESP -> HTTP');
  const put = await request(`${http}/b`, { method: 'PUT', body: 'two', headers: { 'X-TTL-Seconds': '100' } });
  t.equal(put.statusCode, 201);
  t.equal(await redis.get('b'), 'two', 'HTTP -> RESP');
  const ttl = await redis.ttl('b');
  t.ok(ttl > 90 && ttl <= 100, `the lifetime came along: ${ttl}`);
});

t.test('gRPC by reflection sees the same value', needs('grpcurl'), async (t) => {
  await (await request(`http://${cluster.at(7380)}/v1/key/b`, { method: 'PUT', body: 'two' })).body.dump();
  const { stdout } = await run('grpcurl', [
    ...['-plaintext', '-d', JSON.stringify({ key: Buffer.from('b').toString('base64') })],
    ...[cluster.at(7381), 'ringside.v1.Cache/Get'],
  ]);
  t.equal(Buffer.from(JSON.parse(stdout).value, 'base64').toString(), 'two', 'HTTP -> gRPC');
});

t.test('ioredis: pipelines, binary values, 1 MB values', async (t) => {
  const redis = new Redis(resp);
  t.teardown(() => redis.disconnect());
  const pipeline = redis.pipeline();
  for (let i = 0; i < 1_000; i++) pipeline.set(`p:${i}`, `v${i}`);
  for (let i = 0; i < 1_000; i++) pipeline.get(`p:${i}`);
  const replies = (await pipeline.exec())!;
  t.strictSame(
    replies.map(([error, value]) => error ?? value),
    [...Array(1_000).fill('OK'), ...Array.from({ length: 1_000 }, (_, i) => `v${i}`)],
    'replies in the order of the commands, over all shards',
  );
  const keys = Array.from({ length: 100 }, (_, i) => `p:${i}`);
  t.strictSame(await redis.mget(...keys, 'missing'), [...keys.map((_, i) => `v${i}`), null]);
  t.equal(await redis.del(...keys, 'missing'), 100);
  const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await redis.set(binary, binary);
  t.same(await redis.getBuffer(binary), binary, 'every byte, as key and as value');
  const big = randomBytes(1 << 20);
  await Promise.all(Array.from({ length: 20 }, (_, i) => redis.set(`big:${i}`, big)));
  const back = await Promise.all(Array.from({ length: 20 }, (_, i) => redis.getBuffer(`big:${i}`)));
  t.ok(
    back.every((value) => value?.equals(big)),
    '20 values of 1 MB at once',
  );
  t.equal(await redis.incrby('n', 5), 5);
  await t.rejects(redis.incr('big:0'), /not an integer/);
});

for (const RESP of [2, 3] as const) {
  t.test(`node-redis over RESP${RESP}`, async (t) => {
    const client = createClient({ socket: resp, RESP });
    await client.connect();
    t.teardown(() => client.destroy());
    t.equal(await client.set(`r${RESP}`, 'v', { expiration: { type: 'EX', value: 100 } }), 'OK');
    t.equal(await client.get(`r${RESP}`), 'v');
    t.equal(await client.get('nothing'), null);
    t.strictSame(await client.mGet([`r${RESP}`, 'nothing']), ['v', null]);
    t.equal(await client.exists([`r${RESP}`, 'nothing']), 1);
    t.ok((await client.ttl(`r${RESP}`)) > 90);
    const many = await Promise.all(
      Array.from({ length: 500 }, (_, i) => client.incr(`count${RESP}:${i % 7}`)),
    );
    t.equal(many.length, 500);
    const found = [];
    for await (const keys of client.scanIterator({ MATCH: `count${RESP}:*` })) found.push(...keys);
    t.strictSame(
      found.sort(),
      Array.from({ length: 7 }, (_, i) => `count${RESP}:${i}`),
      'SCAN goes over all shards',
    );
  });
}

t.test('an application made for Redis: express-session with connect-redis', async (t) => {
  const client = createClient({ socket: resp });
  await client.connect();
  t.teardown(() => client.destroy());
  const store = new RedisStore({ client, prefix: 'app:', ttl: 60 });
  const app = express();
  app.use(session({ store, secret: 'not a secret', resave: false, saveUninitialized: false }));
  app.get('/login', (request, response) => {
    request.session.user = String(request.query.user);
    request.session.visits = 0;
    response.end();
  });
  app.get('/visit', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.json({ user: request.session.user, visits: request.session.visits });
  });
  app.get('/logout', (request, response) => {
    request.session.destroy(() => response.end());
  });
  const server = await new Promise<Server>((done) => {
    const listening = app.listen(0, '127.0.0.1', () => done(listening));
  });
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const login = await request(`${url}/login?user=ada`);
  const cookie = String(login.headers['set-cookie']).split(';')[0];
  await login.body.dump();
  for (const visits of [1, 2, 3]) {
    const { body } = await request(`${url}/visit`, { headers: { cookie } });
    t.strictSame(await body.json(), { user: 'ada', visits }, 'the session is kept between requests');
  }
  t.equal(await store.length?.(), 1);
  t.equal((await store.all?.())?.length, 1);
  await (await request(`${url}/logout`, { headers: { cookie } })).body.dump();
  t.equal(await store.length?.(), 0, 'and gone after the logout');
});

t.test('redis-cli', needs('redis-cli'), async (t) => {
  const cli = async (...args: string[]) =>
    (await run('redis-cli', ['-p', `${resp.port}`, ...args])).stdout.trim();
  t.equal(await cli('set', 'cli', 'works'), 'OK');
  t.equal(await cli('get', 'cli'), 'works');
  t.equal(await cli('-3', 'get', 'cli'), 'works');
  t.match(await cli('info', 'server'), /redis_version:7\.0\.15/);
  t.match(
    await cli('xadd', 'x', '*', 'a', 'b'),
    /unknown command 'xadd'/,
    "what comes later is refused in Redis's words",
  );
});

t.test(
  'redis-benchmark -t set,get,mget runs clean on proxy and node',
  needs('redis-benchmark'),
  async (t) => {
    const where = [resp.port, Number(node.address.split(':')[1])];
    // redis-benchmark 7.0 has no MGET of its own: a custom command asks for ten keys at once, over all shards.
    const mget = ['MGET', ...Array.from({ length: 10 }, () => 'key:__rand_int__')];
    for (const port of where) {
      for (const pipeline of ['1', '16']) {
        const common = ['-p', `${port}`, '-c', '20', '-P', pipeline, '-r', '1000', '--csv'];
        const simple = await run('redis-benchmark', [...common, '-n', '20000', '-t', 'set,get,mget,incr']);
        t.match(simple.stdout, /^"SET"[\s\S]*^"GET"[\s\S]*^"INCR"/m, `port ${port}, depth ${pipeline}`);
        const many = await run('redis-benchmark', [...common, '-n', '5000', ...mget]);
        t.match(many.stdout, /^"MGET /m, `port ${port}, depth ${pipeline}: MGET of ten`);
        t.notMatch(`${simple.stderr}${many.stderr}`, /error/i);
      }
    }
  },
);

const shared = process.env.RINGSIDE_SHARED ?? resolve(import.meta.dirname, '../../../shared');
const traces = {
  oracle: 'cloudphysics.oracleGeneral.bin',
  recs: 'scarab-recs.i64be.gz',
  cdn: 'cdn-request.txt.gz',
};
for (const [format, file] of Object.entries(traces)) {
  const trace = `${shared}/data/${file}`;
  const options = { skip: existsSync(trace) ? false : `skipped: ${trace} not there, set RINGSIDE_SHARED` };
  t.test(`the real trace ${file} replays through the proxy`, options, async (t) => {
    const out = await ringside(
      ...['bench', '--target', `resp://${cluster.at(7379)}`, '--trace', trace, '--format', format],
      ...['--ops', '5000', '--connections', '4', '--pipeline', '8', '--json'],
    );
    const result = JSON.parse(out);
    t.comment(out.trim());
    t.equal(result.errors, 0);
    t.ok(result.requests >= 5_000, 'each operation is a GET, and a SET on a miss');
    t.ok(result.hitRatio > 0 && result.hitRatio < 1);
    t.ok(result.latencyMs.p50 > 0 && result.latencyMs.p999 >= result.latencyMs.p99);
  });
}
