import { once } from 'node:events';
import t from 'tap';
import { MemcachedClient } from '../support/memcached-client.ts';
import { memcachedStack } from '../support/memcached-stack.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';

t.test('one key through memcached, RESP and HTTP', async (t) => {
  const { under, client, node } = await memcachedStack(t, 1, { httpPort: 'auto' });
  const [memcached, resp, direct] = [client(), under.client(), node(0)];
  const http = (path: string, init: RequestInit = {}) =>
    fetch(`http://${under.proxy.listeners.http}/v1/key/${path}`, init);
  t.equal(await memcached.ask('set k 77 100 5\r\nhello\r\n'), 'STORED\r\n');
  t.equal(await resp.text('GET', 'k'), 'hello');
  t.ok(Number(await resp.send('TTL', 'k')) > 90);
  const read = await http('k');
  t.equal(await read.text(), 'hello');
  const version = read.headers.get('etag')!.replaceAll('"', '');
  t.equal(
    await memcached.ask('gets k\r\n'),
    `VALUE k 77 5 ${version}\r\nhello\r\nEND\r\n`,
    'cas is the ETag',
  );
  t.equal(
    (await http('k', { method: 'PUT', body: 'other', headers: { 'if-match': `"${version}"` } })).status,
    204,
  );
  t.equal(await memcached.ask(`cas k 0 0 1 ${version}\r\nx\r\n`), 'EXISTS\r\n');
  t.equal(
    await memcached.ask('get k\r\n'),
    'VALUE k 0 5\r\nother\r\nEND\r\n',
    'a new value begins without flags',
  );

  await resp.send('SET', 'n', '41');
  t.equal(await memcached.ask('incr n 1\r\n'), '42\r\n');
  t.equal(await resp.send('INCR', 'n'), 43);
  await resp.send('APPEND', 'n', '0');
  t.equal(await memcached.ask('get n\r\n'), 'VALUE n 0 3\r\n430\r\nEND\r\n');

  await direct.send('RS.SET', 'soft', 'old', 'SOFTPX', '0', 'FLAGS', '5');
  t.match(
    await memcached.ask('mg soft v f\r\n'),
    'VA 3 f5 X W\r\nold\r\n',
    'what is past its soft time to live is stale',
  );
  t.match(await memcached.ask('mg soft v\r\n'), 'VA 3 Z X\r\nold\r\n');
  const [, , , , , state, token] = (await direct.send('RS.GET', 'soft', 'LEASE')) as (Buffer | null)[];
  t.same([String(state), token], ['stale', null], 'the lease is the same');
  await memcached.ask('ms soft 3\r\nnew\r\nmd soft I\r\n');
  const [value, , , , , after] = (await direct.send('RS.GET', 'soft')) as Buffer[];
  t.same([String(value), String(after)], ['new', 'stale']);

  const lease = await direct.send('RS.GET', 'fill', 'LEASE');
  t.equal(
    await memcached.ask('mg fill v N30 s\r\n'),
    'VA 0 s0 Z\r\n\r\n',
    'somebody who speaks RESP fills it',
  );
  await direct.send('RS.SET', 'fill', 'x', 'LEASE', (lease as Buffer[])[6]);
  t.equal(await memcached.ask('mg fill v N30\r\n'), 'VA 1\r\nx\r\n');
});

t.test('a key that holds a collection', async (t) => {
  const { under, client } = await memcachedStack(t, 2);
  const [memcached, resp] = [client(), under.client()];
  await resp.send('RPUSH', 'list', 'a');
  await resp.send('SET', 'string', 'a');
  const refused = 'SERVER_ERROR the key holds a Redis collection\r\n';
  for (const input of [
    'get list\r\n',
    'gets list\r\n',
    'get string list\r\n',
    'gat 10 list\r\n',
    'append list 0 0 1\r\nx\r\n',
    'prepend list 0 0 1\r\nx\r\n',
    'incr list 1\r\n',
    'touch list 10\r\n',
    'mg list v\r\n',
    'ms list 1 MA\r\nx\r\n',
    'ma list\r\n',
    'md list I\r\n',
    'me list\r\n',
  ])
    t.equal(await memcached.ask(input), refused, JSON.stringify(input));
  t.same(await resp.send('LRANGE', 'list', 0, -1), [Buffer.from('a')], 'it is as it was');
  t.equal(await memcached.ask('add list 0 0 1\r\nx\r\n'), 'NOT_STORED\r\n');
  t.equal(
    await memcached.ask('set list 0 0 1\r\nx\r\nget list\r\n'),
    'STORED\r\nVALUE list 0 1\r\nx\r\nEND\r\n',
  );
});

t.test('users', async (t) => {
  const { under, client } = await memcachedStack(t, 1);
  const resp = under.client();
  await resp.send('ACL', 'SETUSER', 'reader', 'on', '>pw', '~pub:*', '+get', '+mget');
  await resp.send('ACL', 'SETUSER', 'default', '>secret');
  const memcached = client();
  const say = async (text: string, expected: string) => {
    const seen = memcached.text.length;
    memcached.socket.write(text);
    while (memcached.text.length < seen + expected.length)
      await new Promise((resolve) => setImmediate(resolve));
    t.equal(memcached.text.slice(seen), expected, JSON.stringify(text));
  };
  await say('get a\r\n', 'CLIENT_ERROR unauthenticated\r\n');
  await say('set auth 0 0 9\r\nreader pw\r\n', 'STORED\r\n');
  await say('get pub:a\r\n', 'END\r\n');
  await say('mg pub:a v\r\n', 'EN\r\n');
  await say('get pub:a other\r\n', 'CLIENT_ERROR the user reader may not use this key\r\n');
  await say('mg b3RoZXI= b v\r\n', 'CLIENT_ERROR the user reader may not use this key\r\n');
  await say('set pub:a 0 0 1\r\nx\r\n', 'CLIENT_ERROR the user reader may not run set\r\n');
  await say(
    `set pub:a 0 0 200000\r\n${'x'.repeat(200_000)}\r\n`,
    'CLIENT_ERROR the user reader may not run set\r\n',
  );
  await say('flush_all\r\n', 'CLIENT_ERROR the user reader may not run flush_all\r\n');
  await say('version\r\n', 'VERSION 1.6.18\r\n');
  const gone = once(memcached.socket, 'close');
  t.equal(await resp.send('ACL', 'DELUSER', 'reader'), 1);
  await gone;
});

t.test('shards that are Redis', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const { proxy } = await proxyWith(t, {
    upstreams: [{ name: 's0', leader: redis.address, followers: [] }],
    engine: 'redis',
    memcachedPort: 'auto',
  });
  const client = new MemcachedClient(t, proxy.listeners.memcached);
  const without = (what: string) => `SERVER_ERROR ${what}: not supported by engine redis\r\n`;
  for (const [input, answer] of [
    ['set a 0 0 3\r\nabc\r\n', 'STORED\r\n'],
    ['set a 0 100 3\r\nabd\r\n', 'STORED\r\n'],
    ['get a b\r\n', 'VALUE a 0 3\r\nabd\r\nEND\r\n'],
    ['add a 0 0 1\r\nx\r\n', 'NOT_STORED\r\n'],
    ['add b 0 0 1\r\nx\r\n', 'STORED\r\n'],
    ['replace c 0 0 1\r\nx\r\n', 'NOT_STORED\r\n'],
    ['replace b 0 10 1\r\ny\r\n', 'STORED\r\n'],
    [
      'touch b 100\r\ntouch c 100\r\ntouch b 0\r\ntouch c 0\r\n',
      'TOUCHED\r\nNOT_FOUND\r\nTOUCHED\r\nNOT_FOUND\r\n',
    ],
    ['gat 10 b\r\ngat 0 b\r\ngat -1 b\r\nget b\r\n', `${'VALUE b 0 1\r\ny\r\nEND\r\n'.repeat(3)}END\r\n`],
    [
      'mg a v s k O1\r\nmg c v\r\nms d 1\r\nz\r\nmd d\r\nmd d\r\n',
      'VA 3 s3 ka O1\r\nabd\r\nEN\r\nHD\r\nHD\r\nNF\r\n',
    ],
    ['set a 5 0 1\r\nx\r\n', without('flags other than 0')],
    ['gets a\r\n', without('cas')],
    ['gats 5 a\r\n', without('cas')],
    ['cas a 0 0 1 5\r\nx\r\n', without('cas')],
    ['mg a c\r\n', without('cas')],
    ['mg a N30\r\n', without('leases')],
    ['md a I\r\n', without('soft times to live')],
    ['append a 0 0 1\r\nx\r\n', without('append and prepend')],
    ['incr a 1\r\n', without("memcached's arithmetic")],
    ['delete a\r\nflush_all\r\nget a\r\n', 'DELETED\r\nOK\r\nEND\r\n'],
  ])
    t.equal(await client.ask(input), answer, JSON.stringify(input.slice(0, 40)));
});

t.test('a node that says nothing', async (t) => {
  const { client, node } = await memcachedStack(t, 1, { operationTimeoutMs: 2500, readTimeoutMs: 500 });
  const memcached = client();
  await memcached.ask('set a 0 0 1\r\nx\r\n');
  await node(0).send('CLIENT', 'PAUSE', '15000', 'ALL');
  t.equal(await memcached.ask('set a 0 0 1\r\ny\r\n'), 'SERVER_ERROR unknown outcome\r\n');
  t.match(await memcached.ask('get a\r\n'), /^SERVER_ERROR .*within 2500 ms/);
});
