import t from 'tap';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* Sorted sets, places and HyperLogLogs that come of other keys, or that waiting clients empty: a follower has the same, byte for byte. */

const KEYS = ['z', 'y', 'x', 's', 'to', 'g', 'near', 'h', 'h2', 'all'];

t.test('a follower has what the leader made', async (t) => {
  const node = await startStandaloneNode(t);
  const copy = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${node.ready.resp.split(':')[1]}`);
  const [client, follower, waiter] = [node, copy, node].map(({ ready }) => new RespClient(ready.resp));
  t.teardown(() => {
    for (const one of [client, follower, waiter]) one.close();
  });
  await until('the follower is there', async () =>
    /master_link_status:up/.test((await follower.text('INFO', 'replication'))!),
  );
  const dump = (of: RespClient) => Promise.all(KEYS.map((key) => of.send('DUMP', key)));
  const follows = async (what: string, commands: readonly string[]) => {
    for (const command of commands) {
      const reply = await client.send(...command.split(' '));
      t.notOk(reply instanceof Error, command);
    }
    t.equal(await client.send('WAIT', '1', '10000'), 1, `${what}: has come`);
    const [ours, theirs] = await Promise.all([dump(client), dump(follower)]);
    t.same(theirs, ours, what);
  };
  const many = Array.from({ length: 300 }, (_, i) => `${i / 7} m${i}`).join(' ');

  await follows('members and their scores', [
    `ZADD z ${many}`,
    'ZADD z GT CH 1e9 m1 -5 m2',
    'ZINCRBY z 0.1 m3',
    'ZADD y 1 a 2 b 3 c',
    'ZREM y a nothing',
    'ZREMRANGEBYRANK z 0 9',
    'ZREMRANGEBYSCORE z -inf (5',
  ]);
  await follows('what is popped from one of several keys', [
    'ZPOPMIN z 3',
    'ZMPOP 3 nothing y z MAX COUNT 1',
    'BZMPOP 0 2 nothing z MIN COUNT 2',
    'BZPOPMAX y 0',
    'ZMPOP 2 y z MIN COUNT 1000',
  ]);
  const served = waiter.send('BZMPOP', '0', '2', 'x', 'y', 'MIN', 'COUNT', '2');
  await until('it waits', async () => /^blocked_clients:1\r$/m.test((await client.text('INFO', 'clients'))!));
  await follows('what a waiting client takes', ['ZADD y 1 a 2 b 3 c']);
  t.equal(String(await served), 'y,a,1,b,2');
  await follows('what is made of other keys', [
    'SADD s a c e',
    'ZUNIONSTORE to 3 z y s WEIGHTS 2 0.1 3',
    'ZRANGESTORE x to 1 5 REV',
    'ZINTERSTORE x 2 to s',
    'ZDIFFSTORE s 2 s y',
    'ZRANGESTORE to nothing 0 -1',
  ]);
  await follows('places', [
    'GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania',
    'GEORADIUS g 15 37 200 km STOREDIST near',
    'GEOSEARCHSTORE to g FROMMEMBER Palermo BYBOX 100 100 km',
  ]);
  await follows('HyperLogLogs', [
    'PFADD h a b c',
    'PFADD h d',
    'PFCOUNT h',
    `PFADD h2 ${many}`,
    'PFMERGE all h h2 nothing',
    'PFCOUNT all',
    'PFDEBUG TODENSE h',
    'PFADD h e',
  ]);
  t.equal(await follower.send('PFCOUNT', 'h'), 5, 'a follower counts');
  t.same(await follower.send('DUMP', 'h'), await client.send('DUMP', 'h'), 'and changes nothing by it');
});
