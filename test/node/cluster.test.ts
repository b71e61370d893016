import { once } from 'node:events';
import t, { type Test } from 'tap';
import { request } from 'undici';
import type { Hello } from '../../lib/codec/proto/index.ts';
import { RdbFileWriter } from '../../lib/codec/rdb/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { formatAddress } from '../../lib/net/index.ts';
import { AttachedNode, LEASE_MS } from '../support/node-fleet.ts';
import { RespClient } from '../support/resp-client.ts';
import { levelFrame, ScriptedLeader } from '../support/scripted-leader.ts';
import { type Member, Shard } from '../support/shard.ts';
import { until } from '../support/until.ts';

/* Nodes of a shard under a control plane that does exactly what the test says: roles, leases, seals, promotions. */

const READONLY = { message: "READONLY You can't write against a read only replica." };
const LOADING = { message: /^LOADING / };

const status = async ({ process }: Member) =>
  (await (await request(`http://${process.ready.admin}/status`)).body.json()) as Record<string, unknown>;

async function info(client: RespClient, field: string): Promise<string | undefined> {
  return new RegExp(`^${field}:(.*?)\r?$`, 'm').exec((await client.text('INFO', 'everything'))!)?.[1];
}

/**
 * Resolves when the node refuses a write for want of a lease. Each try has a connection of its own: a write that was executed just
 * before the lease ran out costs its connection.
 */
const refused = ({ process }: Member, what: string) =>
  until(what, async () => {
    const client = new RespClient(process.ready.resp);
    const reply = await client.send('SET', 'probe', '1').finally(() => client.close());
    return reply instanceof Error && reply.message.startsWith('READONLY');
  });

t.test('a shard forms; each role answers what it may', async (t) => {
  const shard = await Shard.start(t);
  const [n1, n2] = await Promise.all([shard.node('n1'), shard.node('n2')]);
  const attached = await shard.fleet.attached('n1');
  t.match(attached.hello, { kind: 'NODE', id: 'n1', shard: 's1', weight: 1, ringJson: '', sealedEpoch: '0' });
  t.equal(attached.hello.address, n1.process.ready.resp);
  await shard.fleet.attached('n2');
  t.match(await n1.client.send('GET', 'a'), LOADING, 'no document, no data');
  t.match(await n1.client.send('SET', 'a', '1'), READONLY);
  t.equal(await n1.client.text('PING'), 'PONG');

  await shard.fleet.push(shard.fleet.document({ epoch: 1, leader: 'n1', followers: ['n2'] }), ['n1']);
  t.match(await n1.client.send('SET', 'a', '1'), READONLY, 'a leader without a lease takes no writes');
  t.match(await status(n1), { role: 'leader', lease: { held: false } });
  shard.fleet.grantedEpoch = 1;
  await until('it has one', async () => (await n1.client.send('SET', 'a', '1')) === 'OK');

  await shard.fleet.shape({ epoch: 1, leader: 'n1', followers: ['n2'] });
  await shard.fleet.synced('n2');
  t.equal(await n2.client.text('GET', 'a'), '1', 'a follower answers reads');
  t.match(await n2.client.send('SET', 'a', '2'), READONLY);
  t.match(await status(n2), { role: 'follower', state: 'serving', leader: n1.process.ready.resp });
  await until('the control plane learns how far the follower is', () => {
    const followers = shard.fleet.nodes.get('n1')!.heartbeat!.followers;
    return (
      followers[0]?.id === 'n2' &&
      followers[0].ackOffset === shard.fleet.nodes.get('n2')!.heartbeat!.replication!.offset
    );
  });
});

t.test('RS.EPOCH fences a connection', async (t) => {
  const [shard, n1, n2] = await Shard.formed(t, 1);
  const { client } = n1;
  t.equal(await client.text('RS.EPOCH', 's1', '1'), 'OK');
  t.equal(await client.text('SET', 'a', '1'), 'OK');
  await client.send('RS.EPOCH', 's1', '0');
  t.match(await client.send('SET', 'a', '2'), {
    message: 'STALERING shard s1 is at epoch 1, the connection at 0',
  });
  await client.send('RS.EPOCH', 's1', '2');
  t.match(await client.send('SET', 'a', '2'), { message: /^STALERING .*behind$/ });
  await until('it asks the control plane', () => shard.fleet.nodes.get('n1')!.refreshes > 0);
  await client.send('RS.EPOCH', 's2', '1');
  t.match(await client.send('DEL', 'a'), { message: 'STALERING this node serves shard s1, not s2' });
  t.equal(await client.text('GET', 'a'), '1', 'reads are not fenced');
  await n2.client.send('RS.EPOCH', 's1', '1');
  t.match(await n2.client.send('SET', 'a', '2'), READONLY, 'the right epoch does not make a leader');
  t.match(await client.send('RS.EPOCH', 's1', 'x'), { message: /^ERR value is not an integer/ });
});

t.test('while no control plane answers, all listed followers renew the lease together', async (t) => {
  const [shard, n1, n2, n3] = await Shard.formed(t, 2);
  shard.fleet.stop();
  const start = performance.now();
  let written = 0;
  await until(
    'three lease lengths have passed',
    async () => {
      t.equal(await n1.client.text('SET', 'k', String(++written)), 'OK');
      return performance.now() - start > 3 * LEASE_MS;
    },
    { everyMs: 50 },
  );
  n3.process.kill('SIGSTOP');
  await refused(n1, 'one follower is silent, and the lease runs out');
  t.equal(await n1.client.text('GET', 'k'), String(written), 'reads go on');
  n3.process.kill('SIGCONT');
  await until('it answers again', async () => (await n1.client.send('SET', 'k', 'again')) === 'OK');
  n2.process.kill('SIGKILL');
  await refused(n1, 'a dead follower is missed as well');
});

t.test('a leader listed alone renews itself', async (t) => {
  const shard = await Shard.start(t);
  const n1 = await shard.node('n1');
  await shard.fleet.attached('n1');
  await shard.fleet.push(shard.fleet.document({ epoch: 1, leader: 'n1' }));
  shard.fleet.stop();
  const start = performance.now();
  await until(
    'two lease lengths have passed',
    async () => {
      t.equal(await n1.client.text('SET', 'k', 'v'), 'OK');
      return performance.now() - start > 2 * LEASE_MS;
    },
    { everyMs: 50 },
  );
});

t.test('a paused leader that wakes up after its successor began acknowledges nothing', async (t) => {
  for (const ack of ['leader', 'replica']) {
    const [shard, n1, n2] = await Shard.formed(t, 1, '--ack', ack);
    await until('a write is acknowledged', async () => (await n1.client.send('SET', 'k', 'before')) === 'OK');
    const waiter = new RespClient(n1.process.ready.resp);
    t.teardown(() => waiter.close());
    const popped = waiter.send('BLPOP', 'queue', '0').catch((error: Error) => error);
    await until('it waits', async () => (await info(n1.client, 'blocked_clients')) === '1');
    n1.process.kill('SIGSTOP');
    const stoppedAt = performance.now();
    const late = n1.client.send('SET', 'k', 'late').catch((error: Error) => error);
    const pipelined = [
      ['INCR', 'counter'],
      ['RPUSH', 'queue', 'x'],
      ['MULTI'],
      ['INCR', 'counter'],
      ['EXEC'],
    ].map((command) => n1.client.send(...command).catch((error: Error) => error));
    const sealed = await shard.fleet.seal('n2', 2);
    t.equal(sealed.epoch, '2');
    t.ok(sealed.replication?.complete);
    await until(
      'the old lease is out',
      () => performance.now() - stoppedAt > LEASE_MS + sealed.lastGrantAgoMs,
    );
    await shard.fleet.shape({ epoch: 2, leader: 'n2' }, ['n2']);
    const successor = new RespClient(n2.process.ready.resp);
    t.teardown(() => successor.close());
    await until('the successor takes writes', async () => {
      const reply = await successor.send('SET', 'k', 'after');
      return reply === 'OK' || (ack === 'replica' && /^NOREPLICAS/.test((reply as Error).message));
    });
    n1.process.kill('SIGCONT');
    const [incremented, pushed, , , executed] = pipelined;
    for (const reply of await Promise.all([late, incremented, pushed, executed]))
      t.ok(reply instanceof Error, `ack: ${ack}: ${reply}`);
    const direct = new RespClient(n1.process.ready.resp);
    t.teardown(() => direct.close());
    t.match(await direct.send('SET', 'k', 'direct'), READONLY, 'also to a client that comes to it directly');
    await shard.fleet.shape({ epoch: 2, leader: 'n2', followers: ['n1'] });
    t.match(await popped, { message: /^UNBLOCKED / }, 'who waited for data is sent away');
    await shard.fleet.synced('n1');
    t.equal(await direct.text('GET', 'k'), ack === 'leader' ? 'after' : 'before');
    t.equal(await direct.send('GET', 'counter'), null);
  }
});

t.test(
  'seals: the stream and the lease of an older leader are refused, and a restart does not forget',
  async (t) => {
    const [shard, n1, n2, n3] = await Shard.formed(t, 2);
    t.equal(await n1.client.send('WAIT', 2, 0), 2, 'both followers have what was written');
    shard.fleet.grantedEpoch = null;
    const before = (await shard.fleet.seal('n2', 5)).replication!;
    await until('the leader loses the link', async () => (await info(n1.client, 'connected_slaves')) === '1');
    await refused(n1, 'without n2 the lease runs out');
    t.equal(await n2.client.text('GET', 'formed'), '1', 'it still answers reads');
    t.match(await status(n2), { role: 'outsider', sealedEpoch: '5' });
    const again = await shard.fleet.seal('n2', 4);
    t.equal(again.epoch, '5', 'a lower seal changes nothing');
    t.equal(again.replication!.offset, before.offset, 'nothing was applied since');

    await n2.process.stop();
    await shard.node('n2');
    t.equal((await shard.fleet.attached('n2')).hello.sealedEpoch, '5');

    // The same leader at a higher epoch: those who follow continue.
    await shard.fleet.shape({ epoch: 6, leader: 'n1', followers: ['n3'] });
    await shard.fleet.synced('n3');
    await until('it takes writes again', async () => (await n1.client.send('SET', 'k', 'v')) === 'OK');
    t.equal(await info(n1.client, 'sync_partial_ok'), '1');
    await until('the stream goes on', async () => (await n3.client.send('GET', 'k'))?.toString() === 'v');

    await shard.fleet.seal('n1', 7);
    t.match(await n1.client.send('SET', 'k', 'w'), READONLY, 'a sealed leader stops at once');
    t.match(await status(n1), { role: 'outsider', lease: { held: false } });
  },
);

t.test(
  'promotion: siblings go on from the backlog, the deposed leader throws away what nobody has',
  async (t) => {
    const [shard, n1, n2, n3] = await Shard.formed(t, 2);
    for (let i = 0; i < 200; i++) await n1.client.send('SET', `k${i}`, `v${i}`);
    t.equal(await n1.client.send('WAIT', '2', '30000'), 2);
    // Cut off from both followers, the leader still takes a few writes within its lease.
    await Promise.all([shard.fleet.seal('n2', 2), shard.fleet.seal('n3', 2)]);
    const lost = await n1.client.send('SET', 'lost', '1');
    t.equal(lost, 'OK', 'with ack: leader, acknowledged and not replicated');
    await shard.fleet.shape({ epoch: 2, leader: 'n2', followers: ['n3'] });
    await shard.fleet.synced('n3');
    await until('n2 takes writes', async () => (await n2.client.send('SET', 'new', '1')) === 'OK');
    t.equal(await info(n2.client, 'sync_partial_ok'), '1', 'n3 continued');
    await until('n1 follows', async () => (await n1.client.send('GET', 'new'))?.toString() === '1');
    t.equal(await n1.client.send('GET', 'lost'), null);
    t.equal(await info(n2.client, 'sync_full'), '1', 'n1 had to start over');
    t.equal(await n3.client.text('GET', 'k199'), 'v199');
    const version = BigInt(shard.fleet.nodes.get('n2')!.heartbeat!.maxVersion);
    t.equal(version >> 44n, 2n, 'versions go on in the new epoch');
  },
);

t.test(
  'a restarted process does not lead, follows from what it remembers, and counts for nothing',
  async (t) => {
    const [shard, n1, n2] = await Shard.formed(t, 1, '--ack', 'replica');
    await until('acknowledged by the follower', async () => (await n1.client.send('SET', 'k', 'v')) === 'OK');
    shard.fleet.stop();
    await n2.process.stop();
    t.match(await n1.client.send('SET', 'k', 'w'), { message: /^(NOREPLICAS|READONLY)/ });
    const again = await shard.node('n2', '--ack', 'replica');
    await until('it follows the leader of its document', async () => {
      const reply = await again.client.send('GET', 'k');
      return !(reply instanceof Error) && String(reply) === 'v';
    });
    t.match(await status(again), { role: 'learner', state: 'serving' });
    await n1.process.stop();
    const former = await shard.node('n1');
    t.match(await status(former), { role: 'outsider', state: 'starting' });
    t.match(await former.client.send('GET', 'k'), LOADING);
    t.match(await former.client.send('SET', 'k', 'x'), READONLY);
  },
);

t.test('only listed followers count for ack: replica', async (t) => {
  const [shard, n1, n2] = await Shard.formed(t, 1, '--ack', 'replica');
  await shard.fleet.shape({ epoch: 1, leader: 'n1' });
  t.match(await n1.client.send('SET', 'k', 'v'), { message: /^NOREPLICAS/ });
  t.match(await status(n2), { role: 'learner', state: 'serving' });
  await shard.fleet.shape({ epoch: 1, leader: 'n1', followers: ['n2'] });
  await until('listed again, it counts', async () => (await n1.client.send('SET', 'k', 'v')) === 'OK');
});

t.test('documents: older, conflicting and altered ones are refused', async (t) => {
  const [shard] = await Shard.formed(t, 0);
  const node = await shard.fleet.attached('n1');
  const held = shard.fleet.document({ epoch: 1, leader: 'n1' });
  await shard.fleet.push(held);
  await shard.fleet.push(held);
  t.equal(node.acks.at(-1), held.epoch, 'the same one again is acknowledged');
  await shard.fleet.push(shard.fleet.document({ epoch: 1, leader: null }, Number(held.epoch) - 1));
  await shard.fleet.push(shard.fleet.document({ epoch: 1, leader: null }, Number(held.epoch)));
  await shard.fleet.push({ ...held, epoch: '99' });
  t.same(
    node.nacks.map(({ code }) => code),
    ['older', 'conflict', 'invalid'],
  );
  t.equal(node.heartbeat?.role, 'LEADER', 'it goes on with the one it has');
});

/** A leader named `scripted` of which a test can say every byte. */
async function scriptedLeader(t: Test, shard: Shard): Promise<ScriptedLeader> {
  const leader = await ScriptedLeader.start(t);
  const address = formatAddress('127.0.0.1', leader.port);
  const hello = { id: 'scripted', runId: 'r', address, admin: '' } as Hello;
  shard.fleet.nodes.set('scripted', new AttachedNode(null as never, hello));
  return leader;
}

t.test(
  'a node promoted without a whole data set begins empty, and nobody goes on from its half',
  async (t) => {
    const shard = await Shard.start(t);
    const n1 = await shard.node('n1');
    await shard.fleet.attached('n1');
    const leader = await scriptedLeader(t, shard);
    await shard.fleet.shape({ epoch: 1, leader: 'scripted' }, ['n1']);
    const link = await leader.next();
    const file = new RdbFileWriter({ compresses: false });
    file.aux('half', 'a file');
    link.beginFullSync('stream-of-scripted', 100, file.parts.buffer.subarray(0, file.parts.length));
    await until('half of it is there', () => {
      const replication = shard.fleet.nodes.get('n1')!.heartbeat?.replication;
      return replication?.offset === '100' && !replication.complete;
    });
    await shard.fleet.shape({ epoch: 2, leader: 'n1' }, ['n1']);
    t.equal(await n1.client.send('DBSIZE'), 0);
    t.equal(await n1.client.text('REPLCONF', 'ringside', 's1', '2', 'sibling'), 'OK');
    // Behind the reply comes a file, which is no frame.
    const { socket } = n1.client;
    socket.removeAllListeners('data');
    socket.write(encodeCommand('PSYNC', 'stream-of-scripted', '101'));
    const [reply] = (await once(socket, 'data')) as [Buffer];
    t.match(
      reply.latin1Slice(),
      /^\+FULLRESYNC /,
      'a sibling with the whole of the old stream has to start over',
    );
  },
);

t.test('a follower is synced, and of the new epoch, once it has caught up with its leader', async (t) => {
  const shard = await Shard.start(t);
  await shard.node('n1');
  const { heartbeat } = await shard.fleet.attached('n1');
  t.notOk(heartbeat?.replication?.synced);
  const leader = await scriptedLeader(t, shard);
  const reported = () => shard.fleet.nodes.get('n1')!.heartbeat!;
  await shard.fleet.shape({ epoch: 1, leader: 'scripted' }, ['n1']);
  for (let i = 0; i < 3; i++) (await leader.next()).socket.end('-STALERING not yet\r\n');
  t.equal(reported().leaderSilentMs, -1, 'a refusal is no sign of a leader');
  const first = await leader.next();
  await first.syncEmpty('one', 100);
  await shard.fleet.synced('n1');
  t.ok(reported().leaderSilentMs >= 0);

  const start = 100 + levelFrame(first.id).length;
  const effect = encodeCommand('SET', 'k', 'v');
  await shard.fleet.shape({ epoch: 2, leader: 'scripted' }, ['n1']);
  const { socket } = await leader.next();
  socket.write(`+CONTINUE two ${start + effect.length}\r\n`);
  await until('it follows on', () => reported().replication?.replId === 'two');
  t.match(reported().replication, { synced: false, complete: true, streamEpoch: '1', offset: String(start) });
  socket.write(effect);
  await shard.fleet.synced('n1');
  t.match(reported().replication, { streamEpoch: '2', offset: String(start + effect.length) });
});

t.test('WAIT does not count followers of another stream after a change of leaders', async (t) => {
  const [shard, n1, n2] = await Shard.formed(t, 1);
  const waiting = new RespClient(n1.process.ready.resp);
  const idle = new RespClient(n1.process.ready.resp);
  t.teardown(() => [waiting, idle].map((client) => client.close()));
  await shard.fleet.seal('n2', 2);
  for (const client of [waiting, idle]) t.equal(await client.text('SET', 'lost', '1'), 'OK');
  const waited = waiting.send('WAIT', '1', '0');
  await until('it waits', async () => (await info(n1.client, 'blocked_clients')) === '1');
  await shard.fleet.shape({ epoch: 2, leader: 'n2' });
  t.equal(await waited, 0, 'answered when the leader is deposed');
  await shard.fleet.synced('n1');
  for (let i = 0; i < 100; i++) await n2.client.send('SET', `k${i}`, 'v'.repeat(100));
  await shard.fleet.shape({ epoch: 3, leader: 'n1', followers: ['n2'] });
  await shard.fleet.synced('n2');
  t.equal(await idle.send('WAIT', '1', '50'), 0, 'its write is not in the stream that n2 follows');
  t.equal(await idle.send('GET', 'lost'), null);
});
