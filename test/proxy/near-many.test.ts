import grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import type { RunningProxy } from '../../proxy/index.ts';
import { MemcachedClient } from '../support/memcached-client.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';
import { caller, packages } from './grpc-contract.ts';

/* What the near cache answers of reads of several keys by memcached, HTTP and gRPC: what it has, and nothing else than the nodes would. */

const near = {
  // Nothing is forgotten because its time is up.
  nearCache: { mode: 'always', minTtlMs: 600_000, maxTtlMs: 600_000 },
  namespaces: [{ name: 'near', prefix: 'n:', stalenessMs: 600_000 }],
};

interface Stack {
  readonly proxy: RunningProxy;
  readonly resp: RespClient;
  /** Connections to the servers, which nothing is kept of. */
  readonly servers: readonly RespClient[];
  readonly memcached: MemcachedClient;
  /** Of `POST /v1/mget`. */
  mget(...keys: string[]): Promise<object[]>;
  /** Of gRPC's `MultiGet`. */
  multiGet(...keys: string[]): Promise<object[]>;
}

async function stackTo(t: Test, addresses: readonly string[], engine: string): Promise<Stack> {
  const upstreams = addresses.map((leader, i) => ({ name: `s${i}`, leader }));
  const ports = { httpPort: 'auto', memcachedPort: 'auto', grpcPort: 'auto' };
  const { proxy, client } = await proxyWith(t, { upstreams, engine, ...ports }, near);
  const servers = addresses.map((address) => new RespClient(address));
  const cache = new packages.ringside.v1.Cache(proxy.listeners.grpc, grpc.credentials.createInsecure());
  const call = caller(cache);
  t.teardown(() => {
    for (const server of servers) server.close();
    cache.close();
  });
  return {
    ...{ proxy, servers, resp: client(), memcached: new MemcachedClient(t, proxy.listeners.memcached) },
    async mget(...keys) {
      const body = JSON.stringify({ keys });
      const answer = await fetch(`http://${proxy.listeners.http}/v1/mget`, { method: 'POST', body });
      return ((await answer.json()) as { results: object[] }).results;
    },
    async multiGet(...keys) {
      const asked = { keys: keys.map((key) => Buffer.from(key)) };
      return (await call('MultiGet', asked)).results;
    },
  };
}

async function ringsideStack(t: Test, shards: number): Promise<Stack> {
  const nodes = await Promise.all(Array.from({ length: shards }, () => startStandaloneNode(t)));
  return stackTo(
    t,
    nodes.map(({ ready }) => ready.resp),
    'ringside',
  );
}

/** Keys that servers were asked for, whoever asked. */
async function keysAsked({ servers }: Stack): Promise<number> {
  const counts = await Promise.all(
    servers.map(async (server) => {
      const stats = (await server.text('INFO', 'stats'))!;
      return [...stats.matchAll(/^keyspace_(?:hits|misses):(\d+)/gm)].map(([, count]) => Number(count));
    }),
  );
  return counts.flat().reduce((sum, count) => sum + count, 0);
}

/** Reads until this many more keys are asked for, each time. */
async function settle(stack: Stack, expected: number, read: () => Promise<unknown>): Promise<void> {
  await until(`${expected} keys are asked for`, async () => {
    const before = await keysAsked(stack);
    await read();
    return (await keysAsked(stack)) - before === expected;
  });
}

const nearFigures = async ({ proxy }: Stack) => (await proxy.admin.figures.near())[0];

/** Without the time that is left of lives, which gets less. */
function withoutTtl(results: readonly object[]): object[] {
  return results.map((result) => ({ ...result, ttlMs: 'ttlMs' in result && Number(result.ttlMs) > 0 }));
}

for (const shards of [1, 3]) {
  t.test(`what is kept is not asked for, and answered as by the nodes: ${shards} shards`, async (t) => {
    const stack = await ringsideStack(t, shards);
    const { memcached, resp } = stack;
    const stores = [
      'set n:flags 7 0 3\r\nabc\r\n',
      'set n:plain 0 500 5\r\nplain\r\n',
      'set far 9 0 3\r\nfar\r\n',
    ];
    for (const store of stores) await memcached.ask(store);
    await memcached.ask('set n:empty 0 0 0\r\n\r\n');
    const keys = ['n:plain', 'far', 'n:none', 'n:flags', 'n:empty', 'n:flags'];
    const reads: [string, () => Promise<unknown>][] = [
      ['get', () => memcached.ask(`get ${keys.join(' ')}\r\n`)],
      ['gets', () => memcached.ask(`gets ${keys.join(' ')}\r\n`)],
      ['HTTP', async () => withoutTtl(await stack.mget(...keys))],
      ['gRPC', async () => withoutTtl(await stack.multiGet(...keys))],
      ['MGET', () => resp.send('MGET', ...keys)],
    ];
    for (const [name, read] of reads) {
      // A write makes the proxy forget what it keeps of a key.
      await resp.send('DEL', 'n:none');
      for (const key of keys) await resp.send('PEXPIRE', key, 500_000);
      const first = await read();
      await settle(stack, 1, read);
      const [asked, { hits, bypasses }] = [await keysAsked(stack), await nearFigures(stack)];
      t.same(await read(), first, `${name}: the same as before it was kept`);
      const after = await nearFigures(stack);
      t.equal((await keysAsked(stack)) - asked, 1, `${name}: only the key that is not kept is asked for`);
      t.same([after.hits - hits, after.bypasses - bypasses], [5, 0], `${name}: each key is counted`);
    }
    const texts = await memcached.ask(`get ${keys.join(' ')}\r\n`);
    const item = (key: string, flags: number, value: string) =>
      `VALUE ${key} ${flags} ${value.length}\r\n${value}\r\n`;
    const flags = item('n:flags', 7, 'abc');
    t.equal(
      texts,
      `${item('n:plain', 0, 'plain')}${item('far', 9, 'far')}${flags}${item('n:empty', 0, '')}${flags}END\r\n`,
    );
    const asked = await keysAsked(stack);
    await memcached.ask('get n:plain n:none n:flags\r\n');
    await stack.mget('n:flags');
    t.equal(await keysAsked(stack), asked, 'nobody is asked when all is kept');
  });
}

t.test('what is changed is forgotten: by the same connection, elsewhere, by a purge', async (t) => {
  const stack = await ringsideStack(t, 3);
  const { memcached, resp, servers } = stack;
  const keys = Array.from({ length: 12 }, (_, i) => `n:${i}`);
  const textOf = (values: readonly (string | null)[]) =>
    `${values.map((value, i) => (value === null ? '' : `VALUE ${keys[i]} 0 ${value.length}\r\n${value}\r\n`)).join('')}END\r\n`;
  const get = `get ${keys.join(' ')}\r\n`;
  const read = () => memcached.ask(get);
  const values = keys.map((key) => `value of ${key}`);
  for (const [i, key] of keys.entries()) await resp.send('SET', key, values[i]);
  t.equal(await read(), textOf(values));
  await settle(stack, 0, read);

  const own = values.with(3, 'own');
  t.equal(await memcached.ask(`set n:3 0 0 3\r\nown\r\n${get}`), `STORED\r\n${textOf(own)}`, 'an own write');
  t.match((await stack.mget(...keys))[3], { value: 'own' }, 'HTTP');
  await settle(stack, 0, read);
  for (const server of servers) await server.send('SET', 'n:4', 'elsewhere');
  const changed: (string | null)[] = own.with(4, 'elsewhere');
  await until('the change is told', async () => (await read()) === textOf(changed));
  await settle(stack, 0, read);
  const purge = JSON.stringify({ keys: ['n:5', 'n:6'] });
  await fetch(`http://${stack.proxy.listeners.http}/v1/purge`, { method: 'POST', body: purge });
  t.equal(await read(), textOf(changed.with(5, null).with(6, null)), 'purged');
  const gone = (await stack.multiGet(...keys)).map((result) => (result as { found: boolean }).found);
  t.same(
    gone,
    keys.map((_, i) => i !== 5 && i !== 6),
  );
});

t.test('stale values, long ones, and keys that hold something else', async (t) => {
  const stack = await ringsideStack(t, 2);
  const { memcached, resp } = stack;
  await resp.send('RS.SET', 'n:soft', 'old', 'PX', 500_000, 'SOFTPX', 1);
  await resp.send('SET', 'n:a', 'a');
  const keys = ['n:a', 'n:soft'];
  const get = 'get n:a n:soft\r\n';
  const expected = 'VALUE n:a 0 1\r\na\r\nVALUE n:soft 0 3\r\nold\r\nEND\r\n';
  await settle(stack, 0, async () => t.equal(await memcached.ask(get), expected));
  const before = await nearFigures(stack);
  t.equal(await memcached.ask(get), expected);
  t.match(await stack.mget(...keys), [{ value: 'a' }, { value: 'old', stale: true }]);
  t.match(await stack.multiGet(...keys), [{ stale: false }, { stale: true }]);
  const after = await nearFigures(stack);
  t.same([after.hits - before.hits, after.staleHits - before.staleHits], [3, 3]);

  const long = 'long'.repeat(750_000);
  await resp.send('SET', 'n:long', long);
  for (let i = 0; i < 3; i++) {
    const [a, b, c] = (await stack.mget('n:a', 'n:long', 'n:none')) as { value?: string; version?: string }[];
    t.ok(a.value === 'a' && b.value === long && Number(b.version) > 0 && c.value === undefined);
    const text = await memcached.ask('get n:a n:long n:none\r\n');
    t.ok(text === `VALUE n:a 0 1\r\na\r\nVALUE n:long 0 ${long.length}\r\n${long}\r\nEND\r\n`);
  }

  await resp.send('RPUSH', 'n:list', 'x');
  for (let i = 0; i < 3; i++) {
    t.equal(
      await memcached.ask('get n:a n:list n:none\r\n'),
      'SERVER_ERROR the key holds a Redis collection\r\n',
    );
    t.match(await stack.mget('n:a', 'n:list'), [{ value: 'a' }, { found: false }]);
  }
});

t.test('in front of redis-server', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const redis = await Promise.all([startRedis(), startRedis()]);
  t.teardown(() => Promise.all(redis.map((one) => one.stop())));
  const stack = await stackTo(
    t,
    redis.map(({ address }) => address),
    'redis',
  );
  const { memcached, resp } = stack;
  for (const key of ['n:a', 'n:b', 'far']) await resp.send('SET', key, `value of ${key}`);
  const get = 'get n:a far n:none n:b\r\n';
  const first = await memcached.ask(get);
  t.equal(first.split('VALUE').length, 4);
  const results = await stack.mget('n:a', 'far', 'n:none', 'n:b');
  t.same(
    results.map((result) => (result as { value?: string }).value),
    ['value of n:a', 'value of far', undefined, 'value of n:b'],
  );
  await settle(stack, 1, () => memcached.ask(get));
  const asked = await keysAsked(stack);
  t.equal(await memcached.ask(get), first);
  t.same(await stack.mget('n:a', 'far', 'n:none', 'n:b'), results, 'no versions there either');
  t.equal((await keysAsked(stack)) - asked, 2, 'one for each read');
  t.match(await memcached.ask('gets n:a n:b\r\n'), /^SERVER_ERROR .*not supported by engine redis/);
});

/** Reads of one client, one after the other or in a pipeline: what each read of a key says. */
type Ask = (reads: readonly (readonly string[])[]) => Promise<[key: string, value: number][]>;

function askMemcached({ memcached }: Stack): Ask {
  return async (reads) => {
    const answer = await memcached.ask(reads.map((keys) => `get ${keys.join(' ')}\r\n`).join(''));
    return [...answer.matchAll(/VALUE (\S+) 0 \d+\r\n(\d+)/g)].map(([, key, value]) => [key, Number(value)]);
  };
}

function askHttp({ mget }: Stack): Ask {
  return async (reads) => {
    const seen: [string, number][] = [];
    for (const keys of reads)
      for (const { key, value } of (await mget(...keys)) as { key: string; value: string }[])
        seen.push([key, Number(value)]);
    return seen;
  };
}

for (const [name, askOf, rounds] of [
  ['memcached', askMemcached, 1500],
  ['HTTP', askHttp, 400],
] as const) {
  t.test(`nobody sees an older value after a newer one: ${name}`, async (t) => {
    const stack = await ringsideStack(t, 2);
    const { resp, memcached, servers } = stack;
    const keys = ['n:a', 'n:b', 'n:c'];
    const random = seededRandom(13);
    for (const key of keys) await resp.send('SET', key, 0);
    const owners = new Map<string, RespClient>();
    for (const key of keys)
      for (const server of servers) if ((await server.text('GET', key)) !== null) owners.set(key, server);
    let isOver = false;
    const writing = (async () => {
      let writes = 0;
      for (; !isOver; writes++) {
        const key = keys[random.int(keys.length)];
        await owners.get(key)!.send('INCRBY', key, 1);
        // Now and then long enough for values to be kept for a while.
        if (random.int(4) === 0) await new Promise((resolve) => setTimeout(resolve, random.int(10)));
      }
      return writes;
    })();
    const ask = askOf(stack);
    const newest = new Map(keys.map((key) => [key, 0]));
    const wrong: string[] = [];
    const readOf = () =>
      random.int(3) === 0 ? [keys[random.int(3)]] : [...keys.slice(random.int(2)), keys[random.int(3)]];
    for (let round = 0; round < rounds; round++) {
      const key = keys[random.int(keys.length)];
      if (random.int(40) === 0) newest.set(key, Number(await memcached.ask(`incr ${key} 1\r\n`)));
      const seen = await ask(Array.from({ length: 1 + random.int(6) }, readOf));
      for (const [one, value] of seen) {
        if (value < newest.get(one)!) wrong.push(`${one}: ${value} after ${newest.get(one)}`);
        newest.set(one, value);
      }
    }
    isOver = true;
    t.ok((await writing) > 20, 'values change meanwhile');
    t.same(wrong.slice(0, 5), []);
    const figures = await nearFigures(stack);
    t.comment(JSON.stringify(figures));
    t.ok(figures.hits > rounds / 10, 'much is answered from memory');
    t.ok(figures.drops > 5, 'and much is forgotten');
  });
}
