import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { APPENDING, hasRedisTools, manifestOf, partNames, partPath } from '../support/aof.ts';
import { infoField } from '../support/data-set.ts';
import { folder } from '../support/folder.ts';
import { countAll, differentAmong, differentKeys, digestsOf, writeMany } from '../support/many-keys.ts';
import { NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/*
 * Many keys of every type, small and large, a third with an expiry: a node writes them to an RDB file and to an append-only file of several
 * parts, which redis-check-rdb, redis-check-aof and a redis-server accept; a redis-server writes them, and a node loads them. Each key is the
 * same, with its type, its expiry and all of its value, as in the redis-server that they were written to.
 */

const KEYS = process.env.RINGSIDE_LONG ? 1_000_000 : 5000;
const TIMEOUT_MS = 300_000;
/** A node has a budget unless it is told another, and evicts. */
const ROOM = ['--maxmemory', '8gb', '--maxmemory-policy', 'noeviction'];
const AOF = [...APPENDING, '--appendfsync', 'no', '--auto-aof-rewrite-percentage', '0'];

interface Server {
  readonly address: string;
  stop(): Promise<unknown>;
}

type Start = (dir: string, ...args: string[]) => Promise<Server>;

const startNode: Start = async (dir, ...args) => {
  const ports = ['--port', 'auto', '--admin-port', 'off'];
  const command = ['node', '--standalone', ...ports, '--dir', dir, ...args];
  const node = await startRingside(command, { readyTimeoutMs: TIMEOUT_MS });
  return { address: node.ready.resp, stop: node.stop };
};

const startTheirs: Start = (dir, ...args) => startRedis(['--dir', dir, '--dbfilename', 'dump.rdb', ...args]);

/** Starts a server, uses it once all is loaded, and ends it. */
async function withServer<T>(
  start: Start,
  dir: string,
  args: string[],
  use: (client: RespClient, address: string) => Promise<T>,
): Promise<T> {
  const server = await start(dir, ...ROOM, ...args);
  const client = new RespClient(server.address);
  try {
    await until('it is loaded', async () => (await infoField(client, 'loading')) === '0', {
      timeoutMs: TIMEOUT_MS,
    });
    return await use(client, server.address);
  } finally {
    client.close();
    await server.stop();
  }
}

const done = (client: RespClient, field: string) =>
  until(`${field} is over`, async () => (await infoField(client, field)) === '0', { timeoutMs: TIMEOUT_MS });

/** Fills a server that appends, rewrites when half is there, and saves in the end; resolves with the digests of all that it holds. */
function written(start: Start, dir: string): Promise<Buffer> {
  return withServer(start, dir, AOF, async (client, address) => {
    await writeMany(address, 0, KEYS / 2);
    await client.text('BGREWRITEAOF');
    await done(client, 'aof_rewrite_in_progress');
    await writeMany(address, KEYS / 2, KEYS);
    await client.text('BGSAVE');
    await done(client, 'rdb_bgsave_in_progress');
    const digests = await digestsOf(address, KEYS);
    await client.send('SHUTDOWN', 'NOSAVE').catch(() => null);
    return digests;
  });
}

/** What a server makes of the files. */
function loaded(start: Start, dir: string, args: string[]) {
  const beganMs = performance.now();
  return withServer(start, dir, args, async (_, address) => ({
    tookMs: Math.round(performance.now() - beganMs),
    count: await countAll(address),
    digests: await digestsOf(address, KEYS),
  }));
}

function same(t: Test, digests: Buffer, wanted: Buffer, what: string): void {
  const different = differentKeys(digests, wanted);
  t.same(different.slice(0, 5), [], `${what}: ${KEYS - different.length} keys are the same`);
}

function sizes(dir: string): string {
  const paths = [join(dir, 'dump.rdb'), ...partNames(dir).map((name) => partPath(dir, name))];
  return paths.map((path) => `${path.replace(/.*\//, '')} ${statSync(path).size}`).join(', ');
}

/** Both forms of the file, loaded by the other side. */
async function loadsBoth(t: Test, by: [string, Start], dir: string, wanted: Buffer): Promise<void> {
  const [name, start] = by;
  for (const [form, args] of [
    ['RDB', []],
    ['AOF', AOF],
  ] as const) {
    const { tookMs, count, digests } = await loaded(start, dir, [...args]);
    t.equal(count, KEYS, `${form} in ${name}: all keys are there after ${tookMs} ms`);
    same(t, digests, wanted, `${form} in ${name}`);
  }
}

function checked(t: Test, dir: string): void {
  for (const [program, path] of [
    ['redis-check-rdb', join(dir, 'dump.rdb')],
    ['redis-check-aof', manifestOf(dir)],
  ]) {
    // They say how far they are, which comes to more than the megabyte that is taken otherwise.
    const { status, stdout } = spawnSync(program, [path], { encoding: 'utf8', maxBuffer: 1 << 30 });
    t.equal(status, 0, `${program} accepts it: ${stdout.trim().split('\n').at(-1)}`);
  }
}

t.test(`${KEYS} keys from one side to the other`, { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const [theirs, ours] = [folder(t, 'million'), folder(t, 'million')];
  const [wanted, held] = await Promise.all([written(startTheirs, theirs), written(startNode, ours)]);
  t.equal(differentAmong(wanted), KEYS, 'each key is another');
  same(t, held, wanted, 'written to the node');
  t.comment(`redis-server: ${sizes(theirs)}`);
  t.comment(`node: ${sizes(ours)}`);
  checked(t, ours);
  await Promise.all([
    loadsBoth(t, ['the node', startNode], theirs, wanted),
    loadsBoth(t, ['redis-server', startTheirs], ours, wanted),
  ]);
});
