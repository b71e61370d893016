import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { RequestParser } from '../../lib/codec/resp/index.ts';
import { infoField } from '../support/data-set.ts';
import { linkIs, node, type Party, redis, same } from '../support/parties.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

/*
 * What a leader removes by itself, since its time is over or for want of room, goes on its followers because the leader says so: as DEL, in one
 * piece with the write that came across it.
 */

const skip = hasRedisServer ? false : NO_REDIS;
const NAMESPACES = JSON.stringify([
  { name: 'short', prefix: 'short:', defaultTtlSeconds: 1 },
  { name: 'small', prefix: 'small:', maxBytes: '1mb', policy: 'lru' },
]);

/** The commands of a leader's stream, as text, as they come to a follower that said SYNC. */
function streamOf(t: Test, { address }: Party): string[] {
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  t.teardown(() => socket.destroy());
  const parser = new RequestParser({
    maxBulkBytes: 1e6,
    maxArrayLength: 1000,
    maxInlineBytes: 1000,
    maxBufferedBytes: 1e7,
  });
  const commands: string[] = [];
  let head = Buffer.alloc(0);
  let toSkip = -1;
  socket.on('data', (chunk: Buffer) => {
    let bytes = chunk;
    if (toSkip < 0) {
      head = Buffer.concat([head, chunk]);
      const length = /^\n*\$(\d+)\r\n/.exec(head.latin1Slice());
      if (!length) return;
      toSkip = Number(length[1]);
      bytes = head.subarray(length[0].length);
    }
    const skipped = Math.min(toSkip, bytes.length);
    toSkip -= skipped;
    parser.push(bytes.subarray(skipped));
    while (parser.next()) {
      const words = Array.from({ length: parser.count }, (_, i) => parser.utf8(i));
      if (words[0] !== 'PING') commands.push(words.join(' '));
    }
  });
  socket.write('SYNC\r\n');
  return commands;
}

const sizeIs = ({ client }: Party, size: number) =>
  until(`${size} keys are left`, async () => (await client.send('DBSIZE')) === size);

async function leaderAndFollowers(t: Test): Promise<{ leader: Party; followers: Party[] }> {
  const leader = await node(t, '--set', `namespaces=${NAMESPACES}`);
  const following = ['--replicaof', leader.address.replace(':', ' ')];
  const others = skip ? [] : [await redis(t, ...following)];
  const followers = [await node(t, '--set', `namespaces=${NAMESPACES}`, ...following), ...others];
  for (const follower of followers) await linkIs(follower, 'up');
  return { leader, followers };
}

t.test('what has expired', async (t) => {
  const { leader, followers } = await leaderAndFollowers(t);
  const { client } = leader;
  for (let i = 0; i < 50; i++) {
    await client.send('SET', `px${i}`, '1', 'PX', '300');
    await client.send('SET', `short:${i}`, '1');
    await client.send('RPUSH', `short:l${i}`, '1');
    await client.send('INCR', `short:n${i}`);
  }
  for (const follower of followers) await same(t, leader, follower, 'before');
  for (const party of [leader, ...followers]) await sizeIs(party, 0);
  t.equal(await infoField(client, 'expired_keys'), '200');
  for (const follower of followers)
    t.equal(await infoField(follower.client, 'expired_keys'), '0', 'not by itself');
});

t.test('what has been evicted', async (t) => {
  const { leader, followers } = await leaderAndFollowers(t);
  const { client } = leader;
  for (let i = 0; i < 400; i++) await client.send('SET', `small:${i}`, 'x'.repeat(10_000));
  const left = Number(await client.send('DBSIZE'));
  t.ok(left < 150, `${left} of a namespace are left`);
  for (const follower of followers) await same(t, leader, follower, 'of a namespace');
  await client.text('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  await client.text('CONFIG', 'SET', 'maxmemory', '1');
  for (const party of [leader, ...followers]) await sizeIs(party, 0);
  t.equal(await infoField(followers[0].client, 'evicted_keys'), '0', 'not by itself');
});

t.test('in the stream', async (t) => {
  const leader = await node(t);
  const { client } = leader;
  const commands = streamOf(t, leader);
  await until('it is connected', async () => (await infoField(client, 'connected_slaves')) === '1');
  await client.send('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
  await client.send('SELECT', '2');
  for (const key of ['a', 'b', 'c']) await client.send('SET', key, '1', 'PX', '1');
  await until('they have expired', async () => (await client.send('PTTL', 'c')) === -2);
  await client.send('MULTI');
  await client.send('GET', 'a');
  await client.send('SET', 'd', '1');
  await client.send('SET', 'e', '1');
  await client.send('EXEC');
  await client.send('RPUSH', 'b', '1');
  await client.send('SCAN', '0');
  await client.send('SET', 'last', '1');
  await until('all is there', () => commands.includes('SET last 1'));
  t.match(commands.splice(0, 4), [
    'SELECT 2',
    /^SET a 1 PXAT \d+$/,
    /^SET b 1 PXAT \d+$/,
    /^SET c 1 PXAT \d+$/,
  ]);
  t.same(commands, [
    'DEL c',
    ...['MULTI', 'DEL a', 'SET d 1', 'SET e 1', 'EXEC'],
    ...['MULTI', 'DEL b', 'RPUSH b 1', 'EXEC'],
    'SET last 1',
  ]);
});
