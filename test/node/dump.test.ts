import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { Crc64 } from '../../lib/codec/rdb/index.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { type Command, pick } from './differential/base.ts';
import { flatten } from './differential/same.ts';

/* DUMP and RESTORE beside redis-server, payloads that are broken, and what DEBUG offers to tests. */

const seed = Number(process.env.SEED ?? 20261121);
const FUZZED = process.env.RINGSIDE_LONG ? 50_000 : 1500;

const many = (count: number, make: (i: number) => string[]) =>
  Array.from({ length: count }, (_, i) => make(i)).flat();

/** Values of every type and encoding. */
const values: readonly Command[] = [
  ['SET', 'number', '-129'],
  ['SET', 'wide', '9223372036854775807'],
  ['SET', 'text', 'some text'],
  ['SET', 'empty', ''],
  ['SET', 'binary', Buffer.from([0, 255, 13, 10])],
  ['SET', 'compressible', 'abcdefgh'.repeat(20_000)],
  ['RPUSH', 'list', ...many(50, (i) => [String(i * 1000), `element ${i}`])],
  ['RPUSH', 'long-list', ...many(3000, (i) => [`${i}`.repeat(1 + (i % 40))])],
  ['RPUSH', 'big-elements', 'x'.repeat(20_000), 'y'.repeat(2_000_000), 'z'],
  ['SADD', 'integers', ...many(500, (i) => [String(i - 250)])],
  ['SADD', 'wide-integers', '1', '9223372036854775807', '-9223372036854775808'],
  ['SADD', 'set', ...many(600, (i) => [`member ${i}`, String(i)])],
  ['ZADD', 'zset', '1', 'a', '-inf', 'b', 'inf', 'c', '0.1', 'd', '-0', 'e', '1e100', 'f', '3', '7'],
  ['ZADD', 'long-zset', ...many(1000, (i) => [String(i / 7), `member ${i}`])],
  ['HSET', 'hash', ...many(20, (i) => [`field ${i}`, String(i ** 5)])],
  ['HSET', 'long-hash', ...many(700, (i) => [`field ${i}`, 'v'.repeat(i % 90)])],
];

/** How to read a whole value, by its type. */
const READS: Readonly<Record<string, readonly string[]>> = {
  string: ['GET'],
  list: ['LRANGE', '0', '-1'],
  set: ['SMEMBERS'],
  hash: ['HGETALL'],
  zset: ['ZRANGE', '0', '-1', 'WITHSCORES'],
};

/** Type, encoding and content of a value, the same whichever way it was made. */
async function content(client: RespClient, key: string): Promise<string[]> {
  const type = (await client.text('TYPE', key))!;
  const [name, ...rest] = READS[type];
  const found = flatten(await client.send(name, key, ...rest));
  const encoding = await client.text('OBJECT', 'ENCODING', key);
  const isOrdered = type !== 'set' && type !== 'hash';
  return [type, encoding!, ...(isOrdered ? found : found.sort())];
}

t.test('what one dumps the other restores', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const redis = await startRedis();
  const node = await startStandaloneNode(t);
  const [theirs, ours] = [redis.address, node.ready.resp].map((address) => new RespClient(address));
  t.teardown(async () => {
    theirs.close();
    ours.close();
    await redis.stop();
  });
  for (const command of values) {
    const key = String(command[1]);
    for (const client of [theirs, ours]) await client.send(...command);
    const wanted = await content(theirs, key);
    t.same(await content(ours, key), wanted, `${key} as it was set`);
    const dumps = [await ours.send('DUMP', key), await theirs.send('DUMP', key)] as Buffer[];
    for (const [i, dump] of dumps.entries()) {
      const from = i === 0 ? 'our dump' : 'their dump';
      for (const client of [theirs, ours]) {
        t.equal(await client.text('RESTORE', key, '0', dump, 'REPLACE'), 'OK', `${from} of ${key}`);
        t.same(await content(client, key), wanted, `${from} of ${key}: content`);
      }
    }
  }
});

t.test('RESTORE takes over how an entry was used', async (t) => {
  const node = await startStandaloneNode(t);
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  await client.send('SET', 'k', 'v');
  const dump = (await client.send('DUMP', 'k')) as Buffer;
  await client.send('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  await client.send('RESTORE', 'k', '0', dump, 'REPLACE', 'IDLETIME', '1000');
  const idle = Number(await client.send('OBJECT', 'IDLETIME', 'k'));
  t.ok(idle >= 1000 && idle <= 1010, `${idle} s`);
  await client.send('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu');
  t.match((await client.send('OBJECT', 'IDLETIME', 'k')) as Error, {
    message: /^ERR An LFU maxmemory policy is/,
  });
  await client.send('RESTORE', 'k', '0', dump, 'REPLACE', 'FREQ', '100');
  t.equal(await client.send('OBJECT', 'FREQ', 'k'), 100);
});

/** Puts the right checksum behind a payload. */
function seal(payload: Buffer): Buffer {
  const at = payload.length - 8;
  new Crc64().update(payload, 0, at).writeTo(payload, at);
  return payload;
}

function broken(random: Random, payload: Buffer): Buffer {
  const copy = Buffer.from(payload);
  for (let flips = 1 + random.int(3); flips > 0; flips--)
    copy[random.int(copy.length - 10)] = random.int(256);
  return seal(copy);
}

t.test('broken payloads are refused, and leave everything as it was', async (t) => {
  const node = await startStandaloneNode(t);
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  const random = seededRandom(seed);
  const dumps: Buffer[] = [];
  for (const command of values.filter((parts) => parts.length < 1500)) {
    await client.send(...command);
    dumps.push((await client.send('DUMP', String(command[1]))) as Buffer);
  }
  await client.send('FLUSHALL');
  await client.send('SET', 'kept', 'as it was');
  const answers = new Map<string, number>();
  for (let i = 0; i < FUZZED; i++) {
    const answer = await client.send('RESTORE', 'kept', '0', broken(random, pick(random, dumps)), 'REPLACE');
    const text = answer instanceof Error ? answer.message : String(answer);
    answers.set(text, (answers.get(text) ?? 0) + 1);
    if (text === 'OK') await client.send('SET', 'kept', 'as it was');
    else if ((await client.text('GET', 'kept')) !== 'as it was') t.fail('a refused payload changed the key');
  }
  t.same([...answers.keys()].sort(), ['ERR Bad data format', 'OK'], `seed ${seed}`);
  t.equal(await client.send('DBSIZE'), 1, 'nothing half made is left');
});

t.test('DEBUG', async (t) => {
  const node = await startStandaloneNode(t, '--enable-debug-command', 'yes');
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());

  await t.test('RELOAD keeps everything, DIGEST tells', async (t) => {
    t.equal(await client.text('DEBUG', 'DIGEST'), '0'.repeat(40), 'of nothing');
    for (const command of values) await client.send(...command);
    await client.send('EXPIRE', 'hash', '10000');
    await client.send('SELECT', '9');
    await client.send('SET', 'text', 'elsewhere');
    await client.send('SELECT', '0');
    const digest = await client.text('DEBUG', 'DIGEST');
    const expiry = await client.send('PEXPIRETIME', 'hash');
    t.equal(await client.text('DEBUG', 'RELOAD'), 'OK');
    t.equal(await client.text('DEBUG', 'DIGEST'), digest);
    t.equal(await client.send('PEXPIRETIME', 'hash'), expiry);
    const before = await client.send('DEBUG', 'DIGEST-VALUE', 'set', 'nope');
    await client.send('SREM', 'set', '1');
    t.not(await client.text('DEBUG', 'DIGEST'), digest);
    await client.send('SADD', 'set', '1');
    t.equal(await client.text('DEBUG', 'DIGEST'), digest, 'whatever the order');
    t.same(await client.send('DEBUG', 'DIGEST-VALUE', 'set', 'nope'), before);
    await client.send('RPUSH', 'ab', 'a', 'b');
    await client.send('RPUSH', 'ba', 'b', 'a');
    const lists = (await client.send('DEBUG', 'DIGEST-VALUE', 'ab', 'ba')) as unknown[];
    t.not(String(lists[0]), String(lists[1]), 'the order of a list counts');
  });

  await t.test('expired keys stay while SET-ACTIVE-EXPIRE is 0', async (t) => {
    await client.send('FLUSHALL');
    await client.send('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
    await client.send('SET', 'a', 'x', 'PX', '1');
    await client.send('DEBUG', 'SLEEP', '0.3');
    t.equal(await client.send('DBSIZE'), 1, 'not looked at');
    t.equal(await client.send('GET', 'a'), null);
    t.equal(await client.send('DBSIZE'), 0);
    t.equal(await client.text('DEBUG', 'SET-ACTIVE-EXPIRE', '1'), 'OK');
  });

  await t.test('what it does not know', async (t) => {
    const unknown = /^ERR unknown subcommand or wrong number of arguments for/;
    t.match((await client.send('DEBUG', 'NOPE')) as Error, { message: unknown });
    t.match((await client.send('DEBUG', 'SLEEP')) as Error, { message: unknown });
    t.match((await client.send('DEBUG', 'ERROR', 'MINE is this')) as Error, { message: 'MINE is this' });
    t.match(await client.text('DEBUG', 'HELP'), /DIGEST-VALUE <key>/);
    t.equal(await client.text('DEBUG', 'POPULATE', '100', 'p', '10'), 'OK');
    t.equal(await client.text('GET', 'p:99'), 'value:99\0\0');
  });
});

t.test('DEBUG is refused unless it was asked for', async (t) => {
  for (const [setting, isAllowed] of [
    ['no', false],
    ['local', true],
  ] as const) {
    const node = await startStandaloneNode(t, '--enable-debug-command', setting);
    const client = new RespClient(node.ready.resp);
    t.teardown(() => client.close());
    const answer = await client.send('DEBUG', 'DIGEST');
    if (isAllowed) t.notOk(answer instanceof Error, setting);
    else
      t.match(answer as Error, { message: /^ERR DEBUG command not allowed\. If the enable-debug-command/ });
  }
});
