import net from 'node:net';
import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { Ring } from '../../lib/ring/index.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { until } from '../support/until.ts';

/* What a client sees of a healthy proxy over three shards: order, merging, local commands, limits. */

const ring = Ring.of(['s0', 's1', 's2'].map((name) => ({ name, weight: 1 })));
const shardOf = (key: string) => ring.shardOf(Buffer.from(key), 0, Buffer.byteLength(key));
/** Keys on the given shard. */
function* keysOn(shard: number) {
  for (let i = 0; ; i++) if (shardOf(`key:${i}`) === shard) yield `key:${i}`;
}
const keyOn = (shard: number, nth = 0): string => {
  const keys = keysOn(shard);
  for (let i = 0; i < nth; i++) keys.next();
  return keys.next().value!;
};

const listOf = (reply: unknown) => reply as unknown[];

async function threeShards(t: Parameters<typeof proxyWith>[0], options: object = {}) {
  const nodes = await fakeNodes(t, 3);
  const proxy = await proxyWith(t, {
    upstreams: upstreamsOf(nodes.map((leader) => ({ leader }))),
    ...options,
  });
  return { nodes, ...proxy };
}

/** Sends bytes on a connection of its own; everything received until it ends, or until `until` is contained. */
function raw(address: string, bytes: Buffer | string, { until = '', half = false } = {}): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    let received = '';
    const socket = net.connect(Number(port), host, () => {
      socket.write(bytes);
      if (half) socket.end();
    });
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      received += text;
      if (until !== '' && received.includes(until)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
  });
}

t.test('each key lives on the shard that the ring names', async (t) => {
  const { nodes, client } = await threeShards(t);
  const c = client();
  await Promise.all(Array.from({ length: 60 }, (_, i) => c.text('SET', `key:${i}`, `v${i}`)));
  for (let i = 0; i < 60; i++) t.equal(nodes[shardOf(`key:${i}`)].store.get(`key:${i}`)?.toString(), `v${i}`);
  await c.text('SET', '{user}.a', '1');
  await c.text('SET', '{user}.b', '2');
  t.ok(
    nodes[shardOf('user')].store.has('{user}.a') && nodes[shardOf('user')].store.has('{user}.b'),
    'hash tags',
  );
});

t.test('replies come in the order of the commands, whichever shard answers first', async (t) => {
  const { nodes, client } = await threeShards(t);
  const slow = keyOn(0);
  const [fast, other] = [keyOn(1), keyOn(2)];
  nodes[1].store.set(fast, Buffer.from('fast'));
  nodes[2].store.set(other, Buffer.from('other'));
  let release = () => {};
  const c = client();
  nodes[0].refuse = ({ name }) => {
    if (name !== 'GET') return undefined;
    release = () => nodes[0].say('$4\r\nslow\r\n');
    return 'silent';
  };
  const order: string[] = [];
  const ask = (...parts: string[]) => c.text(...parts).then((text) => order.push(String(text)));
  const all = [ask('GET', slow), ask('GET', fast), ask('PING'), ask('MGET', fast, other), ask('GET', other)];
  await until('the others were asked', () => nodes[2].names.length >= 2 && nodes[0].names.includes('GET'));
  t.strictSame(order, [], 'nobody overtakes the first');
  release();
  await Promise.all(all);
  t.strictSame(order, ['slow', 'fast', 'PONG', 'fast,other', 'other']);
});

t.test('multi-key commands: whole on one shard, split over several', async (t) => {
  const { nodes, client } = await threeShards(t);
  const c = client();
  const keys = Array.from({ length: 30 }, (_, i) => `key:${i}`);
  t.equal(await c.text('MSET', ...keys.flatMap((key, i) => [key, `v${i}`])), 'OK');
  t.strictSame(
    listOf(await c.send('MGET', ...keys, 'missing', keys[3])).map(String),
    [...keys.map((_, i) => `v${i}`), 'null', 'v3'],
    'values in the order of the keys, misses and repeats too',
  );
  t.equal(await c.send('EXISTS', ...keys, 'missing'), 30);
  t.equal(await c.send('DEL', ...keys.slice(0, 10), 'missing'), 10);
  t.equal(await c.send('DBSIZE'), 20);
  nodes[1].received.length = 0;
  const own = [keyOn(1), keyOn(1, 1), keyOn(1, 2)];
  await c.send('MGET', ...own);
  t.strictSame(
    nodes[1].received,
    [{ name: 'MGET', args: own, connection: nodes[1].received[0]?.connection }],
    'forwarded whole',
  );
  t.match(await c.send('MSET', 'a', '1', 'b'), {
    message: "ERR wrong number of arguments for 'mset' command",
  });
  t.match(await c.send('MSETNX', keyOn(0), '1', keyOn(1), '2'), { message: /^CROSSSLOT / });
});

t.test('commands over all shards', async (t) => {
  const { nodes, client } = await threeShards(t);
  const c = client();
  t.equal(await c.send('RANDOMKEY'), null, 'nothing anywhere');
  await c.send('SET', keyOn(2), 'x');
  t.equal(await c.text('RANDOMKEY'), keyOn(2), 'asks on until a shard has a key');
  const keys = Array.from({ length: 50 }, (_, i) => `key:${i}`);
  await c.send('MSET', ...keys.flatMap((key) => [key, 'v']));
  const all = [...new Set([...keys, keyOn(2)])].sort();
  t.equal(await c.send('DBSIZE'), all.length);
  t.strictSame(
    listOf(await c.send('KEYS', '*'))
      .map(String)
      .sort(),
    all,
  );
  const scanned: string[] = [];
  let cursor = '0';
  do {
    const [next, found] = listOf(await c.send('SCAN', cursor, 'COUNT', '10'));
    scanned.push(...listOf(found).map(String));
    cursor = String(next);
  } while (cursor !== '0');
  t.strictSame(scanned.sort(), all, 'a scan goes through every shard');
  t.match(await c.send('SCAN', 'x'), { message: 'ERR invalid cursor' });
  t.match(await c.send('SCAN', '99999999999999999999'), { message: 'ERR invalid cursor' });
  nodes[1].refuse = ({ name }) => (name === 'FLUSHALL' ? '-OOM x\r\n' : undefined);
  t.match(await c.send('FLUSHALL'), { message: 'OOM FLUSHALL failed on 1 of 3 shards: shard s1: OOM x' });
  t.equal(nodes[0].store.size, 0);
  t.ok(nodes[1].store.size > 0);
  for (const node of nodes) node.refuse = () => '-ERR syntax error\r\n';
  t.match(
    await c.send('FLUSHDB', 'x'),
    { message: /^ERR syntax error$/ },
    'said once when all shards say so',
  );
  nodes[0].refuse = () => undefined;
  t.match(await c.send('FLUSHDB', 'x'), { message: /^ERR FLUSHDB failed on 2 of 3 shards: shard s1: / });
});

t.test('a part that fails is named', async (t) => {
  const { nodes, client } = await threeShards(t);
  const c = client();
  nodes[1].refuse = () => '-OOM no room\r\n';
  const keys = [keyOn(0), keyOn(1), keyOn(2), keyOn(1, 1)];
  await c.send('SET', keys[0], 'x');
  const mget = String(await c.send('MGET', ...keys));
  t.match(mget, /OOM MGET failed for 2 of 4 keys: shard s1 \(keys 2, 4\): OOM no room/);
  const del = String(await c.send('DEL', ...keys));
  t.match(
    del,
    /OOM DEL failed for 2 of 4 keys: shard s1 \(keys 2, 4\): OOM no room; done for the other 2 keys, with the result 1/,
  );
  const mset = String(await c.send('MSET', ...keys.flatMap((key) => [key, 'v'])));
  t.match(mset, /shard s1 \(keys 2, 4\).*the other 2 keys were written/);
});

t.test('commands answered by the proxy, in Redis words', async (t) => {
  const { nodes, client, resp } = await threeShards(t);
  for (const node of nodes) node.refuse = ({ name }) => (name === 'CONFIG' ? '*0\r\n' : undefined);
  const c = client();
  t.equal(await c.text('PING'), 'PONG');
  t.equal(await c.text('ping', 'hello'), 'hello');
  t.equal(await c.text('ECHO', 'x'), 'x');
  t.equal(await c.text('SELECT', '0'), 'OK');
  t.match(await c.send('SELECT', '16'), { message: 'ERR DB index is out of range' });
  t.match(await c.send('SELECT', 'x'), { message: 'ERR value is not an integer or out of range' });
  t.match(await c.send('GET'), { message: "ERR wrong number of arguments for 'get' command" });
  t.match(await c.send('FOO', 'bar', 'b'), {
    message: "ERR unknown command 'FOO', with args beginning with: 'bar' 'b' ",
  });
  for (const ofNode of ['RS.EPOCH', 'REPLCONF', 'SHUTDOWN']) {
    t.match(await c.send(ofNode, 'x'), { message: /^ERR unknown command/ }, ofNode);
  }
  t.equal(await c.text('CLIENT', 'SETNAME', 'me'), 'OK');
  t.equal(await c.text('CLIENT', 'GETNAME'), 'me');
  t.match(await c.text('CLIENT', 'INFO'), /^id=\d+ addr=.* name=me .*resp=2/);
  t.match(await c.text('CLIENT', 'LIST'), /name=me/);
  t.match(await c.send('CLIENT', 'NOPE'), { message: /^ERR unknown subcommand 'NOPE'/ });
  t.match(await c.text('INFO'), /redis_version:7\.0\.15\r\nringside_version:/);
  t.match(await c.text('INFO', 'replication'), /role:master/);
  t.strictSame(
    listOf(await c.send('CONFIG', 'GET', 'max*'))
      .map(String)
      .includes('maxmemory'),
    true,
  );
  t.ok(Number(await c.send('COMMAND', 'COUNT')) > 40);
  t.equal(listOf(await c.send('TIME')).length, 2);
  t.equal(await c.text('RESET'), 'RESET');
  t.equal(await c.text('CLIENT', 'GETNAME'), null);
  const quit = await raw(resp, encodeCommand('QUIT'));
  t.equal(quit, '+OK\r\n', 'and the connection is closed');
});

t.test('RESP3: null and map, and back', async (t) => {
  const { resp } = await threeShards(t);
  const hello = Buffer.concat([
    encodeCommand('GET', keyOn(0)),
    encodeCommand('HELLO', '3'),
    encodeCommand('GET', keyOn(0)),
    encodeCommand('MGET', keyOn(0), keyOn(1)),
    encodeCommand('HELLO', '2', 'SETNAME', 'x'),
    encodeCommand('GET', keyOn(0)),
  ]);
  const text = await raw(resp, hello, { half: true });
  t.match(text, /^\$-1\r\n%7\r\n/);
  t.match(text, /\r\n_\r\n\*2\r\n_\r\n_\r\n\*14\r\n/);
  t.match(text, /\$-1\r\n$/);
  t.match(
    await raw(resp, encodeCommand('HELLO', '4'), { half: true }),
    /^-NOPROTO unsupported protocol version/,
  );
});

t.test('requirePass', async (t) => {
  const { client, resp } = await threeShards(t, { requirePass: 'secret' });
  const c = client();
  t.match(await c.send('GET', 'a'), { message: 'NOAUTH Authentication required.' });
  t.match(await c.send('AUTH', 'wrong'), { message: /^WRONGPASS/ });
  t.match(await c.send('HELLO', '3'), { message: /^NOAUTH HELLO must be called/ });
  t.equal(await c.text('AUTH', 'default', 'secret'), 'OK');
  t.equal(await c.text('SET', 'a', '1'), 'OK');
  const hello = await raw(resp, encodeCommand('HELLO', '3', 'AUTH', 'default', 'secret'), { half: true });
  t.match(hello, /^%7/);
});

t.test('large and binary values, inline commands, half-closed clients', async (t) => {
  const { client, resp } = await threeShards(t);
  const c = client();
  const big = Buffer.alloc(1 << 20, '\r\n$5\0x');
  const keys = Array.from({ length: 12 }, (_, i) => `big:${i}`);
  await Promise.all(keys.map((key) => c.send('SET', key, big)));
  const back = await Promise.all(keys.map((key) => c.send('GET', key)));
  t.ok(back.every((value) => Buffer.compare(Buffer.from(value as Buffer), big) === 0));
  const all = (await c.send('MGET', ...keys)) as Buffer[];
  t.ok(all.every((value) => Buffer.compare(value, big) === 0));
  t.equal(await raw(resp, 'SET inline "a b"\r\nget inline\r\n', { half: true }), '+OK\r\n$3\r\na b\r\n');
});

t.test('a pipeline in pieces: any split, any mix of shards', async (t) => {
  const { resp } = await threeShards(t);
  const random = seededRandom(Number(process.env.SEED ?? 7));
  const commands: Buffer[] = [];
  let expected = '';
  for (let i = 0; i < 300; i++) {
    const key = `key:${random.int(40)}`;
    const value = `${i}`.repeat(1 + random.int(20));
    commands.push(encodeCommand('SET', key, value), encodeCommand('GET', key));
    expected += `+OK\r\n$${value.length}\r\n${value}\r\n`;
    if (i % 7 === 0) {
      commands.push(Buffer.from('PING\r\n'));
      expected += '+PONG\r\n';
    }
  }
  const bytes = Buffer.concat(commands);
  const [host, port] = resp.split(':');
  const socket = net.connect(Number(port), host);
  socket.setNoDelay(true);
  let received = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
  });
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + 1 + random.int(400));
    socket.write(bytes.subarray(at, next));
    at = next;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until('all replies are in', () => received.length >= expected.length);
  t.equal(received, expected);
  socket.destroy();
});

t.test('bad input ends its own connection, with Redis words, and nobody else notices', async (t) => {
  const { client, resp } = await threeShards(t, { limits: { maxBulkBytes: '1kb' } });
  const c = client();
  await c.text('SET', 'a', '1');
  const cases: [string, RegExp][] = [
    ['*1\r\n$4\r\nPING\r\n*x\r\n', /^\+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n$/],
    ['*2\r\n$3\r\nGET\r\n+a\r\n', /^-ERR Protocol error: expected '\$', got '\+'\r\n$/],
    ['*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2000\r\n', /^-ERR Protocol error: invalid bulk length\r\n$/],
    ['GET "a\r\n', /^-ERR Protocol error: unbalanced quotes in request\r\n$/],
    [`${'x'.repeat(70_000)}`, /^-ERR Protocol error: too big inline request\r\n$/],
  ];
  for (const [bytes, reply] of cases)
    t.match(await raw(resp, bytes, { half: true }), reply, bytes.slice(0, 30));
  t.equal(
    await raw(resp, '*2\r\n$3\r\nGET\r\n$100\r\nabc', { half: true }),
    '',
    'a truncated command is dropped',
  );
  t.equal(await c.text('GET', 'a'), '1');
});

t.test('limits: connections, commands in flight, a client that does not read', async (t) => {
  const { nodes, client, resp, log } = await threeShards(t, {
    limits: {
      maxConnections: 3,
      maxInFlightPerShard: 5,
      maxBufferedBytesPerConnection: '1mb',
      maxBulkBytes: '512kb',
    },
  });
  const c = client();
  t.equal(await c.text('PING'), 'PONG');
  const others = [client(), client()];
  await Promise.all(others.map((other) => other.text('PING')));
  t.equal(
    await raw(resp, 'PING\r\n'),
    '-OVERLOADED max number of clients reached (setting proxy.limits.maxConnections)\r\n',
  );
  for (const other of others) other.close();

  nodes[0].refuse = () => 'silent';
  const key = keyOn(0);
  const replies = Promise.all(Array.from({ length: 8 }, () => c.send('SET', key, 'x')));
  const texts = (await replies).map(String);
  t.equal(texts.filter((text) => /OVERLOADED .*proxy\.limits\.maxInFlightPerShard/.test(text)).length, 3);
  t.equal(texts.filter((text) => /UNKNOWN write outcome unknown/.test(text)).length, 5);

  const greedyKey = keyOn(1);
  nodes[1].store.set(greedyKey, Buffer.alloc(400 * 1024));
  const [host, port] = resp.split(':');
  await until('a place is free', async () => (await raw(resp, 'PING\r\n', { half: true })) === '+PONG\r\n');
  const greedy = net.connect(Number(port), host);
  t.teardown(() => greedy.destroy());
  let isClosed = false;
  greedy
    .on('error', () => {})
    .on('close', () => {
      isClosed = true;
    });
  greedy.write(Buffer.concat(Array.from({ length: 200 }, () => encodeCommand('GET', greedyKey))));
  await until('it is closed', () => {
    // Not read until the proxy gave up.
    if (log.some(({ msg }) => /does not read its replies/.test(msg))) greedy.resume();
    return isClosed;
  });
  t.ok(log.some(({ setting }) => setting === 'proxy.limits.maxBufferedBytesPerConnection'));
  t.equal(await c.text('GET', keyOn(2)), null, 'others go on');
});
