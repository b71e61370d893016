import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { folder, nodeWith } from '../support/folder.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { runRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';
import type { Command } from './differential/base.ts';
import { flatten } from './differential/same.ts';

/* RDB files: a real redis-server's load in the node and the node's in redis-server, key by key equal; and what happens when writing goes wrong. */

const random = seededRandom(Number(process.env.SEED ?? 20261121));
const FILE = 'dump.rdb';
const DATABASES = 16;
const FAR = String(Date.UTC(2099, 0));
const hasCheck = spawnSync('redis-check-rdb', ['--version']).status === 0;
const hasLimits = spawnSync('prlimit', ['--version']).status === 0;

const many = (count: number, make: (i: number) => string[]) =>
  Array.from({ length: count }, (_, i) => make(i)).flat();

/** Values of every type, small and big, in every encoding. */
const values: readonly Command[] = [
  ['SET', 'number', '-129'],
  ['SET', 'byte', '7'],
  ['SET', 'short', '30000'],
  ['SET', 'wide', '9223372036854775807'],
  ['SET', 'text', 'some text'],
  ['SET', 'empty', ''],
  ['SET', 'binary', Buffer.from([0, 255, 13, 10])],
  ['SET', 'compressible', 'abcdefgh'.repeat(20_000)],
  ['SET', 'key\r\nwith odd bytes \x00', 'value'],
  ['SET', 'k'.repeat(400), 'of a long key'],
  ['SET', 'until', 'then', 'PXAT', FAR],
  ['RPUSH', 'list', ...many(50, (i) => [String(i * 1000), `element ${i}`])],
  ['RPUSH', 'long-list', ...many(3000, (i) => [`${i}`.repeat(1 + (i % 40))])],
  ['RPUSH', 'big-elements', 'x'.repeat(20_000), 'y'.repeat(2_000_000), 'z'],
  ['SADD', 'integers', ...many(500, (i) => [String(i - 250)])],
  ['SADD', 'wide-integers', '1', '9223372036854775807', '-9223372036854775808'],
  ['SADD', 'set', ...many(600, (i) => [`member ${i}`, String(i)])],
  ['ZADD', 'zset', '1', 'a', '-inf', 'b', 'inf', 'c', '0.1', 'd', '1e100', 'f', '3', '7'],
  ['ZADD', 'long-zset', ...many(1000, (i) => [String(i / 7), `member ${i}`])],
  ['HSET', 'hash', ...many(20, (i) => [`field ${i}`, String(i ** 5)])],
  ['HSET', 'long-hash', ...many(700, (i) => [`field ${i}`, 'v'.repeat(i % 90)])],
  ['PEXPIREAT', 'long-hash', FAR],
  ['PFADD', 'sketch', ...many(2000, (i) => [String(i)])],
];

/** How to read a whole value, by its type. */
const READS: Readonly<Record<string, readonly string[]>> = {
  string: ['GET'],
  list: ['LRANGE', '0', '-1'],
  set: ['SMEMBERS'],
  hash: ['HGETALL'],
  zset: ['ZRANGE', '0', '-1', 'WITHSCORES'],
};

function pairsOf(flat: readonly string[]): string[] {
  return flat.flatMap((text, i) => (i % 2 === 0 ? [`${text}\n${flat[i + 1]}`] : []));
}

/** Type, encoding, expiry and content of a value, the same whichever way it was made. */
async function content(client: RespClient, key: Buffer): Promise<string> {
  const type = (await client.text('TYPE', key))!;
  const [name, ...rest] = READS[type];
  const found = flatten(await client.send(name, key, ...rest));
  const ordered = type === 'set' ? found.sort() : type === 'hash' ? pairsOf(found).sort() : found;
  const encoding = await client.text('OBJECT', 'ENCODING', key);
  return [type, encoding, await client.text('PEXPIRETIME', key), ...ordered].join('\n');
}

async function everything(client: RespClient): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (let database = 0; database < DATABASES; database++) {
    await client.send('SELECT', String(database));
    const keys = (await client.send('KEYS', '*')) as Buffer[];
    for (const key of keys) all.set(`${database}:${key.toString('hex')}`, await content(client, key));
  }
  await client.send('SELECT', '0');
  return all;
}

async function fill(client: RespClient): Promise<void> {
  for (const command of values) await client.send(...command);
  for (let database = 1; database < DATABASES; database++) {
    await client.send('SELECT', String(database));
    for (let i = random.int(20); i >= 0; i--) await client.send('SET', `key:${i}`, String(random.int(1000)));
  }
  await client.send('SELECT', '0');
}

async function redisWith(t: Test, dir: string, ...args: string[]): Promise<RespClient> {
  const redis = await startRedis(['--dir', dir, '--dbfilename', FILE, ...args]);
  t.teardown(() => redis.stop());
  const client = new RespClient(redis.address);
  t.teardown(() => client.close());
  return client;
}

/** Only what differs, so that a failure can be read. */
function differences(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => `${key}: ${a.get(key)?.slice(0, 200)} / ${b.get(key)?.slice(0, 200)}`);
}

t.test('redis-server loads what the node writes', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  for (const compression of ['yes', 'no']) {
    const dir = folder(t, 'rdb');
    const [node, ours] = await nodeWith(t, dir);
    await fill(ours);
    t.equal(await ours.text('CONFIG', 'SET', 'rdbcompression', compression), 'OK');
    t.equal(await ours.text('SAVE'), 'OK');
    if (hasCheck) {
      const check = spawnSync('redis-check-rdb', [join(dir, FILE)], { encoding: 'utf8' });
      t.equal(check.status, 0, 'redis-check-rdb finds nothing');
      t.match(check.stdout, /RDB looks OK/);
    }
    const theirs = await redisWith(t, dir);
    const [a, b] = [await everything(ours), await everything(theirs)];
    t.ok(a.size > values.length, `${a.size} keys`);
    t.same(differences(a, b), [], `the same, compression ${compression}`);
    await node.stop();
    const [, again] = await nodeWith(t, dir);
    t.same(differences(a, await everything(again)), [], 'and the node itself loads it');
  }
});

t.test('the node loads what redis-server writes', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const styles = [
    ['--rdbcompression', 'yes'],
    ['--rdbcompression', 'no', '--rdbchecksum', 'no'],
    ['--hash-max-listpack-entries', '0', '--zset-max-listpack-entries', '0', '--set-max-intset-entries', '0'],
    ['--list-max-listpack-size', '1', '--hash-max-listpack-entries', '5000', '--list-compress-depth', '1'],
    ['--maxmemory-policy', 'allkeys-lfu', '--maxmemory', '1gb'],
    ['--maxmemory-policy', 'allkeys-lru', '--maxmemory', '1gb'],
  ];
  for (const style of styles) {
    const dir = folder(t, 'rdb');
    const theirs = await redisWith(t, dir, ...style);
    await fill(theirs);
    t.equal(await theirs.text('SAVE'), 'OK');
    const [, ours] = await nodeWith(t, dir);
    const [a, b] = [await everything(theirs), await everything(ours)];
    // Where the limits differ, the encodings do.
    const plain = (all: Map<string, string>) =>
      style[0].includes('listpack')
        ? new Map([...all].map(([key, text]) => [key, text.replace(/\n[a-z]+\n/, '\n')]))
        : all;
    t.same(differences(plain(a), plain(b)), [], style.join(' '));
  }
});

t.test('what no node holds stops the start', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const dir = folder(t, 'rdb');
  const theirs = await redisWith(t, dir);
  await theirs.send('XADD', 'stream', '*', 'f', 'v');
  await theirs.send('SAVE');
  const { code, stderr } = await runRingside(['node', '--standalone', '--port', 'auto', '--dir', dir]);
  t.equal(code, 1);
  t.match(stderr, /key "stream" is of type stream, which this node does not hold/);
});

t.test('a damaged file stops the start, and stays as it is', async (t) => {
  const dir = folder(t, 'rdb');
  const path = join(dir, FILE);
  const [node, client] = await nodeWith(t, dir);
  await fill(client);
  await client.send('SAVE');
  await node.stop();
  const whole = readFileSync(path);
  const start = () => runRingside(['node', '--standalone', '--port', 'auto', '--dir', dir, '--save', '1 1']);
  for (let i = 0; i < 3; i++) {
    const bytes = Buffer.from(whole);
    bytes[100 + random.int(bytes.length - 100)] ^= 1 << random.int(8);
    writeFileSync(path, bytes);
    const { code, stderr } = await start();
    t.equal(code, 1);
    t.match(stderr, /dump\.rdb is damaged at offset \d+: .*redis-check-rdb/);
    t.ok(readFileSync(path).equals(bytes), 'nothing has been written over it');
  }
  writeFileSync(path, whole.subarray(0, whole.length >> 1));
  t.match((await start()).stderr, /the file is cut off/);
});

t.test('SIGKILL while a snapshot is written leaves the former one', async (t) => {
  const dir = folder(t, 'rdb');
  const path = join(dir, FILE);
  const [node, client] = await nodeWith(t, dir);
  await client.send('DEBUG', 'POPULATE', '20000', 'former', '100');
  await client.send('SAVE');
  const former = readFileSync(path);
  await client.send('DEBUG', 'POPULATE', '200000', 'later', '100');
  t.equal(await client.text('BGSAVE'), 'Background saving started');
  t.match(String(await client.send('BGSAVE')), /ERR Background save already in progress/);
  const parts = () => readdirSync(dir).filter((name) => name.startsWith('.dump.rdb.tmp-'));
  await until('some of the file is there', () => parts().length > 0);
  node.kill('SIGKILL');
  await node.ended;
  t.equal(parts().length, 1, 'it was not done');
  t.ok(readFileSync(path).equals(former), 'the former file is there');
  const [, again] = await nodeWith(t, dir);
  t.equal(await again.send('DBSIZE'), 20_000);
  t.same(parts(), [], 'what was left over is gone');
});

t.test('save points, MISCONF on a full disk, and how that ends', { skip: !hasLimits }, async (t) => {
  const dir = folder(t, 'rdb');
  const [node, client] = await nodeWith(t, dir, '--save', '1 5');
  t.equal(await client.text('CONFIG', 'GET', 'save'), 'save,1 5');
  const limit = (bytes: string) => spawnSync('prlimit', [`--fsize=${bytes}:`, '--pid', String(node.pid)]);
  for (let i = 0; i < 5; i++) await client.send('SET', `key:${i}`, 'v');
  await until('the save point has come', () => existsSync(join(dir, FILE)));
  limit('10000');
  await client.send('DEBUG', 'POPULATE', '1000', 'key', '100');
  await until('a save has failed', async () =>
    (await client.text('INFO', 'persistence'))!.includes('rdb_last_bgsave_status:err'),
  );
  t.match(String(await client.send('SET', 'k', 'v')), /MISCONF Redis is configured to save RDB snapshots/);
  t.equal(await client.text('GET', 'key:1'), 'v', 'reads go on');
  t.equal(await client.text('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no'), 'OK');
  t.equal(await client.text('SET', 'k', 'v'), 'OK');
  await client.send('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'yes');
  limit('unlimited');
  t.equal(await client.text('SAVE'), 'OK');
  t.equal(await client.text('SET', 'k', 'v2'), 'OK', 'a save that succeeds ends it');
  await client.send('CONFIG', 'SET', 'save', '3600 1');
  await client.send('SHUTDOWN').catch(() => null);
  t.equal(await node.ended, 'code 0');
  const [, again] = await nodeWith(t, dir);
  t.equal(await again.text('GET', 'k'), 'v2', 'SHUTDOWN has saved');
});
