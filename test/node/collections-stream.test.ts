import t from 'tap';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* What waiting clients take, what is chosen at random, and what goes from key to key: a follower has the same, element for element. */

const KEYS = ['a', 'b', 'c', 'l', 's', 't', 'u'];

t.test('a follower does what the leader did, not what it was asked', async (t) => {
  const node = await startStandaloneNode(t);
  const port = node.ready.resp.split(':')[1];
  const copy = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${port}`);
  const [client, follower, ...waiters] = [node, copy, node, node, node].map(
    ({ ready }) => new RespClient(ready.resp),
  );
  t.teardown(() => {
    for (const one of [client, follower, ...waiters]) one.close();
  });
  await until('the follower is there', async () =>
    /master_link_status:up/.test((await follower.text('INFO', 'replication'))!),
  );
  const blocked = (count: number) =>
    until(`${count} wait`, async () =>
      new RegExp(`^blocked_clients:${count}\r$`, 'm').test((await client.text('INFO', 'clients'))!),
    );
  const dump = (of: RespClient) => Promise.all(KEYS.map((key) => of.send('DUMP', key)));
  const same = async (what: string) => {
    t.equal(await client.send('WAIT', '1', '10000'), 1, `${what}: has come`);
    const [ours, theirs] = await Promise.all([dump(client), dump(follower)]);
    t.same(theirs, ours, what);
  };
  const run = async (commands: readonly string[]) => {
    for (const command of commands) await client.send(...command.split(' '));
  };
  const plain = (reply: RespValue) => String(reply);

  await run(['RPUSH l 0', 'RPUSH a x y z', 'LPOP l']);
  const served = [
    waiters[0].send('BLPOP', 'c', 'l', '0'),
    waiters[1].send('BLMOVE', 'l', 'b', 'RIGHT', 'LEFT', '0'),
    waiters[2].send('BLMPOP', '0', '2', 'c', 'l', 'RIGHT', 'COUNT', '2'),
  ];
  await blocked(3);
  await run(['RPUSH l 1 2 3 4 5']);
  t.equal(new Set((await Promise.all(served)).map(plain)).size, 3);
  await same('clients that waited');
  await run([
    'LMOVE a b LEFT RIGHT',
    'RPOPLPUSH a a',
    'LMPOP 2 c b LEFT COUNT 2',
    'BLPOP a 0',
    'BRPOPLPUSH l a 1',
  ]);
  await same('elements that moved');
  const integers = Array.from({ length: 600 }, (_, i) => i).join(' ');
  await run([`SADD s ${integers}`, 'SPOP s', 'SPOP s 5', 'SPOP s 400']);
  await same('members that were popped');
  await run([
    'SADD t 1 x y',
    'SMOVE t u x',
    'SMOVE t u y',
    'SINTERSTORE c s t',
    'SUNIONSTORE t u s',
    'SDIFFSTORE u t u',
  ]);
  await run(['SPOP u 9999', 'SDIFFSTORE b nope']);
  await same('sets made of sets');
});
