import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { lastingWrites } from '../support/any-writes.ts';
import { differences, hasRedisTools, loadedByRedis, nodeAt, partNames } from '../support/aof.ts';
import { folder } from '../support/folder.ts';
import { contentOf } from '../support/redis-content.ts';
import { NO_REDIS } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* A node that appends is killed: what is there is the same to a redis-server and to a node, and under `always` all that was acknowledged. */

const random = seededRandom(Number(process.env.SEED ?? 20261121));
const KILLS = process.env.RINGSIDE_LONG ? 30 : 2;

t.test('killed at any moment, rewrites included', { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const dir = folder(t, 'aof');
  let [node, client] = await nodeAt(t, dir);
  for (let kill = 0; kill < KILLS; kill++) {
    await client.send('DEBUG', 'POPULATE', '2000', `kill${kill}`, '1000');
    const sent = lastingWrites(random, 1500).map((command) => client.send(...command).catch(() => null));
    for (let i = 0; i < 2; i++) void client.send('BGREWRITEAOF').catch(() => null);
    await Promise.race([until('later', () => random.int(12) === 0), ...sent.slice(200 + random.int(800))]);
    node.kill('SIGKILL');
    await node.ended;
    await Promise.allSettled(sent);
    const loading = loadedByRedis(t, dir);
    [node, client] = await nodeAt(t, dir);
    const [theirs, ours] = await Promise.all([loading, contentOf(client)]);
    t.ok(theirs.size > 0, `${theirs.size} keys`);
    t.same(differences(theirs, ours), [], `kill ${kill}`);
    t.same(
      partNames(dir).filter((name) => name.includes('.tmp-')),
      [],
      'nothing is left over',
    );
  }
});

t.test('always: nothing that was acknowledged is lost', async (t) => {
  const dir = folder(t, 'aof');
  const [node] = await nodeAt(t, dir, '--appendfsync', 'always');
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
  const [, again] = await nodeAt(t, dir);
  for (const [i, count] of acknowledged.entries()) {
    const found = Number(await again.text('GET', `counter:${i}`));
    if (found < count || found > count + 1) t.fail(`counter ${i} is ${found}, ${count} was acknowledged`);
  }
  t.ok(acknowledged.every((count) => count > 0));
});
