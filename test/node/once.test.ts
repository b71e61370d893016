import t, { type Test } from 'tap';
import { Answers } from '../../node/cache/index.ts';
import { folder } from '../support/folder.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startRingside, startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* Writes that carry a name are done once, on whichever process their data set is. */

function connect(t: Test, node: Ringside): RespClient {
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  return client;
}

const said = async (client: RespClient, name: string, ...args: string[]) => {
  const reply = await client.send(name, ...args);
  return reply instanceof Error ? reply.message : reply;
};
const plain = (reply: unknown): unknown => (Array.isArray(reply) ? reply.map(plain) : String(reply));

t.test('the same name: the same answer, and nothing happens', async (t) => {
  const client = connect(t, await startStandaloneNode(t));
  const send = async (...args: string[]) => plain(await said(client, args[0], ...args.slice(1)));
  const first = await send('RS.SET', 'a', 'x', 'PREVIOUS', 'ONCE', 'n1', 'd1');
  t.match(first, [/^[1-9]\d*$/, '0']);
  await send('SET', 'a', 'written since');
  t.same(await send('RS.SET', 'a', 'x', 'PREVIOUS', 'ONCE', 'n1', 'd1'), first);
  t.equal(await send('GET', 'a'), 'written since');
  t.match(await send('RS.SET', 'a', 'y', 'ONCE', 'n1', 'd2'), /^KEYREUSED /);
  t.match(await send('RS.DEL', 'a', 'ONCE', 'n1', 'd2'), /^KEYREUSED /);

  const sum = await send('RS.INCR', 'n', '5', 'ONCE', 'n2', 'd');
  t.match(sum, ['5', /^[1-9]/]);
  t.same(await send('RS.INCR', 'n', '5', 'ONCE', 'n2', 'd'), sum);
  t.same(await send('RS.INCR', 'n', '-7', 'ONCE', 'n3', 'd'), [
    '-2',
    String(((await said(client, 'RS.GET', 'n')) as unknown[])[1]),
  ]);
  t.equal(await send('RS.DEL', 'n', 'ONCE', 'n4', 'd'), '1');
  t.equal(await send('RS.DEL', 'n', 'ONCE', 'n4', 'd'), '1');
  t.equal(await send('RS.DEL', 'n', 'ONCE', 'n5', 'd'), '0');

  const refused = await send('RS.SET', 'a', 'z', 'NX', 'ONCE', 'n6', 'd');
  t.match(refused, /^PRECONDITION /);
  await send('DEL', 'a');
  t.same(
    await send('RS.SET', 'a', 'z', 'NX', 'ONCE', 'n6', 'd'),
    refused,
    'a condition that did not hold, too',
  );
  t.match(await send('RS.SET', 'a', 'z', 'LEASE', 'no token', 'ONCE', 'n7', 'd'), /^LEASEVOID /);
  t.match(
    await send('RS.SET', 'a', 'z', 'ONCE', 'n7', 'other'),
    /^\d+$/,
    'what did not begin leaves its name free',
  );
  await send('SELECT', '1');
  t.match(await send('RS.SET', 'a', 'other database', 'ONCE', 'n1', 'd9'), /^\d+$/);
  t.match(await send('RS.INCR', 'a', '1', 'ONCE', 'n8', 'd'), /^ERR value is not an integer/);
  t.match(await send('RS.INCR', 'a', '1.5'), /^ERR value is not an integer/);
  for (const wrong of [
    ['ONCE', 'n'],
    ['ONCE', '', 'd'],
    ['ONCE', 'x'.repeat(65), 'd'],
    ['ONCE', 'n', 'd', 'ONCE', 'n', 'd'],
  ])
    t.match(await send('RS.SET', 'a', 'x', ...wrong), /^ERR /);
});

t.test('RS.GET TAIL and RS.MGET', async (t) => {
  const client = connect(t, await startStandaloneNode(t));
  const version = String(await client.send('RS.SET', 'a', 'x', 'PX', '60000'));
  await client.send('RS.SET', 'stale', 'y', 'SOFTPX', '0');
  await client.send('LPUSH', 'list', 'z');
  const [value, ...rest] = plain(await client.send('RS.GET', 'a')) as string[];
  const tail = plain(await client.send('RS.GET', 'a', 'TAIL')) as string[];
  t.equal(tail.pop(), value);
  t.same([tail[0], tail[1], tail[4]], [rest[0], rest[1], rest[4]]);
  t.match(await client.send('RS.GET', 'a', 'TAIL', 'NOVALUE'), { 7: null });
  const many = plain(await client.send('RS.MGET', 'a', 'none', 'stale', 'list')) as string[][];
  t.match(many[0], ['x', version, /^[1-9]/, 'hit']);
  t.same(
    [many[1], many[3]],
    [
      ['null', '0', '-2', 'miss'],
      ['null', '0', '-2', 'miss'],
    ],
  );
  t.match(many[2], ['y', /\d/, '-1', 'stale']);
});

t.test('answers go where their writes go', async (t) => {
  const dir = folder(t, 'once');
  const args = ['node', '--standalone', '--port', 'auto', '--admin-port', 'auto', '--dir', dir];
  const first = await startRingside([...args, '--save', '3600 1']);
  const leader = connect(t, first);
  const early = plain(await leader.send('RS.SET', 'a', 'x', 'ONCE', 'early', 'd'));
  const follower = connect(t, await startStandaloneNode(t));
  const [host, port] = first.ready.resp.split(':');
  await follower.send('REPLICAOF', host, port);
  await until('it follows', async () => (await follower.text('GET', 'a')) === 'x');
  const late = plain(await leader.send('RS.INCR', 'n', '1', 'ONCE', 'late', 'd'));
  const answers = async (client: RespClient) => [
    plain(await client.send('RS.SET', 'a', 'x', 'ONCE', 'early', 'd')),
    plain(await client.send('RS.INCR', 'n', '1', 'ONCE', 'late', 'd')),
  ];
  await leader.send('WAIT', '1', '60000');
  await follower.send('REPLICAOF', 'NO', 'ONE');
  t.same(await answers(follower), [early, late], 'a follower that is promoted knows them');
  t.equal(await first.stop(), 'code 0');
  const second = await startRingside([...args, '--appendonly', 'yes']);
  const restarted = connect(t, second);
  t.same(await answers(restarted), [early, late], 'after a restart from a snapshot');
  const last = plain(await restarted.send('RS.DEL', 'n', 'ONCE', 'last', 'd'));
  await second.stop();
  const third = connect(t, await startStandaloneNode(t, '--dir', dir, '--appendonly', 'yes'));
  t.same(await answers(third), [early, late], 'after a restart from the append-only file');
  t.same(plain(await third.send('RS.DEL', 'n', 'ONCE', 'last', 'd')), last);
  t.same(plain(await third.send('MGET', 'a', 'n')), ['x', 'null']);
});

t.test('how long and how many', (t) => {
  const answers = new Answers(3);
  answers.keep('a', 'd', ':1', 600_000);
  answers.keep('a', 'd', ':1', 600_000);
  t.equal(answers.size, 1);
  t.equal(answers.find('a', 599_999)?.reply, ':1');
  t.equal(answers.find('a', 600_000), undefined);
  for (const name of ['b', 'c', 'd']) answers.keep(name, 'd', ':1', 600_001);
  t.equal(answers.find('a', 0), undefined, 'the oldest goes');
  const seen: string[] = [];
  const entries = answers.entries();
  answers.keep('e', 'd', ':1', 600_002);
  for (let next = entries.next(); !next.done; next = entries.next()) seen.push(next.value.name);
  t.same(seen, ['c', 'd'], 'of a snapshot, only what was there at its beginning');
  answers.keep('f', 'd', ':1', 2_000_000);
  t.equal(answers.size, 1, 'those that are over go, a few at a time');
  answers.keep('f', 'other', ':2', 2_000_001);
  t.same([answers.size, answers.find('f', 0)?.reply], [1, ':2']);
  for (let i = 0; i < 10_000; i++) answers.keep(`${i}`, 'd', ':1', 2_000_002 + i);
  t.same([answers.size, answers.find('9997', 0)?.untilMs], [3, 2_009_999]);
  answers.clear();
  t.equal(answers.size, 0);
  t.end();
});
