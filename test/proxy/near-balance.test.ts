import t from 'tap';
import { startMuteRelay } from '../support/mute-relay.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import {
  HOT,
  heatUp,
  inFrontOf,
  readMostlyHot,
  routeOf,
  spreading,
  startFollowers,
  startNodesWith,
} from '../support/spread.ts';
import { until } from '../support/until.ts';

/* A near cache and bounded load in one namespace, in front of real nodes: what is kept is answered from memory, hot keys that are not kept are spread. */

/** Longer than what a near cache of the least size keeps. */
const long = (text: string) => text.padEnd(17_000, '.');

/** As `spreading`, with a near cache that keeps short values. */
function both(mode: string, nearCache: object = {}) {
  const rest = spreading(mode);
  return { ...rest, nearCache: { ...rest.nearCache, mode: 'always', maxBytes: '1mb', ...nearCache } };
}

t.test('short values are kept, and reads of a long one are spread', async (t) => {
  const forLong = { minTtlMs: 60_000, maxTtlMs: 60_000 };
  const spread = await inFrontOf(t, await startNodesWith(t, 4), [], both('overflow', forLong));
  const { figures } = spread.proxy.admin;
  const clients = Array.from({ length: 8 }, () => spread.client());
  const hits = async () => (await figures.near()).find(({ namespace }) => namespace === 'near')!.hits;
  await clients[0].send('SET', 'n:short', 'kept');
  await until('the short one is kept', async () => {
    await clients[1].send('GET', 'n:short');
    return (await hits()) > 0;
  });
  await clients[0].send('SET', HOT, long('one'));
  t.equal((await heatUp(clients, 'overflow')).get('l1'), 'pass', 'known not to be kept');
  await until('copies answer', async () => {
    await readMostlyHot(clients, 50);
    return (await figures.balance()).overflowReads > 500;
  });
  const before = await hits();
  for (const client of clients) {
    t.equal(await client.text('GET', HOT), long('one'));
    t.equal(await client.text('GET', 'n:short'), 'kept');
    t.same(await client.send('MGET', HOT, 'n:short'), [Buffer.from(long('one')), Buffer.from('kept')]);
  }
  t.equal(await hits(), before + 2 * clients.length, 'the short one came from memory, each time');

  await clients[2].send('SET', HOT, 'short');
  for (const client of clients)
    t.equal(await client.text('GET', HOT), 'short', 'whoever reads after the write');
  await until('it is kept by now', async () => {
    await readMostlyHot(clients, 10);
    return (await routeOf(clients[0], HOT)).get('l1') === 'value';
  });
  const { leaderReads, overflowReads } = await figures.balance();
  await readMostlyHot(clients, 50);
  t.match(await figures.balance(), { leaderReads, overflowReads }, 'and nobody else is asked');
  await clients[3].send('SET', HOT, long('two'));
  for (const client of clients) t.equal(await client.text('GET', HOT), long('two'));
  await until('it is spread again', async () => {
    await readMostlyHot(clients, 50);
    return (await figures.balance()).overflowReads > overflowReads + 100;
  });
});

t.test(
  'whoever answers, nothing is older than the namespace allows, though nobody tells of changes',
  async (t) => {
    const stalenessMs = 600;
    const [leader, other] = await startNodesWith(t, 2);
    const [[follower]] = await startFollowers(t, [leader], 1);
    const upstreams = [
      { name: 's0', leader: await startMuteRelay(t, leader.ready.resp), followers: [follower.ready.resp] },
      { name: 's1', leader: other.ready.resp },
    ];
    const { namespaces, ...rest } = both('followers', { minTtlMs: 60_000, maxTtlMs: 60_000 });
    const short = namespaces.map((one) => ({ ...one, stalenessMs }));
    const { proxy, client } = await proxyWith(
      t,
      { upstreams, adminPort: 'auto' },
      { namespaces: short, ...rest },
    );
    const [atLeader, atFollower] = [leader, follower].map(({ ready }) => new RespClient(ready.resp));
    t.teardown(() => {
      for (const one of [atLeader, atFollower]) one.close();
    });
    const clients = Array.from({ length: 8 }, client);
    // Keys of the first shard.
    const keys: string[] = [];
    for (let i = 0; keys.length < 2; i++) {
      const route = await routeOf(clients[0], `n:${i}`);
      if (route.get('shard') === 's0') keys.push(`n:${i}`);
    }
    const textOf = (key: string, text: string) => (key === keys[0] ? long(text) : text);
    for (const key of keys) await atLeader.send('SET', key, textOf(key, 'old'));
    const readAll = (each: number, heard: (key: string, value: string | null, sentMs: number) => void) =>
      Promise.all(
        clients.map(async (one) => {
          for (let i = 0; i < each; i++) {
            const key = keys[i % 3 === 0 ? 1 : 0];
            const sentMs = performance.now();
            heard(key, await one.text('GET', key), sentMs);
          }
        }),
      );
    await until('both kinds of answers come', async () => {
      await readAll(50, () => {});
      const [near] = await proxy.admin.figures.near();
      return near.hits > 100 && (await proxy.admin.figures.balance()).followerReads > 100;
    });
    // From now on it falls behind for ever.
    await atFollower.send('REPLICAOF', 'NO', 'ONE');
    for (const key of keys) await atLeader.send('SET', key, textOf(key, 'new'));
    const changedMs = performance.now();
    const counts = { fresh: 0, old: 0 };
    const late: string[] = [];
    while (performance.now() < changedMs + 4 * stalenessMs)
      await readAll(30, (key, value, sentMs) => {
        const isOld = value === textOf(key, 'old');
        counts[isOld ? 'old' : 'fresh']++;
        if (isOld && sentMs > changedMs + stalenessMs) late.push(`${key} after ${sentMs - changedMs} ms`);
      });
    t.comment(JSON.stringify(counts));
    t.ok(counts.old > 0, 'the change is not told');
    t.ok(counts.fresh > 0);
    t.same(late.slice(0, 5), []);
  },
);
