import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { argsOf, commandFrame } from '../../lib/codec/resp/index.ts';
import { CommandQueue } from '../../node/transactions/command-queue.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* What clients make the node hold counts against its memory budget, as in Redis. */

const seed = Number(process.env.SEED ?? 20261121);
const MIB = 1024 * 1024;

t.test(`kept commands come back as they were (seed ${seed})`, async (t) => {
  const random = seededRandom(seed);
  const queue = new CommandQueue();
  const expected: Buffer[] = [];
  let [own, most] = [0, 0];
  for (let i = 0; i < 2000; i++) {
    const length = random.int(100) === 0 ? random.int(200_000) : random.int(200);
    const args = argsOf('SET', `key${i}`, 'x'.repeat(length));
    const frame = commandFrame(args);
    queue.add(args);
    expected.push(frame);
    own += frame.length;
    most = Math.max(most, frame.length);
  }
  const got = [...queue.commands()].length;
  t.equal(got, expected.length);
  let wrong = 0;
  let i = 0;
  for (const args of queue.commands()) if (!commandFrame(args).equals(expected[i++])) wrong++;
  t.equal(wrong, 0);
  t.ok(queue.bytes > own && queue.bytes < 2 * own, `${queue.bytes} bytes for commands of ${own}`);
  queue.clear();
  t.equal(queue.bytes, 0);
  t.strictSame([...queue.commands()], []);
});

async function startNode(t: Test, ...args: string[]) {
  const node = await startStandaloneNode(t, ...args);
  const connect = () => {
    const client = new RespClient(node.ready.resp);
    t.teardown(() => client.close());
    return client;
  };
  const watcher = connect();
  const field = async (name: string) =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec((await watcher.text('INFO', 'everything'))!)?.[1]);
  return { connect, watcher, field };
}

t.test('what MULTI queues is bounded by maxmemory', async (t) => {
  const { connect, watcher, field } = await startNode(
    t,
    '--maxmemory',
    '8mb',
    '--maxmemory-policy',
    'noeviction',
  );
  const client = connect();
  const before = await field('used_memory');
  await client.send('MULTI');
  const value = 'x'.repeat(1000);
  let queued = 0;
  let refusal: unknown;
  while (refusal === undefined) {
    const replies = await Promise.all(Array.from({ length: 100 }, () => client.send('GET', value)));
    refusal = replies.find((reply) => reply instanceof Error);
    queued += replies.filter((reply) => String(reply) === 'QUEUED').length;
    if (refusal === undefined && queued === 1000) t.ok((await field('used_memory')) - before > queued * 1000);
  }
  t.match(refusal, { message: "OOM command not allowed when used memory > 'maxmemory'." });
  t.ok(queued > 6500 && queued < 8500, `${queued} commands of 1 kB`);
  t.equal(
    await watcher.text('SET', 'other', 'value'),
    'OK',
    'what was queued is given up, so others may go on',
  );
  t.match(await client.send('EXEC'), {
    message: 'EXECABORT Transaction discarded because of previous errors.',
  });
  t.ok((await field('used_memory')) - before < 100_000, 'and it is free again');
  await client.send('MULTI');
  t.equal(await client.text('SET', 'k', 'v'), 'QUEUED');
  t.strictSame(await client.send('EXEC'), ['OK']);
});

t.test('replies that nobody reads count, and make keys go', async (t) => {
  const { connect, watcher, field } = await startNode(
    t,
    '--maxmemory',
    '64mb',
    '--maxmemory-policy',
    'allkeys-lru',
  );
  await watcher.text('SET', 'big', 'x'.repeat(20 * MIB));
  for (let i = 0; i < 32; i++) await watcher.text('SET', `key${i}`, 'x'.repeat(MIB));
  t.equal(await field('evicted_keys'), 0);
  const slow = connect();
  await slow.send('PING');
  slow.socket.pause();
  slow.send('GET', 'big').catch(() => {});
  await until('the reply waits', async () => (await field('mem_clients_normal')) > 12 * MIB);
  await until('keys have gone for it', async () => (await field('evicted_keys')) > 0);
  await until('it is within the budget', async () => (await field('used_memory')) <= 64 * MIB);
  slow.close();
  await until('the reply is gone', async () => (await field('mem_clients_normal')) < MIB);
});

t.test('the stream that waits for a follower does not count', async (t) => {
  const { connect, watcher, field } = await startNode(
    t,
    '--maxmemory',
    '32mb',
    '--maxmemory-policy',
    'allkeys-lru',
  );
  const follower = connect();
  const greeting = await follower.send('PSYNC', '?', '-1');
  t.match(String(greeting), /^FULLRESYNC/);
  follower.socket.pause();
  for (let i = 0; i < 24; i++) await watcher.text('SET', 'key', 'x'.repeat(MIB));
  await until('the stream waits', async () => (await field('mem_clients_slaves')) > 0);
  t.equal(await field('evicted_keys'), 0);
  t.ok((await field('used_memory')) < 8 * MIB);
  t.ok((await field('mem_not_counted_for_evict')) > 0);
});

t.test('maxmemory-clients closes the clients that take most, but not who is exempt', async (t) => {
  const { connect, watcher, field } = await startNode(t, '--maxmemory', '64mb');
  const open = async (name: string, mib: number, isExempt: boolean) => {
    const client = connect();
    await client.send('CLIENT', 'SETNAME', name);
    await client.send('CLIENT', 'NO-EVICT', isExempt ? 'ON' : 'OFF');
    await client.send('MULTI');
    for (let i = 0; i < mib; i++) await client.send('ECHO', 'x'.repeat(MIB));
  };
  await open('small', 2, false);
  await open('large', 9, false);
  await open('exempt', 12, true);
  const names = async (): Promise<string[]> =>
    (await watcher.text('CLIENT', 'LIST'))!.match(/(?<= name=)\w+/g) ?? [];
  t.same((await names()).sort(), ['exempt', 'large', 'small']);
  await watcher.send('CONFIG', 'SET', 'maxmemory-clients', '25%');
  t.match(await watcher.send('CONFIG', 'GET', 'maxmemory-clients'), [/./, Buffer.from('25%')]);
  await until('the one that takes most is closed', async () => !(await names()).includes('large'));
  t.same((await names()).sort(), ['exempt', 'small'], 'what is left fits');
  t.equal(await field('evicted_clients'), 1);
  await watcher.send('CONFIG', 'SET', 'maxmemory-clients', String(13 * MIB));
  await until('then the next one', async () => !(await names()).includes('small'));
  await watcher.send('CONFIG', 'SET', 'maxmemory-clients', '1');
  await new Promise((done) => setTimeout(done, 100));
  t.same(await names(), ['exempt']);
  t.equal(await field('evicted_clients'), 2);
});
