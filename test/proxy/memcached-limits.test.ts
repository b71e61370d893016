import t from 'tap';
import { memcachedStack } from '../support/memcached-stack.ts';
import { until } from '../support/until.ts';

t.test('the size of an item', async (t) => {
  const stack = await memcachedStack(t, 1, { limits: { maxItemBytes: '100kb' } });
  const client = stack.client();
  const most = 'v'.repeat(102_400);
  t.equal(await client.ask(`set big 3 0 ${most.length}\r\n${most}\r\n`), 'STORED\r\n');
  t.equal(await client.ask('get big\r\n'), `VALUE big 3 ${most.length}\r\n${most}\r\nEND\r\n`);
  t.equal(
    await client.ask(`ms big ${most.length + 1} q\r\n${most}x\r\n`),
    'SERVER_ERROR object too large for cache\r\n',
  );
  t.equal(await client.ask('get big\r\n'), 'END\r\n', 'the old value is gone, as with memcached');
  await client.ask(`set big 0 0 5\r\nhello\r\n`);
  t.equal(
    await client.ask(
      `replace big 0 0 ${most.length + 1}\r\n${most}x\r\nadd big 0 0 ${most.length + 1} noreply\r\n${most}x\r\n`,
    ),
    'SERVER_ERROR object too large for cache\r\n',
  );
  t.equal(await client.ask(`append big 0 0 ${most.length}\r\n${most}\r\n`), 'NOT_STORED\r\n');
  t.equal(await client.ask('get big\r\n'), 'VALUE big 0 5\r\nhello\r\nEND\r\n');
  t.equal(
    await client.ask('set big 0 0 2147483645\r\n'),
    'SERVER_ERROR object too large for cache\r\n',
    'nothing is held for it',
  );
});

t.test('values of a megabyte, whatever their pieces', async (t) => {
  const stack = await memcachedStack(t, 2, { operationTimeoutMs: 60_000 });
  const client = stack.client();
  const value = Buffer.alloc(1024 * 1024, 'ringside');
  const head = Buffer.from(`set large 9 100 ${value.length}\r\n`);
  for (const cut of [1, head.length, 70_000, head.length + value.length, head.length + value.length + 1]) {
    const bytes = Buffer.concat([head, value, Buffer.from('\r\n')]);
    client.socket.write(bytes.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(await client.ask(bytes.subarray(cut)), 'STORED\r\n', `cut at ${cut}`);
  }
  const answer = `VALUE large 9 ${value.length}\r\n${value.latin1Slice()}\r\nEND\r\n`;
  t.ok((await client.ask('get large\r\n')) === answer);
  t.ok((await client.ask('get nothing large\r\n')) === answer, 'as the last of several');
  t.ok((await client.ask('get large nothing large\r\n')) === answer.replace('END\r\n', '') + answer);
  t.ok((await client.ask('gat 50 large\r\n')) === answer);
  t.ok(
    (await client.ask('mg large s v f\r\n')) ===
      `VA ${value.length} s${value.length} f9\r\n${value.latin1Slice()}\r\n`,
  );
  const most = Buffer.concat([Buffer.from(`ms large ${value.length} C1\r\n`), value, Buffer.from('\r\n')]);
  t.equal(await client.ask(most), 'EX\r\n');
  const wrong = Buffer.concat([
    Buffer.from(`set large 0 0 ${value.length - 1}\r\n`),
    value,
    Buffer.from('\r\n'),
  ]);
  t.equal(await client.ask(wrong), 'CLIENT_ERROR bad data chunk\r\nERROR\r\n');
  const refused = Buffer.concat([
    Buffer.from(`set large x 0 ${value.length}\r\n`),
    value,
    Buffer.from('\r\n'),
  ]);
  t.equal(await client.ask(refused), 'CLIENT_ERROR bad command line format\r\n', 'its block is passed over');
});

t.test('many keys', async (t) => {
  const stack = await memcachedStack(t, 2, { limits: { maxArrayLength: 1000, maxBulkBytes: '64kb' } });
  const client = stack.client();
  await client.ask('set k 0 0 1\r\nx\r\n');
  t.equal(await client.ask(`get ${'k '.repeat(999)}\r\n`), `${'VALUE k 0 1\r\nx\r\n'.repeat(999)}END\r\n`);
  t.match(
    await client.ask(`get ${'k '.repeat(1000)}\r\n`),
    /^SERVER_ERROR more than 999 keys \(proxy\.limits\.maxArrayLength\)/,
  );
  t.equal(
    await client.ask(`get ${'k'.repeat(250)} ${'k '.repeat(35_000)}\r\n`),
    'CLIENT_ERROR line too long\r\n',
  );
  t.ok(client.isClosed);
});

t.test('clients that are slow, too many, or do not read', async (t) => {
  const stack = await memcachedStack(t, 1, {
    operationTimeoutMs: 10_000,
    readTimeoutMs: 9000,
    limits: { headerTimeoutMs: 2000, maxConnections: 4, maxBufferedBytesPerConnection: '64mb' },
  });
  const good = stack.client();
  await good.ask(`set v 0 0 200000\r\n${'v'.repeat(200_000)}\r\n`);
  const slow = stack.client();
  slow.socket.write('get a');
  const slowData = stack.client();
  slowData.socket.write('set a 0 0 1000\r\nx');
  await until('the slow are cut', () => slow.isClosed && slowData.isClosed);
  t.notOk(good.isClosed, 'the idle one stays');
  const greedy = stack.client();
  greedy.socket.pause();
  greedy.socket.write('get v\r\n'.repeat(5000));
  const crowd = Array.from({ length: 3 }, () => stack.client());
  await until('one too many is told so', () => crowd.some(({ text }) => text.includes('maxConnections')));
  t.equal(await good.ask('get nothing\r\n'), 'END\r\n', 'others go on');
  t.ok(process.memoryUsage().rss < 700_000_000);
});

t.test('a password', async (t) => {
  const stack = await memcachedStack(t, 1, { requirePass: 'secret' });
  const client = stack.client();
  for (const input of ['get a\r\n', 'version\r\n']) {
    const seen = client.text.length;
    client.socket.write(input);
    await until('it is refused', () => client.text.slice(seen) === 'CLIENT_ERROR unauthenticated\r\n');
  }
  for (const [value, answer] of [
    ['wrong', 'CLIENT_ERROR bad authentication token format'],
    ['default wrong', 'CLIENT_ERROR authentication failure'],
    ['default secret', 'STORED'],
  ]) {
    client.socket.write(`set auth 0 0 ${value.length}\r\n${value}\r\n`);
    await until(answer, () => client.text.endsWith(`${answer}\r\n`));
  }
  t.match(await client.ask('get auth\r\n'), /END\r\n$/, 'it is no item');
});
