import t, { type Test } from 'tap';
import { type Listeners, overGrpc, overHttp, overMemcached, overResp } from '../support/read-many.ts';
import { RespClient } from '../support/resp-client.ts';
import {
  hedged,
  LOOK_MS,
  MULTI_GETS_SENT,
  MULTI_GETS_WON,
  READS,
  SENT,
  type SlowNode,
  type SlowStage,
  slowStage,
  WON,
} from '../support/slow-stage.ts';
import { inFrontOf, routeOf, startFollowers, startNodesWith } from '../support/spread.ts';
import { until } from '../support/until.ts';

/* Multi-gets, and what one shard is asked for of them, are sent to a follower too when their leader is slow. */

const ports = { memcachedPort: 'auto', httpPort: 'auto', grpcPort: 'auto' };
/** Beyond this a shard is asked for too many keys at once. */
const MOST_KEYS = 128;

/** Keys of the shard that is held, and of the one that is not, in turn. */
function keysOf({ shards: [held, other] }: SlowStage): string[] {
  return [`n:a${held.tag}`, `n:a${other.tag}`, `n:b${held.tag}`, `n:b${other.tag}`];
}

/** What is said of them when the follower answers for the shard that is held. */
function hedgedAnswer(keys: readonly string[]): string[] {
  return keys.map((key, i) => `${i % 2 === 0 ? 'slave' : 'master'} ${key}`);
}

/** What a node has got of multi-gets, by their keys. */
function multiGets({ node }: SlowNode): string[][] {
  return node.received
    .filter(({ name }) => name.endsWith('GET') && name !== 'GET')
    .map(({ args }) => [...args]);
}

/** Looked at behind what waits already, so that it would have been sent twice by now. */
async function isLookedAt(stage: SlowStage, key: string): Promise<void> {
  const [{ tag }] = stage.shards;
  await stage.client().text('GET', `n:later:${key}${tag}`);
}

for (const [listener, over] of Object.entries({
  RESP: overResp,
  memcached: overMemcached,
  HTTP: overHttp,
  gRPC: overGrpc,
})) {
  t.test(`${listener}: the follower of a slow leader answers for its shard`, async (t) => {
    const stage = await slowStage(t, 2, ports);
    const [held, other] = stage.shards;
    const read = over(t, stage.proxy.listeners as unknown as Listeners);
    const keys = keysOf(stage);
    t.same(await read(keys), hedgedAnswer(keys));
    t.same(multiGets(held.follower), [[keys[0], keys[2]]], 'it is asked for the keys of its shard');
    t.same(multiGets(other.follower), []);
    t.same(held.follower.asked('INFO'), ['replication']);
    for (const name of [SENT, WON, MULTI_GETS_SENT, MULTI_GETS_WON])
      t.equal(await stage.metric(name), 1, name);
    t.equal(await stage.metric('ringside_proxy_possibly_stale_reads_total'), 1);
    held.leader.release();
    const fresh = keys.map((key) => key.replace('n:', 'n:fresh'));
    t.same(
      await read(fresh),
      fresh.map((key) => `master ${key}`),
      'what the leader said too late went to nobody',
    );
    const clusters = await fetch(`http://${stage.proxy.listeners.admin}/clusters?format=json`);
    const { shards } = (await clusters.json()) as { shards: { nodes: object[] }[] };
    const counts = { hedges: 1, hedgesWon: 1, multiGetHedges: 1, multiGetHedgesWon: 1 };
    t.match(shards[0].nodes[0], counts);
    t.match(shards[1].nodes[0], { hedges: 0, multiGetHedges: 0 });
  });
}

t.test('a multi-get whose keys one shard has all of', async (t) => {
  const stage = await slowStage(t, 1);
  const [{ leader, follower }] = stage.shards;
  const c = stage.client();
  t.same(
    (await c.send('mget', 'n:a', 'n:b', 'n:a')) as object,
    ['slave n:a', 'slave n:b', 'slave n:a'].map((text) => Buffer.from(text)),
  );
  t.same(multiGets(follower), [['n:a', 'n:b', 'n:a']], 'as it came');
  t.equal(await c.text('GET', 'n:c'), 'slave n:c');
  t.equal(await stage.metric(WON), 2);
  t.equal(await stage.metric(MULTI_GETS_WON), 1, 'and a read of one key is none');
  leader.release();
});

t.test('the leader answers first after all: what the follower says later goes to nobody', async (t) => {
  const stage = await slowStage(t, 2);
  const [{ leader, follower }] = stage.shards;
  const keys = keysOf(stage);
  const read = overResp(t, stage.proxy.listeners as unknown as Listeners);
  follower.isHeld = true;
  const answer = read(keys);
  await until('the follower is asked', () => multiGets(follower).length === 1);
  leader.release();
  t.same(
    await answer,
    keys.map((key) => `master ${key}`),
  );
  follower.release();
  leader.isHeld = true;
  const others = keys.map((key) => key.replace('n:', 'n:other'));
  t.same(await read(others), hedgedAnswer(others), 'its own answer');
  t.equal(await stage.metric(MULTI_GETS_SENT), 2);
  t.equal(await stage.metric(MULTI_GETS_WON), 1);
  leader.release();
});

t.test('a follower that is behind does not answer', async (t) => {
  const stage = await slowStage(t, 2);
  const [{ leader, follower }] = stage.shards;
  const keys = keysOf(stage);
  follower.offset = 99;
  const answer = overResp(t, stage.proxy.listeners as unknown as Listeners)(keys);
  await until('the follower is asked', () => multiGets(follower).length === 1);
  // Behind the follower's answer on the same connection.
  follower.offset = 100;
  await isLookedAt(stage, 'a');
  leader.release();
  t.same(
    await answer,
    keys.map((key) => `master ${key}`),
  );
  t.equal(await stage.metric(MULTI_GETS_SENT), 1);
  t.equal(await stage.metric(MULTI_GETS_WON), 0);
});

t.test(
  'what a client has just read of one of the keys, or has under way, keeps all with the leader',
  async (t) => {
    const stage = await slowStage(t, 1);
    const [{ leader, follower, tag }] = stage.shards;
    const [c, d, e] = [stage.client(), stage.client(), stage.client()];
    const usual = `n:usual${tag}`;
    const held = [
      stage.usual.send('MGET', 'n:a', usual),
      c.send('SET', 'n:own', '1'),
      c.send('MGET', 'n:a', 'n:own'),
      d.send('MGET', 'n:a', 'n:two'),
      d.send('MGET', 'n:two', 'n:b'),
      e.send('MGET', 'n:c', 'n:three'),
      e.send('GET', 'n:three'),
    ];
    await until('the leader has them', () => leader.asked('GET').includes('n:three'));
    await isLookedAt(stage, 'a');
    t.same(multiGets(follower), []);
    t.same(follower.asked('GET'), [`n:later:a${tag}`]);
    t.equal(
      String(((await stage.client().send('MGET', 'n:a', usual)) as Buffer[])[1]),
      `slave ${usual}`,
      'another client knows nothing of it',
    );
    leader.release();
    t.same((await Promise.all(held)).map(String), [
      `master n:a,master ${usual}`,
      'OK',
      'master n:a,1',
      'master n:a,master n:two',
      'master n:two,master n:b',
      'master n:c,master n:three',
      'master n:three',
    ]);
  },
);

t.test('what comes behind it, before the follower has answered', async (t) => {
  const stage = await slowStage(t, 1);
  const [{ leader, follower }] = stage.shards;
  follower.isHeld = true;
  const c = stage.client();
  const read = c.send('MGET', 'n:a', 'n:b');
  await until('the follower is asked', () => multiGets(follower).length === 1);
  const write = c.send('SET', 'n:b', '1');
  await until('the leader has it', () => leader.asked('SET').includes('n:b'));
  follower.release();
  await isLookedAt(stage, 'a');
  leader.release();
  t.equal(String(await read), 'master n:a,master n:b');
  t.equal(String(await write), 'OK');
  t.equal(await stage.metric(MULTI_GETS_WON), 0);
});

t.test(
  'clients that are not told from others: what one has just read is not read elsewhere for another',
  async (t) => {
    const stage = await slowStage(t, 2, ports);
    const [{ leader, follower }] = stage.shards;
    leader.release();
    const keys = keysOf(stage);
    const overAll = [overHttp, overMemcached, overGrpc].map((over) =>
      over(t, stage.proxy.listeners as unknown as Listeners),
    );
    t.same(
      await overAll[0](keys),
      keys.map((key) => `master ${key}`),
    );
    leader.isHeld = true;
    const answers = overAll.slice(1).map((read) => read(keys));
    const resp = overResp(t, stage.proxy.listeners as unknown as Listeners)(keys);
    await until('the leader has them', () => multiGets(leader).length === 4);
    await isLookedAt(stage, 'a');
    t.same(multiGets(follower), [], 'nor for one that is');
    leader.release();
    for (const answer of [...answers, resp])
      t.same(
        await answer,
        keys.map((key) => `master ${key}`),
      );
  },
);

t.test(
  'a key of a namespace that does not want it, or whose staleness is over, keeps all with the leader',
  async (t) => {
    const namespaces = [
      hedged,
      { name: 'short', prefix: 's:', stalenessMs: 1, hedgedReads: true },
      { name: 'plain', prefix: 'p:', stalenessMs: 3_600_000 },
    ];
    const stage = await slowStage(t, 1, {}, { namespaces });
    const [{ leader, follower }] = stage.shards;
    await new Promise((resolve) => setTimeout(resolve, 2));
    const never = [
      ['n:a', 'p:a'],
      ['n:b', 's:b'],
      ['n:c', 'c'],
    ];
    const answers = never.map((keys) => stage.client().send('MGET', ...keys));
    await until('the leader has them', () => multiGets(leader).length === never.length);
    await isLookedAt(stage, 'a');
    t.same(multiGets(follower), []);
    leader.release();
    t.same(
      (await Promise.all(answers)).map(String),
      never.map((keys) => keys.map((key) => `master ${key}`).join()),
    );
  },
);

t.test('a shard that is asked for many keys is asked once, and their uses count', async (t) => {
  const stage = await slowStage(t, 1);
  const [{ leader, follower }] = stage.shards;
  const c = stage.client();
  const many = Array.from({ length: MOST_KEYS + 1 }, (_, i) => `n:${i}`);
  const answers = [c.send('MGET', ...many)];
  await until('the leader has it', () => multiGets(leader).length === 1);
  await isLookedAt(stage, 'a');
  t.same(multiGets(follower), []);
  answers.push(c.send('GET', many[7]));
  await until('the leader has that', () => leader.asked('GET').includes(many[7]));
  await isLookedAt(stage, 'b');
  t.notOk(follower.asked('GET').includes(many[7]));
  const most = (await stage.client().send('MGET', ...many.slice(1))) as Buffer[];
  t.same(
    most.map(String),
    many.slice(1).map((key) => `slave ${key}`),
  );
  leader.release();
  await Promise.all(answers);
});

t.test('beyond the budget of retries nothing is sent twice', async (t) => {
  const resilience = { retries: { ratio: 0, minimumPerSecond: 0 } };
  const stage = await slowStage(t, 2, { resilience });
  const [{ leader, follower }] = stage.shards;
  const keys = keysOf(stage);
  const answer = overResp(t, stage.proxy.listeners as unknown as Listeners)(keys);
  await until('a retry is refused', () => stage.metric('ringside_proxy_retries_refused_total'));
  leader.release();
  t.same(
    await answer,
    keys.map((key) => `master ${key}`),
  );
  t.same(multiGets(follower), []);
});

t.test('in windows: each part by itself', async (t) => {
  const keysAtOnce = 64;
  const stage = await slowStage(t, 2, { resilience: { fanOut: { maxKeysPerShard: keysAtOnce } } });
  const [held, other] = stage.shards;
  const keys = Array.from({ length: 3 * keysAtOnce }, (_, i) => `n:${i}${held.tag}`);
  const values = await overResp(
    t,
    stage.proxy.listeners as unknown as Listeners,
  )([...keys, `n:a${other.tag}`]);
  t.same(values, [...keys.map((key) => `slave ${key}`), `master n:a${other.tag}`]);
  t.same(
    multiGets(held.follower).map(({ length }) => length),
    [keysAtOnce, keysAtOnce, keysAtOnce],
  );
  t.equal(await stage.metric(MULTI_GETS_WON), 3);
  held.leader.release();
});

t.test('real nodes: a leader that is stopped', async (t) => {
  const leaders = await startNodesWith(t, 2);
  const followers = await startFollowers(t, leaders, 1);
  const namespaces = [{ ...hedged, readFallback: 'off' }];
  const { client, proxy, nodes } = await inFrontOf(t, leaders, followers, { namespaces });
  const keys = Array.from({ length: 40 }, (_, i) => `n:${i}`);
  const writer = client();
  for (const key of keys) await writer.send('SET', key, `value of ${key}`);
  const sizes = await Promise.all(nodes.map((node) => node.send('DBSIZE')));
  await followersHave(
    t,
    followers.map(([{ ready }]) => ready.resp),
    sizes as number[],
  );
  const figures = async () => (await proxy.admin.figures.nodes()).filter(({ role }) => role === 'leader');
  const usual = client();
  const stopped = leaders[Number((await routeOf(usual, keys[0])).get('shard')!.slice(1))];
  // Until it is known how fast the leaders usually are, and how far they have come.
  for (let i = 0; i < READS; i++) await usual.send('MGET', ...keys);
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  await usual.send('MGET', ...keys);
  stopped.kill('SIGSTOP');
  t.teardown(() => stopped.kill('SIGCONT'));
  const values = (await client().send('MGET', ...keys)) as Buffer[];
  t.same(
    values.map(String),
    keys.map((key) => `value of ${key}`),
  );
  const counts = await figures();
  t.ok(counts.some(({ multiGetHedgesWon }) => multiGetHedgesWon > 0));
  t.ok(counts.every(({ hedges, multiGetHedges }) => hedges === multiGetHedges));
  stopped.kill('SIGCONT');
  t.same(((await usual.send('MGET', ...keys)) as Buffer[]).map(String), values.map(String));
});

/** Once the followers at these addresses have so many keys each. */
async function followersHave(t: Test, addresses: readonly string[], sizes: readonly number[]): Promise<void> {
  for (const [i, address] of addresses.entries()) {
    const follower = new RespClient(address);
    t.teardown(() => follower.close());
    await until('the follower has the keys', async () => (await follower.send('DBSIZE')) === sizes[i]);
  }
}
