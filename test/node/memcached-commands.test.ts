import t from 'tap';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { Shard } from '../support/shard.ts';
import { until } from '../support/until.ts';

const MAX_VERSION = '18446744073709551615';

async function standalone() {
  const node = await startStandaloneNode(t);
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  return client;
}

/** Replies as text, nested ones too. */
function plain(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(plain);
  if (reply instanceof Error) return reply.message;
  return Buffer.isBuffer(reply) ? reply.latin1Slice() : reply;
}

t.test('stores, reads and edits', async (t) => {
  const client = await standalone();
  const say = async (...parts: (string | number)[]) => plain(await client.send(...parts));
  const set = (key: string, value: string, mode: string, flags = 0, ttl = 0, version = '0', most = 100) =>
    say('RS.MCSET', key, value, mode, flags, ttl, version, most);

  const first = String(await set('a', 'one', 'S', 5));
  t.match(first, /^\d+$/);
  t.same(await say('RS.MCGET', 'a', 'b'), [[5, 'one'], null]);
  t.same(await say('RS.MCGETS', 'a'), [[first, 5, 'one']]);
  t.equal(await set('a', 'x', 'E'), 'NOT_STORED');
  t.equal(await set('b', 'x', 'R'), 'NOT_STORED');
  t.equal(await set('b', 'x', 'A'), 'NOT_STORED');
  t.equal(await set('b', 'x', 'S', 0, 0, '1'), 'NOT_FOUND');
  t.equal(await set('a', 'x', 'S', 0, 0, '1'), 'EXISTS');
  t.equal(await set('a', 'x', 'P', 0, 0, MAX_VERSION), 'EXISTS');
  t.match(await set('a', '-', 'P', 9), /^\d+$/);
  t.match(await set('a', '+', 'A', 9), /^\d+$/);
  t.same(await say('RS.MCGET', 'a'), [[5, '-one+']], 'flags stay');
  t.equal(await set('a', 'x'.repeat(96), 'A'), 'NOT_STORED', 'it would be too long');
  t.match(
    await set('a', 'two', 'S', 0, 0, String(((await say('RS.MCGETS', 'a')) as string[][])[0][0])),
    /^\d+$/,
  );
  t.same(await say('RS.MCGET', 'a'), ['two'], 'flags of 0 are left out');
  await set('gone', 'x', 'S', 0, -1);
  t.same(await say('RS.MCGET', 'gone'), [null]);

  t.equal(await say('RS.MCINCR', 'n', 1), 'NOT_FOUND');
  t.same(
    ((await say('RS.MCINCR', 'n', 1, 'INIT', 10, 60_000)) as unknown[]).filter((_, i) => i !== 1),
    ['10', 60_000, 1],
  );
  t.same(
    ((await say('RS.MCINCR', 'n', 1, 'DECR', 'TTL', 0)) as unknown[]).filter((_, i) => i !== 1),
    ['9', -1, 0],
  );
  t.equal(await say('GET', 'n'), '9 ', 'where it lay, as memcached');
  t.equal(await say('RS.MCINCR', 'n', 1, 'IFVERSION', 5), 'EXISTS');
  t.match(await say('RS.MCINCR', 'a', 1), /^ERR value is not an integer/);
  t.match(await say('RS.MCINCR', 'a', '-1'), 'ERR syntax error');
  for (const [text, delta, isDecrement, sum] of [
    ['18446744073709551615', '1', false, '0'],
    ['18446744073709551615', '18446744073709551615', false, '18446744073709551614'],
    ['999999999999999', '1', false, '1000000000000000'],
    ['7', '18446744073709551615', true, '0'],
    [' +5 x', '1', false, '6'],
  ] as const) {
    await say('SET', 'm', text);
    const words = isDecrement ? ['DECR'] : [];
    t.equal(((await say('RS.MCINCR', 'm', delta, ...words)) as string[])[0], sum, `${text} ${delta}`);
  }
  for (const text of ['', 'x', '-1', '18446744073709551616', '1x', '9'.repeat(300)]) {
    await say('SET', 'm', text);
    t.match(await say('RS.MCINCR', 'm', 1), /^ERR value is not an integer/, text);
  }
  for (const wrong of [
    ['RS.MCSET', 'a', 'x', 'Z', 0, 0, 0, 9],
    ['RS.MCSET', 'a', 'x', 'S', -1, 0, 0, 9],
    ['RS.MCSET', 'a', 'x', 'S', 0, 0, 'v', 9],
    ['RS.MCMETA', 'a', 'MISS'],
    ['RS.MCMETA', 'a', 'MISS', 0],
    ['RS.MCMETA', 'a', 'NONSENSE'],
    ['RS.MCSTALE', 'a', 'TTL'],
    ['RS.MCINCR', 'a', 1, 'INIT', 1],
  ])
    t.equal(await say(...wrong), 'ERR syntax error', wrong.join(' '));
  t.match(await say('RS.MCTOUCH', 'a', 'x'), /^ERR value is not an integer/);
});

t.test('leases, as memcached tells of them', async (t) => {
  const client = await standalone();
  const say = async (...parts: (string | number)[]) =>
    plain(await client.send(...parts)) as (string | number | null)[];
  const stateOf = async (...parts: (string | number)[]) => Number((await say(...parts))[3]);
  t.equal(await say('RS.MCMETA', 'w'), null);
  const won = await say('RS.MCMETA', 'w', 'MISS', 30_000);
  t.same([won[1], won[3], won[4], won[6]], [0, 4, 0, '']);
  const sent = await say('RS.MCMETA', 'w', 'MISS', 30_000, 'NOVALUE');
  t.same([sent[0], sent[3], sent[6]], [won[0], 8, null]);
  t.equal(await say('RS.MCMETA', 'w'), null, 'for others there is no item');
  t.equal(await client.text('RS.MCSET', 'w', 'x', 'S', 0, 0, '5', 99), 'EXISTS');
  t.match(await client.text('RS.MCSET', 'w', 'x', 'S', 0, 0, String(won[0]), 99), /^\d+$/);
  t.equal(await stateOf('RS.MCMETA', 'w'), 1);

  await say('RS.MCTOUCH', 'w', 20_000);
  t.equal((await stateOf('RS.MCMETA', 'w', 'BELOW', 10_000)) & 12, 0);
  t.equal((await stateOf('RS.MCMETA', 'w', 'BELOW', 30_000)) & 12, 4);
  t.equal((await stateOf('RS.MCTOUCH', 'w', 40_000)) & 12, 8);
  t.equal((await stateOf('RS.MCMETA', 'w')) & 12, 8, 'a touch leaves the lease');
  t.match(await client.text('RS.MCSTALE', 'w'), /^\d+$/);
  t.equal((await stateOf('RS.MCMETA', 'w')) & 14, 6, 'made stale, it is won again');
  t.match(await client.text('RS.MCSET', 'w', 'late', 'L', 0, 0, '1', 99), /^\d+$/);
  t.equal((await stateOf('RS.MCMETA', 'w')) & 14, 10, 'a late value is stale, and still to be refreshed');
  t.match(await client.text('RS.MCSET', 'w', 'new', 'S', 0, 0, '0', 99), /^\d+$/);
  t.equal((await stateOf('RS.MCMETA', 'w')) & 14, 0);
});

t.test('a follower has what the leader has', async (t) => {
  const [, leader, follower] = await Shard.formed(t, 1);
  await leader.client.send('RS.EPOCH', 's1', '1');
  const write = (...parts: (string | number)[]) => leader.client.send(...parts);
  await write('RS.MCSET', 'a', 'one', 'S', 5, 0, '0', 99);
  await write('RS.MCSET', 'a', 'x', 'P', 0, 0, '0', 99);
  await write('RS.MCSET', 'a', 'y', 'A', 0, 0, '0', 99);
  await write('RS.MCINCR', 'n', 1, 'INIT', 10, 0);
  await write('RS.MCINCR', 'n', 1, 'DECR');
  await write('RS.MCSET', 's', 'stale', 'S', 6, 100_000, '0', 99);
  await write('RS.MCSTALE', 's', 'TTL', 50_000);
  await write('RS.MCMETA', 'lease', 'MISS', 1000);
  await write('RS.MCTOUCH', 'a', 90_000);
  await write('SET', 'end', '1');
  await until('the follower has it all', async () => (await follower.client.send('EXISTS', 'end')) === 1);
  for (const key of ['a', 'n', 's']) {
    const [here, there] = [leader, follower].map(({ client }) => client.send('RS.GET', key));
    const [own, copy] = [plain(await here) as unknown[], plain(await there) as unknown[]];
    // Times to live differ by the moment of asking.
    t.same([...copy.slice(0, 3), copy[5]], [...own.slice(0, 3), own[5]], key);
    t.equal(Number(copy[3]) > 0, Number(own[3]) > 0);
  }
});
