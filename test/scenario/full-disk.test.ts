import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { RespError } from '../../lib/codec/resp/index.ts';
import {
  type CrashServer,
  isRefused,
  type RunningServer,
  redisServer,
  ringsideNode,
  startServer,
} from '../support/crash/servers.ts';
import { SmallDisk } from '../support/crash/small-disk.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* A disk that is full, and has room again: a tmpfs of a few megabytes, part of which something else takes. */

const DISK = '6m';
const BALLAST_BYTES = 3 << 20;
const WRITERS = 8;
const VALUE = 'v'.repeat(1000);
const REFUSED = 'MISCONF Errors writing to the AOF file: No space left on device';
/** Where nothing may be mounted, this says so. */
const noMount = !(await SmallDisk.isPossible()) && 'no tmpfs can be mounted here (unshare, nsenter, mount)';
const noRedis = noMount || (!hasRedisServer && NO_REDIS);

async function startOn(
  t: Test,
  disk: SmallDisk,
  kind: CrashServer,
  appendfsync: string,
): Promise<[RunningServer, RespClient]> {
  const settings = { appendonly: 'yes', appendfsync, 'auto-aof-rewrite-percentage': '0' };
  const server = await startServer(kind, disk.dir, settings, { wrapper: disk.wrapper });
  if (isRefused(server)) throw new Error(server.output);
  t.teardown(() => server.kill());
  const client = new RespClient(server.address);
  t.teardown(() => client.close());
  return [server, client];
}

/** Every writer writes new keys until one is refused; what was acknowledged, and the refusals. */
async function writeUntilRefused(address: string, prefix: string): Promise<[string[], Set<string>]> {
  const keys: string[] = [];
  const refusals = new Set<string>();
  const write = async (writer: number) => {
    const client = new RespClient(address);
    for (let i = 0; ; i++) {
      const key = `${prefix}:${writer}:${i}`;
      const reply = await client.send('SET', key, VALUE);
      if (reply instanceof RespError) {
        refusals.add(reply.message);
        break;
      }
      keys.push(key);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  return [keys, refusals];
}

async function missing(client: RespClient, keys: readonly string[]): Promise<string[]> {
  const found = await Promise.all(keys.map((key) => client.text('GET', key)));
  return keys.filter((_, i) => found[i] !== VALUE);
}

/** Fills the disk, makes room, fills it again, and kills the server on the full disk. */
async function fillTwice(t: Test, kind: CrashServer, appendfsync: string): Promise<void> {
  const disk = await SmallDisk.create(DISK);
  t.teardown(() => disk.close());
  disk.occupy(BALLAST_BYTES);
  const [server, client] = await startOn(t, disk, kind, appendfsync);

  const [first, refusals] = await writeUntilRefused(server.address, 'first');
  t.ok(first.length > 500, `${first.length} writes before the disk was full`);
  t.same([...refusals], [REFUSED], 'then they are refused');
  t.same(await missing(client, first), [], 'reads go on');
  t.match(await client.text('INFO', 'persistence'), /aof_last_write_status:err/);
  t.match(await client.send('SET', 'k', 'v'), { message: REFUSED }, 'as long as it is full');

  disk.free();
  await until('writes go on', async () => (await client.send('SET', 'k', 'v')) === 'OK');
  t.match(await client.text('INFO', 'persistence'), /aof_last_write_status:ok/);

  const [second] = await writeUntilRefused(server.address, 'second');
  t.ok(second.length > 500, `${second.length} writes more`);
  // Under everysec what was not written when the disk was full waits for room.
  const acknowledged = appendfsync === 'always' ? [...first, ...second] : first;
  await server.kill();
  const [, again] = await startOn(t, disk, kind, appendfsync);
  t.same(await missing(again, acknowledged), [], 'nothing acknowledged is lost');
  t.equal(await again.text('GET', 'k'), 'v');
}

t.test('always: a full disk', { skip: noMount }, (t) => fillTwice(t, ringsideNode, 'always'));
t.test('everysec: a full disk', { skip: noMount }, (t) => fillTwice(t, ringsideNode, 'everysec'));
// Under always it would end itself.
t.test('everysec: the same of a redis-server', { skip: noRedis }, (t) =>
  fillTwice(t, redisServer, 'everysec'),
);

for (const kind of [ringsideNode, redisServer]) {
  const skip = kind === redisServer ? noRedis : noMount;
  t.test(`a rewrite without room, ${kind.name}`, { skip }, async (t) => {
    const disk = await SmallDisk.create(DISK);
    t.teardown(() => disk.close());
    const [server, client] = await startOn(t, disk, kind, 'everysec');
    await client.send('CONFIG', 'SET', 'rdbcompression', 'no');
    const keys = Array.from({ length: 2000 }, (_, i) => `key:${i}`);
    await Promise.all(keys.map((key) => client.send('SET', key, VALUE)));
    disk.occupy(BALLAST_BYTES);
    t.match(await client.text('BGREWRITEAOF'), /^Background append only file rewriting/);
    await until('it has failed', async () =>
      /aof_rewrite_in_progress:0.*aof_last_bgrewrite_status:err/s.test(
        (await client.text('INFO', 'persistence'))!,
      ),
    );
    t.equal(await client.text('SET', 'after', 'v'), 'OK', 'writes go on');
    t.notOk(
      readdirSync(disk.pathOf('')).some((name) => name.includes('temp') || name.includes('tmp')),
      'what was written of it is gone',
    );
    await until('it is all in the file', async () =>
      (await client.text('INFO', 'persistence'))!.includes('aof_buffer_length:0'),
    );
    await server.kill();
    const [, again] = await startOn(t, disk, kind, 'everysec');
    t.same(await missing(again, keys), [], 'all is there');
    t.equal(await again.text('GET', 'after'), 'v');
    disk.free();
    t.match(await again.text('BGREWRITEAOF'), /^Background append only file rewriting/);
    await until('it has succeeded', async () =>
      /aof_rewrite_in_progress:0.*aof_last_bgrewrite_status:ok/s.test(
        (await again.text('INFO', 'persistence'))!,
      ),
    );
  });
}
