import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import t from 'tap';
import { patientArgs } from '../support/patience.ts';
import { pythonWith, runPython } from '../support/python.ts';
import { startRingside } from '../support/ringside.ts';

/* What applications do with ioredis, node-redis and redis-py, through a proxy in front of three nodes. */

const off = ['http', 'grpc', 'memcached', 'admin'].flatMap((name) => [`--${name}-port`, 'off']);
const nodes = await Promise.all(
  Array.from({ length: 3 }, () =>
    startRingside(['node', '--standalone', '--port', 'auto', '--admin-port', 'off']),
  ),
);
t.teardown(() => Promise.all(nodes.map((node) => node.stop())));
const upstreams = nodes.flatMap(({ ready }, i) => ['--upstream', `s${i}=${ready.resp}`]);
const proxy = await startRingside(['proxy', '--resp-port', 'auto', ...off, ...upstreams, ...patientArgs]);
t.teardown(() => proxy.stop());
const [host, port] = proxy.ready.resp.split(':');
const COUNT = 500;
const numbers = Array.from({ length: COUNT }, (_, i) => i);

t.test('ioredis', async (t) => {
  const redis = new Redis(Number(port), host);
  const other = new Redis(Number(port), host);
  t.teardown(() => {
    redis.disconnect();
    other.disconnect();
  });

  await t.test('values, collections, errors', async (t) => {
    t.equal(await redis.set('io:a', '1', 'EX', 100, 'NX'), 'OK');
    t.equal(await redis.set('io:a', '2', 'NX'), null);
    t.ok((await redis.ttl('io:a')) > 90);
    await redis.mset(Object.fromEntries(numbers.map((i) => [`io:m${i}`, `${i}`])));
    t.strictSame(await redis.mget(...numbers.map((i) => `io:m${i}`), 'io:none'), [
      ...numbers.map((i) => `${i}`),
      null,
    ]);
    t.equal(await redis.unlink(...numbers.map((i) => `io:m${i}`), 'io:none'), COUNT);
    await redis.hset('io:h', { f: '1', g: '2' });
    t.strictSame({ ...(await redis.hgetall('io:h')) }, { f: '1', g: '2' });
    await redis.zadd('io:z', 1, 'one', '2.5', 'two');
    t.strictSame(await redis.zrange('io:z', 0, '-1', 'WITHSCORES'), ['one', '1', 'two', '2.5']);
    await redis.sadd('io:{s}1', 'x', 'y');
    await redis.sadd('io:{s}2', 'y', 'z');
    t.strictSame(await redis.sinter('io:{s}1', 'io:{s}2'), ['y']);
    await t.rejects(redis.incr('io:h'), /^WRONGTYPE /);
    await t.rejects(redis.call('NOSUCH'), /unknown command 'NOSUCH'/);
  });

  await t.test('pipelines and transactions', async (t) => {
    const pipeline = redis.pipeline();
    for (const i of numbers) pipeline.set(`io:p${i}`, i).get(`io:p${i}`);
    const replies = (await pipeline.exec())!.map(([error, value]) => error ?? value);
    t.strictSame(
      replies,
      numbers.flatMap((i) => ['OK', `${i}`]),
    );
    const done = await redis.multi().set('io:{t}a', '1').incr('io:{t}a').rpush('io:{t}b', 'x').exec();
    t.strictSame(done, [
      [null, 'OK'],
      [null, 2],
      [null, 1],
    ]);
    await redis.watch('io:{t}a');
    await other.set('io:{t}a', '5');
    t.equal(await redis.multi().set('io:{t}a', '6').exec(), null, 'it was changed meanwhile');
    t.equal(await redis.get('io:{t}a'), '5');
    const failed = await redis.multi().set('io:{t}c', 'x').incr('io:{t}c').exec();
    t.match(failed?.[1][0], /not an integer/, 'one command of it fails');
  });

  await t.test('SCAN', async (t) => {
    const found: string[] = [];
    for await (const keys of redis.scanStream({ match: 'io:p*', count: 30 })) found.push(...keys);
    t.strictSame(found.sort(), numbers.map((i) => `io:p${i}`).sort(), 'each key once');
  });

  await t.test('blocking commands', async (t) => {
    const waiting = other.blpop('io:queue', 15);
    await redis.rpush('io:queue', 'job');
    t.strictSame(await waiting, ['io:queue', 'job']);
    t.equal(await other.blpop('io:queue', 0.05), null);
  });

  await t.test('messages', async (t) => {
    const subscriber = redis.duplicate();
    t.teardown(() => subscriber.disconnect());
    const heard: string[] = [];
    const both = new Promise<void>((resolve) => {
      const hear = (text: string) => heard.push(text) === 2 && resolve();
      subscriber.on('message', (channel, message) => hear(`${channel} ${message}`));
      subscriber.on('pmessage', (pattern, channel, message) => hear(`${pattern} ${channel} ${message}`));
    });
    await subscriber.subscribe('io:news');
    await subscriber.psubscribe('io:n*');
    t.ok((await redis.publish('io:news', 'hello')) >= 1);
    await both;
    t.strictSame(heard.sort(), ['io:n* io:news hello', 'io:news hello']);
  });
});

for (const RESP of [2, 3] as const) {
  t.test(`node-redis over RESP${RESP}`, async (t) => {
    const p = `nr${RESP}:`;
    const client = createClient({ url: `redis://${proxy.ready.resp}`, RESP });
    const other = createClient({ url: `redis://${proxy.ready.resp}`, RESP });
    await Promise.all([client.connect(), other.connect()]);
    t.teardown(() => {
      client.destroy();
      other.destroy();
    });

    await t.test('values, collections, many at once', async (t) => {
      t.equal(await client.set(`${p}a`, '1', { expiration: { type: 'EX', value: 100 } }), 'OK');
      t.ok((await client.ttl(`${p}a`)) > 90);
      await client.hSet(`${p}h`, { f: '1', g: '2' });
      t.strictSame({ ...(await client.hGetAll(`${p}h`)) }, { f: '1', g: '2' });
      await client.zAdd(`${p}z`, [
        { value: 'one', score: 1 },
        { value: 'two', score: 2.5 },
      ]);
      t.strictSame(
        (await client.zRangeWithScores(`${p}z`, 0, -1)).map(({ value, score }) => [value, score]),
        [
          ['one', 1],
          ['two', 2.5],
        ],
      );
      const counts = await Promise.all(numbers.map((i) => client.incr(`${p}count:${i % 7}`)));
      t.equal(counts.length, COUNT);
      await t.rejects(client.incr(`${p}h`), /WRONGTYPE/);
    });

    await t.test('transactions', async (t) => {
      const done = await client.multi().set(`${p}{t}a`, '1').incr(`${p}{t}a`).exec();
      t.strictSame(done, ['OK', 2]);
      await client.watch(`${p}{t}a`);
      await other.set(`${p}{t}a`, '5');
      await t.rejects(client.multi().set(`${p}{t}a`, '6').exec(), /One \(or more\) of the watched keys/);
      t.equal(await client.get(`${p}{t}a`), '5');
    });

    await t.test('SCAN', async (t) => {
      const found: string[] = [];
      for await (const keys of client.scanIterator({ MATCH: `${p}count:*` })) found.push(...keys);
      t.strictSame(
        found.sort(),
        Array.from({ length: 7 }, (_, i) => `${p}count:${i}`),
      );
    });

    await t.test('blocking commands', async (t) => {
      const waiting = other.blPop(`${p}queue`, 15);
      await client.rPush(`${p}queue`, 'job');
      t.strictSame({ ...(await waiting) }, { key: `${p}queue`, element: 'job' });
    });

    await t.test('messages', async (t) => {
      const subscriber = client.duplicate();
      await subscriber.connect();
      t.teardown(() => subscriber.destroy());
      let hear: (message: string) => void = () => {};
      const heard = new Promise<string>((resolve) => {
        hear = resolve;
      });
      await subscriber.subscribe(`${p}news`, (message) => hear(message));
      t.ok((await client.publish(`${p}news`, 'hello')) >= 1);
      t.equal(await heard, 'hello');
    });
  });
}

const python = pythonWith('redis');
t.test('redis-py', { skip: python === null && 'skipped: no Python with redis-py' }, async (t) => {
  const script = join(import.meta.dirname, '../support/clients/redis_py.py');
  const out = await runPython(python!, [script, proxy.ready.resp]);
  t.equal(out.trim().split('\n').length, 14, 'seven parts over both protocols');
});
