import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { FrontTable } from '../../proxy/near/front-table.ts';
import { folder } from '../support/folder.ts';
import { type ProxyUnderTest, proxyWith } from '../support/proxy-under-test.ts';
import { RawClient } from '../support/raw-client.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* Runs of GETs over sockets: the front table answers them, they are counted as what they are, and writes are seen. */

const namespaces = [
  { name: 'near', prefix: 'n:', stalenessMs: 600_000 },
  { name: 'more', prefix: 'm:', stalenessMs: 600_000 },
];
// Nothing is forgotten because its time is up.
const lasting = { minTtlMs: 600_000, maxTtlMs: 600_000 };
const always = { nearCache: { mode: 'always', ...lasting }, namespaces };

/** GETs that front tables of this process have answered. */
let answered = 0;
const { answer } = FrontTable.prototype;
FrontTable.prototype.answer = function (...args) {
  const isAny = answer.apply(this, args);
  if (isAny) answered += this.commands;
  return isAny;
};

interface Stage extends ProxyUnderTest {
  readonly server: RespClient;
  readonly raw: RawClient;
}

async function stage(
  t: Test,
  address: string,
  engine: string,
  rest: object,
  options: object = {},
): Promise<Stage> {
  const upstreams = [{ name: 's0', leader: address }];
  const proxy = await proxyWith(
    t,
    { upstreams, engine, adminPort: 'auto', httpPort: 'auto', ...options },
    rest,
  );
  const server = new RespClient(address);
  const raw = new RawClient(proxy.resp);
  t.teardown(() => [server, raw].map((one) => one.close()));
  return { ...proxy, server, raw };
}

async function metricOf({ proxy }: Stage, name: string): Promise<number> {
  const text = await (await fetch(`http://${proxy.listeners.admin}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(name)) ?? 'not there 0';
  return Number(line.slice(line.lastIndexOf(' ')));
}

const hitsIn = (stage: Stage, namespace: string) =>
  metricOf(stage, `ringside_proxy_near_hits_total{namespace="${namespace}"}`);

/** Asks until all of these are answered from the front. */
async function inFront({ raw }: Stage, keys: readonly string[]): Promise<void> {
  await until('all are in the front', async () => {
    const before = answered;
    await raw.run(keys.map((key) => ['GET', key]));
    return answered - before === keys.length;
  });
}

const textOf = (replies: readonly Buffer[]) => replies.map((reply) => reply.latin1Slice());

async function answersRuns(t: Test, stage: Stage) {
  const { server, raw, client } = stage;
  const keys = Array.from({ length: 30 }, (_, i) => `${i % 3 === 0 ? 'm' : 'n'}:${i}`);
  for (const key of keys) await server.send('SET', key, `of ${key}`);
  await inFront(stage, keys);
  const before = [answered, await hitsIn(stage, 'near'), await hitsIn(stage, 'more')];
  const replies = await raw.run(keys.map((key) => ['GET', key]));
  t.same(
    textOf(replies),
    keys.map((key) => `$${key.length + 3}\r\nof ${key}\r\n`),
  );
  const after = [answered, await hitsIn(stage, 'near'), await hitsIn(stage, 'more')];
  t.same(
    after.map((count, i) => count - before[i]),
    [30, 20, 10],
  );
  const [other] = await raw.run([['RS.ROUTE', 'n:1']]);
  t.match(other.latin1Slice(), /value/, 'L1 has it too');

  t.same(
    textOf(
      await raw.run([
        ['GET', 'n:1'],
        ['SET', 'n:1', 'new'],
        ['GET', 'n:1'],
        ['GET', 'n:2'],
      ]),
    ),
    ['$6\r\nof n:1\r\n', '+OK\r\n', '$3\r\nnew\r\n', '$6\r\nof n:2\r\n'],
    'an own write, between reads',
  );
  const c = client();
  await c.send('DEL', 'n:2');
  t.same(textOf(await raw.run([['GET', 'n:2']])), ['$-1\r\n'], 'a write of another client here');
  await server.send('SET', 'n:4', 'elsewhere');
  await until('a write elsewhere is told', async () => (await c.text('GET', 'n:4')) === 'elsewhere');
  await inFront(stage, ['m:3']);
  await server.send('FLUSHALL');
  await until('the flush is told', async () => (await c.text('GET', 'm:3')) === null);
}

t.test('runs of GETs are answered, and writes are seen: Ringside', async (t) => {
  const { ready } = await startStandaloneNode(t);
  await answersRuns(t, await stage(t, ready.resp, 'ringside', always));
});

t.test(
  'runs of GETs are answered, and writes are seen: redis-server',
  { skip: hasRedisServer ? false : NO_REDIS },
  async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    await answersRuns(t, await stage(t, redis.address, 'redis', always));
  },
);

t.test('what is purged is forgotten by the front too', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const one = await stage(t, ready.resp, 'ringside', always);
  const url = `http://${one.proxy.listeners.http}/v1/purge`;
  const headers = { 'content-type': 'application/json' };
  for (const purge of [{ keys: ['n:1'] }, { prefixes: ['n:'] }, { tags: ['any'] }]) {
    await one.server.send('SET', 'n:1', 'one');
    await inFront(one, ['n:1']);
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(purge) });
    t.ok(response.ok);
    const before = answered;
    await one.raw.run([['GET', 'n:1']]);
    t.equal(answered, before, JSON.stringify(purge));
  }
});

t.test('runs that are cut anywhere', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const one = await stage(t, ready.resp, 'ringside', always);
  const keys = ['n:1', 'n:22', 'n:333', 'n:4'];
  for (const key of keys) await one.server.send('SET', key, `of ${key}`);
  await inFront(one, keys);
  const c = one.client();
  const bytes = Buffer.concat(keys.map((key) => encodeCommand('GET', key)));
  const wanted = keys.map((key) => `$${key.length + 3}\r\nof ${key}\r\n`);
  const ends = keys.map(
    (_, i) => Buffer.concat(keys.slice(0, i + 1).map((k) => encodeCommand('GET', k))).length,
  );
  const got: string[] = [];
  c.readFrames((buffer, start, end) => got.push(buffer.latin1Slice(start, end)));
  for (let split = 1; split < bytes.length; split++) {
    got.length = 0;
    c.socket.write(bytes.subarray(0, split));
    const first = ends.filter((end) => end <= split).length;
    await until('the first part is answered', async () => got.length === first);
    // Nothing says that what is left of a command has arrived.
    if (first === 0) await new Promise((resolve) => setImmediate(resolve));
    c.socket.write(bytes.subarray(split));
    await until('the rest is answered', async () => got.length === keys.length);
    if (got.join() !== wanted.join()) t.same(got, wanted, `cut at ${split}`);
  }
  t.pass();
});

t.test('a key that the front answers for stays hot', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const nearCache = { mode: 'hot-keys', hotKeysPerSecond: 20, ...lasting };
  const one = await stage(t, ready.resp, 'ringside', { nearCache, namespaces });
  await one.server.send('SET', 'n:1', 'one');
  const batch = Array.from({ length: 20 }, () => ['GET', 'n:1']);
  await until('the front answers', async () => {
    const before = answered;
    await one.raw.run(batch);
    return answered - before === batch.length;
  });
  // Longer than a key takes to get cold that nobody reads.
  const endMs = performance.now() + 2500;
  while (performance.now() < endMs) await one.raw.run(batch);
  t.equal(await metricOf(one, 'ringside_proxy_near_hot_keys'), 1);
  await until('it gets cold', async () => (await metricOf(one, 'ringside_proxy_near_hot_keys')) === 0);
});

t.test('who watches commands sees those that the front answers', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const path = join(folder(t, 'runs'), 'access.log');
  const accessLog = { path, sample: 0.05, keys: 'plain' };
  const one = await stage(t, ready.resp, 'ringside', always, { accessLog });
  await one.server.send('SET', 'n:1', 'one');
  await inFront(one, ['n:1']);
  const batch = Array.from({ length: 50 }, () => ['GET', 'n:1']);
  const before = answered;
  for (let i = 0; i < 80; i++) await one.raw.run(batch);
  t.ok(answered - before > 3000, `${answered - before} of 4000 from the front`);
  const monitor = one.client();
  await monitor.send('MONITOR');
  const shown: string[] = [];
  monitor.readFrames((buffer, start, end) => shown.push(buffer.latin1Slice(start, end)));
  const unseen = answered;
  await one.raw.run(batch);
  await until('each is shown', async () => shown.filter((line) => line.includes('"n:1"')).length === 50);
  t.equal(answered, unseen);
  await one.proxy.close();
  const logged = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.includes('n:1')).length;
  t.ok(logged > 100 && logged < 320, `${logged} of 4000 at 5 %`);
});

t.test('random runs of GETs among writes', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const one = await stage(t, ready.resp, 'ringside', always);
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.comment(`SEED=${seed}`);
  const random = seededRandom(seed);
  const values = new Map<string, string>();
  const before = answered;
  for (let round = 0; round < 150; round++) {
    const wanted: string[] = [];
    const batch = Array.from({ length: 1 + random.int(200) }, () => {
      const key = `n:${random.int(40)}`;
      if (random.int(30) === 0) {
        const value = 'v'.repeat(random.int(3000)) + round;
        values.set(key, value);
        wanted.push('+OK\r\n');
        return ['SET', key, value];
      }
      const value = values.get(key);
      wanted.push(value === undefined ? '$-1\r\n' : `$${value.length}\r\n${value}\r\n`);
      return [random.int(9) === 0 ? 'get' : 'GET', key];
    });
    const got = textOf(await one.raw.run(batch));
    if (got.join('') !== wanted.join('')) return t.fail(`round ${round}`);
  }
  t.ok(answered - before > 1000, `${answered - before} from the front`);
});
