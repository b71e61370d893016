import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { lastingWrites } from '../support/any-writes.ts';
import {
  checkAof,
  differences,
  hasRedisTools,
  loadedByNode,
  loadedByRedis,
  nodeAt,
  rewritten,
  written,
} from '../support/aof.ts';
import { infoField } from '../support/data-set.ts';
import { folder } from '../support/folder.ts';
import { contentOf } from '../support/redis-content.ts';
import { NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';
import type { Command } from './differential/base.ts';

/*
 * The append-only file as a node writes it, from clients or from its leader: redis-check-aof accepts it and a real redis-server loads it, key
 * by key equal.
 */

const random = seededRandom(Number(process.env.SEED ?? 20261121));
const isLong = Boolean(process.env.RINGSIDE_LONG);

t.test(
  'redis-server loads what the node appends, of every type',
  { skip: !hasRedisTools && NO_REDIS },
  async (t) => {
    for (const policy of isLong ? ['always', 'everysec', 'no'] : ['always']) {
      const dir = folder(t, 'aof');
      const [node, client] = await nodeAt(t, dir, '--appendfsync', policy);
      for (let part = 0; part < 4; part++) {
        await Promise.all(lastingWrites(random, 400).map((command) => client.send(...command)));
        if (part % 2 === 0)
          t.equal(await client.text('BGREWRITEAOF'), 'Background append only file rewriting started');
        await rewritten(client);
      }
      await client.send('DISCARD');
      const ours = await contentOf(client);
      await node.stop();
      t.equal(checkAof(dir), 'valid');
      const [theirs, again] = await Promise.all([loadedByRedis(t, dir), loadedByNode(t, dir)]);
      t.same(differences(ours, theirs), [], `${policy}: ${ours.size} keys in redis-server`);
      t.same(differences(ours, again), [], 'and in the node');
      t.equal(checkAof(dir), 'valid', 'which has gone on in the same file');
    }
  },
);

t.test('a follower appends what it follows', { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const leader = await startRedis();
  t.teardown(() => leader.stop());
  const writer = new RespClient(leader.address);
  t.teardown(() => writer.close());
  const send = (commands: readonly Command[]) =>
    Promise.all(commands.filter(([name]) => !/^RS\./i.test(String(name))).map((c) => writer.send(...c)));
  await send(lastingWrites(random, 500));
  const dir = folder(t, 'aof');
  const [node, client] = await nodeAt(t, dir, '--replicaof', leader.address.replace(':', ' '));
  await writer.send('DISCARD');
  await until('it follows', async () => (await infoField(client, 'master_link_status')) === 'up');
  await until('its own base is there', async () => {
    return Number(await infoField(client, 'aof_rewrites')) > 0;
  });
  // In the middle of a rewrite, and in another database than the first.
  await writer.send('SELECT', '9');
  await writer.send('SET', 'there', '1');
  await client.send('BGREWRITEAOF');
  await send(lastingWrites(random, 500));
  await writer.send('SET', 'there', '2');
  await rewritten(client);
  await writer.send('DISCARD');
  await writer.send('SET', 'last', 'v');
  await until('it has all', async () => {
    const [a, b] = await Promise.all([contentOf(client), contentOf(writer)]);
    return a.size === b.size && differences(a, b).length === 0;
  });
  const theirs = await contentOf(writer);
  await written(client);
  node.kill('SIGKILL');
  await node.ended;
  const [a, b] = await Promise.all([loadedByRedis(t, dir), loadedByNode(t, dir)]);
  t.same(differences(theirs, a), [], `${theirs.size} keys`);
  t.same(differences(theirs, b), []);
});
