import t, { type Test } from 'tap';
import type { FakeNode } from '../support/fake-node.ts';
import { MemcachedClient } from '../support/memcached-client.ts';
import { wakingClock } from '../support/patience.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { type Listeners, overGrpc, overHttp, overMemcached, type Read } from '../support/read-many.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* Reads of many keys by memcached, HTTP and gRPC ask each shard for so many at once and no more, as MGET does. */

const KEYS = 1000;
const AT_ONCE = 64;
const names = Array.from({ length: KEYS }, (_, i) => `key:${i}`);
/** A shard that fails says so. */
const REFUSED = '-ERR no such luck\r\n';

const ways = [
  { listener: 'memcached', command: 'RS.MCGET', none: '$-1\r\n', over: overMemcached },
  {
    ...{ listener: 'HTTP', command: 'RS.MGET', over: overHttp },
    none: '*4\r\n$-1\r\n$1\r\n0\r\n:-2\r\n$4\r\nmiss\r\n',
  },
  {
    ...{ listener: 'gRPC', command: 'RS.MGET', over: overGrpc },
    none: '*4\r\n$-1\r\n$1\r\n0\r\n:-2\r\n$4\r\nmiss\r\n',
  },
];

for (const { listener, command, none, over } of ways) {
  t.test(`${listener}: keys of several shards are asked for in windows`, async (t) => {
    const nodes = await fakeNodes(t, 3);
    const read = await readerOf(t, nodes, over);
    const expected = fill(nodes);
    const partsOf = (node: FakeNode) => node.received.filter(({ name }) => name === command);
    t.same(await read(names), expected);
    const [held, ...others] = nodes;
    const wanted = others.flatMap(partsOf).length;
    const parts = nodes.flatMap(partsOf);
    t.ok(
      parts.every(({ args }) => args.length <= AT_ONCE),
      `${parts.length} parts`,
    );
    t.same(parts.flatMap(({ args }) => args).sort(), [...names].sort(), 'each key is asked for once');
    t.same(
      await read([...names, ...names].reverse()),
      [...expected, ...expected].reverse(),
      'keys may come twice',
    );

    for (const node of nodes) node.received.length = 0;
    held.refuse = ({ name }) => (name === command ? 'silent' : undefined);
    const answer = read(names);
    await until('the others have been asked for everything', () => others.flatMap(partsOf).length === wanted);
    t.equal(partsOf(held).length, 1, 'what a shard is asked for next waits for what it was asked for');
    const { args: first } = partsOf(held)[0];
    t.equal(first.length, AT_ONCE);
    held.refuse = () => undefined;
    held.say(`*${first.length}\r\n${none.repeat(first.length)}`);
    t.same(
      await answer,
      expected.map((value, i) => (first.includes(names[i]) ? null : value)),
      'and leaves when that has come',
    );
  });

  t.test(`${listener}: a shard that fails is asked for no more`, async (t) => {
    const nodes = await fakeNodes(t, 3);
    const read = await readerOf(t, nodes, over);
    const expected = fill(nodes);
    await read(names);
    const [failing] = nodes;
    const isOnFailing = (key: string) => failing.received.some(({ args }) => args.includes(key));
    const isLost = names.map(isOnFailing);
    failing.received.length = 0;
    failing.refuse = ({ name }) => (name === command ? REFUSED : undefined);
    const answer = await read(names);
    t.equal(failing.received.filter(({ name }) => name === command).length, 1);
    const all = listener === 'memcached';
    t.same(
      answer,
      expected.map((value, i) => (all || isLost[i] ? 'error' : value)),
    );
    failing.refuse = () => undefined;
    t.same(await read(names), expected);
  });

  t.test(`${listener}: what one shard has is asked for at once`, async (t) => {
    const [node] = await fakeNodes(t, 1);
    const read = await readerOf(t, [node], over);
    const expected = fill([node]);
    t.same(await read(names), expected);
    t.same(
      node.received.filter(({ name }) => name === command).map(({ args }) => args.length),
      [KEYS],
    );
  });
}

/** A client that sends a read of all these keys and, right behind it, one of the last: what both say of that. */
const pipelines = [
  {
    ...{ listener: 'RESP', many: 'MGET', one: 'GET', none: '$-1\r\n' },
    over(t: Test, { resp }: Listeners) {
      const client = new RespClient(resp);
      t.teardown(() => client.close());
      return async (keys: readonly string[]) => {
        const answers = [client.send('MGET', ...keys), client.text('GET', keys.at(-1)!)] as const;
        const [values, value] = await Promise.all(answers);
        return [String((values as Buffer[]).at(-1)), value];
      };
    },
  },
  {
    ...{ listener: 'memcached', many: 'RS.MCGET', one: 'RS.MCGET', none: '$-1\r\n' },
    over(t: Test, { memcached }: Listeners) {
      const client = new MemcachedClient(t, memcached);
      return async (keys: readonly string[]) => {
        const answer = await client.ask(`get ${keys.join(' ')}\r\nget ${keys.at(-1)}\r\n`);
        return answer.split('END\r\n', 2).map((items) => items.trimEnd().split('\r\n').at(-1)!);
      };
    },
  },
];

for (const { listener, many, one, none, over } of pipelines) {
  t.test(`${listener}: what comes behind a read does not overtake it`, async (t) => {
    const nodes = await fakeNodes(t, 3);
    const { proxy } = await proxyTo(t, nodes);
    const ask = over(t, proxy.listeners as unknown as Listeners);
    fill(nodes);
    await ask(names);
    const [held, ...others] = nodes;
    const wanted = others.flatMap(({ received }) => received.filter(({ args }) => args.length > 1)).length;
    const last = held.received.filter(({ name, args }) => name === many && args.length > 1).at(-1)!.args[0];
    for (const node of nodes) node.received.length = 0;
    held.refuse = ({ name, args }) => (name === many && args.length > 1 ? 'silent' : undefined);
    const answer = ask([...names.filter((key) => key !== last), last]);
    await until(
      'the others have been asked for everything',
      () =>
        others.flatMap(({ received }) => received.filter(({ args }) => args.length > 1)).length === wanted,
    );
    const asked = held.received.filter(({ name }) => name === many || name === one);
    t.equal(asked.length, 1, 'a part, and nothing else');
    held.store.set(last, Buffer.from('newer'));
    held.refuse = () => undefined;
    held.say(`*${asked[0].args.length}\r\n${none.repeat(asked[0].args.length)}`);
    t.same(await answer, ['newer', 'newer']);
    t.same(await ask(names.slice(0, 3)), ['value 2', 'value 2'], 'and the client goes on');
  });
}

t.test('long values of several shards, and an answer that makes no sense', async (t) => {
  const nodes = await fakeNodes(t, 3);
  const { proxy } = await proxyTo(t, nodes);
  const long = names.slice(0, 20).map((_, i) => String(i % 10).repeat(10_000 + i));
  for (const node of nodes)
    for (const [i, value] of long.entries()) node.store.set(names[i], Buffer.from(value));
  const keys = [...names.slice(0, 20), 'none', names[0]];
  const expected = [...long, null, long[0]];
  for (const { over } of ways) t.same(await over(t, proxy.listeners as unknown as Listeners)(keys), expected);
  const [confused] = nodes;
  confused.refuse = ({ name }) => (name === 'RS.MGET' ? '*1\r\n$-1\r\n' : undefined);
  for (const over of [overHttp, overGrpc]) {
    const answer = await over(t, proxy.listeners as unknown as Listeners)(keys);
    t.same(
      answer.filter((one, i) => one !== 'error' && one !== expected[i]),
      [],
    );
    t.ok(answer.includes('error') && !answer.every((one) => one === 'error'));
  }
});

function proxyTo(t: Test, nodes: readonly FakeNode[]) {
  const upstreams = upstreamsOf(nodes.map((leader) => ({ leader })));
  const ports = { memcachedPort: 'auto', httpPort: 'auto', grpcPort: 'auto' };
  const resilience = { fanOut: { maxKeysPerShard: AT_ONCE } };
  return proxyWith(t, { upstreams, ...ports, resilience }, {}, wakingClock(t));
}

async function readerOf(
  t: Test,
  nodes: readonly FakeNode[],
  over: (t: Test, listeners: Listeners) => Read,
): Promise<Read> {
  const { proxy } = await proxyTo(t, nodes);
  return over(t, proxy.listeners as unknown as Listeners);
}

/** Every node has all keys, but for every seventh: which of them it is asked for is the proxy's affair. */
function fill(nodes: readonly FakeNode[]): (string | null)[] {
  const expected = names.map((_, i) => (i % 7 === 0 ? null : `value ${i}`));
  for (const node of nodes)
    for (const [i, value] of expected.entries())
      if (value !== null) node.store.set(names[i], Buffer.from(value));
  return expected;
}
