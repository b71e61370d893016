import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { anyCommands } from '../support/any-writes.ts';
import { folder, nodeWith } from '../support/folder.ts';
import { contentOf } from '../support/redis-content.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';
import type { Command } from './differential/base.ts';

/*
 * The append-only file as a node writes it: redis-check-aof accepts it and a real redis-server loads it, key by key equal, whenever the node
 * is killed; when replies go; what happens on a full disk; how it is turned on and off, and rewritten.
 */

const random = seededRandom(Number(process.env.SEED ?? 20261121));
const isLong = Boolean(process.env.RINGSIDE_LONG);
const KILLS = isLong ? 30 : 2;
const hasLimits = spawnSync('prlimit', ['--version']).status === 0;

/** What a real redis-server makes of the files, from a copy of them. */
async function loadedByRedis(t: Test, dir: string): Promise<Map<string, string>> {
  const copy = folder(t, 'aof-write');
  cpSync(dir, copy, { recursive: true });
  const redis = await startRedis(['--dir', copy, '--appendonly', 'yes']);
  const client = new RespClient(redis.address);
  try {
    await until('it is loaded', async () =>
      (await client.text('INFO', 'persistence'))!.includes('\nloading:0'),
    );
    return await contentOf(client);
  } finally {
    client.close();
    await redis.stop();
  }
}

async function loadedAgain(t: Test, dir: string): Promise<Map<string, string>> {
  const [node, client] = await nodeWith(t, dir, '--appendonly', 'yes');
  try {
    return await contentOf(client);
  } finally {
    await node.stop();
  }
}

function check(dir: string): string {
  const manifest = join(dir, 'appendonlydir', 'appendonly.aof.manifest');
  const { status, stdout } = spawnSync('redis-check-aof', [manifest], { encoding: 'utf8' });
  return status === 0 ? 'valid' : stdout;
}

async function infoOf(client: RespClient): Promise<Map<string, string>> {
  const text = (await client.text('INFO', 'persistence'))!;
  return new Map(text.split('\r\n').map((line) => line.split(':') as [string, string]));
}

const rewritten = (client: RespClient) =>
  until('the rewrite is done', async () => (await infoOf(client)).get('aof_rewrite_in_progress') === '0');

/** Random writes of every type; none whose effect on a redis-server comes later than here. */
function writes(count: number): Command[] {
  return anyCommands(random, count).filter(([name]) => !/^RS\.PURGE$/i.test(String(name)));
}

function differences(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => `${key}: ${a.get(key)} / ${b.get(key)}`);
}

t.test(
  'redis-server loads what the node appends, of every type',
  { skip: !hasRedisServer && NO_REDIS },
  async (t) => {
    for (const policy of isLong ? ['always', 'everysec', 'no'] : ['always']) {
      const dir = folder(t, 'aof-write');
      const [node, client] = await nodeWith(t, dir, '--appendonly', 'yes', '--appendfsync', policy);
      for (let part = 0; part < 4; part++) {
        await Promise.all(writes(400).map((command) => client.send(...command)));
        if (part % 2 === 0)
          t.equal(await client.text('BGREWRITEAOF'), 'Background append only file rewriting started');
        await rewritten(client);
      }
      await client.send('DISCARD');
      const ours = await contentOf(client);
      await node.stop();
      t.equal(check(dir), 'valid');
      t.same(
        differences(ours, await loadedByRedis(t, dir)),
        [],
        `${policy}: ${ours.size} keys in redis-server`,
      );
      t.same(differences(ours, await loadedAgain(t, dir)), [], 'and in the node');
      t.equal(check(dir), 'valid', 'which has gone on in the same file');
    }
  },
);

t.test('killed at any moment, rewrites included', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const dir = folder(t, 'aof-write');
  for (let kill = 0; kill < KILLS; kill++) {
    const [node, client] = await nodeWith(t, dir, '--appendonly', 'yes');
    await client.send('DEBUG', 'POPULATE', '2000', `kill${kill}`, '1000');
    const sent = writes(1500).map((command) => client.send(...command).catch(() => null));
    for (let i = 0; i < 2; i++) void client.send('BGREWRITEAOF').catch(() => null);
    await Promise.race([until('later', () => random.int(12) === 0), ...sent.slice(200 + random.int(800))]);
    node.kill('SIGKILL');
    await node.ended;
    await Promise.allSettled(sent);
    const theirs = await loadedByRedis(t, dir);
    t.ok(theirs.size > 0, `${theirs.size} keys`);
    t.same(differences(theirs, await loadedAgain(t, dir)), [], `kill ${kill}`);
    const parts = readdirSync(join(dir, 'appendonlydir')).filter((name) => name.includes('.tmp-'));
    t.same(parts, [], 'nothing is left over');
  }
});

t.test('always: nothing that was acknowledged is lost', async (t) => {
  const dir = folder(t, 'aof-write');
  const [node] = await nodeWith(t, dir, '--appendonly', 'yes', '--appendfsync', 'always');
  const clients = Array.from({ length: 20 }, () => new RespClient(node.ready.resp));
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  const acknowledged = new Array<number>(clients.length).fill(0);
  const increment = async (i: number): Promise<void> => {
    for (;;) acknowledged[i] = Number(await clients[i].send('INCR', `counter:${i}`));
  };
  const all = clients.map((_, i) => increment(i).catch(() => {}));
  await until('each has some', () => acknowledged.every((count) => count >= 20));
  node.kill('SIGKILL');
  await Promise.all(all);
  const [, again] = await nodeWith(t, dir, '--appendonly', 'yes');
  for (const [i, count] of acknowledged.entries()) {
    const found = Number(await again.text('GET', `counter:${i}`));
    if (found < count || found > count + 1) t.fail(`counter ${i} is ${found}, ${count} was acknowledged`);
  }
  t.ok(acknowledged.every((count) => count > 0));
});

t.test('a full disk: MISCONF, reads go on, and how it ends', { skip: !hasLimits }, async (t) => {
  for (const policy of isLong ? ['always', 'everysec', 'no'] : ['always', 'everysec']) {
    const dir = folder(t, 'aof-write');
    const [node, client] = await nodeWith(t, dir, '--appendonly', 'yes', '--appendfsync', policy);
    const limit = (bytes: string) => spawnSync('prlimit', [`--fsize=${bytes}:`, '--pid', String(node.pid)]);
    await client.send('SET', 'key', 'before');
    limit('5000');
    const answers: string[] = [];
    for (let i = 0; i < 300 && !answers.at(-1)?.includes('MISCONF'); i++) {
      answers.push(String(await client.send('SET', `key:${i}`, 'v'.repeat(100)).catch(String)));
    }
    t.match(answers.at(-1), /MISCONF Errors writing to the AOF file: File too large$/, policy);
    t.equal(await client.text('GET', 'key'), 'before', 'reads go on');
    t.equal((await infoOf(client)).get('aof_last_write_status'), 'err');
    t.match(
      String(await client.send('BGREWRITEAOF').catch(String)),
      /Can't execute an AOF background rewriting/,
    );
    limit('unlimited');
    await until('it is well again', async () => (await infoOf(client)).get('aof_last_write_status') === 'ok');
    t.equal(await client.text('SET', 'key', 'after'), 'OK');
    const kept = answers.flatMap((answer, i) => (answer === 'OK' ? [`key:${i}`] : []));
    if (policy !== 'always') await new Promise((resolve) => setTimeout(resolve, 50));
    node.kill('SIGKILL');
    await node.ended;
    if (hasRedisServer) t.equal(check(dir), 'valid', 'nothing torn is left');
    const [, again] = await nodeWith(t, dir, '--appendonly', 'yes');
    t.equal(await again.send('EXISTS', ...kept), kept.length, `${kept.length} were acknowledged`);
    t.equal(await again.text('GET', 'key'), 'after');
  }
});

t.test('turned on and off while it runs', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const dir = folder(t, 'aof-write');
  const [node, client] = await nodeWith(t, dir);
  await client.send('DEBUG', 'POPULATE', '2000', 'key', '300');
  t.equal((await infoOf(client)).get('aof_enabled'), '0');
  t.notOk((await infoOf(client)).has('aof_current_size'));
  t.equal(await client.text('CONFIG', 'SET', 'appendonly', 'yes'), 'OK');
  t.equal(await client.text('CONFIG', 'GET', 'appendonly'), 'appendonly,yes');
  await client.send('SET', 'while', 'it is made');
  await rewritten(client);
  t.equal((await infoOf(client)).get('aof_enabled'), '1');
  t.ok(Number((await infoOf(client)).get('aof_base_size')) > 20_000);
  await client.send('SELECT', '5');
  await client.send('SET', 'later', 'v', 'EX', '1000');
  await client.send('SELECT', '0');
  t.equal(await client.text('CONFIG', 'SET', 'appendonly', 'no'), 'OK');
  await client.send('SET', 'not', 'there');
  const ours = await contentOf(client);
  ours.delete(`0:${Buffer.from('not').toString('hex')}`);
  const parts = join(dir, 'appendonlydir');
  const sizes = () => readdirSync(parts).map((name) => `${name} ${statSync(join(parts, name)).size}`);
  await until('the end is written', () => !sizes().some((line) => line.endsWith('incr.aof 0')));
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.same(differences(ours, await loadedByRedis(t, dir)), []);
  t.equal(await client.text('BGREWRITEAOF'), 'Background append only file rewriting started');
  await rewritten(client);
  t.same(
    readdirSync(parts).filter((name) => name.includes('.incr.')),
    [],
    'a base alone',
  );
  t.ok((await loadedByRedis(t, dir)).has(`0:${Buffer.from('not').toString('hex')}`));
  await client.send('CONFIG', 'SET', 'appendonly', 'yes', 'appendfsync', 'always');
  await rewritten(client);
  await client.send('SET', 'at', 'the end');
  await client.send('SHUTDOWN').catch(() => null);
  t.equal(await node.ended, 'code 0');
  t.equal((await loadedAgain(t, dir)).size, ours.size + 2);
});

t.test('without a folder there is nothing to append to', async (t) => {
  const node = await startStandaloneNode(t);
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  t.match(
    String(await client.send('CONFIG', 'SET', 'appendonly', 'yes')),
    /CONFIG SET failed \(possibly related to argument 'appendonly'\) - Unable to turn on AOF\. Check server logs\./,
  );
  t.equal(await client.text('CONFIG', 'GET', 'appendonly'), 'appendonly,no');
});

t.test('rewrites when it has grown, and one thing at a time', async (t) => {
  const dir = folder(t, 'aof-write');
  const [, client] = await nodeWith(t, dir, '--appendonly', 'yes', '--auto-aof-rewrite-min-size', '100kb');
  t.equal(
    await client.text('CONFIG', 'GET', 'auto-aof-rewrite-min-size'),
    'auto-aof-rewrite-min-size,102400',
  );
  for (let i = 0; i < 2000; i++) void client.send('SET', 'key', 'v'.repeat(100));
  await until('it was rewritten', async () => Number((await infoOf(client)).get('aof_rewrites')) > 0);
  await rewritten(client);
  t.ok(Number((await infoOf(client)).get('aof_current_size')) < 100_000);
  await client.send('DEBUG', 'POPULATE', '100000', 'key', '100');
  const answers = await Promise.all(
    [['BGSAVE'], ['BGREWRITEAOF'], ['BGSAVE']].map((command) => client.send(...command).then(String, String)),
  );
  t.match(answers, [
    'Background saving started',
    'Background append only file rewriting scheduled',
    /Background save already in progress/,
  ]);
  await until(
    'the scheduled one begins',
    async () => (await infoOf(client)).get('aof_rewrite_in_progress') === '1',
  );
  const beside = await Promise.all(
    [['BGREWRITEAOF'], ['BGSAVE'], ['BGSAVE', 'SCHEDULE']].map((command) =>
      client.send(...command).then(String, String),
    ),
  );
  t.match(beside, [
    /ERR Background append only file rewriting already in progress/,
    /ERR Another child process is active \(AOF\?\): can't BGSAVE right now\. Use BGSAVE SCHEDULE/,
    'Background saving scheduled',
  ]);
  await rewritten(client);
  await until('and the save after it', async () => (await infoOf(client)).get('rdb_saves') === '2');
});

t.test('a follower appends what it follows', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const leader = await startRedis();
  t.teardown(() => leader.stop());
  const writer = new RespClient(leader.address);
  t.teardown(() => writer.close());
  const send = (commands: readonly Command[]) =>
    Promise.all(commands.filter(([name]) => !/^RS\./i.test(String(name))).map((c) => writer.send(...c)));
  await send(writes(500));
  const dir = folder(t, 'aof-write');
  const following = ['--appendonly', 'yes', '--replicaof', leader.address.replace(':', ' ')];
  const [node, client] = await nodeWith(t, dir, ...following);
  await writer.send('DISCARD');
  await until('it is level', async () => (await client.text('INFO'))!.includes('master_link_status:up'));
  await until('its own base is there', async () => {
    const info = await infoOf(client);
    return Number(info.get('aof_rewrites')) > 0 && info.get('aof_rewrite_in_progress') === '0';
  });
  // In the middle of a rewrite, and in another database than the first.
  await writer.send('SELECT', '9');
  await writer.send('SET', 'there', '1');
  await client.send('BGREWRITEAOF');
  await send(writes(500));
  await writer.send('SET', 'there', '2');
  await rewritten(client);
  await writer.send('DISCARD');
  await writer.send('SET', 'last', 'v');
  await until('it has all', async () => {
    const [a, b] = await Promise.all([contentOf(client), contentOf(writer)]);
    return a.size === b.size && differences(a, b).length === 0;
  });
  const theirs = await contentOf(writer);
  await new Promise((resolve) => setTimeout(resolve, 300));
  node.kill('SIGKILL');
  await node.ended;
  t.same(differences(theirs, await loadedByRedis(t, dir)), [], `${theirs.size} keys`);
  t.same(differences(theirs, await loadedAgain(t, dir)), []);
});
