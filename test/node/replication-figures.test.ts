import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { infoField } from '../support/data-set.ts';
import { linkIs, node, type Party, redis } from '../support/parties.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* What leaders and followers say of each other, and the settings that say when they serve whom. */

const skip = hasRedisServer ? false : NO_REDIS;
/** Lines of INFO that only a node has. */
const OWN = /^(follower\d+|shard|shard_epoch|may_write|master_link_last_problem)$/;

async function fieldsOf({ client }: Party): Promise<Map<string, string>> {
  const lines = (await client.text('INFO', 'replication'))!
    .split('\r\n')
    .filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

const namesOf = async (party: Party) => [...(await fieldsOf(party)).keys()].filter((name) => !OWN.test(name));
const follow = (party: Party, leader: Party | null) =>
  party.client.text('REPLICAOF', ...(leader?.address.split(':') ?? ['NO', 'ONE']));
const set = ({ client }: Party, ...settings: string[]) => client.text('CONFIG', 'SET', ...settings);

t.test("INFO has redis-server's fields, in its order", { skip }, async (t) => {
  const [ours, theirs] = [await node(t), await redis(t, '--repl-diskless-sync-delay', '0')];
  const both = (does: (party: Party) => Promise<unknown>) => Promise.all([ours, theirs].map(does));
  await both((party) => set(party, 'min-replicas-to-write', '0'));
  t.same(await namesOf(ours), await namesOf(theirs), 'alone');
  await both(async (party) => {
    const follower = await (party === ours ? redis(t) : node(t));
    await set(follower, 'replica-announce-ip', '127.9.9.9');
    await set(follower, 'replica-announce-port', '4711');
    await set(party, 'min-replicas-to-write', '1');
    await follow(follower, party);
    await linkIs(follower, 'up');
    await until(
      'it is online',
      async () => (await fieldsOf(party)).get('slave0')?.includes('online') ?? false,
    );
    const slave = /^ip=127\.9\.9\.9,port=4711,state=online,offset=\d+,lag=[01]$/;
    await until('it is as announced', async () => slave.test((await fieldsOf(party)).get('slave0')!));
    await until(
      'ROLE has it',
      async () => ((await party.client.send('ROLE')) as unknown[][])[2].length === 1,
    );
    const [role, offset, [[host, port]]] = (await party.client.send('ROLE')) as [Buffer, number, Buffer[][]];
    t.same([String(role), String(host), String(port)], ['master', '127.9.9.9', '4711']);
    t.type(offset, 'number');
    await set(party, 'min-replicas-to-write', '0');
  });
  const away = await TcpProxy.start(theirs.address);
  t.teardown(() => away.stop());
  const [follower, peer] = [await node(t), await redis(t)];
  for (const one of [follower, peer]) await one.client.text('REPLICAOF', '127.0.0.1', String(away.port));
  for (const one of [follower, peer]) await linkIs(one, 'up');
  t.same(await namesOf(follower), await namesOf(peer), 'with the link up');
  const roles = await Promise.all([follower, peer].map(({ client }) => client.send('ROLE')));
  t.same((roles[0] as unknown[]).slice(0, 4), (roles[1] as unknown[]).slice(0, 4));
  away.cut();
  for (const one of [follower, peer]) await linkIs(one, 'down');
  t.same(await namesOf(follower), await namesOf(peer), 'with the link down');
  for (const one of [follower, peer]) {
    t.equal((await fieldsOf(one)).get('master_last_io_seconds_ago'), '-1');
    t.match(await one.client.send('ROLE'), { 4: -1 });
  }
});

async function pair(t: Test): Promise<{ leader: Party; follower: Party; link: TcpProxy }> {
  const leader = await node(t);
  const link = await TcpProxy.start(leader.address);
  t.teardown(() => link.stop());
  const follower = await node(t, '--replicaof', `127.0.0.1 ${link.port}`);
  await linkIs(follower, 'up');
  return { leader, follower, link };
}

t.test('WAIT and min-replicas count followers that keep up', async (t) => {
  const { leader, link } = await pair(t);
  // A PING in the stream would be something more that the follower has not got.
  await set(leader, 'repl-ping-replica-period', '3600');
  await leader.client.text('SET', 'a', '1');
  t.equal(await leader.client.send('WAIT', '1', '0'), 1, 'without an end, since it need not wait');
  await set(leader, 'min-replicas-to-write', '1', 'min-replicas-max-lag', '60');
  t.equal((await fieldsOf(leader)).get('min_slaves_good_slaves'), '1');
  t.equal(await leader.client.text('SET', 'a', '2'), 'OK');
  t.equal(await leader.client.send('WAIT', '1', '0'), 1);
  link.stall();
  const started = process.hrtime.bigint();
  t.equal(await leader.client.send('WAIT', '2', '300'), 1);
  await leader.client.text('SET', 'a', '3');
  t.equal(await leader.client.send('WAIT', '1', '300'), 0, 'nobody has it');
  t.ok(process.hrtime.bigint() - started >= 600_000_000n, 'and waited for that long');
  await set(leader, 'min-replicas-max-lag', '1');
  await until('writes are refused', async () =>
    /NOREPLICAS/.test(String(await leader.client.send('SET', 'b', '1'))),
  );
  t.equal(await leader.client.text('GET', 'a'), '3');
  t.match(await leader.client.send('WAIT', 'x', '1'), {
    message: 'ERR value is not an integer or out of range',
  });
  t.match(await leader.client.send('WAIT', '1', '-1'), { message: 'ERR timeout is negative' });
  link.cut();
  link.restore();
  await until('writes are taken again', async () => (await leader.client.send('SET', 'a', '5')) === 'OK');
});

t.test('a follower and its clients', async (t) => {
  const { leader, follower, link } = await pair(t);
  t.match(await follower.client.send('SET', 'a', '1'), { message: /^READONLY/ });
  t.match(await follower.client.send('WAIT', '1', '1'), { message: /^ERR WAIT cannot be used with replica/ });
  await set(follower, 'replica-read-only', 'no');
  t.equal((await fieldsOf(follower)).get('slave_read_only'), '0');
  t.equal(await follower.client.text('SET', 'own', '1'), 'OK', 'replica-read-only no');
  t.equal(await follower.client.text('SET', 'gone', '1', 'PX', '1'), 'OK');
  await leader.client.text('SET', 'theirs', '1');
  await until('the stream goes on', async () => (await follower.client.text('GET', 'theirs')) === '1');
  t.equal(await follower.client.text('GET', 'own'), '1');
  t.equal(await follower.client.send('GET', 'gone'), null);
  t.same(await infoField(follower.client, 'master_replid'), await infoField(leader.client, 'master_replid'));
  await set(follower, 'replica-read-only', 'yes');

  await set(follower, 'replica-serve-stale-data', 'no');
  t.equal(await follower.client.text('GET', 'theirs'), '1', 'the link is up');
  link.cut();
  await linkIs(follower, 'down');
  const stale = {
    message: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  };
  t.match(await follower.client.send('GET', 'theirs'), stale);
  t.match(await follower.client.send('PING'), stale);
  t.match(await follower.client.text('INFO', 'replication'), /master_link_status:down/);
  await set(follower, 'replica-serve-stale-data', 'yes');
  t.equal(await follower.client.text('GET', 'theirs'), '1');

  // It leads, and comes back.
  link.restore();
  await linkIs(follower, 'up');
  await follow(follower, null);
  t.equal(await follower.client.text('SET', 'mine', '1'), 'OK');
  await follow(follower, leader);
  await linkIs(follower, 'up');
  t.equal(await follower.client.send('GET', 'mine'), null, 'what the two did not share is gone');
  t.equal(await follower.client.text('GET', 'theirs'), '1');
});

t.test('a link that says nothing is given up after repl-timeout', { skip }, async (t) => {
  const leader = await redis(t, '--repl-diskless-sync-delay', '0');
  const link = await TcpProxy.start(leader.address);
  t.teardown(() => link.stop());
  const follower = await node(t, '--set', 'node.replication.timeoutMs=750');
  await set(follower, 'repl-timeout', '6');
  await follower.client.text('REPLICAOF', '127.0.0.1', String(link.port));
  await linkIs(follower, 'up');
  link.stall();
  await linkIs(follower, 'down');
  link.cut();
  link.restore();
  await linkIs(follower, 'up');
  t.equal(await infoField(leader.client, 'sync_partial_ok'), '1');
});

t.test('SYNC brings the file with its length before it, and then the stream', async (t) => {
  const leader = await node(t);
  await leader.client.text('SET', 'a', '1');
  await set(leader, 'repl-ping-replica-period', '1');
  const { chunks } = syncing(t, leader);
  const text = () => Buffer.concat(chunks).toString('latin1');
  await until('the file is there', async () => /^\$\d+\r\nREDIS/.test(text()));
  const [head, length] = /^\$(\d+)\r\n/.exec(text())!;
  await leader.client.text('SET', 'b', '2');
  const behind = () => text().slice(head.length + Number(length));
  await until('the command is there', async () =>
    behind().includes('*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n'),
  );
  await until('and a PING', async () => behind().includes('*1\r\n$4\r\nPING\r\n'));
});

function syncing(t: Test, { address }: Party) {
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  t.teardown(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write('SYNC\r\n');
  return { chunks };
}
