import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { documentOf, FakeControlPlane } from '../support/fake-control-plane.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { RawClient } from '../support/raw-client.ts';
import { behindProxy, connectionsAt, type RealShards, startNodes } from '../support/real-shards.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { type Member, Shard } from '../support/shard.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* MULTI, EXEC, DISCARD, WATCH and UNWATCH through the proxy: Redis's rules, on one shard; and what comes of it when that shard fails. */

const addresses = await startNodes(t, 3);
const CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";
const ABORTED = 'EXECABORT Transaction discarded because of previous errors.';

/** What clients send, one list per connection state; `K` stands for a tag, so that all keys are on one shard. */
const SCRIPTS: readonly string[][] = [
  ['MULTI', 'SET Ka 1', 'INCR Ka', 'GET Ka', 'EXEC', 'GET Ka'],
  ['MULTI', 'EXEC', 'EXEC', 'DISCARD', 'MULTI', 'DISCARD', 'UNWATCH'],
  ['MULTI', 'MULTI', 'SET Kb 1', 'WATCH Kb', 'EXEC', 'GET Kb'],
  ['MULTI', 'SET Kc 1', 'NOSUCH x', 'SET Kc 2', 'EXEC', 'EXISTS Kc'],
  ['MULTI', 'SET Kc', 'EXEC', 'MULTI', 'OBJECT NOSUCH Kc', 'EXEC'],
  ['MULTI', 'SET Kd x', 'INCR Kd', 'LPUSH Kd 1', 'GET Kd', 'EXEC'],
  ['MULTI', 'SET Ke 1', 'DISCARD', 'EXISTS Ke', 'EXEC'],
  ['WATCH Kf', 'MULTI', 'SET Kf 1', 'EXEC', 'MULTI', 'SET Kf 2', 'EXEC'],
  ['WATCH Kg', 'SET Kg 1', 'MULTI', 'SET Kg 2', 'EXEC', 'GET Kg', 'MULTI', 'SET Kg 3', 'EXEC'],
  ['WATCH Kh', 'SET Kh 1', 'UNWATCH', 'MULTI', 'SET Kh 2', 'EXEC', 'GET Kh'],
  ['WATCH Ki', 'SET Ki 1', 'MULTI', 'DISCARD', 'MULTI', 'SET Ki 2', 'EXEC', 'GET Ki'],
  ['WATCH Kj Kk', 'SET Kk 1', 'MULTI', 'PING', 'EXEC', 'MULTI', 'PING', 'ECHO hi', 'EXEC'],
  ['WATCH Kl', 'MULTI', 'NOSUCH', 'EXEC', 'SET Kl 1', 'MULTI', 'SET Kl 2', 'EXEC'],
  ['MULTI', 'BLPOP Km 0', 'BLMOVE Km Kn LEFT RIGHT 0', 'BZPOPMIN Ko 0', 'BLMPOP 0 1 Km LEFT', 'EXEC'],
  ['RPUSH Kp a b', 'MULTI', 'BLPOP Kp 0', 'BRPOP Kp 5', 'BRPOP Kp 5', 'EXEC'],
  ['MULTI', 'PING', 'SET Kq 1', 'ECHO x', 'GET Kq', 'PING y', 'EXEC'],
  ['MULTI', 'SET Kr 1', 'SELECT 3', 'SET Kr 2', 'EXEC', 'GET Kr', 'SELECT 0', 'GET Kr', 'SELECT 3', 'DEL Kr'],
  ['MULTI', 'SELECT 99', 'SET Ks 1', 'EXEC', 'GET Ks'],
  ['SELECT 4', 'WATCH Kt', 'SELECT 5', 'SET Kt 1', 'MULTI', 'SET Kt 2', 'EXEC', 'DEL Kt'],
  ['SELECT 4', 'WATCH Ku', 'SET Ku 1', 'SELECT 5', 'MULTI', 'PING', 'EXEC', 'SELECT 4', 'DEL Ku'],
  ['MULTI', 'MSET Kv 1 Kw 2', 'MGET Kv Kw Kx', 'DEL Kv Kw', 'UNWATCH', 'EXEC'],
  ['MULTI', 'SET Ky 1', 'RESET', 'EXEC', 'EXISTS Ky'],
  ['WATCH Kz', 'RESET', 'SET Kz 1', 'MULTI', 'SET Kz 2', 'EXEC', 'DEL Kz'],
];

async function play(
  address: string,
  tag: string,
  hello: number,
  script: readonly string[],
): Promise<string[]> {
  const client = new RawClient(address);
  await client.run([['HELLO', String(hello)]]);
  const replies: string[] = [];
  for (const line of script) {
    const words = line.split(' ').map((word) => word.replace(/^K/, tag));
    replies.push((await client.run([words]))[0].latin1Slice());
  }
  client.close();
  return replies;
}

t.test('as redis-server answers', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const viaNodes = await behindProxy(t, addresses.slice(0, 2));
  const backend = await startRedis();
  t.teardown(() => backend.stop());
  const viaRedis = await behindProxy(t, [backend.address], { engine: 'redis' });
  for (const hello of [2, 3]) {
    for (const script of SCRIPTS) {
      const expected = await play(redis.address, '{000}', hello, script);
      for (const { resp, tags } of [viaNodes, viaRedis]) {
        const tag = tags[tags.length - 1];
        const found = await play(resp, tag, hello, script);
        t.strictSame(
          found.map((reply) => reply.replaceAll(tag, '{000}')),
          expected,
          `${script.join('; ')}, RESP${hello}`,
        );
      }
    }
    for (const client of [...viaNodes.nodes, ...viaRedis.nodes]) await client.text('FLUSHALL');
    await play(redis.address, '', 2, ['FLUSHALL']);
  }
});

t.test('in front of several shards', async (t) => {
  const shards = await behindProxy(t, addresses);
  await t.test('keys of several shards: CROSSSLOT when queued, then EXECABORT', (t) => crossSlot(t, shards));
  await t.test('no command of another client gets in between', (t) => isolation(t, shards));
  await t.test('a pipeline keeps its order', (t) => pipeline(t, shards));
  await t.test('what concerns all shards, or waits, is not queued', (t) => notQueued(t, shards));
  await t.test('HELLO between WATCH and MULTI', (t) => otherVersion(t, shards));
  await t.test('optimistic locking by many clients', (t) => locking(t, shards));
  await t.test('ioredis', (t) => withIoredis(t, shards));
  await t.test('a client that goes leaves nothing behind', (t) => leaving(t, shards));
});

async function crossSlot(t: Test, { client, tags: [a, b] }: RealShards) {
  const c = client();
  await c.text('MULTI');
  t.equal(await c.text('SET', `${a}1`, '1'), 'QUEUED');
  t.match(await c.send('SET', `${b}1`, '1'), { message: CROSS_SLOT });
  t.equal(await c.text('GET', `${a}1`), 'QUEUED');
  t.match(await c.send('EXEC'), { message: ABORTED });
  t.equal(await c.send('EXISTS', `${a}1`, `${b}1`), 0);
  await c.text('MULTI');
  t.match(await c.send('MGET', `${a}1`, `${b}1`), { message: CROSS_SLOT });
  t.match(await c.send('EXEC'), { message: ABORTED });
  t.match(await c.send('WATCH', `${a}1`, `${b}1`), { message: CROSS_SLOT });
  t.equal(await c.text('WATCH', `${a}1`), 'OK');
  t.match(await c.send('WATCH', `${b}1`), { message: CROSS_SLOT }, 'what is watched is on one shard');
  await c.text('MULTI');
  t.match(await c.send('SET', `${b}1`, '1'), { message: CROSS_SLOT }, 'and so is the transaction');
  t.match(await c.send('EXEC'), { message: ABORTED });
  t.equal(await c.text('WATCH', `${b}1`), 'OK', 'EXEC has ended it');
}

async function isolation(t: Test, { client, tags: [tag] }: RealShards) {
  const [x, y] = [`${tag}x`, `${tag}y`];
  const bad: unknown[] = [];
  const worker = async () => {
    const c = client();
    for (let i = 0; i < 40; i++) {
      const [, , , , values] = await Promise.all([
        c.send('MULTI'),
        c.send('INCR', x),
        c.send('INCR', y),
        c.send('MGET', x, y),
        c.send('EXEC'),
      ]);
      const [first, second, read] = values as [number, number, unknown[]];
      if (first !== second || String(read[0]) !== String(first) || String(read[1]) !== String(first))
        bad.push(values);
    }
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  t.strictSame(bad, []);
  t.equal(await client().text('GET', x), '400');
}

async function pipeline(t: Test, { client, tags: [a, b] }: RealShards) {
  const c = client();
  const replies = await Promise.all([
    c.text('SET', `${a}p`, '1'),
    c.text('SET', `${b}p`, '2'),
    c.text('MULTI'),
    c.text('GET', `${a}p`),
    c.text('SET', `${a}p`, '3'),
    c.send('EXEC'),
    c.text('GET', `${b}p`),
    c.text('GET', `${a}p`),
  ]);
  t.same(replies.map(String), ['OK', 'OK', 'OK', 'QUEUED', 'QUEUED', '1,OK', '2', '3']);
}

async function otherVersion(t: Test, { client, tags: [a] }: RealShards) {
  const c = client();
  await c.send('HSET', `${a}h`, 'f', 'v');
  await c.text('WATCH', `${a}h`);
  await c.send('HELLO', '3');
  await c.text('MULTI');
  await c.text('HGETALL', `${a}h`);
  const [found] = (await c.send('EXEC')) as unknown[];
  t.ok(found instanceof Map, 'the replies are in RESP3');
  await c.text('WATCH', `${a}h`);
  await c.send('HELLO', '2');
  await c.send('HSET', `${a}h`, 'f', 'w');
  await c.text('MULTI');
  await c.text('HGETALL', `${a}h`);
  t.equal(await c.send('EXEC'), null, 'what was watched is still watched');
}

async function notQueued(t: Test, { client }: RealShards) {
  const c = client();
  for (const command of [['FLUSHALL'], ['DBSIZE'], ['HELLO', '3'], ['WAIT', '0', '0']]) {
    await c.text('MULTI');
    t.match(
      await c.send(...command),
      { message: /^ERR Command not allowed inside a transaction/ },
      command[0],
    );
    t.match(await c.send('EXEC'), { message: ABORTED });
  }
}

async function locking(t: Test, { client, tags: [, , tag] }: RealShards) {
  const key = `${tag}balance`;
  let lost = 0;
  const worker = async () => {
    const c = client();
    for (let done = 0; done < 10; ) {
      await c.text('WATCH', key);
      const value = Number((await c.text('GET', key)) ?? 0);
      await c.text('MULTI');
      await c.text('SET', key, String(value + 1));
      if ((await c.send('EXEC')) === null) lost++;
      else done++;
    }
  };
  await Promise.all(Array.from({ length: 5 }, worker));
  t.equal(await client().text('GET', key), '50');
  t.ok(lost > 0, `${lost} were let down by another's write`);
}

async function withIoredis(t: Test, { resp, tags: [tag] }: RealShards) {
  const [host, port] = resp.split(':');
  const redis = new Redis({ host, port: Number(port) });
  t.teardown(() => redis.disconnect());
  t.same(await redis.multi().set(`${tag}i`, '5').incr(`${tag}i`).get(`${tag}i`).exec(), [
    [null, 'OK'],
    [null, 6],
    [null, '6'],
  ]);
  await redis.watch(`${tag}i`);
  await redis.set(`${tag}i`, '0');
  t.equal(await redis.multi().incr(`${tag}i`).exec(), null);
}

async function leaving(_t: Test, { client, tags: [tag], nodes: [node] }: RealShards) {
  const clients = Array.from({ length: 5 }, () => client());
  await Promise.all(clients.map((c) => c.text('WATCH', `${tag}w`)));
  const during = await connectionsAt(node);
  await clients[0].text('MULTI');
  for (const c of clients) c.close();
  await until('their five are closed', async () => (await connectionsAt(node)) <= during - 5);
}

t.test('limits name their setting', async (t) => {
  const limits = {
    maxPrivateConnectionsPerNode: 1,
    maxBufferedBytesPerConnection: '64kb',
    maxBulkBytes: '16kb',
  };
  const { client } = await behindProxy(t, addresses.slice(0, 1), { limits });
  const [a, b] = [client(), client()];
  t.equal(await a.text('WATCH', 'k'), 'OK');
  t.match(await b.send('WATCH', 'k'), {
    message: /^OVERLOADED .*proxy\.limits\.maxPrivateConnectionsPerNode/,
  });
  t.equal(await a.text('UNWATCH'), 'OK');
  await until('it is free again', async () => (await b.send('WATCH', 'k')) === 'OK');
  await b.text('MULTI');
  const value = 'x'.repeat(16_000);
  for (let i = 0; i < 3; i++) t.equal(await b.text('SET', 'k', value), 'QUEUED');
  let refusal: unknown = 'QUEUED';
  for (let i = 0; i < 3 && String(refusal) === 'QUEUED'; i++) refusal = await b.send('SET', 'k', value);
  t.match(refusal, { message: /^OVERLOADED .*proxy\.limits\.maxBufferedBytesPerConnection/ });
  t.match(await b.send('EXEC'), { message: ABORTED });
});

t.test('a node that does not answer', async (t) => {
  const wire = await TcpProxy.start(addresses[0]);
  t.teardown(() => wire.stop());
  const fast = { operationTimeoutMs: 3000, readTimeoutMs: 1000, connectTimeoutMs: 1000 };
  const { client } = await proxyWith(t, { upstreams: [{ name: 's0', leader: wire.address }], ...fast });
  const c = client();
  const transaction = async (...command: string[]) => {
    await c.text('MULTI');
    await c.text(...command);
    return c.send('EXEC');
  };
  t.same(await transaction('INCR', 'n'), [1]);
  wire.stall();
  t.match(await transaction('INCR', 'n'), {
    message: /^UNKNOWN write outcome unknown: .*no answer within 3000 ms/,
  });
  wire.cut();
  t.match(await transaction('INCR', 'n'), { message: /^EXECABORT .*CLUSTERDOWN .*nothing was sent/ });
  wire.restore();
  await until('it is back', async () => Array.isArray(await transaction('PING')));
  await until('it answers', async () => Array.isArray(await transaction('GET', 'n')));
  t.equal(await c.text('WATCH', 'n'), 'OK');
  wire.cut();
  wire.restore();
  t.match(await transaction('INCR', 'n'), {
    message: /^EXECABORT .*the connection that watched the keys was lost/,
  });
  await until('it answers again', async () => Array.isArray(await transaction('GET', 'n')));
});

t.test('a node that says no to MULTI: nothing is known of what came behind', async (t) => {
  const [node] = await fakeNodes(t, 1);
  node.refuse = ({ name }) => (name === 'MULTI' ? '-ERR not here\r\n' : undefined);
  const { client } = await proxyWith(t, { upstreams: upstreamsOf([{ leader: node }]) });
  const c = client();
  await c.text('MULTI');
  await c.text('SET', 'a', '1');
  t.match(await c.send('EXEC'), { message: /^UNKNOWN .*the node refused MULTI/ });
});

/** A shard of two real nodes, and a proxy that is told about it by a control plane of its own. */
async function failover(
  t: Test,
): Promise<{ shard: Shard; members: Member[]; plane: FakeControlPlane } & ReturnType<typeof clientOf>> {
  const [shard, ...members] = await Shard.formed(t, 1);
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  plane.document = shard.fleet.document({ epoch: 1, leader: 'n1', followers: ['n2'] });
  const proxy = await proxyWith(t, { controlPlane: plane.address });
  return { shard, members, plane, ...clientOf(proxy) };
}

const clientOf = ({ client }: Awaited<ReturnType<typeof proxyWith>>) => ({ client });

t.test('another leader', async (t) => {
  const { shard, members, plane, client } = await failover(t);
  const [plain, watcher] = [client(), client()];
  const exec = async () => {
    await plain.text('MULTI');
    await plain.text('INCR', 'n');
    return plain.send('EXEC');
  };
  t.same(await exec(), [1]);
  t.equal(await watcher.text('WATCH', 'n'), 'OK');
  t.equal(await plain.send('WAIT', '1', '60000'), 1, 'WAIT asks the shard that the transaction wrote to');
  const document = await shard.fleet.shape({ epoch: 2, leader: 'n2', followers: ['n1'] });
  await watcher.text('MULTI');
  await watcher.text('SET', 'n', '100');
  t.match(await watcher.send('EXEC'), { message: /^EXECABORT / }, 'the deposed leader runs nothing');
  const waiting = exec();
  plane.push(document);
  t.same(await waiting, [2], 'the other one went on as soon as the new leader was known');
  t.equal(await members[1].client.text('GET', 'n'), '2');
});

t.test('the ring changes between MULTI and EXEC', async (t) => {
  const nodes = await fakeNodes(t, 2);
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  plane.document = documentOf(1, [{ leader: nodes[0] }]);
  const { proxy, client } = await proxyWith(t, { controlPlane: plane.address });
  const c = client();
  await c.text('MULTI');
  await c.text('SET', 'a', '1');
  plane.push(documentOf(2, [{ leader: nodes[0] }, { leader: nodes[1] }]));
  await until('the ring is applied', () => proxy.admin.ring()?.epoch === '2');
  t.match(await c.send('EXEC'), {
    message: /^EXECABORT .*STALERING the ring has changed since MULTI; nothing was sent/,
  });
  t.strictSame(
    nodes.flatMap(({ names }) => names.filter((name) => name === 'SET')),
    [],
  );
});
