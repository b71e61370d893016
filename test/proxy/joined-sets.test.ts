import t from 'tap';
import { infoField } from '../support/data-set.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { startNodesWith } from '../support/spread.ts';
import { until } from '../support/until.ts';

/* SETs that a client sends together and alone go to each shard as one MSET; nobody can tell by the replies. */

const keysOf = (count: number, name = 'set') => Array.from({ length: count }, (_, i) => `${name}:${i}`);

/** Sends SETs in one piece; their outcomes as text. */
async function setAll(client: RespClient, keys: readonly string[], value: string): Promise<string[]> {
  const replies = await together(client, () => keys.map((key) => client.send('SET', key, value)));
  return replies.map((reply) => (reply instanceof Error ? reply.message : String(reply)));
}

/** What is sent leaves in one piece. */
function together<T>(client: RespClient, send: () => Promise<T>[]): Promise<T[]> {
  client.socket.cork();
  const replies = send();
  client.socket.uncork();
  return Promise.all(replies);
}

const oks = (count: number) => new Array(count).fill('OK');

/** How often a node has run a command. */
async function calls(node: RespClient, name: string): Promise<number> {
  const stats = await infoField(node, `cmdstat_${name}`);
  return Number(/calls=(\d+)/.exec(stats ?? '')?.[1] ?? 0);
}

for (const shards of [1, 3]) {
  t.test(`SETs go together (${shards} shards)`, async (t) => {
    const nodes = await startNodesWith(t, shards);
    const upstreams = nodes.map(({ ready }, i) => ({ name: `s${i}`, leader: ready.resp }));
    const under = await proxyWith(t, { upstreams, adminPort: 'auto' });
    const client = under.client();
    const direct = nodes.map(({ ready }) => new RespClient(ready.resp));
    t.teardown(() => direct.map((one) => one.close()));
    const keys = keysOf(50);
    await under.client().send('SET', keys[0], 'before', 'EX', '100');
    t.same(await setAll(client, [...keys, keys[1]], 'one'), oks(51));
    t.same(await setAll(client, [keys[2], keys[3], keys[2], keys[3]], 'two'), oks(4));
    for (const [i, key] of keys.entries())
      t.equal(await client.text('GET', key), i === 2 || i === 3 ? 'two' : 'one');
    t.equal(await client.send('TTL', keys[0]), -1, 'no time to live is left');
    const sets = await Promise.all(direct.map((node) => calls(node, 'mset')));
    t.ok(
      sets.every((count) => count > 0),
      `${sets} MSETs`,
    );
    const metrics = await (await fetch(`http://${under.proxy.listeners.admin}/metrics`)).text();
    t.match(
      metrics,
      /command_seconds_count\{listener="resp",command="set"\} 56\n/,
      'they count as what they are',
    );
    t.notMatch(metrics, 'command="mset"');
    const later = [setAll(client, keys, 'three'), setAll(client, keys, 'four')];
    t.equal(await client.text('GET', keys[7]), 'four', 'what comes behind them finds what they wrote');
    t.same(await Promise.all(later), [oks(50), oks(50)]);
    const mixed = await together(client, () => [
      ...keys.slice(0, 8).map((key) => client.send('SET', key, 'five')),
      client.send('GET', keys[0]),
    ]);
    t.same(mixed.map(String), [...oks(8), 'five']);
  });
}

t.test('what a node refuses of an MSET it is sent one by one', async (t) => {
  const [odd, other] = await fakeNodes(t, 2);
  const under = await proxyWith(t, { upstreams: upstreamsOf([{ leader: odd }, { leader: other }]) });
  const client = under.client();
  const keys = keysOf(20);
  let lost = '';
  odd.refuse = ({ name, args }) => {
    if (name === 'MSET') return "-NOPERM this user has no permissions to run the 'mset' command\r\n";
    return args[0] === lost ? '-OOM no room\r\n' : undefined;
  };
  t.same(await setAll(client, keys, 'one'), oks(20));
  const [together, ...apart] = odd.received.filter(({ name }) => name.endsWith('SET'));
  t.equal(together.name, 'MSET');
  t.same(
    apart.flatMap(({ args }) => args),
    together.args,
    'the same, in order',
  );
  t.same(other.names, ['MSET'], 'the other shard is not asked again');
  for (let i = 0; i < 4; i++) await setAll(client, keys, 'two');
  t.equal(odd.names.filter((name) => name === 'MSET').length, 1, 'for a while they do not go together');
  lost = String(apart[1].args[0]);
  t.same(
    await setAll(client, keys, 'three'),
    keys.map((key) => (key === lost ? 'OOM no room' : 'OK')),
  );
  t.equal(odd.names.filter((name) => name === 'MSET').length, 2);
});

t.test('no more are under way than one client may have', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const limits = { maxInFlightPerConnection: 10 };
  const under = await proxyWith(t, { upstreams: upstreamsOf([{ leader: node }]), limits });
  const client = under.client();
  node.refuse = () => 'silent';
  setAll(client, keysOf(30), 'one').catch(() => {});
  await until('they are under way', () => node.names.length >= 10);
  await under.client().text('PING');
  t.same(node.names, new Array(10).fill('SET'));
});

t.test('of an MSET without an answer nobody knows what became', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const under = await proxyWith(t, { upstreams: upstreamsOf([{ leader: node }]) });
  const client = under.client();
  const keys = keysOf(8);
  node.refuse = ({ name }) => (name === 'MSET' ? 'close' : undefined);
  const outcomes = await setAll(client, keys, 'one');
  t.equal(outcomes.length, 8);
  for (const outcome of outcomes) t.match(outcome, /^UNKNOWN write outcome unknown/);
  t.same(node.names, ['MSET'], 'nothing is sent twice');
});

t.test('a client that leaves meanwhile costs the others nothing', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const under = await proxyWith(t, { upstreams: upstreamsOf([{ leader: node }]) });
  const [leaving, staying] = [under.client(), under.client()];
  let isSilent = true;
  node.refuse = ({ name }) => (name === 'MSET' && isSilent ? 'silent' : undefined);
  t.equal(await staying.text('SET', 'other', '1'), 'OK');
  setAll(leaving, keysOf(8), 'one').catch(() => {});
  await until('it is under way', () => node.names.includes('MSET'));
  leaving.close();
  const waiting = staying.text('GET', 'other');
  await until('another waits behind it', () => node.names.includes('GET'));
  isSilent = false;
  // The node has answered the GET first, which the proxy takes for the answer to the MSET.
  node.say('$1\r\n2\r\n');
  t.equal(await waiting, '2', 'each has what is its own');
  t.same(await setAll(staying, keysOf(8), 'two'), oks(8));
});
