import { mkdirSync, rmSync } from 'node:fs';
import t from 'tap';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { infoField, level } from '../support/data-set.ts';
import { folder, nodeWith } from '../support/folder.ts';
import { patientArgs } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startRingside, startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* PING says how a node is, in Redis's words, and whoever asks with it does not take a node that is not well for one that is not there. */

const MISCONF =
  /^MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk\./;
const KEYS = 60_000;

const proxyArgs = (address: string) => [
  ...['proxy', '--resp-port', 'auto', '--http-port', 'off', '--grpc-port', 'off', '--memcached-port', 'off'],
  ...['--admin-port', 'off', '--upstream', `a=${address}`, ...patientArgs],
];

t.test('a node that cannot save says MISCONF, and is there all the same', async (t) => {
  const dir = folder(t, 'ping');
  const [node, client] = await nodeWith(t, dir, '--save', '3600 1');
  await client.send('SET', 'key', 'value');
  t.equal(await client.text('PING'), 'PONG');
  rmSync(dir, { recursive: true });
  await client.text('BGSAVE');
  await until(
    'the save has failed',
    async () => (await infoField(client, 'rdb_last_bgsave_status')) === 'err',
  );
  for (const command of [['PING'], ['PING', 'text'], ['SET', 'key', 'other'], ['EVALSHA', 'x', '0']].slice(
    0,
    3,
  ))
    t.match(await client.send(...command), { message: MISCONF }, command.join(' '));
  t.equal(await client.text('GET', 'key'), 'value', 'reads go on');
  t.equal(await client.text('ECHO', 'text'), 'text', 'and all else');
  await client.text('MULTI');
  t.match(await client.send('PING'), { message: MISCONF }, 'it cannot be queued');
  t.match(await client.send('EXEC'), { message: /^EXECABORT / });

  await t.test('a proxy reads from it', async (t) => {
    const proxy = await startRingside(proxyArgs(node.ready.resp));
    t.teardown(() => proxy.stop());
    const through = new RespClient(proxy.ready.resp);
    t.teardown(() => through.close());
    await until('the proxy has it', async () => (await through.text('GET', 'key')) === 'value');
    t.match(await through.send('SET', 'key', 'other'), { message: MISCONF });
    t.equal(await through.send('WAIT', '0', '100'), 0);
  });

  await t.test('a follower has all that it has', async (t) => {
    const [host, port] = node.ready.resp.split(':');
    const follower = await startStandaloneNode(t, '--replicaof', `${host} ${port}`);
    const behind = new RespClient(follower.ready.resp);
    t.teardown(() => behind.close());
    await level(client, behind);
    t.equal(await behind.text('GET', 'key'), 'value');
  });

  t.equal(await client.text('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no'), 'OK');
  t.equal(await client.text('PING'), 'PONG');
  await client.text('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'yes');
  mkdirSync(dir);
  t.equal(await client.text('SAVE'), 'OK');
  t.equal(await client.text('PING'), 'PONG', 'all is well');
});

/** What the server answers to PING, ECHO and WAIT while it loads its files, and its INFO at the same moment says that it does. */
async function answersWhileLoading(address: string): Promise<string[] | null> {
  const client = new RespClient(address);
  try {
    const answers = [
      ['PING'],
      ['ECHO', 'x'],
      ['WAIT', '0', '1'],
      ['INFO', 'persistence'],
      ['CONFIG', 'GET', 'dir'],
    ];
    const replies = await Promise.all(answers.map((command) => client.send(...command)));
    if (!/\nloading:1/.test(String(replies[3]))) return null;
    return replies.map((reply) => (reply instanceof Error ? reply.message.split(' ')[0] : 'answered'));
  } finally {
    client.close();
  }
}

t.test(
  'a node that loads its files says LOADING, as a redis-server does',
  { skip: !hasRedisServer && NO_REDIS },
  async (t) => {
    const dir = folder(t, 'ping-loading');
    const [first, client] = await nodeWith(t, dir, '--appendonly', 'yes');
    const parts = Array.from({ length: KEYS }, (_, i) => encodeCommand('SET', `key:${i}`, 'v'.repeat(100)));
    client.socket.write(Buffer.concat(parts));
    await until('all is written', async () => (await client.send('DBSIZE')) === KEYS);
    await first.stop();
    const port = await freePort();
    const place = ['--port', String(port), '--dir', dir];
    const starting = startStandaloneNode(t, ...place, '--appendonly', 'yes');
    const own = await until('it loads', () => answersWhileLoading(`127.0.0.1:${port}`), { everyMs: 1 });
    const node = await starting;
    const redis = await startRedis(['--dir', dir, '--appendonly', 'yes', '--key-load-delay', '100']);
    t.teardown(() => redis.stop());
    const theirs = await until('it loads', () => answersWhileLoading(redis.address), { everyMs: 1 });
    t.same(own, ['LOADING', 'answered', 'LOADING', 'answered', 'answered']);
    t.same(own, theirs);
    const loaded = new RespClient(node.ready.resp);
    t.teardown(() => loaded.close());
    await until('it has loaded', async () => (await loaded.send('PING')) === 'PONG');
  },
);
