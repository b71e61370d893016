import t, { type Test } from 'tap';
import {
  hedged,
  SENT,
  SENT_BY_MS,
  type SlowShard,
  type SlowStage,
  slowStage,
  WON,
} from '../support/slow-stage.ts';
import { until } from '../support/until.ts';

/* Reads of leaders that are slow are sent to a follower too: whose answer counts, what comes too late, and what is never sent twice. */

/** As `slowStage`, of one shard. */
async function stage(t: Test, options?: object, rest?: object): Promise<SlowStage & SlowShard> {
  const made = await slowStage(t, 1, options, rest);
  return { ...made, ...made.shards[0] };
}

t.test('a slow leader: the follower answers, and what the leader says later goes to nobody', async (t) => {
  const { leader, follower, client, metric, proxy } = await stage(t);
  const [c, d] = [client(), client()];
  t.equal(await c.text('GET', 'n:a'), 'slave n:a');
  t.same(follower.asked('GET'), ['n:a']);
  t.same(follower.asked('INFO'), ['replication']);
  const write = d.text('SET', 'n:b', 'new');
  const elsewhere = d.text('GET', 'p:c');
  t.equal(await c.text('GET', 'n:d'), 'slave n:d');
  const behind = d.text('GET', 'p:e');
  await until('the leader has everything', () => leader.asked('GET').includes('p:e'));
  leader.release();
  t.equal(await write, 'OK');
  t.equal(await elsewhere, 'master p:c');
  t.equal(await behind, 'master p:e');
  for (const key of ['p:f', 'p:g', 'p:h']) t.equal(await c.text('GET', key), `master ${key}`);
  t.same(follower.asked('GET'), ['n:a', 'n:d'], 'what the namespace does not want is not sent twice');
  t.same(follower.asked('SET'), []);
  t.equal(await metric(SENT), 2);
  t.equal(await metric(WON), 2);
  t.equal(await metric('ringside_proxy_possibly_stale_reads_total'), 2);
  const clusters = await fetch(`http://${proxy.listeners.admin}/clusters?format=json`);
  const { shards } = (await clusters.json()) as {
    shards: { nodes: { hedges: number; hedgesWon: number }[] }[];
  };
  t.match(shards[0].nodes, [
    { hedges: 2, hedgesWon: 2 },
    { hedges: 0, hedgesWon: 0 },
  ]);
});

t.test('the leader answers first after all: what the follower says later goes to nobody', async (t) => {
  const { leader, follower, client, metric } = await stage(t);
  follower.isHeld = true;
  const c = client();
  const read = c.text('GET', 'n:a');
  await until('the follower is asked', () => follower.asked('GET').includes('n:a'));
  leader.release();
  t.equal(await read, 'master n:a');
  follower.release();
  leader.isHeld = true;
  t.equal(await c.text('GET', 'n:b'), 'slave n:b', 'its own answer');
  t.equal(await metric(SENT), 2);
  t.equal(await metric(WON), 1);
  leader.release();
});

t.test('a follower that is behind, or follows another stream, does not answer', async (t) => {
  const { leader, follower, client, metric } = await stage(t);
  follower.offset = 99;
  const read = client().text('GET', 'n:a');
  await until('the follower is asked', () => follower.asked('GET').includes('n:a'));
  // Behind the follower's answer on the same connection.
  follower.offset = 100;
  t.equal(await client().text('GET', 'n:b'), 'slave n:b');
  leader.release();
  t.equal(await read, 'master n:a');
  t.equal(await metric(SENT), 2);
  t.equal(await metric(WON), 1);
});

t.test('what a client has just read, or has under way, is not read elsewhere for it', async (t) => {
  const { leader, follower, client, usual, tag } = await stage(t);
  const read = `n:usual${tag}`;
  const [c, d] = [client(), client()];
  const held = [
    usual.send('GET', read),
    c.send('SET', 'n:own', '1'),
    c.send('GET', 'n:own'),
    d.send('GET', 'n:two'),
    d.send('GET', 'n:two'),
  ];
  const isHere = () => [read, 'n:own', 'n:two'].every((key) => leader.asked('GET').includes(key));
  await until('the leader has them', isHere);
  t.equal(await client().text('GET', 'n:later'), 'slave n:later', 'looked at behind those');
  t.same(follower.asked('GET'), ['n:later']);
  t.equal(await client().text('GET', read), `slave ${read}`, 'another client knows nothing of it');
  leader.release();
  t.same((await Promise.all(held)).map(String), [
    `master ${read}`,
    'OK',
    '1',
    'master n:two',
    'master n:two',
  ]);
});

t.test('beyond the budget of retries nothing is sent twice', async (t) => {
  const resilience = { retries: { ratio: 0, minimumPerSecond: 0 } };
  const { leader, follower, client, metric } = await stage(t, { resilience });
  const read = client().text('GET', 'n:a');
  await until('a retry is refused', () => metric('ringside_proxy_retries_refused_total'));
  leader.release();
  t.equal(await read, 'master n:a');
  t.same(follower.asked('GET'), []);
  t.equal(await metric(SENT), 0);
});

t.test('writes, what is no plain read of several keys, and scans are never sent twice', async (t) => {
  const { leader, follower, client } = await stage(t);
  const never = [
    ['SET', 'n:a', '1'],
    ['INCRBY', 'n:b', '1'],
    ['EXISTS', 'n:c', 'n:d'],
    ['HSCAN', 'n:e', '0'],
  ];
  const c = client();
  const answers = never.map((parts) => c.send(...parts));
  await until('the leader has them', () => leader.asked('HSCAN').includes('n:e'));
  t.equal(await client().text('GET', 'n:later'), 'slave n:later');
  t.same(
    follower.node.names.filter((name) => name !== 'INFO'),
    ['GET'],
  );
  leader.release();
  await Promise.all(answers);
  t.same(follower.asked('GET'), ['n:later']);
});

t.test('a follower that is gone is not asked', async (t) => {
  const { leader, follower, client, metric } = await stage(t);
  await follower.node.stop();
  await until('the proxy knows', () => metric('ringside_proxy_upstream_suspect'));
  const read = client().text('GET', 'n:a');
  await until('the leader has it', () => leader.asked('GET').includes('n:a'));
  await new Promise((resolve) => setTimeout(resolve, SENT_BY_MS));
  leader.release();
  t.equal(await read, 'master n:a');
  t.equal(await metric(SENT), 0);
});

t.test('off: nobody is asked for anything more', async (t) => {
  const off = [{ ...hedged, hedgedReads: false }];
  const { leader, follower, client, metric } = await stage(t, {}, { namespaces: off });
  const read = client().text('GET', 'n:a');
  await until('the leader has it', () => leader.asked('GET').includes('n:a'));
  await new Promise((resolve) => setTimeout(resolve, SENT_BY_MS));
  leader.release();
  t.equal(await read, 'master n:a');
  t.same(follower.node.names, []);
  t.same(leader.asked('INFO'), []);
  t.equal(await metric(SENT), 0);
});
