import t from 'tap';
import { Copies } from '../../node/cache/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';

/* RS.COPY: values of other shards, apart from the keys. */

const copyOf = (version: bigint, text: string, endsMs = 1000) => ({
  ...{ version, clientFlags: 0, ttlMs: -1, softTtlMs: -1, madeMs: 0, endsMs },
  value: Buffer.from(text),
});

/** Bulk strings as text. */
function asText(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(asText);
  return Buffer.isBuffer(reply) ? String(reply) : reply;
}

t.test('what copies take is bounded: the oldest go', async (t) => {
  const copies = new Copies(4000);
  const value = 'x'.repeat(600);
  for (let i = 0; i < 5; i++) t.ok(copies.store(`k${i}`, copyOf(1n, value), 0));
  t.equal(copies.size, 4);
  t.ok(copies.bytes <= 4000);
  t.equal(copies.figures.evicted, 1);
  t.equal(copies.find('k0', 0), undefined);
  t.ok(copies.find('k4', 0));
  t.notOk(copies.store('large', copyOf(1n, 'x'.repeat(1000)), 0), 'more than a quarter');
  t.notOk(copies.store('k4', copyOf(0n, 'old'), 0), 'a newer one is here');
  t.ok(copies.store('k4', copyOf(0n, 'old', 3000), 1000), 'unless its time is over');
  t.equal(copies.find('k1', 1000), undefined, 'over');
  copies.clear();
  t.same([copies.size, copies.bytes], [0, 0]);
  t.notOk(new Copies(0).store('k', copyOf(1n, ''), 0), 'none are kept');
});

t.test('copies are no keys', async (t) => {
  const { ready } = await startStandaloneNode(t);
  const client = new RespClient(ready.resp);
  t.teardown(() => client.close());
  const send = async (...args: (string | number)[]) => asText(await client.send(...args));
  const miss = ['0', 0, -2, -2, 'miss', null, 0, null];
  t.same(await send('RS.COPY', 'GET', 'k'), miss);
  t.equal(await send('RS.COPY', 'SET', 'k', '18446744073709551615', 60_000, 7, -1, -1, 'value'), 1);
  t.same(await send('RS.COPY', 'GET', 'k'), ['18446744073709551615', 7, -1, -1, 'hit', null, 0, 'value']);
  t.equal(await send('RS.COPY', 'SET', 'k', 5, 60_000, 0, -1, -1, 'older'), 0);
  t.equal(await send('RS.COPY', 'SET', 's', 5, 60_000, 0, 50_000, 0, ''), 1);
  t.match(await send('RS.COPY', 'GET', 's'), ['5', 0, /^/, 0, 'stale', null, 0, '']);
  t.equal(await send('DBSIZE'), 0);
  t.same(await send('KEYS', '*'), []);
  t.same(await send('SCAN', 0), ['0', []]);
  t.equal(await send('RANDOMKEY'), null);
  t.equal(await send('GET', 'k'), null);
  t.equal(await send('SET', 'k', 'own'), 'OK', 'a key of the same name is another thing');
  t.match(await send('RS.COPY', 'GET', 'k'), { 7: 'value' });
  const info = String(await client.text('INFO', 'stats'));
  for (const line of ['copies:2', 'copy_hits:3', 'copy_misses:1', 'copies_stored:2', 'copies_evicted:0'])
    t.ok(info.includes(`\r\n${line}\r\n`), line);
  t.equal(await send('RS.COPY', 'DEL', 'k'), 1);
  t.equal(await send('RS.COPY', 'DEL', 'k'), 0);
  t.equal(await send('FLUSHALL'), 'OK');
  t.same(await send('RS.COPY', 'GET', 's'), miss, 'FLUSHALL drops them');
  t.equal(await send('RS.COPY', 'SET', 'k', 1, 1, 0, -1, -1, 'short'), 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.same(await send('RS.COPY', 'GET', 'k'), miss, 'its time is over');
  for (const [wrong, text] of [
    [['SET', 'k', 1, 1, 0, -1, -1], /unknown subcommand or wrong number/],
    [['SET', 'k', 'x', 1, 0, -1, -1, ''], /syntax error/],
    [['SET', 'k', 1, 0, 0, -1, -1, ''], /a copy lives/],
    [['SET', 'k', 1, 1, 'x', -1, -1, ''], /not an integer/],
    [['NEW', 'k'], /unknown subcommand/],
  ] as const)
    t.match(await send('RS.COPY', ...wrong), { message: text });
});

t.test('copies go before keys when memory is short', async (t) => {
  const { ready } = await startStandaloneNode(t, '--set', 'node.maxMemoryBytes=8mb');
  const client = new RespClient(ready.resp);
  t.teardown(() => client.close());
  const value = 'x'.repeat(100_000);
  for (let i = 0; i < 20; i++) await client.send('RS.COPY', 'SET', `c${i}`, 1, 600_000, 0, -1, -1, value);
  for (let i = 0; i < 65; i++) await client.send('SET', `k${i}`, value);
  const info = String(await client.text('INFO', 'stats'));
  t.match(info, /\r\nevicted_keys:0\r\n/);
  t.match(info, /\r\ncopies_evicted:[1-9]/);
  t.equal(await client.send('DBSIZE'), 65);
});
