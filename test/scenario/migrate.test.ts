import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { anyCommands } from '../support/any-writes.ts';
import { CountingClients } from '../support/counting-clients.ts';
import { RawClient } from '../support/raw-client.ts';
import { contentOf } from '../support/redis-content.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import { counted, runsOn, stage, startProxy } from './migration-stage.ts';

/*
 * An app is moved from a redis-server to a node and back: every increment that was acknowledged is there, once, and nobody saw an error.
 */

const skip = hasRedisServer ? false : NO_REDIS;
const seed = Number(process.env.SEED ?? 20261121);

/** Values of every type, small and large, some of which expire, in three databases. */
async function load(address: string): Promise<void> {
  const raw = new RawClient(address);
  const random = seededRandom(seed);
  const commands = anyCommands(random, 1500).filter(([name]) => !/^(RS\.|FLUSH|SWAPDB)/i.test(String(name)));
  await raw.run(commands);
  const kinds = (n: number) => [
    ['SET', `string:${n}`, 'x'.repeat(n * 10), 'EX', String(1000 + n)],
    ['RPUSH', `list:${n}`, ...Array.from({ length: n }, (_, i) => `element ${i}`)],
    ['SADD', `set:${n}`, ...Array.from({ length: n }, (_, i) => `member ${i}`)],
    ['SADD', `integers:${n}`, ...Array.from({ length: n }, (_, i) => String(i))],
    ['HSET', `hash:${n}`, ...Array.from({ length: n * 2 }, (_, i) => `field ${i}`)],
    ['ZADD', `zset:${n}`, ...Array.from({ length: n }, (_, i) => [String(i / 3), `member ${i}`]).flat()],
    ['EXPIRE', `hash:${n}`, '5000'],
  ];
  for (const database of ['0', '3', '9']) {
    await raw.run([['SELECT', database], ...[1, 20, 1000].flatMap(kinds)]);
  }
  raw.close();
}

const withoutCounters = (content: Map<string, string>) =>
  new Map(
    [...content].filter(([key]) => !Buffer.from(key.split(':')[1], 'hex').toString().startsWith('counter:')),
  );

/** Whether it had to expire meanwhile. */
const isOver = (value: string) => {
  const atMs = Number(/ until (-?\d+)/.exec(value)![1]);
  return atMs > 0 && atMs <= Date.now();
};

t.test('to a node and back, under load', { skip }, async (t) => {
  const { redis, node, app, client, migrate } = await stage(t);
  await load(redis.address);
  const before = withoutCounters(await contentOf(client(redis.address)));
  await runsOn(app, 'the app counts');

  const there = await migrate('--from');
  t.equal(there.code, 0, there.stderr);
  t.notMatch(there.stdout, /^.{81}/m, 'no line is wider than 80');
  t.match(there.stdout, /Done: writes were held for \d+ ms/);
  await runsOn(app, 'the app counts on the node');
  const onNode = client(node.ready.resp);
  t.equal((await onNode.text('INFO', 'replication'))!.match(/^role:(\w+)/m)![1], 'master');
  const moved = withoutCounters(await contentOf(onNode));
  t.same([...before].filter(([key, value]) => moved.get(key) !== value && !isOver(value)).slice(0, 3), []);
  t.match(
    await client(redis.address).send('SET', 'stray', '1'),
    { message: /^READONLY/ },
    'nobody writes to the source',
  );

  const back = await migrate('--to', '--json');
  t.equal(back.code, 0, back.stdout);
  const lines = back.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(lines.at(-1), { step: 'done', tookMs: Number, held: Number, offset: /^\d+$/, unsure: [] });
  t.match(
    lines.find(({ step }) => step === 'follow'),
    { lagBytes: /^\d+$/, lagSeconds: Number },
  );
  await runsOn(app, 'the app counts on Redis again');
  await app.stop();
  t.same([...app.errors], [], 'nobody saw an error');
  await counted(t, client(redis.address), app);
  t.comment(`${app.total} increments, the longest took ${Math.round(app.longestMs)} ms`);
});

t.test('two proxies, one with threads, and some who write to Redis directly', { skip }, async (t) => {
  const { redis, app, client, migrate } = await stage(t, { proxyArgs: ['--workers', '2'] });
  const second = await startProxy(t, redis);
  const others = new CountingClients(second.ready.resp, 2, 'other');
  const direct = new CountingClients(redis.address, 2, 'direct');
  t.teardown(() => Promise.all([others.stop(), direct.stop()]));
  for (const direction of ['--from', '--to'] as const) {
    await runsOn(app, 'the app counts');
    await runsOn(others, 'the other counts');
    const done = await migrate(direction, '--proxy', `http://${second.ready.admin}`);
    t.equal(done.code, 0, done.stderr);
    t.match(done.stdout, /2 proxies connected/);
  }
  await runsOn(app, 'the app counts on');
  t.match(await migrate('--to', '--proxy', `http://${second.ready.admin}`), {
    code: 0,
    stdout: /Nothing to do/,
  });
  await Promise.all([app.stop(), others.stop(), direct.stop()]);
  t.same([...app.errors, ...others.errors], [], 'nobody behind a proxy saw an error');
  t.match([...direct.errors.keys()].join(), /^READONLY[^,]*$/, 'the others were refused, and nothing else');
  for (const clients of [app, others, direct]) await counted(t, client(redis.address), clients);
});
