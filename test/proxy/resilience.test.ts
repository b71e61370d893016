import t, { type Test } from 'tap';
import { FakeNode } from '../support/fake-node.ts';
import { wakingClock } from '../support/patience.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import type { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* What a proxy does about nodes that are slow, silent or gone: it stops sending, says so at once, probes by itself, and retries little. */

const fast = { operationTimeoutMs: 300, readTimeoutMs: 80, connectTimeoutMs: 1000, adminPort: 'auto' };
/** For nodes that must not be taken for slow. */
const patient = { ...fast, operationTimeoutMs: 1200, readTimeoutMs: 600 };
const breaker = { consecutiveFailures: 3, openMs: 50, maxOpenMs: 200 };

/** A proxy that does not take the pauses of this process for those of a node. */
const start = (t: Test, options: object, rest: object = {}) => proxyWith(t, options, rest, wakingClock(t));

/** The outcomes of `count` commands sent at once, as texts. */
async function burst(client: RespClient, count: number, ...parts: string[]): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: count }, () => client.send(...parts)));
  return answers.map((answer) => (answer instanceof Error ? answer.message : String(answer)));
}

async function metric(proxy: { listeners: Readonly<Record<string, string>> }, name: string): Promise<number> {
  const text = await (await fetch(`http://${proxy.listeners.admin}/metrics`)).text();
  const lines = text
    .split('\n')
    .filter(
      (line) =>
        line.startsWith(`${name} `) ||
        line.startsWith(`${name}{`) ||
        (name.endsWith('}') && line.startsWith(name)),
    );
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function nodeStatus(proxy: { listeners: Readonly<Record<string, string>> }, shard: number) {
  const text = await (await fetch(`http://${proxy.listeners.admin}/clusters?format=json`)).text();
  return JSON.parse(text).shards[shard].nodes[0] as Record<string, unknown>;
}

t.test(
  'the breaker: deadlines that pass open it, what comes then fails at once, a PING closes it',
  async (t) => {
    const [node] = await fakeNodes(t, 1);
    const upstreams = upstreamsOf([{ leader: node }]);
    const test = await start(t, { upstreams, ...fast, resilience: { breaker } });
    const c = test.client();
    t.equal(await c.text('SET', 'a', '1'), 'OK');
    let isDeaf = true;
    node.refuse = () => (isDeaf ? 'silent' : undefined);
    t.match((await burst(c, 5, 'SET', 'a', '2')).join(), /^UNKNOWN .*(,UNKNOWN .*){4}/);
    const { breakerOpened } = await nodeStatus(test.proxy, 0);
    t.ok(
      Number(breakerOpened) > 0,
      `it has opened ${breakerOpened} times, once more for each PING without an answer`,
    );
    const asked = node.names.length;
    const [refusal] = await burst(c, 1, 'SET', 'a', '3');
    if (node.names.length === asked)
      t.match(
        refusal,
        /^CLUSTERDOWN shard s0: the circuit breaker of 127\.0\.0\.1:\d+ is (half-)?open: .*\(proxy\.resilience\.breaker\); nothing was sent$/,
      );
    isDeaf = false;
    await until('it is closed again', async () => (await nodeStatus(test.proxy, 0)).breaker === 'closed');
    t.equal(await c.text('SET', 'a', '4'), 'OK');
    t.equal(await c.text('GET', 'a'), '4');
    const lines = test.log.filter(({ msg }) => msg.startsWith('the circuit breaker of the node is'));
    t.match(lines[0], { level: 'warn', setting: 'proxy.resilience.breaker', reason: /failures in a row/ });
    t.ok(lines.some(({ level, msg }) => level === 'info' && msg.endsWith('closed')));
  },
);

t.test(
  'a frozen node: its breaker stays open, other shards do not notice, its clients wait for nothing',
  async (t) => {
    const nodes = await fakeNodes(t, 2);
    const upstreams = upstreamsOf(nodes.map((leader) => ({ leader })));
    const test = await start(t, { upstreams, ...patient, resilience: { breaker } });
    const c = test.client();
    const keys = Array.from({ length: 50 }, (_, i) => `key:${i}`);
    for (const key of keys) await c.text('SET', key, key);
    const [frozen, other] = nodes;
    const lost = keys.filter((key) => frozen.store.has(key));
    const rest = keys.filter((key) => other.store.has(key));
    frozen.isFrozen = true;
    await burst(test.client(), 5, 'GET', lost[0]);
    await until('its breaker is open', async () => (await nodeStatus(test.proxy, 0)).breaker !== 'closed');
    const [failed, found] = await Promise.all([
      burst(test.client(), 200, 'GET', lost[0]),
      burst(test.client(), 200, 'GET', rest[0]),
    ]);
    t.ok(
      failed.every((text) => /^CLUSTERDOWN .*circuit breaker/.test(text)),
      failed[0],
    );
    t.ok(found.every((text) => text === rest[0]));
    t.ok((await metric(test.proxy, 'ringside_proxy_breaker_refusals_total')) >= 200);
    t.equal(await metric(test.proxy, 'ringside_proxy_breaker_open'), 1);
    t.match(await (await fetch(`http://${test.proxy.listeners.admin}/clusters`)).text(), /leader BREAKER /);
    frozen.isFrozen = false;
    await until('it is back', async () => (await burst(c, 1, 'GET', lost[0]))[0] === lost[0]);
  },
);

t.test('reads go to a follower while the breaker of the leader is open', async (t) => {
  const [leader, follower] = await fakeNodes(t, 2);
  leader.store.set('a', Buffer.from('from leader'));
  follower.store.set('a', Buffer.from('from follower'));
  const upstreams = upstreamsOf([{ leader, followers: [follower] }]);
  const test = await start(t, { upstreams, ...fast, resilience: { breaker } });
  const c = test.client();
  leader.refuse = ({ name }) => (name === 'SET' ? 'silent' : undefined);
  await burst(test.client(), 3, 'SET', 'a', '1');
  const answers = await burst(c, 20, 'GET', 'a');
  t.ok(answers.includes('from follower'), answers[0]);
  t.ok(answers.every((text) => text.startsWith('from ')));
});

for (const [name, limits, value] of [
  ['maxQueuedPerNode', { maxQueuedPerNode: 10 }, 'x'],
  ['maxQueuedBytesPerNode', { maxQueuedBytesPerNode: '64kb' }, 'x'.repeat(10_000)],
] as const) {
  t.test(`${name}: so much waits for a node that is away, and no more`, async (t) => {
    const [node] = await fakeNodes(t, 1);
    const upstreams = upstreamsOf([{ leader: node }]);
    const test = await start(t, {
      ...{ upstreams, ...fast, operationTimeoutMs: 20_000 },
      resilience: { breaker: { ...breaker, ...limits } },
    });
    const c = test.client();
    t.equal(await c.text('SET', 'a', 'x'), 'OK');
    const { port } = node;
    await node.stop();
    await until('it is missed', async () => (await nodeStatus(test.proxy, 0)).state === 'suspect');
    // One client alone is not read from while so much of its own waits.
    const under = Promise.all(Array.from({ length: 25 }, () => burst(test.client(), 4, 'SET', 'a', value)));
    await until(
      'some are refused',
      async () => (await metric(test.proxy, 'ringside_proxy_queue_refusals_total')) >= 90,
    );
    const again = await FakeNode.start(port);
    t.teardown(() => again.stop());
    const answers = (await under).flat();
    const kept = answers.filter((text) => text === 'OK').length;
    const refused = answers.filter((text) =>
      new RegExp(
        `^CLUSTERDOWN shard s0: \\d+ .*wait for .* \\(proxy\\.resilience\\.breaker\\.${name}\\); nothing was sent$`,
      ).test(text),
    );
    t.equal(kept + refused.length, 100, String(answers.find((text) => text !== 'OK')));
    t.ok(kept <= 10 && kept >= 5, `${kept} waited`);
    const setting = `proxy.resilience.breaker.${name}`;
    t.equal(
      await metric(test.proxy, `ringside_proxy_limit_reached_total{setting="${setting}"}`),
      refused.length,
    );
    const line = test.log.filter((one) => one.msg === 'a limit is reached' && one.setting === setting);
    t.match(line, [{ level: 'warn', shard: 's0' }], 'one line for all of them');
    t.equal(await c.text('SET', 'a', 'after'), 'OK', 'what waited is forgotten when it has left');
    // Few at a time: what a socket takes at once is the system's affair, and the rest waits too.
    const later = [];
    for (let i = 0; i < 10; i++) later.push(...(await burst(c, 5, 'SET', 'a', value)));
    t.equal(later.filter((text) => text === 'OK').length, 50);
  });
}

t.test('retries: so many and no more, then the error', async (t) => {
  const [leader, follower] = await fakeNodes(t, 2);
  follower.store.set('a', Buffer.from('from follower'));
  const upstreams = upstreamsOf([{ leader, followers: [follower] }]);
  const never = { consecutiveFailures: 10_000, minimumOutcomes: 10_000 };
  const resilience = { breaker: never, retries: { ratio: 0.1, minimumPerSecond: 1 } };
  const test = await start(t, { upstreams, ...fast, resilience });
  const c = test.client();
  await c.text('SET', 'a', '1');
  leader.refuse = ({ name }) => (/^M?GET$/.test(name) ? 'silent' : undefined);
  // Behind another command each GET is sent for itself; of those that are sent together all are tried again, or none.
  const echo = c.text('ECHO', 'x');
  const answers = await burst(c, 100, 'GET', 'a');
  t.equal(await echo, 'x');
  const late = answers.filter((text) => /^(TIMEOUT|CLUSTERDOWN) shard s0: /.test(text)).length;
  const elsewhere = answers.filter((text) => text === 'from follower').length;
  t.equal(elsewhere + late, 100, [...new Set(answers)].join('; '));
  t.equal(await metric(test.proxy, 'ringside_proxy_read_retries_total'), 10, 'max(10 % of 101, 10 x 1)');
  t.ok((await metric(test.proxy, 'ringside_proxy_retries_refused_total')) >= late);
  const setting = 'ringside_proxy_limit_reached_total{setting="proxy.resilience.retries"}';
  t.ok((await metric(test.proxy, setting)) >= late);
});

for (const count of [10, 11]) {
  t.test(`retries: of GETs that are sent together all are tried again, or none (${count})`, async (t) => {
    const [leader, follower] = await fakeNodes(t, 2);
    follower.store.set('a', Buffer.from('from follower'));
    const upstreams = upstreamsOf([{ leader, followers: [follower] }]);
    const never = { consecutiveFailures: 10_000, minimumOutcomes: 10_000 };
    const resilience = { breaker: never, retries: { ratio: 0, minimumPerSecond: 1 } };
    const test = await start(t, { upstreams, ...fast, resilience });
    const c = test.client();
    await c.text('SET', 'a', '1');
    leader.refuse = ({ name }) => (/^M?GET$/.test(name) ? 'silent' : undefined);
    const isWithin = count === 10;
    for (const text of await burst(c, count, 'GET', 'a'))
      t.match(text, isWithin ? 'from follower' : /^(TIMEOUT|CLUSTERDOWN) shard s0: /);
    t.equal(await metric(test.proxy, 'ringside_proxy_read_retries_total'), isWithin ? 10 : 0);
    const refused = await metric(test.proxy, 'ringside_proxy_retries_refused_total');
    t.ok(isWithin ? refused === 0 : refused >= 11, `${refused} refused`);
  });
}

t.test('an ejected leader: only reads that may be old go elsewhere', async (t: Test) => {
  const [leader, follower] = await fakeNodes(t, 2);
  for (const [node, text] of [
    [leader, 'from leader'],
    [follower, 'from follower'],
  ] as const)
    for (const key of ['strict', 'old:a']) node.store.set(key, Buffer.from(text));
  const upstreams = upstreamsOf([{ leader, followers: [follower] }]);
  const resilience = { outlier: { consecutiveFailures: 3, ejectionMs: 3000 } };
  const namespaces = [{ name: 'old', prefix: 'old:', stalenessMs: 1000, nearCache: 'off' }];
  const test = await start(t, { upstreams, ...fast, resilience }, { namespaces });
  const c = test.client();
  t.equal(await c.text('GET', 'old:a'), 'from leader');
  leader.refuse = ({ name, args }) => (/^M?GET$/.test(name) && args[0] === 'old:a' ? 'silent' : undefined);
  t.same(await burst(c, 4, 'GET', 'old:a'), Array(4).fill('from follower'));
  leader.refuse = () => undefined;
  leader.cut();
  await until('it answers', async () => (await nodeStatus(test.proxy, 0)).state === 'ejected');
  t.equal(await c.text('GET', 'strict'), 'from leader');
  t.equal(await c.text('GET', 'old:a'), 'from follower');
  await until('a probe brings it back', async () => (await nodeStatus(test.proxy, 0)).state === 'connected');
  t.equal(await c.text('GET', 'old:a'), 'from leader');
  t.ok(
    test.log.some(
      ({ msg, setting }) => msg.startsWith('the node is ejected') && setting === 'proxy.resilience.outlier',
    ),
  );
});

t.test('an MGET over shards is asked for in windows, and answered in the order of its keys', async (t) => {
  const nodes = await fakeNodes(t, 3);
  const upstreams = upstreamsOf(nodes.map((leader) => ({ leader })));
  const fanOut = { maxKeysPerShard: 64 };
  const test = await start(t, { upstreams, ...patient, resilience: { fanOut } });
  const c = test.client();
  const keys = Array.from({ length: 1000 }, (_, i) => `key:${i}`);
  for (const [i, key] of keys.entries()) if (i % 7 !== 0) await c.send('SET', key, `value ${i}`);
  for (const node of nodes) node.received.length = 0;
  const mget = async (names: readonly string[]) => {
    const answer = (await c.send('MGET', ...names)) as (Buffer | null)[] | Error;
    return answer instanceof Error ? answer.message : answer.map((one) => one && String(one));
  };
  const expected = keys.map((_, i) => (i % 7 === 0 ? null : `value ${i}`));
  t.same(await mget(keys), expected);
  const parts = nodes.flatMap(({ received }) => received.filter(({ name }) => name === 'MGET'));
  t.ok(parts.length >= 15 && parts.every(({ args }) => args.length <= 64), `${parts.length} parts`);
  t.equal(
    parts.reduce((sum, { args }) => sum + args.length, 0),
    1000,
  );
  t.same(
    await mget([...keys, ...keys].reverse()),
    [...expected, ...expected].reverse(),
    'keys may come twice',
  );
  nodes[1].refuse = ({ name }) => (name === 'MGET' ? '-ERR no such luck\r\n' : undefined);
  nodes[1].received.length = 0;
  t.match(await mget(keys), /^ERR MGET failed for \d+ of 1000 keys: shard s1 .*: ERR no such luck/);
  t.equal(nodes[1].received.filter(({ name }) => name === 'MGET').length, 1, 'it is not asked again');
  nodes[1].refuse = () => undefined;
  t.same(await mget(keys), expected);
});
