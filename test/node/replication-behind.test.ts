import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { infoField } from '../support/data-set.ts';
import { linkIs, node, type Party, redis, same, write } from '../support/parties.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/*
 * A follower that was away goes on where it stood when its leader's backlog reaches that far, and takes everything anew when it does not: among
 * nodes, and between a node and a redis-server, either way.
 */

const SECOND_MS = 1000;
const AWAY_MS = process.env.RINGSIDE_LONG === '1' ? 10 * SECOND_MS : 2 * SECOND_MS;
const seed = Number(process.env.SEED ?? 20261121);
const skip = hasRedisServer ? false : NO_REDIS;

type Start = (t: Test, ...args: string[]) => Promise<Party>;

const leaders: Readonly<Record<string, Start>> = {
  node: (t, ...args) => node(t, ...args),
  'redis-server': (t, ...args) => redis(t, '--repl-diskless-sync-delay', '0', ...args),
};
const followers: Readonly<Record<string, Start>> = { node, 'redis-server': redis };

async function pair(t: Test, leader: string, follower: string) {
  const leading = await leaders[leader](t);
  await leading.client.text('CONFIG', 'SET', 'repl-backlog-size', '1gb');
  const link = await TcpProxy.start(leading.address);
  t.teardown(() => link.stop());
  const following = await followers[follower](t, '--replicaof', `127.0.0.1 ${link.port}`);
  await linkIs(following, 'up');
  return { leading, following, link };
}

const syncsOf = async ({ client }: Party) => ({
  full: await infoField(client, 'sync_full'),
  partial: await infoField(client, 'sync_partial_ok'),
  refused: await infoField(client, 'sync_partial_err'),
});

for (const [leader, follower] of [
  ['node', 'node'],
  ['node', 'redis-server'],
  ['redis-server', 'node'],
]) {
  const needsRedis = leader !== follower && skip;

  t.test(`${follower} was away from its ${leader}, seed ${seed}`, { skip: needsRedis }, async (t) => {
    const random = seededRandom(seed);
    const { leading, following, link } = await pair(t, leader, follower);
    await write(t, leading, random, 200);
    link.cut();
    await linkIs(following, 'down');
    const back = Date.now() + AWAY_MS;
    while (Date.now() < back) await write(t, leading, random, 40);
    link.restore();
    await linkIs(following, 'up');
    await same(t, leading, following, `${AWAY_MS} ms behind`);
    t.same(await syncsOf(leading), { full: '1', partial: '1', refused: '0' });

    await leading.client.text('CONFIG', 'SET', 'repl-backlog-size', '16384');
    link.cut();
    await linkIs(following, 'down');
    await leading.client.text('SET', 'long', 'x'.repeat(3_000_000));
    await write(t, leading, random, 400);
    link.restore();
    await linkIs(following, 'up');
    await same(t, leading, following, 'the backlog was too short');
    t.same(await syncsOf(leading), { full: '2', partial: '1', refused: '1' });
  });
}

for (const follower of Object.keys(followers)) {
  t.test(`${follower} that was stopped catches up`, { skip: follower !== 'node' && skip }, async (t) => {
    const random = seededRandom(seed);
    const { leading, following } = await pair(t, 'node', follower);
    process.kill(following.pid, 'SIGSTOP');
    t.teardown(() => process.kill(following.pid, 'SIGCONT'));
    const gone = until('the leader sees that it says nothing', async () =>
      /slave0:.*lag=(?:[2-9]|\d\d)|connected_slaves:0/.test(
        (await leading.client.text('INFO', 'replication'))!,
      ),
    );
    await Promise.all([gone, write(t, leading, random, 400)]);
    process.kill(following.pid, 'SIGCONT');
    await same(t, leading, following, 'what it missed is there');
    t.equal((await syncsOf(leading)).full, '1', 'without a full sync');
  });
}
