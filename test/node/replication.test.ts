import t, { type Test } from 'tap';
import { request } from 'undici';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startStandaloneNode } from '../support/ringside.ts';
import { ScriptedLeader } from '../support/scripted-leader.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* Two standalone nodes, one following the other through a proxy that the tests cut and stall. */

const seed = Number(process.env.SEED ?? 20261121);

interface Pair {
  readonly leader: Ringside;
  readonly follower: Ringside;
  readonly link: TcpProxy;
  readonly toLeader: RespClient;
  readonly toFollower: RespClient;
}

async function startPair(t: Test, ...args: string[]): Promise<Pair> {
  const leader = await startStandaloneNode(t, ...args);
  const link = await TcpProxy.start(leader.ready.resp);
  t.teardown(() => link.stop());
  const follower = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${link.port}`, ...args);
  const toLeader = new RespClient(leader.ready.resp);
  const toFollower = new RespClient(follower.ready.resp);
  t.teardown(() => {
    toLeader.close();
    toFollower.close();
  });
  return { leader, follower, link, toLeader, toFollower };
}

async function info(client: RespClient, field: string): Promise<string | undefined> {
  return new RegExp(`^${field}:(.*?)\r?$`, 'm').exec((await client.text('INFO', 'everything'))!)?.[1];
}

const linked = ({ toFollower }: Pair) =>
  until('the follower is level', async () => (await info(toFollower, 'master_link_status')) === 'up');

async function level({ toLeader, toFollower }: Pair): Promise<void> {
  await until('both stand at the same offset', async () => {
    const [a, b] = await Promise.all(
      [toLeader, toFollower].map((client) => info(client, 'master_repl_offset')),
    );
    return a === b && (await info(toFollower, 'master_link_status')) === 'up';
  });
}

/** Everything a node holds: key, value, expiry. */
async function dump(client: RespClient): Promise<Map<string, string>> {
  const data = new Map<string, string>();
  let cursor = '0';
  do {
    const [next, keys] = (await client.send('SCAN', cursor, 'COUNT', '1000')) as [Buffer, Buffer[]];
    const entries = await Promise.all(
      keys.map((key) => Promise.all([client.send('GET', key), client.send('PEXPIRETIME', key)])),
    );
    for (const [i, [value, expiry]] of entries.entries()) {
      // Expired since the scan.
      if (value === null) continue;
      data.set(keys[i].toString('hex'), `${(value as Buffer).toString('hex')} ${expiry}`);
    }
    cursor = String(next);
  } while (cursor !== '0');
  return data;
}

async function sameData(t: Test, pair: Pair, what: string): Promise<void> {
  await level(pair);
  const [ours, theirs] = await Promise.all([dump(pair.toLeader), dump(pair.toFollower)]);
  const different = [...ours].filter(([key, entry]) => theirs.get(key) !== entry);
  t.same(different.slice(0, 3), [], what);
  t.equal(theirs.size, ours.size, `${ours.size} keys`);
}

/** Writes of every kind, `count` of them, with pipelining. */
async function writeRandomly(client: RespClient, from: number, count: number): Promise<void> {
  const random = seededRandom(from);
  const far = Date.now() + 10_000_000;
  let replies: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) {
    const key =
      random.int(10) === 0 ? Buffer.from([random.int(256), random.int(256)]) : `k${random.int(5000)}`;
    const value = random.int(200) === 0 ? 'x'.repeat(random.int(200_000)) : `${random.hex(random.int(50))}`;
    const commands: (string | Buffer)[][] = [
      ['SET', key, value],
      ['SET', key, value, 'PXAT', String(far + random.int(1000))],
      ['APPEND', key, value],
      ['DEL', key],
      ['INCR', `n${random.int(100)}`],
      ['INCRBYFLOAT', `f${random.int(10)}`, '0.5'],
      ['PEXPIREAT', key, String(far + random.int(1000))],
      ['PERSIST', key],
      ['GETDEL', key],
      ['MSET', key, value, 'm', String(i)],
      ['SET', `brief${random.int(50)}`, '1', 'PX', '5'],
    ];
    replies.push(client.send(...commands[random.int(commands.length)]));
    if (replies.length === 200) {
      await Promise.all(replies);
      replies = [];
    }
  }
  await Promise.all(replies);
}

t.test('full sync under write load, then the stream', async (t) => {
  const leader = await startStandaloneNode(t);
  const toLeader = new RespClient(leader.ready.resp);
  t.teardown(() => toLeader.close());
  await writeRandomly(toLeader, seed, 30_000);
  const link = await TcpProxy.start(leader.ready.resp);
  t.teardown(() => link.stop());
  const follower = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${link.port}`);
  const toFollower = new RespClient(follower.ready.resp);
  t.teardown(() => toFollower.close());
  const pair = { leader, follower, link, toLeader, toFollower };
  await writeRandomly(toLeader, seed + 1, 20_000);
  await sameData(t, pair, `while the snapshot passed (seed ${seed})`);
  await writeRandomly(toLeader, seed + 2, 20_000);
  await sameData(t, pair, 'from the stream alone');
  await toLeader.send('FLUSHALL');
  await toLeader.send('SET', 'after', 'the flood');
  await sameData(t, pair, 'after FLUSHALL');
  t.equal(await info(toLeader, 'sync_full'), '1');
  t.match(await toFollower.send('SET', 'a', '1'), {
    message: "READONLY You can't write against a read only replica.",
  });
  t.match(await toFollower.send('WAIT', '0', '0'), {
    message: /^ERR WAIT cannot be used with replica instances/,
  });
  t.equal(String(((await toFollower.send('ROLE')) as unknown[])[0]), 'slave');
});

t.test('a short cut is bridged from the backlog, a long one by a new full sync', async (t) => {
  const pair = await startPair(t, '--set', 'node.replication.backlogBytes=1mb');
  const { toLeader, toFollower, link } = pair;
  await linked(pair);
  await writeRandomly(toLeader, seed + 3, 2000);
  link.cut();
  await until('the follower notices', async () => (await info(toFollower, 'master_link_status')) === 'down');
  await toLeader.send('SET', 'while', 'cut');
  t.not(await toFollower.text('DBSIZE'), '0', 'it goes on answering reads');
  link.restore();
  await sameData(t, pair, 'after a short cut');
  t.equal(await info(toLeader, 'sync_partial_ok'), '1');
  t.equal(await info(toLeader, 'sync_full'), '1');

  link.cut();
  await until('the follower notices', async () => (await info(toFollower, 'master_link_status')) === 'down');
  const value = 'x'.repeat(100_000);
  for (let i = 0; i < 40; i++) await toLeader.send('SET', `big${i}`, value);
  link.restore();
  await sameData(t, pair, 'after a long cut');
  t.equal(await info(toLeader, 'sync_full'), '2');
});

t.test('a link that only falls silent is opened again', async (t) => {
  const pair = await startPair(
    t,
    '--set',
    'node.replication.pingMs=50',
    '--set',
    'node.replication.timeoutMs=300',
  );
  const { toLeader, toFollower, link } = pair;
  await linked(pair);
  link.stall();
  await toLeader.send('SET', 'a', '1');
  await until(
    'the follower gives it up',
    async () => (await info(toFollower, 'master_link_status')) === 'down',
  );
  await until('and so does the leader', async () => (await info(toLeader, 'connected_slaves')) === '0');
  link.cut();
  link.restore();
  await sameData(t, pair, 'afterwards');
});

t.test('a follower that does not keep up is dropped, and memory stays bounded', async (t) => {
  const args = ['--set', 'node.replication.maxOutputBytes=2mb', '--set', 'node.replication.backlogBytes=1mb'];
  const pair = await startPair(t, ...args);
  const { toLeader, link, leader } = pair;
  await linked(pair);
  link.stall();
  const value = 'x'.repeat(50_000);
  await until('its link is dropped', async () => {
    for (let i = 0; i < 50; i++) await toLeader.send('SET', `k${i}`, value);
    return (await info(toLeader, 'connected_slaves')) === '0';
  });
  t.match(leader.stderr(), /maxOutputBytes/, 'the log says why');
  link.cut();
  link.restore();
  await sameData(t, pair, 'it comes back');
});

t.test('WAIT counts followers that have the write', async (t) => {
  const pair = await startPair(t);
  const { toLeader, link } = pair;
  await linked(pair);
  // Nothing was written, so a follower has it all once the leader has heard from it.
  await until('the follower counts', async () => (await toLeader.send('WAIT', '0', '0')) === 1);
  void toLeader.send('SET', 'a', '1');
  t.equal(await toLeader.send('WAIT', '1', '30000'), 1);
  link.stall();
  void toLeader.send('SET', 'a', '2');
  const order: string[] = [];
  const waiting = toLeader.send('WAIT', '1', '100').then((reply) => order.push(`wait ${reply}`));
  const behind = toLeader.send('PING').then(() => order.push('ping'));
  await Promise.all([waiting, behind]);
  t.same(order, ['wait 0', 'ping'], 'commands behind it wait too');
  void toLeader.send('SET', 'a', '3');
  const endless = toLeader.send('WAIT', '1', '0');
  link.restore();
  t.equal(await endless, 1, 'without a timeout it waits for as long as it takes');
  t.equal(await toLeader.send('WAIT', '2', '50'), 1, 'more than there are');

  const other = new RespClient(pair.leader.ready.resp);
  t.teardown(() => other.close());
  link.stall();
  void toLeader.send('SET', 'a', '4');
  await toLeader.send('PING');
  t.equal(
    await other.send('WAIT', '1', '1'),
    1,
    'a connection without a command before waits for nothing, as in Redis',
  );
  await other.send('PING');
  t.equal(await other.send('WAIT', '1', '50'), 0, 'any command takes it to the present offset');
  link.restore();
});

t.test('ack: replica', async (t) => {
  const pair = await startPair(t, '--ack', 'replica', '--set', 'node.ackTimeoutMs=6000');
  const { toLeader, link } = pair;
  await linked(pair);
  await until('the leader counts it', async () => (await toLeader.send('SET', 'a', '0')) === 'OK');
  const many = await Promise.all(Array.from({ length: 500 }, (_, i) => toLeader.send('SET', `k${i}`, 'v')));
  t.ok(
    many.every((reply) => reply === 'OK'),
    'a pipeline of 500',
  );

  link.stall();
  const replies = Promise.all([
    toLeader.send('GET', 'k1'),
    toLeader.send('SET', 'late', '1'),
    toLeader.send('INCR', 'counter'),
    toLeader.send('PING'),
  ]);
  const other = new RespClient(pair.leader.ready.resp);
  t.teardown(() => other.close());
  t.equal(await other.text('GET', 'late'), '1', 'it is executed');
  const [read, set, increment, ping] = await replies;
  t.equal(String(read), 'v');
  t.match(set, { message: /^UNKNOWN write outcome unknown: / });
  t.match(increment, { message: /^UNKNOWN write outcome unknown: / });
  t.equal(ping, 'PONG');
  t.equal(await toLeader.send('DEL', 'nothing'), 0, 'what changes nothing waits for nobody');

  const released = toLeader.send('SET', 'released', '1');
  link.restore();
  t.equal(await released, 'OK', 'the follower answers in time');

  link.cut();
  await until('the link is gone', async () => (await info(toLeader, 'connected_slaves')) === '0');
  t.match(await toLeader.send('SET', 'refused', '1'), {
    message: 'NOREPLICAS Not enough good replicas to write.',
  });
  t.equal(await toLeader.send('GET', 'refused'), null, 'and not executed');
  t.equal(await info(toLeader, 'unknown_writes'), '2');
});

t.test('ack by namespace', async (t) => {
  const namespaces = 'namespaces=[{name: safe, prefix: "safe:", ack: replica, ackTimeoutMs: 200}]';
  const leader = await startStandaloneNode(t, '--set', namespaces);
  const client = new RespClient(leader.ready.resp);
  t.teardown(() => client.close());
  t.equal(await client.text('SET', 'fast:1', '1'), 'OK');
  t.match(await client.send('SET', 'safe:1', '1'), { message: /^NOREPLICAS/ });
  t.match(await client.send('MSET', 'fast:2', '1', 'safe:2', '1'), { message: /^NOREPLICAS/ });
  t.equal(await client.send('GET', 'fast:2'), null, 'nothing of it is executed');
  t.match(await client.send('FLUSHALL'), { message: /^NOREPLICAS/ });
});

t.test('with a password, and before there is a leader', async (t) => {
  const leader = await startStandaloneNode(t, '--requirepass', 'secret');
  const link = await TcpProxy.start(leader.ready.resp);
  t.teardown(() => link.stop());
  link.cut();
  const follower = await startStandaloneNode(
    t,
    '--requirepass',
    'secret',
    '--replicaof',
    `127.0.0.1 ${link.port}`,
  );
  const [toLeader, toFollower] = [leader, follower].map((node) => new RespClient(node.ready.resp));
  t.teardown(() => {
    toLeader.close();
    toFollower.close();
  });
  for (const client of [toLeader, toFollower]) await client.text('AUTH', 'secret');
  await toLeader.send('SET', 'a', '1');
  t.match(await toFollower.send('GET', 'a'), {
    message: 'LOADING Ringside is loading the dataset in memory',
  });
  t.equal((await request(`http://${follower.ready.admin}/readyz`)).statusCode, 503);
  t.equal(await toFollower.text('PING'), 'PONG');
  link.restore();
  await sameData(t, { leader, follower, link, toLeader, toFollower }, 'once there is');
  t.equal((await request(`http://${follower.ready.admin}/readyz`)).statusCode, 200);
});

t.test('what the leader evicts and expires, followers drop', async (t) => {
  const pair = await startPair(t, '--maxmemory', '2mb');
  const { toLeader, toFollower } = pair;
  await linked(pair);
  for (let i = 0; i < 3000; i += 100) {
    await Promise.all(
      Array.from({ length: 100 }, (_, j) => toLeader.send('SET', `k${i + j}`, 'v'.repeat(1000))),
    );
  }
  for (let i = 0; i < 50; i++) await toLeader.send('SET', `brief${i}`, '1', 'PX', '1');
  await until('all are expired', async () => (await info(toLeader, 'expired_keys')) === '50');
  await sameData(t, pair, 'evicted and expired');
  t.equal(await info(toFollower, 'evicted_keys'), '0', 'a follower evicts nothing by itself');
});

t.test('the latest time that a key can expire at', async (t) => {
  const pair = await startPair(t);
  const { toLeader } = pair;
  await linked(pair);
  await toLeader.send('SET', 'set', 'v', 'PXAT', '9223372036854775807');
  await toLeader.send('SET', 'changed', 'v');
  await toLeader.send('PEXPIREAT', 'changed', '9223372036854775807');
  await sameData(t, pair, 'in the stream');
});

t.test('a stream with something that cannot be applied is left for a full sync', async (t) => {
  const leader = await ScriptedLeader.start(t);
  const follower = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${leader.port}`);
  const first = await leader.next();
  t.equal(first.replId, '?');
  await first.syncEmpty('a'.repeat(40), 0);
  first.socket.write(encodeCommand('PEXPIREAT', 'k', 'never'));
  const second = await leader.next();
  t.equal(second.replId, '?', 'it begins from the start');
  await second.syncEmpty('a'.repeat(40), 0);
  const client = new RespClient(follower.ready.resp);
  t.teardown(() => client.close());
  await until('it follows', async () => (await info(client, 'master_link_status')) === 'up');
});
