import { createClient } from 'redis';
import t, { type Test } from 'tap';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { FakeControlPlane } from '../support/fake-control-plane.ts';
import { FrameClient } from '../support/frame-client.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { behindProxy, type RealShards, startNodes } from '../support/real-shards.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { Shard } from '../support/shard.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* CLIENT TRACKING through the proxy: nothing that a client has read and may keep goes stale without its being told. */

const addresses = await startNodes(t, 2);

const invalid = (...keys: string[]) => ['invalidate', keys];
const ALL = ['invalidate', null];

function connect(t: Test, address: string): FrameClient {
  const client = new FrameClient(address);
  t.teardown(() => client.close());
  return client;
}

/** A RESP3 client with CLIENT TRACKING on. */
async function tracked(t: Test, address: string, ...options: string[]): Promise<FrameClient> {
  const client = connect(t, address);
  await client.ask(1, 'HELLO', '3');
  t.same(await client.ask(1, 'CLIENT', 'TRACKING', 'ON', ...options), ['OK'], `ON ${options.join(' ')}`);
  return client;
}

/** What one client is told of its options; every reply must be Redis's. */
const SCRIPTS: readonly string[][] = [
  [
    'CLIENT TRACKINGINFO',
    'CLIENT GETREDIR',
    'CLIENT CACHING YES',
    'CLIENT TRACKING ON',
    'CLIENT TRACKINGINFO',
    'CLIENT GETREDIR',
    'CLIENT CACHING YES',
    'CLIENT CACHING MAYBE',
    'CLIENT TRACKING OFF',
    'CLIENT TRACKINGINFO',
  ],
  [
    'CLIENT TRACKING ON BCAST PREFIX a PREFIX b NOLOOP',
    'CLIENT TRACKINGINFO',
    'CLIENT TRACKING ON BCAST PREFIX ab',
    'CLIENT TRACKING ON BCAST PREFIX c',
    'CLIENT TRACKINGINFO',
    'CLIENT TRACKING ON',
    'CLIENT TRACKING ON BCAST OPTIN',
  ],
  [
    'CLIENT TRACKING ON OPTIN',
    'CLIENT CACHING NO',
    'CLIENT CACHING YES',
    'CLIENT TRACKINGINFO',
    'PING',
    'CLIENT TRACKINGINFO',
    'CLIENT TRACKING ON OPTOUT',
    'CLIENT TRACKING ON OPTIN OPTOUT',
    'CLIENT TRACKING ON PREFIX x',
  ],
  [
    'CLIENT TRACKING',
    'CLIENT TRACKING MAYBE',
    'CLIENT TRACKING ON REDIRECT 99999',
    'CLIENT TRACKING ON REDIRECT x',
    'CLIENT TRACKING ON NOSUCH',
    'CLIENT TRACKING OFF',
    'CLIENT TRACKING ON OPTOUT',
    'RESET',
    'CLIENT TRACKINGINFO',
  ],
];

t.test('options: as redis-server answers', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const proxies = [
    await behindProxy(t, addresses),
    await behindProxy(t, [redis.address], { engine: 'redis' }),
  ];
  for (const hello of ['2', '3']) {
    for (const script of SCRIPTS) {
      const play = async (address: string) => {
        const client = connect(t, address);
        await client.ask(1, 'HELLO', hello);
        const from = client.raw.length;
        for (const line of script) await client.ask(1, ...line.split(' '));
        client.close();
        return client.raw.slice(from);
      };
      const expected = await play(redis.address);
      for (const { resp } of proxies)
        t.equal(await play(resp), expected, `${script.join('; ')}, RESP${hello}`);
    }
  }
});

t.test('over shards', async (t) => {
  const proxy = await behindProxy(t, addresses);
  const test = (name: string, run: (t: Test, proxy: RealShards) => Promise<void>) =>
    t.test(name, (t) => run(t, proxy));
  await test('keys read are told of once, whoever changes them', byDefault);
  await test('keys of several shards, read in one command', severalShards);
  await test('NOLOOP', noLoop);
  await test('OPTIN and OPTOUT', chosen);
  await test('BCAST with prefixes', broadcast);
  await test('REDIRECT to a RESP2 client that subscribes', redirect);
  await test('REDIRECT to a client that goes', brokenRedirect);
  await test('what is read in a transaction is tracked', transactions);
  await test('what is read in a transaction that watched is not to be kept', watched);
  await test('invalidations come where they happened between the replies', inOrder);
  await test('PING comes behind what was written before it', pingLast);
  await test('an invalidation never comes before the reply that it is about', order);
  await test('OFF, RESET and leaving close the links', leaving);
  await test('INFO tells of it once, however many shards', figures);
  await test('other databases', databases);
  await test('node-redis with a client-side cache', withNodeRedis);
});

async function byDefault(t: Test, { resp, client, tags }: RealShards) {
  const c = await tracked(t, resp);
  const writer = client();
  const keys = tags.map((tag) => `${tag}k`);
  for (const key of keys) await c.ask(1, 'GET', key);
  for (const key of keys) {
    const from = c.frames.length;
    await writer.text('SET', key, '1');
    t.same(await c.next(1, from), [invalid(key)]);
    await writer.text('SET', key, '2');
  }
  t.same(await c.ask(1, 'GET', keys[0]), ['2'], 'nothing more has come: it was not read again');
  const from = c.frames.length;
  c.say('SET', keys[0], '3');
  t.same(
    (await c.next(2, from)).map(String).sort(),
    ['OK', String(invalid(keys[0]))].sort(),
    'also by itself',
  );
  await c.ask(1, 'GET', keys[0]);
  const flushed = c.frames.length;
  await writer.text('FLUSHALL');
  t.same(await c.next(1, flushed), [ALL]);
  c.close();
}

async function severalShards(t: Test, { resp, client, tags }: RealShards) {
  const c = await tracked(t, resp);
  const keys = tags.flatMap((tag) => [`${tag}m1`, `${tag}m2`]);
  await client().send('MSET', ...keys.flatMap((key) => [key, 'v']));
  t.same(await c.ask(1, 'MGET', ...keys), [keys.map(() => 'v')]);
  const from = c.frames.length;
  await client().send('DEL', ...keys);
  const told = await c.next(keys.length, from);
  t.same(told.map(String).sort(), keys.map((key) => String(invalid(key))).sort());
  c.close();
}

async function noLoop(t: Test, { resp, client, tags: [tag] }: RealShards) {
  const c = await tracked(t, resp, 'NOLOOP');
  await c.ask(1, 'GET', `${tag}n`);
  await c.ask(1, 'SET', `${tag}n`, '1');
  t.same(await c.ask(1, 'GET', `${tag}n`), ['1'], 'nothing came of its own write');
  const from = c.frames.length;
  await client().text('SET', `${tag}n`, '2');
  t.same(await c.next(1, from), [invalid(`${tag}n`)]);
  c.close();
}

async function chosen(t: Test, { resp, client, tags: [tag] }: RealShards) {
  const writer = client();
  const [a, b] = [`${tag}a`, `${tag}b`];
  const optIn = await tracked(t, resp, 'OPTIN');
  await optIn.ask(1, 'GET', a);
  await optIn.ask(1, 'CLIENT', 'CACHING', 'YES');
  await optIn.ask(1, 'GET', b);
  await writer.send('MSET', a, '1', b, '1');
  await optIn.sees(`invalidate\r\n*1\r\n$${b.length}\r\n${b}`);
  t.same(await optIn.ask(1, 'PING'), ['PONG']);
  t.notMatch(optIn.raw, `*1\r\n$${a.length}\r\n${a}`);
  const optOut = await tracked(t, resp, 'OPTOUT');
  await optOut.ask(1, 'CLIENT', 'CACHING', 'NO');
  await optOut.ask(1, 'GET', a);
  await optOut.ask(1, 'GET', b);
  await writer.send('MSET', a, '2', b, '2');
  await optOut.sees(`invalidate\r\n*1\r\n$${b.length}\r\n${b}`);
  t.same(await optOut.ask(1, 'PING'), ['PONG']);
  t.notMatch(optOut.raw, `*1\r\n$${a.length}\r\n${a}`);
  optIn.close();
  optOut.close();
}

async function broadcast(t: Test, { resp, client, tags }: RealShards) {
  const c = await tracked(t, resp, 'BCAST', 'PREFIX', tags[0], 'PREFIX', tags[1]);
  const writer = client();
  for (const tag of tags) {
    const from = c.frames.length;
    await writer.text('SET', `${tag}unread`, '1');
    t.same(await c.next(1, from), [invalid(`${tag}unread`)]);
  }
  const from = c.frames.length;
  await c.ask(1, 'CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'other');
  await writer.text('SET', 'nobody', '1');
  await writer.text('SET', 'other', '1');
  await writer.text('SET', `${tags[0]}last`, '1');
  await c.sees(`${tags[0]}last`);
  await c.sees('*1\r\n$5\r\nother');
  t.equal(c.frames.length, from + 3);
  c.close();
}

async function redirect(t: Test, { resp, client, tags }: RealShards) {
  const target = connect(t, resp);
  const [id] = (await target.ask(1, 'CLIENT', 'ID')) as number[];
  await target.ask(1, 'SUBSCRIBE', '__redis__:invalidate');
  const c = connect(t, resp);
  t.same(await c.ask(1, 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id)), ['OK']);
  t.same(await c.ask(1, 'CLIENT', 'GETREDIR'), [id]);
  const writer = client();
  for (const tag of tags) {
    const key = `${tag}r`;
    t.same(await c.ask(1, 'HGETALL', key), [[]], 'replies are those of RESP2');
    const from = target.frames.length;
    await writer.text('HSET', key, 'f', 'v');
    t.same(await target.next(1, from), [['message', '__redis__:invalidate', [key]]]);
  }
  const from = target.frames.length;
  await c.ask(1, 'GET', 'x');
  await writer.text('FLUSHALL');
  t.same(await target.next(1, from), [['message', '__redis__:invalidate', null]]);
  t.match(String(await client().text('CLIENT', 'LIST')), new RegExp(`flags=t .*redir=${id} resp=2`));
  for (const one of [target, c]) one.close();
}

async function brokenRedirect(t: Test, { resp, client, tags: [tag] }: RealShards) {
  const target = connect(t, resp);
  const [id] = (await target.ask(1, 'CLIENT', 'ID')) as number[];
  const c = await tracked(t, resp, 'REDIRECT', String(id));
  await c.ask(1, 'GET', `${tag}br`);
  target.close();
  await until('it is gone', async () => !String(await client().text('CLIENT', 'LIST')).includes(`id=${id} `));
  const from = c.frames.length;
  await client().text('SET', `${tag}br`, '1');
  t.same(await c.next(1, from), [['tracking-redir-broken', id]]);
  const [info] = (await c.ask(1, 'CLIENT', 'TRACKINGINFO')) as [string, unknown][][];
  t.match(info[0], ['flags', ['on', 'broken_redirect']]);
  c.close();
}

async function transactions(t: Test, { resp, client, tags: [tag] }: RealShards) {
  const c = await tracked(t, resp);
  const [read, written] = [`${tag}t`, `${tag}u`];
  await c.ask(1, 'GET', written);
  await c.ask(1, 'MULTI');
  await c.ask(1, 'INCR', written);
  await c.ask(1, 'GET', read);
  t.same(await c.ask(2, 'EXEC'), [[1, null], invalid(written)], 'behind the reply');
  const from = c.frames.length;
  await client().text('SET', read, '1');
  t.same(await c.next(1, from), [invalid(read)]);
  t.same(await c.ask(1, 'PING'), ['PONG'], 'nothing else');
  c.close();
  const silent = await tracked(t, resp, 'NOLOOP');
  await silent.ask(1, 'GET', written);
  await silent.ask(1, 'MULTI');
  await silent.ask(1, 'INCR', written);
  t.same(await silent.ask(1, 'EXEC'), [[2]]);
  t.same(await silent.ask(1, 'PING'), ['PONG'], 'not of what it did itself');
  silent.close();
}

async function watched(t: Test, { resp, tags: [tag] }: RealShards) {
  const c = await tracked(t, resp);
  await c.ask(1, 'WATCH', `${tag}w`);
  await c.ask(1, 'MULTI');
  await c.ask(1, 'GET', `${tag}w`);
  t.same(await c.ask(2, 'EXEC'), [[null], invalid(`${tag}w`)], 'behind the reply');
  c.close();
}

async function inOrder(t: Test, { resp, tags: [tag] }: RealShards) {
  const c = await tracked(t, resp);
  const key = `${tag}i`;
  for (let round = 0; round < 50; round++) {
    const from = c.frames.length;
    c.socket.write(
      Buffer.concat([
        encodeCommand('GET', key),
        encodeCommand('SET', key, String(round)),
        encodeCommand('GET', `${tag}other`),
      ]),
    );
    const before = round === 0 ? null : String(round - 1);
    t.same(await c.next(4, from), [before, 'OK', invalid(key), null]);
  }
  c.close();
}

async function pingLast(t: Test, { resp, client, tags }: RealShards) {
  const c = await tracked(t, resp);
  const writer = client();
  for (let round = 0; round < 50; round++) {
    for (const tag of tags) {
      const key = `${tag}p`;
      await c.ask(1, 'GET', key);
      const from = c.frames.length;
      await writer.text('SET', key, String(round));
      c.say('PING');
      t.same(await c.next(2, from), [invalid(key), 'PONG']);
    }
  }
  c.close();
}

/** The last that a client hears of each key is its value, or that it has to forget it. */
async function order(t: Test, { resp, client, tags }: RealShards) {
  const c = await tracked(t, resp);
  const keys = tags.map((tag) => `${tag}o`);
  const writers = keys.map(() => client());
  let isOver = false;
  const last = keys.map(() => 0);
  const writing = writers.map(async (writer, i) => {
    while (!isOver) await writer.text('SET', keys[i], String(++last[i]));
  });
  for (let round = 0; round < 150; round++) {
    const from = c.frames.length;
    c.say('MGET', ...keys);
    for (const key of keys) c.say('GET', key);
    c.say('ECHO', `round ${round}`);
    await c.next(keys.length + 2, from);
  }
  isOver = true;
  await Promise.all(writing);
  // What may still be on its way comes before the replies of these.
  for (const key of keys) c.say('EXISTS', key);
  c.say('ECHO', 'settled');
  await c.sees('\r\nsettled\r\n');
  const kept: (string | null)[] = keys.map(() => null);
  let reads = 0;
  for (const frame of c.frames.slice(2)) {
    const plain = JSON.parse(JSON.stringify(simplify(frame)));
    if (Array.isArray(plain) && plain[0] === 'invalidate') {
      for (const [i, key] of keys.entries()) if (plain[1] === null || plain[1].includes(key)) kept[i] = null;
    } else if (Array.isArray(plain)) {
      for (const i of keys.keys()) kept[i] = plain[i];
      reads = 0;
    } else if (/^\d+$/.test(String(plain)) && reads < keys.length) kept[reads++] = String(plain);
  }
  for (const [i, value] of kept.entries())
    t.ok(value === null || value === String(last[i]), `kept ${value}, the last is ${last[i]}`);
  c.close();
}

function simplify(frame: unknown): unknown {
  if (Buffer.isBuffer(frame)) return frame.latin1Slice();
  if (Array.isArray(frame)) return frame.map(simplify);
  if (frame !== null && typeof frame === 'object' && 'items' in frame) return simplify(frame.items);
  return frame;
}

async function figures(t: Test, { resp, client, tags }: RealShards) {
  const c = await tracked(t, resp);
  const b = await tracked(t, resp, 'BCAST', 'PREFIX', 'figures:');
  await client().text('FLUSHALL');
  await c.ask(1, 'MGET', ...tags.map((tag) => `${tag}f`));
  const info = (await client().text('INFO'))!;
  t.match(info, /^tracking_clients:2\r$/m);
  t.match(info, new RegExp(`^tracking_total_keys:${tags.length}\\r$`, 'm'));
  t.match(info, /^tracking_total_prefixes:1\r$/m);
  t.same(await b.ask(1, 'QUIT'), ['OK']);
  t.match(await client().text('INFO', 'clients'), /^tracking_clients:1\r$/m);
  b.close();
  c.close();
}

async function leaving(t: Test, { resp, nodes, tags }: RealShards) {
  const linksAt = async (count: number) => {
    const lists = await Promise.all(nodes.map((node) => node.text('CLIENT', 'LIST')));
    return lists.every((list) => list!.split(' flags=t').length === count + 1);
  };
  await until('those of others are gone', () => linksAt(0));
  const clients = await Promise.all([1, 2, 3].map(() => tracked(t, resp)));
  for (const c of clients) for (const tag of tags) await c.ask(1, 'GET', `${tag}l`);
  t.ok(await linksAt(3), 'one link to each shard that was read');
  t.same(await clients[0].ask(1, 'CLIENT', 'TRACKING', 'OFF'), ['OK']);
  t.same(await clients[1].ask(1, 'RESET'), ['RESET']);
  clients[2].close();
  await until('all are closed', () => linksAt(0));
  t.same(await clients[0].ask(1, 'GET', `${tags[0]}l`), [null]);
  for (const c of clients) c.close();
}

async function databases(t: Test, { resp, client, tags: [tag] }: RealShards) {
  const c = await tracked(t, resp);
  await c.ask(1, 'SELECT', '5');
  t.same(await c.ask(1, 'GET', `${tag}d`), [null]);
  const writer = client();
  await writer.text('SELECT', '5');
  const from = c.frames.length;
  await writer.text('SET', `${tag}d`, '1');
  t.same(await c.next(1, from), [invalid(`${tag}d`)]);
  await writer.text('DEL', `${tag}d`);
  c.close();
}

async function withNodeRedis(t: Test, { resp, client, tags: [tag] }: RealShards) {
  const redis = createClient({
    url: `redis://${resp}`,
    RESP: 3,
    clientSideCache: { ttl: 0, maxEntries: 100, evictPolicy: 'LRU' },
  });
  await redis.connect();
  const writer = client();
  await writer.text('SET', `${tag}nr`, '1');
  t.equal(await redis.get(`${tag}nr`), '1');
  await writer.text('SET', `${tag}nr`, '2');
  await until('its copy is gone', async () => (await redis.get(`${tag}nr`)) === '2');
  await redis.close();
}

t.test('a link that is lost: everything is to be forgotten', async (t) => {
  const wire = await TcpProxy.start(addresses[0]);
  t.teardown(() => wire.stop());
  const { resp, client } = await proxyWith(t, { upstreams: [{ name: 's0', leader: wire.address }] });
  const c = await tracked(t, resp);
  await c.ask(1, 'GET', 'lost');
  const from = c.frames.length;
  wire.cut();
  wire.restore();
  t.same(await c.next(1, from), [ALL]);
  t.same(await c.ask(1, 'GET', 'lost'), [null]);
  const again = c.frames.length;
  await client().text('SET', 'lost', '1');
  t.same(await c.next(1, again), [invalid('lost')], 'the new link tells');
});

t.test('limits name their setting', async (t) => {
  const { resp } = await behindProxy(t, addresses, { limits: { maxPrivateConnectionsPerNode: 1 } });
  const one = await tracked(t, resp);
  await one.ask(1, 'GET', 'k');
  const other = await tracked(t, resp);
  t.match(await other.ask(1, 'GET', 'k'), [/^-OVERLOADED .*proxy\.limits\.maxPrivateConnectionsPerNode/]);
});

t.test('the leader is killed: everything is to be forgotten, and the next one tells', async (t) => {
  const [shard, leader] = await Shard.formed(t, 1);
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  plane.document = shard.fleet.document({ epoch: 1, leader: 'n1', followers: ['n2'] });
  const { resp, client } = await proxyWith(t, { controlPlane: plane.address });
  const reader = await tracked(t, resp);
  const listener = await tracked(t, resp, 'BCAST');
  const writer = client();
  await reader.ask(1, 'GET', 'k');
  await writer.text('SET', 'k', '1');
  await reader.sees('invalidate\r\n*1\r\n$1\r\nk');
  await listener.sees('invalidate\r\n*1\r\n$1\r\nk');
  const from = [reader.frames.length, listener.frames.length];
  leader.process.kill('SIGKILL');
  await leader.process.ended;
  plane.push(await shard.fleet.shape({ epoch: 2, leader: 'n2', followers: [] }, ['n2']));
  t.same(await reader.next(1, from[0]), [ALL]);
  t.same(await listener.next(1, from[1]), [ALL]);
  await until('the new leader writes', async () => String(await writer.send('SET', 'j', '1')) === 'OK');
  const read = reader.frames.length;
  await reader.ask(1, 'GET', 'k');
  await until('the link for broadcasts is there', async () => {
    await writer.send('INCR', 'j');
    return listener.raw.split('$1\r\nj').length > 1;
  });
  await writer.text('SET', 'k', '2');
  await reader.sees('invalidate\r\n*1\r\n$1\r\nk', 2);
  await listener.sees('invalidate\r\n*1\r\n$1\r\nk', 2);
  t.ok(reader.frames.length > read);
});

t.test('REDIRECT to clients of all threads', async (t) => {
  const { resp, client, tags } = await behindProxy(t, addresses, { workers: 2 });
  const writer = client();
  const c = connect(t, resp);
  for (let n = 0; n < 8; n++) {
    const target = connect(t, resp);
    await target.ask(1, 'HELLO', '3');
    const [id] = await target.ask(1, 'CLIENT', 'ID');
    t.same(await c.ask(1, 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id)), ['OK']);
    const key = `${tags[0]}w${n}`;
    await c.ask(1, 'GET', key);
    const from = target.frames.length;
    await writer.text('SET', key, '1');
    t.same(await target.next(1, from), [invalid(key)]);
    t.same(await c.ask(1, 'CLIENT', 'TRACKING', 'OFF'), ['OK']);
  }
  const [none] = await c.ask(1, 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', '99999');
  t.match(none, /does not exist/);
});

t.test('a message about a very long key is a message, whatever is awaited meanwhile', async (t) => {
  const { resp } = await behindProxy(t, addresses);
  const client = await tracked(t, resp);
  const writer = connect(t, resp);
  const long = `{x}${'k'.repeat(300_000)}`;
  const keys = Array.from({ length: 50 }, (_, i) => `{x}${i}`);
  for (const key of keys) await writer.ask(1, 'SET', key, `value of ${key}`);
  await writer.ask(1, 'SET', long, '0');
  for (let round = 0; round < 20; round++) {
    await client.ask(1, 'GET', long);
    const from = client.frames.length;
    writer.say('SET', long, String(round));
    for (const key of keys) client.say('GET', key);
    const frames = await client.next(keys.length + 1, from);
    const isMessage = (frame: unknown) => Array.isArray(frame) && frame[0] === 'invalidate';
    t.same(
      frames.filter((frame) => !isMessage(frame)),
      keys.map((key) => `value of ${key}`),
      `round ${round}`,
    );
  }
});
