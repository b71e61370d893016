import t from 'tap';
import { infoField } from '../support/data-set.ts';
import { MemcachedClient } from '../support/memcached-client.ts';
import { memcachedNodes, memcachedProxy } from '../support/memcached-stack.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import type { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';

/* Neighbouring `get`s of one client are asked for together; nobody can tell by the answers. */

const gets = (keys: readonly string[]) => keys.map((key) => `get ${key}\r\n`).join('');
const keysOf = (count: number) => Array.from({ length: count }, (_, i) => `joined:${i}`);
const contentOf = (key: string) => `value of ${key}`;
const found = (key: string) => `VALUE ${key} 3 ${contentOf(key).length}\r\n${contentOf(key)}\r\nEND\r\n`;

async function fill(client: MemcachedClient, keys: readonly string[]): Promise<void> {
  const sets = keys.map((key) => `set ${key} 3 0 ${contentOf(key).length}\r\n${contentOf(key)}\r\n`);
  t.equal(await client.ask(sets.join('')), 'STORED\r\n'.repeat(keys.length));
}

/** How often a node was asked by RS.MCGET. */
async function asked(node: RespClient): Promise<number> {
  const stats = await infoField(node, 'cmdstat_rs.mcget');
  return Number(/calls=(\d+)/.exec(stats ?? '')?.[1] ?? 0);
}

for (const shards of [1, 3]) {
  t.test(`they are answered one by one, in order (${shards} shards)`, async (t) => {
    const nodes = await memcachedNodes(t, shards);
    const stack = await memcachedProxy(t, nodes);
    const client = stack.client();
    const keys = keysOf(100);
    await fill(client, keys);
    for (let i = 0; i < shards; i++) await stack.node(i).send('LPUSH', 'list', 'no item');
    const before = await Promise.all(nodes.map((_, i) => asked(stack.node(i))));
    const mixed = [...keys, 'absent:1', 'list', 'absent:2', keys[0]];
    const answer = await client.ask(gets(mixed));
    const wrongType = /SERVER_ERROR \S[^\r]*\r\n/.exec(answer)?.[0] ?? '';
    t.match(wrongType, /Redis collection/);
    t.equal(
      answer,
      `${keys.map(found).join('')}END\r\n${wrongType}END\r\n${found(keys[0])}`,
      'hits, misses and what is no item',
    );
    const after = await Promise.all(nodes.map((_, i) => asked(stack.node(i))));
    const requests = after.reduce((sum, calls, i) => sum + calls - before[i], 0);
    t.ok(requests <= mixed.length / 2, `${requests} requests for ${mixed.length} keys`);
    const stats = await client.ask('stats\r\n');
    for (const line of ['cmd_get 103', 'get_hits 101', 'get_misses 2']) t.match(stats, `STAT ${line}\r\n`);
  });
}

t.test('what stands between them keeps its place', async (t) => {
  const stack = await memcachedProxy(t, await memcachedNodes(t, 2));
  const client = stack.client();
  const keys = keysOf(8);
  await fill(client, keys);
  const [a] = keys;
  const many = gets(keys);
  const answers = keys.map(found).join('');
  const changed = `VALUE ${a} 0 1\r\nx\r\nEND\r\n`;
  t.equal(
    await client.ask(`${many}set ${a} 0 0 1\r\nx\r\nget ${a}\r\nget ${a}\r\nget ${a}\r\n`),
    `${answers}STORED\r\n${changed.repeat(3)}`,
  );
  await fill(client, keys);
  t.equal(
    await client.ask(`${many}get ${'k'.repeat(251)}\r\n${many}`),
    `${answers}CLIENT_ERROR bad command line format\r\n${answers}`,
  );
  t.equal(
    await client.ask(`${many}gets none\r\nget ${a} none\r\n${many}nonsense\r\n`),
    `${answers}END\r\n${found(a)}${answers}ERROR\r\n`,
  );
  client.socket.write(`${many}quit\r\n${many}`);
  t.equal(await client.answered(), answers, 'and nothing behind the end');
});

t.test('one shard that is gone fails its own keys, and each of them', async (t) => {
  const [lost, other] = await Promise.all([startStandaloneNode(t), startStandaloneNode(t)]);
  const timeouts = { operationTimeoutMs: 1500, readTimeoutMs: 500 };
  const stack = await memcachedProxy(t, [lost.ready.resp, other.ready.resp], timeouts);
  const client = stack.client();
  const keys = keysOf(60);
  await fill(client, keys);
  t.equal(await client.ask(gets(keys)), keys.map(found).join(''));
  const owners = await Promise.all(keys.map((key) => stack.node(1).send('EXISTS', key)));
  t.ok(owners.includes(0) && owners.includes(1));
  // What is under way together is lost together, and comes again one by one.
  lost.kill('SIGSTOP');
  client.socket.write(`${gets(keys)}mn\r\n`);
  await stack.client().ask(gets(keys.filter((_, i) => owners[i] === 1)));
  lost.kill('SIGKILL');
  for (const answer of [await client.answered(), await client.ask(gets(keys))]) {
    const parts = answer.split(/(?<=END\r\n|ERROR [^\r]*\r\n)/);
    t.equal(parts.length, keys.length);
    for (const [i, key] of keys.entries()) {
      if (owners[i] === 1) t.equal(parts[i], found(key));
      else t.match(parts[i], /^SERVER_ERROR /, key);
    }
  }
  const unwell = stack.under.log.filter(({ shard }) => shard === 's1');
  t.same(unwell, [], 'the other is not blamed');
});

t.test('what a node refuses of several it is asked for one by one', async (t) => {
  const [odd, other] = await fakeNodes(t, 2);
  const upstreams = upstreamsOf([{ leader: odd }, { leader: other }]);
  const under = await proxyWith(t, { upstreams, memcachedPort: 'auto' });
  const client = new MemcachedClient(t, under.proxy.listeners.memcached);
  const keys = keysOf(12);
  for (const key of keys) for (const node of [odd, other]) node.store.set(key, Buffer.from(key));
  const answers = keys.map((key) => `VALUE ${key} 0 ${key.length}\r\n${key}\r\nEND\r\n`);
  t.equal(await client.ask(gets(keys.slice(0, 1))), answers[0]);
  odd.received.length = other.received.length = 0;
  odd.refuse = ({ args }) => {
    if (args.length > 1) return '-ERR not so many\r\n';
    return args[0] === lost ? '-ERR not this one\r\n' : undefined;
  };
  let lost = '';
  t.equal(await client.ask(gets(keys)), answers.join(''));
  const [together, ...apart] = odd.received.map(({ args }) => args);
  t.same(
    apart,
    together.map((key) => [key]),
  );
  t.equal(other.received.length, 1, 'the other shard is not asked again');
  lost = together[1];
  const expected = keys.map((key, i) => (key === lost ? 'SERVER_ERROR internal error\r\n' : answers[i]));
  t.equal(await client.ask(gets(keys)), expected.join(''));
});

t.test('long values come one by one', async (t) => {
  const nodes = await memcachedNodes(t, 1);
  const stack = await memcachedProxy(t, nodes);
  const client = stack.client();
  const long = 'x'.repeat(100_000);
  t.equal(await client.ask(`set long 0 0 ${long.length}\r\n${long}\r\n`), 'STORED\r\n');
  const answer = `VALUE long 0 ${long.length}\r\n${long}\r\nEND\r\n`;
  t.equal(await client.ask(gets(['long'])), answer);
  const before = await asked(stack.node(0));
  t.equal(await client.ask(gets(new Array(10).fill('long'))), answer.repeat(10));
  t.equal((await asked(stack.node(0))) - before, 10);
});
