import t, { type Test } from 'tap';
import { linkIs, node, type Party, redis } from '../support/parties.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* What clients of a follower hear: messages that clients of its leader publish, and events of keys, as of a redis-server's follower. */

const skip = hasRedisServer ? false : NO_REDIS;
const LAST = 'that is all';

type Start = (t: Test, ...args: string[]) => Promise<Party>;

const COMMANDS: readonly string[][] = [
  'SET s 1',
  'SET s 2 EX 100',
  'SETEX s 100 3',
  'PSETEX s 100000 3',
  'GETEX s PERSIST',
  'GETSET s 4',
  'APPEND s 5',
  'INCR s',
  'DECRBY s 2',
  'INCRBYFLOAT s 1.5',
  'SETRANGE s 1 x',
  'SETBIT s 3 1',
  'MSET s 1 s2 2',
  'EXPIRE s 100',
  'PERSIST s',
  'GETDEL s2',
  'RPUSH l a b c d',
  'LPOP l',
  'LSET l 0 x',
  'LTRIM l 0 1',
  'RPOP l 2',
  'RPUSH l a',
  'RPUSH l a b c',
  'LMPOP 1 l LEFT COUNT 2',
  'SADD u 1 2 3',
  'SPOP u',
  'SREM u 1 2 3',
  'HSET h f 1 g 2',
  'HINCRBY h f 1',
  'HDEL h f g',
  'ZADD z 1 a 2 b',
  'ZINCRBY z 5 a',
  'ZPOPMIN z 2',
  'GEOADD g 13 38 p',
  'PFADD p a b',
  'EXPIRE g -1',
  'DEL l',
  'UNLINK p',
].map((line) => line.split(' '));

/** Everything that a client hears who listens to all channels. */
async function listen(t: Test, { address }: Party, ...subscribe: string[]): Promise<string[]> {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  await client.send(...subscribe);
  const heard: string[] = [];
  client.readFrames((buffer, start, end) => {
    heard.push(
      buffer
        .latin1Slice(start, end)
        .split('\r\n')
        .filter((_, i) => i > 1 && i % 2 === 0)
        .join(' '),
    );
  });
  return heard;
}

async function pair(t: Test, startLeader: Start, startFollower: Start) {
  const leader = await startLeader(t);
  const follower = await startFollower(t, '--replicaof', leader.address.replace(':', ' '));
  await linkIs(follower, 'up');
  return { leader, follower };
}

const ended = (heard: readonly string[]) =>
  until('all has been heard', async () => heard.some((line) => line.includes(LAST)));

async function eventsOf(t: Test, leading: Start, following: Start): Promise<string[]> {
  const { leader, follower } = await pair(t, leading, following);
  await follower.client.text('CONFIG', 'SET', 'notify-keyspace-events', 'AKEn');
  const heard = await listen(t, follower, 'PSUBSCRIBE', '*');
  for (const command of COMMANDS) await leader.client.send(...command);
  await leader.client.send('PUBLISH', 'end', LAST);
  await ended(heard);
  return heard;
}

const quickRedis: Start = (t, ...args) => redis(t, '--repl-diskless-sync-delay', '0', ...args);

t.test("events of keys on a follower are those on a redis-server's", { skip }, async (t) => {
  const theirs = await eventsOf(t, quickRedis, quickRedis);
  t.ok(theirs.length > 2 * COMMANDS.length);
  t.same(await eventsOf(t, node, node), theirs, 'a node of a node');
  t.same(await eventsOf(t, quickRedis, node), theirs, 'a node of redis-server');
  t.same(await eventsOf(t, node, quickRedis), theirs, 'redis-server of a node');
});

async function messages(t: Test, leading: Start, following: Start): Promise<string[][]> {
  const { leader, follower } = await pair(t, leading, following);
  const [channels, shard] = [
    await listen(t, follower, 'SUBSCRIBE', 'news'),
    await listen(t, follower, 'SSUBSCRIBE', 'news'),
  ];
  await leader.client.send('SELECT', '3');
  await leader.client.send('PUBLISH', 'news', 'one');
  await leader.client.send('MULTI');
  await leader.client.send('PUBLISH', 'news', 'two');
  await leader.client.send('SET', 'k', 'v');
  await leader.client.send('EXEC');
  await leader.client.send('SPUBLISH', 'news', 'three');
  // What a follower's own clients say stays there.
  await follower.client.send('PUBLISH', 'news', 'here');
  await leader.client.send('SPUBLISH', 'news', LAST);
  await ended(shard);
  t.equal(await follower.client.text('SELECT', '3'), 'OK');
  t.equal(await follower.client.text('GET', 'k'), 'v');
  return [[...channels].sort(), shard];
}

t.test('messages travel to followers', async (t) => {
  const expected = [
    ['message news here', 'message news one', 'message news two'],
    ['smessage news three', `smessage news ${LAST}`],
  ];
  t.same(await messages(t, node, node), expected);
  if (skip) return;
  t.same(await messages(t, node, quickRedis), expected);
  t.same(await messages(t, quickRedis, node), expected);
});

t.test('messages are no metadata, whatever they look like, and give no key a version', async (t) => {
  const { leader, follower } = await pair(t, node, node);
  const heard = await listen(t, leader, 'SUBSCRIBE', '__ringside');
  await leader.client.text('SET', 'k', 'v');
  t.equal(await leader.client.send('PUBLISH', '__ringside', '*1\r\n$8\r\nFLUSHALL\r\n'), 1);
  await leader.client.send('PUBLISH', '__ringside', `V${'f'.repeat(16)}`);
  await leader.client.send('PUBLISH', '__ringside', LAST);
  await leader.client.send('SPUBLISH', 'news', 'aside');
  await ended(heard);
  await leader.client.text('SET', 'k2', 'v');
  await until('the follower goes on', async () => (await follower.client.text('GET', 'k2')) === 'v');
  t.equal(await follower.client.text('GET', 'k'), 'v');
  const versions = await Promise.all(
    [leader, follower].map(({ client }) => client.send('RS.GET', 'k2', 'NOVALUE')),
  );
  t.same(versions[0], versions[1]);
});
