import t from 'tap';
import {
  HOT,
  heatUp,
  inFrontOf,
  readMostlyHot,
  spreading,
  startFollowers,
  startNodesWith,
} from '../support/spread.ts';
import { until } from '../support/until.ts';

/* Bounded load when what takes reads over stops or dies. */

const FAST = { operationTimeoutMs: 10_000, readTimeoutMs: 1000 };

t.test('followers come first', async (t) => {
  const leaders = await startNodesWith(t, 2);
  const followers = await startFollowers(t, leaders, 1);
  const spread = await inFrontOf(t, leaders, followers, spreading('followers'), FAST);
  const clients = Array.from({ length: 8 }, () => spread.client());
  await clients[0].send('SET', HOT, '1');
  const route = await heatUp(clients, 'follower');
  const { figures } = spread.proxy.admin;
  await until('followers answer', async () => {
    await readMostlyHot(clients, 50);
    return (await figures.balance()).followerReads > 100;
  });
  t.equal((await figures.balance()).overflowReads, 0);
  t.equal(route.get('followers'), route.get('decision-node'));
  const [follower] = followers[leaders.findIndex(({ ready }) => ready.resp === route.get('node'))];
  follower.kill('SIGSTOP');
  t.teardown(() => follower.kill('SIGCONT'));
  await readMostlyHot(clients, 300);
  t.ok((await figures.balance()).lost > 0, 'a stopped follower costs nobody an answer');
});

t.test('an overflow shard that is stopped or killed costs nobody an answer', async (t) => {
  const leaders = await startNodesWith(t, 3);
  const spread = await inFrontOf(t, leaders, [], spreading('overflow'), FAST);
  const clients = Array.from({ length: 8 }, () => spread.client());
  await clients[0].send('SET', HOT, 'value');
  const readHot = (each: number) =>
    Promise.all(
      clients.map(async (client) => {
        for (let i = 0; i < each; i++) t.equal(await client.text('GET', HOT), 'value');
      }),
    );
  const at = (await heatUp(clients, 'overflow')).get('decision-node');
  const node = leaders.find(({ ready }) => ready.resp === at)!;
  node.kill('SIGSTOP');
  await readHot(300);
  node.kill('SIGKILL');
  await readHot(300);
  t.ok((await spread.proxy.admin.figures.balance()).lost > 0);
});
