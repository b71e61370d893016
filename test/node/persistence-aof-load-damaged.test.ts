import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import {
  AOF_NAME,
  APPENDING,
  checkAof,
  copyOf,
  hasRedisTools,
  incrOf,
  nodeAt,
  partPath,
  redisAt,
  rewrite,
} from '../support/aof.ts';
import { sameInBoth, writeAllForms } from '../support/aof-of-redis.ts';
import { folder } from '../support/folder.ts';
import { NO_REDIS } from '../support/redis-server.ts';
import { runRingside } from '../support/ringside.ts';

/* Append-only files of a real redis-server that are damaged: what redis-check-aof says of them and makes of them fits what the node says and loads. */

const random = seededRandom(Number(process.env.SEED ?? 20261121));

async function refusal(dir: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await runRingside([
    'node',
    '--standalone',
    '--port',
    'auto',
    '--dir',
    dir,
    ...APPENDING,
    ...args,
  ]);
  return `${code} ${stderr}`;
}

t.test('a torn end is cut off as redis-server cuts it', { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const dir = folder(t, 'aof');
  const [server] = await redisAt(t, dir);
  await writeAllForms(t, server.address, random, 100);
  await server.stop();
  const whole = readFileSync(incrOf(dir, 1));
  for (const bytes of [1, 300]) {
    const torn = copyOf(t, dir);
    truncateSync(incrOf(torn, 1), whole.length - bytes);
    const theirs = copyOf(t, torn);
    const log = join(theirs, 'log');
    const [other] = await redisAt(t, theirs, '--logfile', log);
    await other.stop();
    const wanted = Number(/Truncating the AOF .* at offset (\d+)/.exec(readFileSync(log, 'utf8'))![1]);
    const [node] = await nodeAt(t, torn, '--set', 'node.aofLoadTruncated=true');
    const told = `"offset":${wanted},"bytes":${whole.length - bytes - wanted},`;
    t.match(node.stderr() + node.stdout(), told, `${bytes} bytes less: cut at the same place`);
    await node.stop();
    // Behind it may be what has expired meanwhile.
    const cut = readFileSync(incrOf(torn, 1));
    t.ok(cut.subarray(0, wanted).equals(whole.subarray(0, wanted)), 'what comes before is as it was');
    t.equal(checkAof(torn), 'valid', 'redis-check-aof finds nothing');
  }
});

t.test('the repair command repairs', { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const dir = folder(t, 'aof');
  const [server] = await redisAt(t, dir);
  await writeAllForms(t, server.address, random, 300);
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
  await sameInBoth(t, dir, 'what is left');

  const torn = copyOf(t, dir);
  truncateSync(incrOf(torn, 1), statSync(path).size - 1);
  t.match(
    await refusal(torn, '--aof-load-truncated', 'no'),
    /1 ringside: .*1\.incr\.aof is damaged at offset \d+: the file ends with/,
  );
});

t.test('a base that is damaged stops the start', { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const dir = folder(t, 'aof');
  const [server, client] = await redisAt(t, dir);
  await writeAllForms(t, server.address, random, 100);
  await rewrite(client);
  await server.stop();
  const path = partPath(dir, `${AOF_NAME}.2.base.rdb`);
  const bytes = readFileSync(path);
  bytes[bytes.length - 3] ^= 1;
  writeFileSync(path, bytes);
  const text = await refusal(dir);
  t.match(text, /2\.base\.rdb is damaged at offset \d+: the checksum is wrong/);
  t.match(text, /redis-check-rdb/);
});

t.test('what no node holds stops the start', { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const dir = folder(t, 'aof');
  const [server, client] = await redisAt(t, dir);
  await client.send('XADD', 'stream', '1-1', 'f', 'v');
  await server.stop();
  t.match(await refusal(dir), /damaged at offset 23: a command that this node does not know: XADD|XADD/);
});
