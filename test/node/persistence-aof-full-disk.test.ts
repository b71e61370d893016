import { spawnSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { checkAof, hasRedisTools, nodeAt, written } from '../support/aof.ts';
import { infoField } from '../support/data-set.ts';
import { folder } from '../support/folder.ts';
import { until } from '../support/until.ts';

/* On a full disk a node that appends refuses writes and answers reads, until there is room; what it had acknowledged is there then. */

const hasLimits = spawnSync('prlimit', ['--version']).status === 0;
const POLICIES = process.env.RINGSIDE_LONG ? ['always', 'everysec', 'no'] : ['always', 'everysec'];

/** No file of the process grows beyond so much, as on a disk that is full. */
const limit = (pid: number, bytes: string) => spawnSync('prlimit', [`--fsize=${bytes}:`, '--pid', `${pid}`]);

async function fullDisk(t: Test, policy: string): Promise<void> {
  const dir = folder(t, 'aof');
  const [node, client] = await nodeAt(t, dir, '--appendfsync', policy);
  await client.send('SET', 'key', 'before');
  limit(node.pid, '5000');
  const answers: string[] = [];
  for (let i = 0; i < 300 && !answers.at(-1)?.includes('MISCONF'); i++) {
    answers.push(String(await client.send('SET', `key:${i}`, 'v'.repeat(100)).catch(String)));
  }
  t.match(answers.at(-1), /MISCONF Errors writing to the AOF file: File too large$/, policy);
  t.equal(await client.text('GET', 'key'), 'before', 'reads go on');
  t.equal(await infoField(client, 'aof_last_write_status'), 'err');
  t.match(
    String(await client.send('BGREWRITEAOF').catch(String)),
    /Can't execute an AOF background rewriting/,
  );
  limit(node.pid, 'unlimited');
  await until('it is well again', async () => (await infoField(client, 'aof_last_write_status')) === 'ok');
  t.equal(await client.text('SET', 'key', 'after'), 'OK');
  const kept = answers.flatMap((answer, i) => (answer === 'OK' ? [`key:${i}`] : []));
  await written(client);
  node.kill('SIGKILL');
  await node.ended;
  if (hasRedisTools) t.equal(checkAof(dir), 'valid', 'nothing torn is left');
  const [, again] = await nodeAt(t, dir);
  t.equal(await again.send('EXISTS', ...kept), kept.length, `${kept.length} were acknowledged`);
  t.equal(await again.text('GET', 'key'), 'after');
}

t.test('a full disk: MISCONF, reads go on, and how it ends', { skip: !hasLimits }, async (t) => {
  await Promise.all(POLICIES.map((policy) => fullDisk(t, policy)));
});
