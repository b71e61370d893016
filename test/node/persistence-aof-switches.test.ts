import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  differences,
  hasRedisTools,
  loadedByNode,
  loadedByRedis,
  nodeAt,
  partNames,
  partPath,
  rewritten,
} from '../support/aof.ts';
import { infoField } from '../support/data-set.ts';
import { folder, nodeWith } from '../support/folder.ts';
import { contentOf } from '../support/redis-content.ts';
import { NO_REDIS } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* The append-only file is turned on and off while a node runs, and rewritten: when it is told to, when the file has grown, one thing at a time. */

t.test('turned on and off while it runs', { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const dir = folder(t, 'aof');
  const [node, client] = await nodeWith(t, dir);
  await client.send('DEBUG', 'POPULATE', '2000', 'key', '300');
  t.equal(await infoField(client, 'aof_enabled'), '0');
  t.equal(await infoField(client, 'aof_current_size'), undefined);
  t.equal(await client.text('CONFIG', 'SET', 'appendonly', 'yes'), 'OK');
  t.equal(await client.text('CONFIG', 'GET', 'appendonly'), 'appendonly,yes');
  await client.send('SET', 'while', 'it is made');
  await rewritten(client);
  t.equal(await infoField(client, 'aof_enabled'), '1');
  t.ok(Number(await infoField(client, 'aof_base_size')) > 20_000);
  await client.send('SELECT', '5');
  await client.send('SET', 'later', 'v', 'EX', '1000');
  await client.send('SELECT', '0');
  t.equal(await client.text('CONFIG', 'SET', 'appendonly', 'no'), 'OK');
  await client.send('SET', 'not', 'there');
  const ours = await contentOf(client);
  ours.delete(`0:${Buffer.from('not').toString('hex')}`);
  await until('the end is written', () =>
    partNames(dir).some((name) => readFileSync(partPath(dir, name)).includes('later')),
  );
  t.same(differences(ours, await loadedByRedis(t, dir)), []);
  t.equal(await client.text('BGREWRITEAOF'), 'Background append only file rewriting started');
  await rewritten(client);
  t.same(
    partNames(dir).filter((name) => name.includes('.incr.')),
    [],
    'a base alone',
  );
  t.ok((await loadedByRedis(t, dir)).has(`0:${Buffer.from('not').toString('hex')}`));
  await client.send('CONFIG', 'SET', 'appendonly', 'yes', 'appendfsync', 'always');
  await rewritten(client);
  await client.send('SET', 'at', 'the end');
  await client.send('SHUTDOWN').catch(() => null);
  t.equal(await node.ended, 'code 0');
  t.equal((await loadedByNode(t, dir)).size, ours.size + 2);
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
  const dir = folder(t, 'aof');
  const [, client] = await nodeAt(t, dir, '--auto-aof-rewrite-min-size', '100kb');
  t.equal(
    await client.text('CONFIG', 'GET', 'auto-aof-rewrite-min-size'),
    'auto-aof-rewrite-min-size,102400',
  );
  for (let i = 0; i < 2000; i++) void client.send('SET', 'key', 'v'.repeat(100));
  await until('it was rewritten', async () => Number(await infoField(client, 'aof_rewrites')) > 0);
  await until('it is small again', async () => Number(await infoField(client, 'aof_current_size')) < 100_000);
  await rewritten(client);
  await client.send('DEBUG', 'POPULATE', '100000', 'key', '800');
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
    async () => (await infoField(client, 'aof_rewrite_in_progress')) === '1',
    { everyMs: 1 },
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
  await until('and the save after it', async () => (await infoField(client, 'rdb_saves')) === '2');
});
