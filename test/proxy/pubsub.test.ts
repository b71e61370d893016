import { Redis } from 'ioredis';
import { createClient } from 'redis';
import t, { type Test } from 'tap';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { FakeControlPlane } from '../support/fake-control-plane.ts';
import { FrameClient } from '../support/frame-client.ts';
import { fakeNodes, type ProxyUnderTest, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { behindProxy, connectionsAt, type RealShards, startNodes } from '../support/real-shards.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { Shard } from '../support/shard.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* Publish and subscribe through proxies: Redis's replies, messages to clients of every proxy, over failovers and in front of slow readers. */

const addresses = await startNodes(t, 3);

/**
 * What one client sends. Behind `<` a second client speaks, whose replies count too; behind `=` stands what the first one must
 * have got by then; behind `~` what counts no subscriber any more before it goes on: a proxy answers an unsubscription before its nodes do.
 */
const SCRIPTS: readonly string[][] = [
  [
    'SUBSCRIBE a',
    'SUBSCRIBE a b a',
    'PING',
    'PING hi',
    'PING a b',
    'UNSUBSCRIBE b',
    'UNSUBSCRIBE x',
    'UNSUBSCRIBE',
    'PING',
  ],
  ['UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE', 'UNSUBSCRIBE a b', 'PUNSUBSCRIBE a*', 'SUNSUBSCRIBE s'],
  [
    'PSUBSCRIBE a* b*',
    'SUBSCRIBE c',
    'SSUBSCRIBE d e',
    'PUNSUBSCRIBE',
    'UNSUBSCRIBE',
    'SUNSUBSCRIBE d',
    'SUNSUBSCRIBE',
  ],
  [
    'SUBSCRIBE',
    'PSUBSCRIBE',
    'PUBLISH a',
    'PUBSUB',
    'PUBSUB NOSUCH',
    'PUBSUB CHANNELS a b',
    'PUBSUB NUMPAT x',
    'SUBSCRIBE a',
    'NOSUCH',
  ],
  ['SUBSCRIBE a', 'GET k', 'SET k 1', 'EXEC', 'ECHO x', 'RESET', 'GET k', 'PING'],
  [
    'SUBSCRIBE a',
    '< PUBLISH a one',
    '= one',
    '< PUBLISH b no',
    'UNSUBSCRIBE a',
    '~ PUBSUB NUMSUB a',
    '< PUBLISH a late',
    'PING',
  ],
  [
    'PSUBSCRIBE n?w[s]',
    'SUBSCRIBE news',
    '< PUBLISH news two',
    '= two two',
    '< PUBLISH nxws three',
    '= three',
    'RESET',
  ],
  [
    'SSUBSCRIBE s',
    'SUBSCRIBE s',
    '< SPUBLISH s four',
    '= four',
    '< PUBLISH s five',
    '= five',
    'SUNSUBSCRIBE',
    '~ PUBSUB SHARDNUMSUB s',
    '< SPUBLISH s six',
  ],
  [
    'SUBSCRIBE \u00e9\\x',
    '< PUBLISH \u00e9\\x seven',
    '= seven',
    '< PUBSUB NUMSUB \u00e9\\x other',
    '< PUBSUB CHANNELS *\u00e9*',
  ],
  [
    'SUBSCRIBE x',
    'PSUBSCRIBE p* q*',
    'SSUBSCRIBE y',
    '< PUBSUB NUMSUB x y',
    '< PUBSUB SHARDNUMSUB y x',
    '< PUBSUB NUMPAT',
    '< PUBSUB CHANNELS',
    '< PUBSUB SHARDCHANNELS',
    '< PUBSUB NUMSUB',
    '< PUBSUB CHANNELS z*',
    'QUIT',
  ],
  ['SUBSCRIBE m', '< MULTI', '< PUBLISH m eight', '< PUBLISH m nine', '< EXEC', '= eight nine'],
];

/** Plays a script; every byte that both clients got. */
async function play(address: string, hello: string, script: readonly string[]): Promise<string> {
  const [first, second] = [new FrameClient(address), new FrameClient(address)];
  await Promise.all([first, second].map((client) => client.ask(1, 'HELLO', hello)));
  const begins = [first.raw.length, second.raw.length];
  let mark = 0;
  for (const line of script) {
    const words = line.split(' ');
    if (words[0] === '=') {
      for (const word of new Set(words)) {
        const times = words.filter((one) => one === word).length;
        if (word !== '=') await first.sees(`\r\n${word}\r\n`, times);
      }
      continue;
    }
    if (words[0] === '~') {
      await nobodyCounted(address, words.slice(1));
      continue;
    }
    const client = words[0] === '<' ? second : first;
    client.say(...(words[0] === '<' ? words.slice(1) : words).map((word) => Buffer.from(word, 'latin1')));
    if (words[0] === 'QUIT') await until('it is closed', () => first.isClosed);
    else if (!script.includes('< MULTI') || client === first) {
      client.say('PING', `mark-${++mark}`);
      await client.sees(`\r\nmark-${mark}\r\n`);
    }
  }
  if (script.includes('< MULTI')) await second.next(4, 1);
  first.close();
  second.close();
  return `${first.raw.slice(begins[0])}\n${second.raw.slice(begins[1])}`;
}

async function nobodyCounted(address: string, command: string[]): Promise<void> {
  const client = new RespClient(address);
  const count = async () => ((await client.send(...command)) as unknown[]).at(-1);
  await until(`${command.join(' ')} counts nobody`, async () => (await count()) === 0);
  client.close();
}

t.test('as redis-server answers', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
  const [redis, backend] = await Promise.all([startRedis(), startRedis()]);
  t.teardown(() => Promise.all([redis.stop(), backend.stop()]));
  const viaNodes = await behindProxy(t, addresses);
  const viaRedis = await behindProxy(t, [backend.address], { engine: 'redis' });
  for (const hello of ['2', '3']) {
    for (const script of SCRIPTS) {
      const expected = await play(redis.address, hello, script);
      for (const [what, { resp }] of Object.entries({ viaNodes, viaRedis })) {
        t.equal(await play(resp, hello, script), expected, `${what}: ${script.join('; ')}, RESP${hello}`);
      }
    }
  }
});

/** Two proxies in front of the same three nodes. */
async function twoProxies(t: Test, options: object = {}): Promise<[RealShards, RealShards]> {
  return [await behindProxy(t, addresses, options), await behindProxy(t, addresses, options)];
}

const frames = (t: Test, address: string): FrameClient => {
  const client = new FrameClient(address);
  t.teardown(() => client.close());
  return client;
};

t.test('two proxies', async (t) => {
  const proxies = await twoProxies(t);
  await t.test('a message reaches the clients of both, each subscription once', (t) =>
    everywhere(t, proxies),
  );
  await t.test('one connection per shard, however many clients', (t) => fewConnections(t, proxies));
  await t.test('keyspace events come from all shards', (t) => keyEvents(t, proxies));
  await t.test('messages come between replies in RESP3', (t) => between(t, proxies));
  await t.test('order: a pipeline that subscribes, publishes and leaves', (t) => pipelined(t, proxies));
  await t.test('ioredis', (t) => withIoredis(t, proxies));
  await t.test('node-redis', (t) => withNodeRedis(t, proxies));
  await t.test('users hear what they may', (t) => withRules(t, proxies));
});

async function everywhere(t: Test, [one, other]: readonly RealShards[]) {
  const names = Array.from({ length: 12 }, (_, i) => `news-${i}`);
  const listeners = [frames(t, one.resp), frames(t, one.resp), frames(t, other.resp)];
  for (const listener of listeners) await listener.ask(names.length, 'SUBSCRIBE', ...names);
  const matching = frames(t, other.resp);
  await matching.ask(2, 'PSUBSCRIBE', 'news-*', '*-1?');
  const speaker = one.client();
  const counts = await Promise.all(names.map((name) => speaker.send('PUBLISH', name, `to ${name}`)));
  t.same(
    counts,
    names.map((_, i) => (i < 10 ? 4 : 5)),
    'clients of this proxy one by one, the other proxy once for its channel and once for each pattern',
  );
  for (const listener of listeners) {
    const heard = await listener.next(names.length, names.length);
    t.same(heard.map(String).sort(), names.map((name) => `message,${name},to ${name}`).sort());
  }
  const heard = await matching.next(14, 2);
  t.equal(heard.filter((message) => String(message).startsWith('pmessage,news-*,')).length, 12);
  t.equal(heard.filter((message) => String(message).startsWith('pmessage,*-1?,')).length, 2);
  t.equal(await other.client().send('PUBSUB', 'NUMPAT'), 2);
  t.same(await one.client().send('PUBSUB', 'NUMSUB', 'news-3', 'none'), [
    Buffer.from('news-3'),
    3,
    Buffer.from('none'),
    0,
  ]);
  t.same(
    ((await other.client().send('PUBSUB', 'CHANNELS')) as Buffer[]).map(String).sort(),
    [...names].sort(),
  );
  for (const listener of [...listeners, matching]) listener.close();
  await until('nobody listens', async () => (await speaker.send('PUBLISH', 'news-1', 'x')) === 0);
  await until('no pattern is left', async () => (await speaker.send('PUBSUB', 'NUMPAT')) === 0);
  t.same(await speaker.send('PUBSUB', 'CHANNELS'), []);
}

async function fewConnections(t: Test, [one]: readonly RealShards[]) {
  const before = await Promise.all(one.nodes.map(connectionsAt));
  const clients = Array.from({ length: 30 }, () => frames(t, one.resp));
  await Promise.all(clients.map((client, i) => client.ask(2, 'PSUBSCRIBE', `p${i}*`, 'all*')));
  await Promise.all(clients.map((client, i) => client.ask(1, 'SUBSCRIBE', `c${i}`)));
  const during = await Promise.all(one.nodes.map(connectionsAt));
  for (const [i, count] of during.entries())
    t.ok(count - before[i] <= 1, `${count} connections after ${before[i]}`);
  t.equal(await one.client().send('PUBLISH', 'all-of-you', 'x'), 30);
  await Promise.all(clients.map((client) => client.sees('all-of-you')));
  for (const client of clients) client.close();
}

async function keyEvents(t: Test, [one, other]: readonly RealShards[]) {
  for (const node of one.nodes) await node.text('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
  const events = frames(t, one.resp);
  await events.ask(1, 'PSUBSCRIBE', '__key*@0__:*');
  const exact = frames(t, one.resp);
  await exact.ask(2, 'SUBSCRIBE', '__keyevent@0__:set', `__keyspace@0__:${one.tags[1]}`);
  const c = other.client();
  for (const tag of one.tags) await c.text('SET', tag, 'v');
  const sets = (await exact.next(4, 2)).map(String);
  t.same(
    sets.filter((message) => message.startsWith('message,__keyevent')).sort(),
    one.tags.map((tag) => `message,__keyevent@0__:set,${tag}`).sort(),
  );
  t.ok(sets.includes(`message,__keyspace@0__:${one.tags[1]},set`));
  t.equal(
    (await events.next(6, 1)).length,
    6,
    'each twice: as an event of the key, and as a key of the event',
  );
  await c.text('DEL', ...one.tags);
  for (const node of one.nodes) await node.text('CONFIG', 'SET', 'notify-keyspace-events', '');
  for (const client of [events, exact]) client.close();
}

async function between(t: Test, [one, other]: readonly RealShards[]) {
  const c = frames(t, one.resp);
  await c.ask(1, 'HELLO', '3');
  await c.ask(1, 'SUBSCRIBE', 'between');
  c.say('BLPOP', `${one.tags[0]}list`, '0');
  const speaker = other.client();
  t.equal(await speaker.send('PUBLISH', 'between', 'while it is blocked'), 1);
  await c.sees('while it is blocked');
  await speaker.send('RPUSH', `${one.tags[0]}list`, 'x');
  t.same(await c.next(2, 2), [
    ['message', 'between', 'while it is blocked'],
    [`${one.tags[0]}list`, 'x'],
  ]);
  t.match(c.raw, />3\r\n\$7\r\nmessage\r\n/);
  c.close();
}

async function pipelined(t: Test, [one]: readonly RealShards[]) {
  const speaker = one.client();
  for (let round = 0; round < 30; round++) {
    const c = frames(t, one.resp);
    await c.ask(1, 'SUBSCRIBE', 'order');
    const sending = Array.from({ length: 20 }, (_, i) => speaker.send('PUBLISH', 'order', `m${i}`));
    if (round % 2 === 0) await c.sees('m3');
    c.say('UNSUBSCRIBE', 'order');
    c.say('PING', 'end');
    await c.sees('\r\nend\r\n');
    await Promise.all(sending);
    const kinds = c.frames.slice(1).map((frame) => (Array.isArray(frame) ? String(frame[0]) : 'pong'));
    const left = kinds.indexOf('unsubscribe');
    if (!t.same(kinds.slice(left), ['unsubscribe', 'pong'], 'nothing comes behind the goodbye')) break;
    const heard = c.frames.slice(1, 1 + left).map((frame) => String((frame as unknown[])[2]));
    if (
      !t.same(
        heard,
        heard.map((_, i) => `m${i}`),
        'in order',
      )
    )
      break;
    c.close();
  }
}

async function withIoredis(t: Test, [one, other]: readonly RealShards[]) {
  for (const protocol of [2, 3] as const) {
    const [listener, speaker] = [one.resp, other.resp].map((address) => {
      const [host, port] = address.split(':');
      return new Redis({ host, port: Number(port), protocol });
    });
    t.teardown(() => Promise.all([listener.disconnect(), speaker.disconnect()]));
    const heard: string[] = [];
    listener.on('message', (channel, message) => heard.push(`${channel}: ${message}`));
    listener.on('pmessage', (pattern, channel, message) => heard.push(`${pattern} ${channel}: ${message}`));
    t.equal(await listener.subscribe('io', 'io2'), 2);
    t.equal(await listener.psubscribe('i?'), 3);
    t.equal(await speaker.publish('io', 'hello'), 2);
    await until('both came', () => heard.length === 2);
    t.same(heard, ['io: hello', 'i? io: hello']);
    if (protocol === 3) t.equal(await listener.set(`${one.tags[0]}io`, '1'), 'OK');
    else {
      await t.rejects(listener.get('x'), /subscriber mode/);
      await listener.unsubscribe('io', 'io2');
      await listener.punsubscribe('i?');
      t.equal(await listener.get(`${one.tags[0]}io`), null);
    }
    listener.disconnect();
    speaker.disconnect();
  }
}

async function withNodeRedis(t: Test, [one, other]: readonly RealShards[]) {
  for (const RESP of [2, 3] as const) {
    const [listener, speaker] = [one.resp, other.resp].map((address) =>
      createClient({ url: `redis://${address}`, RESP }),
    );
    await Promise.all([listener.connect(), speaker.connect()]);
    const heard: string[] = [];
    const hear = (message: string, channel: string) => heard.push(`${channel}: ${message}`);
    await listener.subscribe(['nr', 'nr2'], hear);
    await listener.pSubscribe('n?', hear);
    await listener.sSubscribe('shard', hear);
    t.equal(await speaker.publish('nr', 'a'), 2);
    t.equal(await speaker.sPublish('shard', 'b'), 1);
    await until('all came', () => heard.length === 3);
    t.same([...heard].sort(), ['nr: a', 'nr: a', 'shard: b']);
    await listener.unsubscribe();
    await listener.pUnsubscribe();
    await listener.sUnsubscribe('shard');
    await Promise.all([listener.close(), speaker.close()]);
  }
}

async function withRules(t: Test, [one]: readonly RealShards[]) {
  const admin = one.client();
  await admin.text('ACL', 'SETUSER', 'ann', 'on', '>p', '+@all', 'allkeys', 'resetchannels', '&mine:*');
  const ann = frames(t, one.resp);
  await ann.ask(1, 'AUTH', 'ann', 'p');
  const refusal = '-NOPERM this user has no permissions to access one of the channels used as arguments';
  t.same(await ann.ask(1, 'SUBSCRIBE', 'mine:a', 'yours'), [refusal]);
  t.same(await ann.ask(1, 'PSUBSCRIBE', 'mine:?'), [refusal]);
  t.same(await ann.ask(1, 'PUBLISH', 'yours', 'x'), [refusal]);
  t.same(await ann.ask(1, 'SUBSCRIBE', 'mine:a'), [['subscribe', 'mine:a', 1]]);
  t.match(String(await admin.text('CLIENT', 'LIST')), /flags=P .*sub=1 psub=0 ssub=0 .*user=ann/);
  await admin.text('ACL', 'SETUSER', 'ann', 'resetchannels');
  await until('who may not listen any more is closed', () => ann.isClosed);
  await admin.text('ACL', 'DELUSER', 'ann');
}

t.test('a subscriber that does not read is cut, and nobody else waits', async (t) => {
  const limits = { maxUnreadMessageBytes: '2mb' };
  const { resp, client, log } = await behindProxy(t, addresses.slice(0, 1), { limits });
  const slow = frames(t, resp);
  await slow.ask(1, 'SUBSCRIBE', 'flood');
  slow.socket.pause();
  const quick = client();
  let heard = 0;
  quick.readFrames(() => heard++);
  quick.socket.write(encodeCommand('SUBSCRIBE', 'flood'));
  await until('it is subscribed', () => heard === 1);
  const speaker = client();
  let sent = 0;
  await until('the slow one is cut', async () => {
    const counts = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        speaker.send('PUBLISH', 'flood', 'm'.repeat(i % 2 ? 60_000 : 100)),
      ),
    );
    sent += counts.length;
    return counts.at(-1) === 1;
  });
  await until('the quick one has heard everything', () => heard === sent + 1);
  const cut = log.filter(({ setting }) => setting === 'proxy.limits.maxUnreadMessageBytes');
  t.equal(cut.length, 1, 'it was told why');
});

t.test('limits and failures', async (t) => {
  const wire = await TcpProxy.start(addresses[1]);
  t.teardown(() => wire.stop());
  const fast = { operationTimeoutMs: 3000, readTimeoutMs: 1000, connectTimeoutMs: 1000 };
  const upstreams = [addresses[0], wire.address].map((leader, i) => ({ name: `s${i}`, leader }));
  const proxy = await proxyWith(t, { upstreams, ...fast, limits: { maxSubscriptions: 5 } });
  const c = frames(t, proxy.resp);
  t.match(await c.ask(1, 'SUBSCRIBE', '1', '2', '3', '4', '5', '6'), [
    /^-OVERLOADED .*proxy\.limits\.maxSubscriptions/,
  ]);
  t.equal((await c.ask(3, 'PSUBSCRIBE', '1*', '2*', '3*')).length, 3, 'nothing was held by what failed');
  wire.cut();
  t.match(await c.ask(1, 'PSUBSCRIBE', '4*'), [
    /^-CLUSTERDOWN .*shard s1 has not confirmed the subscription within 3000 ms/,
  ]);
  t.same(await c.ask(1, 'PING'), [['pong', '']], 'the others are kept');
  wire.restore();
  const speaker = proxy.client();
  const names = Array.from({ length: 20 }, (_, i) => `2${i}`);
  await until('all shards are listened to again', async () => {
    const counts = await Promise.all(names.map((name) => speaker.send('PUBLISH', name, 'x')));
    return counts.every((count) => count === 1);
  });
  c.say('PSUBSCRIBE', '4*');
  // What was published meanwhile may still be on its way.
  await c.sees('$10\r\npsubscribe\r\n$2\r\n4*\r\n:4\r\n');
});

t.test('a shard whose nodes refuse the subscription says so', async (t) => {
  const [node] = await fakeNodes(t, 1);
  node.refuse = ({ name }) => (name === 'SUBSCRIBE' ? '-NOPERM not for you\r\n' : undefined);
  const { resp } = await proxyWith(t, { upstreams: upstreamsOf([{ leader: node }]) });
  const c = frames(t, resp);
  t.same(await c.ask(1, 'SUBSCRIBE', 'a'), ['-NOPERM not for you']);
  t.same(await c.ask(1, 'PING'), ['PONG'], 'it is not subscribed');
});

t.test('the leader is killed: subscriptions go on at the next one, on every proxy', async (t) => {
  const [shard, leader] = await Shard.formed(t, 1);
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  plane.document = shard.fleet.document({ epoch: 1, leader: 'n1', followers: ['n2'] });
  const proxies: ProxyUnderTest[] = [];
  for (let i = 0; i < 2; i++) proxies.push(await proxyWith(t, { controlPlane: plane.address }));
  const listeners = proxies.map(({ resp }) => frames(t, resp));
  for (const listener of listeners) {
    await listener.ask(1, 'SUBSCRIBE', 'news');
    await listener.ask(1, 'PSUBSCRIBE', 'n*');
  }
  const speaker = proxies[0].client();
  t.equal(await speaker.send('PUBLISH', 'news', 'before'), 4);
  for (const listener of listeners) await listener.sees('before', 2);
  leader.process.kill('SIGKILL');
  await leader.process.ended;
  plane.push(await shard.fleet.shape({ epoch: 2, leader: 'n2', followers: [] }, ['n2']));
  await until('both listen at the new leader', () => reaches(speaker, 4));
  // What was tried meanwhile comes before it.
  t.equal(await speaker.send('PUBLISH', 'news', 'settled'), 4);
  for (const listener of listeners) await listener.sees('\r\nsettled\r\n', 2);
  const frameCounts = listeners.map((listener) => listener.frames.length);
  t.equal(await speaker.send('PUBLISH', 'news', 'after'), 4);
  for (const [i, listener] of listeners.entries()) {
    await listener.sees('\r\nafter\r\n', 2);
    const heard = await listener.next(2, frameCounts[i]);
    t.same(
      heard.map(String).sort(),
      ['message,news,after', 'pmessage,n*,news,after'],
      'once each, and no new confirmation',
    );
  }
});

async function reaches(speaker: RespClient, clients: number): Promise<boolean> {
  const probe = await speaker.send('PUBLISH', 'nobody-but-patterns', 'x');
  const count = await speaker.send('PUBSUB', 'NUMSUB', 'news');
  return probe === 2 && Array.isArray(count) && count[1] === clients / 2;
}
