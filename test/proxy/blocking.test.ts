import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { RespError } from '../../lib/codec/resp/index.ts';
import { FakeControlPlane } from '../support/fake-control-plane.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { RawClient } from '../support/raw-client.ts';
import { behindProxy, blockedAt, type RealShards, startNodes } from '../support/real-shards.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import type { RespClient } from '../support/resp-client.ts';
import { Shard } from '../support/shard.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* Commands that wait for data, each on a connection of the client's own: who gets what, when they give up, and what a failing shard means. */

const addresses = await startNodes(t, 2);
const CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";

/** A command that blocks, and what lets it go; K stands for a tag. */
const WAITS: readonly [blocked: string, waker: string][] = [
  ['BLPOP Ka Kb 0', 'RPUSH Kb 1 2'],
  ['BRPOP Ka Kb 20', 'RPUSH Ka 1 2'],
  ['BLMOVE Ka Kc RIGHT LEFT 0', 'RPUSH Ka 1 2'],
  ['BRPOPLPUSH Ka Kc 0', 'RPUSH Ka 1 2'],
  ['BLMPOP 0 2 Ka Kb LEFT COUNT 5', 'RPUSH Kb 1 2'],
  ['BZPOPMIN Kz 0', 'ZADD Kz 1 a 2 b'],
  ['BZPOPMAX Ky Kz 0', 'ZADD Kz 1 a 2 b'],
  ['BZMPOP 30 1 Kz MAX COUNT 2', 'ZADD Kz 1 a 2 b'],
];

/** Commands that are answered without waiting. */
const AT_ONCE: readonly string[] = [
  'BLPOP Kq 0.05',
  'BLMOVE Kq Kr LEFT LEFT 0.05',
  'BRPOPLPUSH Kq Kr 0.05',
  'BZMPOP 0.05 1 Kq MIN',
  'BLPOP Kq x',
  'BLPOP Kq -1',
  'BLPOP Kq',
  'BLMPOP 0 0 Kq LEFT',
  'BLMPOP 1 1 Kq NOWHERE',
  'BLPOP Kstring 0',
  'BZPOPMIN Kstring 0',
];

const wordsOf = (line: string, tag: string) => line.split(' ').map((word) => word.replace(/^K/, tag));

/** The replies of all these commands at one server, `{000}` in place of the tag. */
async function play(address: string, node: RespClient, tag: string, hello: number): Promise<string[]> {
  const client = new RawClient(address);
  const replies: string[] = [];
  const say = async (line: string) => {
    const [reply] = await client.run([wordsOf(line, tag)]);
    replies.push(reply.latin1Slice().replaceAll(tag, '{000}'));
  };
  await client.run([['HELLO', String(hello)]]);
  await say('SET Kstring 1');
  for (const line of AT_ONCE) await say(line);
  for (const [blocked, waker] of WAITS) {
    const waiting = say(blocked);
    await until(`${blocked} waits`, async () => (await blockedAt(node)) === 1);
    await node.send(...wordsOf(waker, tag));
    await waiting;
    await say('LRANGE Ka 0 -1');
    await say('DEL Ka Kb Kc Kz');
    await node.send(...wordsOf(waker, tag));
    await say(blocked);
    await say('DEL Ka Kb Kc Kz');
  }
  client.close();
  return replies;
}

t.test('as redis-server answers', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const backend = await startRedis();
  t.teardown(() => backend.stop());
  const direct = await behindProxy(t, [redis.address], { engine: 'redis' });
  const viaRedis = await behindProxy(t, [backend.address], { engine: 'redis' });
  const viaNodes = await behindProxy(t, addresses);
  for (const hello of [2, 3]) {
    const expected = await play(redis.address, direct.nodes[0], '{000}', hello);
    for (const { resp, nodes, tags } of [viaNodes, viaRedis]) {
      const last = nodes.length - 1;
      t.strictSame(await play(resp, nodes[last], tags[last], hello), expected, `RESP${hello}`);
    }
  }
});

t.test('in front of several shards', async (t) => {
  const shards = await behindProxy(t, addresses);
  await t.test('keys of several shards: CROSSSLOT', (t) => crossSlot(t, shards));
  await t.test('replies stay in order, first come first served', (t) => order(t, shards));
  await t.test('a client that goes takes nothing with it', (t) => leaving(t, shards));
  await t.test('a client that closes its side is gone as well', (t) => halfClosed(t, shards));
  await t.test('CLIENT UNBLOCK of the connection', (t) => unblocking(t, shards));
  await t.test('other databases', (t) => database(t, shards));
  await t.test('the slow log has what waited, and counts no time for it', (t) => slowLog(t, shards));
});

async function crossSlot(t: Test, { client, tags: [a, b] }: RealShards) {
  const c = client();
  for (const command of [
    ['BLPOP', a, b, '0'],
    ['BLMOVE', a, b, 'LEFT', 'LEFT', '0'],
    ['BLMPOP', '0', '2', a, b, 'LEFT'],
  ])
    t.match(await c.send(...command), { message: CROSS_SLOT }, command[0]);
}

async function order(t: Test, { client, nodes: [node], tags: [tag] }: RealShards) {
  const key = `${tag}order`;
  const [first, second] = [client(), client()];
  const replies: string[] = [];
  const say = (reply: unknown) => replies.push(String(reply));
  const all = [
    first.send('SET', `${tag}s`, '1').then(say),
    first.send('BLPOP', key, '0').then(say),
    first.send('GET', `${tag}s`).then(say),
  ];
  await until('it waits', async () => (await blockedAt(node)) === 1);
  t.same(replies, ['OK'], 'what came before is answered, what comes behind waits');
  const other = second.send('BLPOP', key, '0');
  await until('both wait', async () => (await blockedAt(node)) === 2);
  await client().send('RPUSH', key, 'a', 'b');
  await Promise.all(all);
  t.same(replies, ['OK', `${key},a`, '1']);
  t.same(String(await other), `${key},b`);
}

async function leaving(t: Test, { client, nodes: [node], tags: [tag] }: RealShards) {
  const key = `${tag}gone`;
  const clients = Array.from({ length: 20 }, () => client());
  for (const c of clients) c.send('BLPOP', key, '0').catch(() => {});
  await until('they wait', async () => (await blockedAt(node)) === 20);
  for (const c of clients) c.close();
  await until('nobody waits', async () => (await blockedAt(node)) === 0);
  await client().send('RPUSH', key, 'a');
  t.equal(await node.send('LLEN', key), 1, 'the element is still there');
  await node.send('DEL', key);
}

async function halfClosed(t: Test, { client, nodes: [node], tags: [tag] }: RealShards) {
  const key = `${tag}half`;
  const c = client();
  const reply = c.send('BLPOP', key, '30').catch(() => 'closed');
  await until('it waits', async () => (await blockedAt(node)) === 1);
  c.socket.end();
  t.equal(await reply, 'closed', 'as Redis does');
  await until('nobody waits', async () => (await blockedAt(node)) === 0);
  const hasty = client();
  const none = hasty.send('BLPOP', key, '0').catch(() => 'closed');
  hasty.socket.end();
  t.equal(await none, 'closed', 'also when its end came together with the command');
  await until('nobody waits', async () => (await blockedAt(node)) === 0);
}

async function unblocking(t: Test, { client, nodes: [node], tags: [tag] }: RealShards) {
  const [waiter, other] = [client(), client()];
  const id = String(await waiter.send('CLIENT', 'ID'));
  for (const [how, expected] of [
    ['TIMEOUT', null],
    ['ERROR', 'UNBLOCKED client unblocked via CLIENT UNBLOCK'],
  ] as const) {
    const reply = waiter.send('BLPOP', `${tag}never`, '0');
    await until('it waits', async () => (await blockedAt(node)) === 1);
    t.equal(await other.send('CLIENT', 'UNBLOCK', id, how), 1);
    const found = await reply;
    t.equal(found instanceof RespError ? found.message : found, expected, how);
  }
  t.equal(await other.send('CLIENT', 'UNBLOCK', id), 0, 'nobody waits any more');
  t.equal(await waiter.text('PING'), 'PONG');
}

async function slowLog(t: Test, { client, nodes: [node], tags: [tag] }: RealShards) {
  const [c, admin] = [client(), client()];
  const key = `${tag}slow`;
  await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
  const waiting = c.send('BLPOP', key, '0');
  await until('it waits', async () => (await blockedAt(node)) === 1);
  await admin.send('RPUSH', key, 'x');
  await waiting;
  await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '100000');
  const entries = (await admin.send('SLOWLOG', 'GET', '-1')) as unknown as [
    unknown,
    unknown,
    number,
    Buffer[],
  ][];
  const found = entries.filter(([, , , args]) => args.join(' ') === `BLPOP ${key} 0`);
  t.equal(found.length, 1);
  t.equal(Number(found[0][2]), 0);
  await admin.text('SLOWLOG', 'RESET');
}

async function database(t: Test, { client, nodes: [node], tags: [tag] }: RealShards) {
  const [a, b] = [client(), client()];
  await a.text('SELECT', '7');
  const reply = a.send('BLPOP', `${tag}db`, '0');
  await until('it waits', async () => (await blockedAt(node)) === 1);
  await b.send('RPUSH', `${tag}db`, 'zero');
  t.equal(await blockedAt(node), 1, 'another database does not count');
  await b.text('SELECT', '7');
  await b.send('RPUSH', `${tag}db`, 'seven');
  t.same(String(await reply), `${tag}db,seven`);
  await b.text('SELECT', '0');
  await b.send('DEL', `${tag}db`);
}

t.test('limits and timeouts', async (t) => {
  const { client, nodes } = await behindProxy(t, addresses.slice(0, 1), {
    limits: { maxPrivateConnectionsPerNode: 2 },
  });
  const clients = [client(), client(), client()];
  const waiting = clients.slice(0, 2).map((c) => c.send('BLPOP', 'k', '0'));
  await until('two wait', async () => (await blockedAt(nodes[0])) === 2);
  const refusal = await clients[2].send('BLPOP', 'k', '0');
  t.match(refusal, { message: /^OVERLOADED .*proxy\.limits\.maxPrivateConnectionsPerNode/ });
  t.equal(await clients[2].send('RPUSH', 'k', 'a', 'b'), 2);
  await Promise.all(waiting);
  const beganMs = performance.now();
  t.equal(await clients[2].send('BLPOP', 'k', '0.2'), null, 'their connections serve others now');
  t.ok(performance.now() - beganMs >= 199, 'the timeout is kept');
});

t.test('a node that is lost', async (t) => {
  const { nodes } = await behindProxy(t, addresses.slice(0, 1));
  const wire = await TcpProxy.start(addresses[0]);
  t.teardown(() => wire.stop());
  const fast = { operationTimeoutMs: 3000, readTimeoutMs: 1000, connectTimeoutMs: 1000 };
  const { client } = await proxyWith(t, { upstreams: [{ name: 's0', leader: wire.address }], ...fast });
  const c = client();
  const reply = c.send('BLPOP', 'k', '0');
  await until('it waits', async () => (await blockedAt(nodes[0])) === 1);
  wire.cut();
  t.match(await reply, { message: /^UNKNOWN write outcome unknown: .*the connection was lost/ });
  t.match(await c.send('BLPOP', 'k', '0'), { message: /^CLUSTERDOWN .*nothing was sent/ });
  const patient = c.send('BLPOP', 'k', '90');
  wire.restore();
  await until('it waits', async () => (await blockedAt(nodes[0])) === 1);
  wire.stall();
  await nodes[0].send('RPUSH', 'k', 'a');
  wire.restore();
  t.same(String(await patient), 'k,a');
});

t.test('another leader', async (t) => {
  const [shard, first, second] = await Shard.formed(t, 1);
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  plane.document = shard.fleet.document({ epoch: 1, leader: 'n1', followers: ['n2'] });
  const { client } = await proxyWith(t, { controlPlane: plane.address });
  const [a, b] = [client(), client()];
  const replies = [a.send('BLPOP', 'k', '0'), b.send('BLPOP', 'k', '60')];
  await until('they wait', async () => (await blockedAt(first.client)) === 2);
  plane.push(await shard.fleet.shape({ epoch: 2, leader: 'n2', followers: ['n1'] }));
  await until('they wait at the new leader', async () => (await blockedAt(second.client)) === 2);
  await client().send('RPUSH', 'k', '1', '2');
  const found = (await Promise.all(replies)).map(String).sort();
  t.same(found, ['k,1', 'k,2'], 'they went on waiting there');
});

t.test('a move to another upstream', async (t) => {
  const [from, to] = addresses;
  const old = await behindProxy(t, [from]);
  const next = await behindProxy(t, [to]);
  const { move } = old.proxy.admin;
  const c = old.client();
  const reply = c.send('BLPOP', 'moved', '0');
  await until('it waits', async () => (await blockedAt(old.nodes[0])) === 1);
  await move.hold('mine', 20_000);
  t.equal(await blockedAt(old.nodes[0]), 0, 'nothing can be popped at the old one any more');
  await move.turn('mine', from, to);
  await move.commit('mine');
  await until('it waits at the new one', async () => (await blockedAt(next.nodes[0])) === 1);
  await next.nodes[0].send('RPUSH', 'moved', 'a');
  t.same(String(await reply), 'moved,a');
});

t.test('a proxy that shuts down does not wait for those who wait', async (t) => {
  const { proxy, client, nodes } = await behindProxy(t, addresses.slice(0, 1), { drainTimeoutMs: 60_000 });
  const c = client();
  const reply = c.send('BLPOP', 'k', '0');
  await until('it waits', async () => (await blockedAt(nodes[0])) === 1);
  await proxy.close();
  t.match(await reply, { message: /^UNBLOCKED force unblock from blocking operation/ });
});

t.test('nothing is lent for ever, whatever happens', async (t) => {
  const wire = await TcpProxy.start(addresses[0]);
  t.teardown(() => wire.stop());
  const options = {
    limits: { maxPrivateConnectionsPerNode: 4 },
    operationTimeoutMs: 300,
    connectTimeoutMs: 200,
  };
  const { client } = await proxyWith(t, { upstreams: [{ name: 's0', leader: wire.address }], ...options });
  const random = seededRandom(7);
  const deeds: ((c: RespClient) => Promise<unknown>)[] = [
    (c) => c.send('BLPOP', 'chaos', '0.01'),
    (c) => Promise.all([c.send('WATCH', 'chaos'), c.send('MULTI'), c.send('INCR', 'n'), c.send('EXEC')]),
    (c) => Promise.all([c.send('WATCH', 'chaos'), c.send('UNWATCH')]),
    (c) => Promise.all([c.send('MULTI'), c.send('SELECT', '1'), c.send('INCR', 'n'), c.send('EXEC')]),
    (c) => Promise.all([c.send('WATCH', 'chaos'), c.send('RESET')]),
    (c) => c.send('BLMOVE', 'chaos', 'other', 'LEFT', 'LEFT', '0'),
  ];
  const one = async (i: number) => {
    const c = client();
    const doing = deeds[i % deeds.length](c).catch(() => 'the client is gone');
    const pause = new Promise((resolve) => setTimeout(resolve, random.int(40)));
    await Promise.race([doing, pause]);
    if (i % 25 === 0) wire.cut();
    if (i % 25 === 2) wire.restore();
    c.close();
    await doing;
  };
  for (let i = 0; i < 200; i += 8) await Promise.all(Array.from({ length: 8 }, (_, k) => one(i + k)));
  wire.restore();
  const four = Array.from({ length: 4 }, () => client());
  for (const c of four) await until('there is one', async () => (await c.send('WATCH', 'chaos')) === 'OK');
  t.match(await client().send('WATCH', 'chaos'), { message: /^OVERLOADED / }, 'and no more than four');
});
