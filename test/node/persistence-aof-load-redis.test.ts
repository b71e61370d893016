import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { anyCommands } from '../support/any-writes.ts';
import { infoField } from '../support/data-set.ts';
import { folder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { contentOf } from '../support/redis-content.ts';
import { freePort, hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, runRingside, startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/*
 * Append-only files that a real redis-server has written: another redis-server and a node load a copy each, and hold the same, key by key.
 * What redis-check-aof says of damaged ones, and what it makes of them, fits what the node says and loads.
 */

const seed = Number(process.env.SEED ?? 20261121);
const WRITES = process.env.RINGSIDE_LONG ? 20_000 : 1200;
const BATCH = 40;
const NAME = 'appendonly.aof';
const AOF = ['--appendonly', 'yes'];
const random = seededRandom(seed);
const hasCheck = spawnSync('redis-check-aof', ['--version']).error === undefined;
const skip = hasRedisServer && hasCheck ? false : NO_REDIS;

const pathIn = (dir: string, name: string) => join(dir, 'appendonlydir', name);
const manifestOf = (dir: string) => pathIn(dir, `${NAME}.manifest`);
const incrOf = (dir: string, seq: number) => pathIn(dir, `${NAME}.${seq}.incr.aof`);

function copyOf(t: Test, dir: string): string {
  const copy = folder(t, 'aof-load');
  cpSync(dir, copy, { recursive: true });
  return copy;
}

async function redisAt(t: Test, dir: string, ...args: string[]) {
  const server = await startRedis(['--dir', dir, ...AOF, ...args]);
  t.teardown(() => server.stop());
  const client = new RespClient(server.address);
  t.teardown(() => client.close());
  await until('redis-server has loaded', async () => (await client.text('PING')) === 'PONG');
  return { server, client };
}

async function nodeAt(t: Test, dir: string, ...args: string[]): Promise<[RespClient, Ringside]> {
  const node = await startStandaloneNode(t, '--dir', dir, ...AOF, ...args);
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  return [client, node];
}

async function refusal(dir: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await runRingside([
    'node',
    '--standalone',
    '--port',
    'auto',
    '--dir',
    dir,
    ...AOF,
    ...args,
  ]);
  return `${code} ${stderr}`;
}

/** Writes that leave something of every type, in all forms that Redis writes down. */
async function write(t: Test, address: string, count: number): Promise<void> {
  const raw = new RawClient(address);
  t.teardown(() => raw.close());
  await raw.run([
    ['SET', 'until', 'then', 'EX', '1000'],
    ['SET', 'float', '1.5'],
    ['INCRBYFLOAT', 'float', '0.25'],
    ['SETEX', 'old-form', '500', 'v'],
    ['GETEX', 'old-form', 'PERSIST'],
    ['HSET', 'hash', 'f', '1'],
    ['HINCRBYFLOAT', 'hash', 'f', '0.1'],
    ['EXPIRE', 'hash', '900', 'NX'],
    ['PFADD', 'sketch', 'a', 'b'],
    ['PFCOUNT', 'sketch'],
    ['GEOADD', 'places', '13.36', '38.11', 'Palermo', '15.08', '37.5', 'Catania'],
    ['BITFIELD', 'bits', 'SET', 'u8', '0', '200'],
    ['SADD', 'set', '1', '2', 'three'],
    ['SELECT', '9'],
    ['ZADD', 'zset', 'inf', 'a', '-1e300', 'b'],
    ['EVAL', "redis.call('SET', KEYS[1], 1) redis.call('LPUSH', KEYS[2], 2, 3)", '2', 's', 'l'],
  ]);
  for (let done = 0; done < count; done += BATCH) {
    await raw.run(anyCommands(random, BATCH).filter(([name]) => !/^RS\./i.test(String(name))));
  }
}

async function rewrite(client: RespClient): Promise<void> {
  await client.send('BGREWRITEAOF');
  await until(
    'the rewrite is done',
    async () => (await infoField(client, 'aof_rewrite_in_progress')) === '0',
  );
}

/** Both load a copy, and come to hold the same. */
async function same(t: Test, dir: string, what: string): Promise<void> {
  const [theirs] = [(await redisAt(t, copyOf(t, dir))).client];
  const [ours] = await nodeAt(t, copyOf(t, dir));
  let different: string[] = [];
  let size = 0;
  // What is about to expire is given its time to.
  await until('the data is the same', async () => {
    const [a, b] = await Promise.all([theirs, ours].map((one) => contentOf(one)));
    size = b.size;
    different = [...new Set([...a.keys(), ...b.keys()])]
      .filter((key) => a.get(key) !== b.get(key))
      .map((key) => `${key}: ${a.get(key)} there, ${b.get(key)} here`);
    return different.length === 0;
  }).catch(() => {});
  t.same(different.slice(0, 5), [], `${what}: ${size} keys`);
  t.ok(size > 10);
}

t.test(`what redis-server has written (SEED=${seed})`, { skip }, async (t) => {
  const styles = [
    [],
    ['--aof-use-rdb-preamble', 'no', '--aof-timestamp-enabled', 'yes'],
    ['--list-max-listpack-size', '2', '--zset-max-listpack-entries', '0', '--rdbcompression', 'no'],
  ];
  for (const style of styles) {
    const dir = folder(t, 'aof-load');
    const { server, client } = await redisAt(t, dir, ...style);
    await write(t, server.address, WRITES / 2);
    await rewrite(client);
    await write(t, server.address, WRITES / 2);
    // A second part behind the base: a rewrite that is under way, or has failed, leaves one.
    await client.send('CONFIG', 'SET', 'rdb-key-save-delay', '10000');
    await client.send('BGREWRITEAOF');
    await write(t, server.address, 200);
    await server.stop();
    t.match(
      readFileSync(manifestOf(dir), 'utf8'),
      /base.*\n.*incr.*\n.*incr/,
      'a base and two parts behind it',
    );
    await same(t, dir, style.join(' '));
  }
});

t.test('a key that has expired meanwhile was there for the commands behind it', { skip }, async (t) => {
  const dir = folder(t, 'aof-load');
  const { server, client } = await redisAt(t, dir);
  await client.send('SET', 'short', '5', 'PX', '3000');
  await client.send('SET', 'gone', '5', 'PX', '3000');
  await rewrite(client);
  t.equal(await client.send('PERSIST', 'short'), 1);
  t.equal(await client.send('INCR', 'short'), 6);
  t.equal(await client.send('APPEND', 'gone', 'x'), 2);
  await server.stop();
  await delay(3000);
  const [ours] = await nodeAt(t, dir);
  t.equal(await ours.text('GET', 'short'), '6');
  t.equal(await ours.text('GET', 'gone'), null, 'and goes afterwards');
});

t.test('a file of one part, as Redis wrote it before 7.0', { skip }, async (t) => {
  for (const preamble of ['yes', 'no']) {
    const dir = folder(t, 'aof-load');
    const { server, client } = await redisAt(t, dir, '--aof-use-rdb-preamble', preamble);
    await write(t, server.address, 400);
    await rewrite(client);
    await write(t, server.address, 400);
    await server.stop();
    const former = folder(t, 'aof-load');
    const names = [...readFileSync(manifestOf(dir), 'utf8').matchAll(/^file (\S+)/gm)].map(
      ([, name]) => name,
    );
    writeFileSync(join(former, NAME), Buffer.concat(names.map((name) => readFileSync(pathIn(dir, name)))));
    await same(t, former, `preamble ${preamble}`);
    const [ours, node] = await nodeAt(t, former);
    t.notOk(existsSync(join(former, NAME)), 'it has been moved');
    t.match(readFileSync(manifestOf(former), 'utf8'), `file ${NAME} seq 1 type b\n`);
    const keys = await ours.send('DBSIZE');
    await node.stop();
    const [again] = await nodeAt(t, former);
    t.equal(await again.send('DBSIZE'), keys, 'and is loaded from there');
  }
});

t.test('a torn end is cut off as redis-server cuts it', { skip }, async (t) => {
  const dir = folder(t, 'aof-load');
  const { server } = await redisAt(t, dir);
  await write(t, server.address, 100);
  await server.stop();
  const { size } = statSync(incrOf(dir, 1));
  for (const bytes of [1, 300]) {
    const torn = copyOf(t, dir);
    truncateSync(incrOf(torn, 1), size - bytes);
    const wanted = copyOf(t, torn);
    const { server: other } = await redisAt(t, wanted);
    await other.stop();
    const [, node] = await nodeAt(t, torn, '--set', 'node.aofLoadTruncated=true');
    t.match(node.stderr() + node.stdout(), /has been cut off/, 'it is told');
    await node.stop();
    const cut = readFileSync(incrOf(torn, 1));
    const theirs = readFileSync(incrOf(wanted, 1));
    t.ok(cut.subarray(0, theirs.length).equals(theirs), `${bytes} bytes less: cut at the same place`);
    t.equal(spawnSync('redis-check-aof', [manifestOf(torn)]).status, 0, 'redis-check-aof finds nothing');
  }
});

t.test('the repair command repairs', { skip }, async (t) => {
  const dir = folder(t, 'aof-load');
  const { server } = await redisAt(t, dir);
  await write(t, server.address, 300);
  await server.stop();
  const path = incrOf(dir, 1);
  const bytes = readFileSync(path);
  // In the middle, where a command begins.
  const at = bytes.indexOf('\r\n*3\r\n$3\r\nSET', bytes.length / 2) + 2;
  bytes[at] = 0x21;
  writeFileSync(path, bytes);
  const text = await refusal(dir);
  t.match(text, `1 ringside: ${path} is damaged at offset ${at}: a command should begin here`);
  const command = /`(redis-check-aof --fix (\S+))`/.exec(text)!;
  const fixed = spawnSync('redis-check-aof', ['--fix', command[2]], { input: 'y\n', encoding: 'utf8' });
  t.match(fixed.stdout, new RegExp(`ok_up_to=(?:${at}|\\d+)`));
  t.equal(fixed.status, 0);
  t.ok(statSync(path).size <= at);
  await same(t, dir, 'what is left');

  const torn = folder(t, 'aof-load');
  cpSync(dir, torn, { recursive: true });
  truncateSync(incrOf(torn, 1), statSync(path).size - 1);
  t.match(
    await refusal(torn, '--aof-load-truncated', 'no'),
    /1 ringside: .*1\.incr\.aof is damaged at offset \d+: the file ends with/,
  );
});

t.test('a base that is damaged stops the start', { skip }, async (t) => {
  const dir = folder(t, 'aof-load');
  const { server, client } = await redisAt(t, dir);
  await write(t, server.address, 100);
  await rewrite(client);
  await server.stop();
  const path = pathIn(dir, `${NAME}.2.base.rdb`);
  const bytes = readFileSync(path);
  bytes[bytes.length - 3] ^= 1;
  writeFileSync(path, bytes);
  const text = await refusal(dir);
  t.match(text, /2\.base\.rdb is damaged at offset \d+: the checksum is wrong/);
  t.match(text, /redis-check-rdb/);
});

t.test('what no node holds stops the start', { skip }, async (t) => {
  const dir = folder(t, 'aof-load');
  const { server, client } = await redisAt(t, dir);
  await client.send('XADD', 'stream', '1-1', 'f', 'v');
  await server.stop();
  t.match(await refusal(dir), /damaged at offset 23: a command that this node does not know: XADD|XADD/);
});

t.test('while a file is loaded, clients are told so, and memory stays bounded', async (t) => {
  const dir = folder(t, 'aof-load');
  spawnSync('mkdir', [join(dir, 'appendonlydir')]);
  const small = Array.from({ length: 2000 }, (_, i) => encodeCommand('SET', `key:${i}`, 'x'.repeat(40)));
  const many = Buffer.concat(small);
  const parts = Array.from({ length: 1000 }, () => many);
  const large = encodeCommand('SET', 'large', 'y'.repeat(3e6));
  writeFileSync(incrOf(dir, 1), Buffer.concat([...parts, large]));
  const { size } = statSync(incrOf(dir, 1));
  writeFileSync(manifestOf(dir), `file ${NAME}.1.incr.aof seq 1 type i\n`);
  const port = await freePort();
  const starting = startStandaloneNode(
    t,
    '--dir',
    dir,
    ...AOF,
    '--port',
    String(port),
    '--maxmemory',
    '64mb',
  );
  const client = await until(
    'the port is open',
    async () => {
      const one = new RespClient(`127.0.0.1:${port}`);
      try {
        await one.send('PING');
        return one;
      } catch {
        one.close();
        return null;
      }
    },
    { everyMs: 2 },
  );
  t.teardown(() => client.close());
  t.match(await client.send('GET', 'key:1'), { message: /^LOADING / });
  t.match(await client.send('SET', 'key:1', 'v'), { message: /^LOADING / });
  t.equal(await infoField(client, 'loading'), '1');
  const total = await until('it has begun', () => infoField(client, 'loading_total_bytes'));
  t.equal(total, String(size));
  const loaded = async () => Number(await infoField(client, 'loading_loaded_bytes'));
  const before = await loaded();
  await until('it goes on', async () => (await loaded()) > before, { everyMs: 5 });
  const node = await starting;
  t.equal(await infoField(client, 'loading'), '0');
  t.equal(await client.send('DBSIZE'), 2001);
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8'));
  t.ok(peak === null || Number(peak[1]) < 220_000, `${peak?.[1]} kB for a file of ${size >> 10} kB`);
});
