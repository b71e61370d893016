import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { RespError } from '../../lib/codec/resp/index.ts';
import { isRefused, ringsideNode, startServer } from '../support/crash/servers.ts';
import { SmallDisk } from '../support/crash/small-disk.ts';
import { infoField, level } from '../support/data-set.ts';
import { folder } from '../support/folder.ts';
import { freePort } from '../support/ports.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* Under `appendfsync always` a follower has nothing that its leader's disk has not: so it goes on when a leader that was killed is back. */

const seed = Number(process.env.SEED ?? 20261121);
const random = seededRandom(seed);
const ROUNDS = process.env.RINGSIDE_LONG ? 40 : 4;
const WRITERS = 4;
const PIPELINE = 20;
const ALWAYS = ['--appendonly', 'yes', '--appendfsync', 'always'];
const noMount = !(await SmallDisk.isPossible()) && 'no tmpfs can be mounted here (unshare, nsenter, mount)';

function connect(t: Test, address: string): RespClient {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  return client;
}

async function followerOf(t: Test, leader: string, ...args: string[]): Promise<RespClient> {
  const node = await startStandaloneNode(t, '--replicaof', leader.replace(':', ' '), ...args);
  const client = connect(t, node.ready.resp);
  await until('it follows', async () => (await infoField(client, 'master_link_status')) === 'up');
  return client;
}

/** Pipelines of writes until the connection ends. */
async function writeToTheEnd(address: string, writer: number): Promise<void> {
  const client = new RespClient(address);
  try {
    for (let i = 0; ; i += PIPELINE) {
      const values = Array.from({ length: PIPELINE }, (_, k) =>
        client.send('SET', `k:${writer}:${i + k}`, 'v'.repeat(i % 900)),
      );
      await Promise.all(values);
    }
  } catch {
    client.close();
  }
}

t.test(`followers go on with a leader that was killed (SEED=${seed})`, async (t) => {
  const dir = folder(t, 'always');
  const port = await freePort();
  const args = ['--port', String(port), '--dir', dir, ...ALWAYS];
  let leader = await startStandaloneNode(t, ...args);
  const address = leader.ready.resp;
  const follower = await followerOf(t, address);
  for (let round = 0; round < ROUNDS; round++) {
    const writing = Array.from({ length: WRITERS }, (_, writer) =>
      writeToTheEnd(address, round * WRITERS + writer),
    );
    await new Promise((done) => setTimeout(done, 100 + random.int(500)));
    leader.kill('SIGKILL');
    await leader.ended;
    await Promise.all(writing);
    const offset = Number(await infoField(follower, 'master_repl_offset'));
    leader = await startStandaloneNode(t, ...args);
    const client = connect(t, address);
    t.ok(
      Number(await infoField(client, 'master_repl_offset')) >= offset,
      `round ${round}: the follower is not ahead at ${offset}`,
    );
    await until('the follower is back', async () => (await infoField(client, 'connected_slaves')) === '1');
    t.equal(await infoField(client, 'sync_partial_ok'), '1', 'it went on');
    t.equal(await infoField(client, 'sync_full'), '0');
    await level(client, follower);
    t.equal(await follower.send('DBSIZE'), await client.send('DBSIZE'));
  }
});

t.test('nothing waits for ever: the disk first, then the follower', async (t) => {
  const dir = folder(t, 'always');
  const node = await startStandaloneNode(t, '--dir', dir, ...ALWAYS, '--ack', 'replica');
  const client = connect(t, node.ready.resp);
  const follower = await followerOf(t, node.ready.resp, '--dir', folder(t, 'always'), ...ALWAYS);
  await until('it counts', async () => (await client.send('SET', 'first', '1')) === 'OK');
  t.equal(await client.text('CONFIG', 'SET', 'min-replicas-to-write', '1'), 'OK');
  for (let i = 0; i < 50; i++) {
    t.equal(await client.send('SET', `key:${i}`, 'v'), 'OK');
    if (i % 10 === 0) t.equal(await client.send('WAIT', '1', '60000'), 1);
  }
  t.equal(await follower.text('GET', 'key:49'), 'v');
  const chained = await followerOf(t, `127.0.0.1:${follower.socket.remotePort}`);
  t.equal(await client.send('SET', 'last', 'v'), 'OK');
  await until('the end of the chain has it', async () => (await chained.text('GET', 'last')) === 'v');
});

t.test('a full disk holds the stream back', { skip: noMount }, async (t) => {
  const disk = await SmallDisk.create('6m');
  t.teardown(() => disk.close());
  const settings = { appendonly: 'yes', appendfsync: 'always', 'auto-aof-rewrite-percentage': '0' };
  const leader = await startServer(ringsideNode, disk.dir, settings, { wrapper: disk.wrapper });
  if (isRefused(leader)) throw new Error(leader.output);
  t.teardown(() => leader.kill());
  const client = connect(t, leader.address);
  const follower = await followerOf(t, leader.address);
  t.equal(await client.send('SET', 'before', 'v'), 'OK');
  await level(client, follower);

  disk.occupy(disk.freeBytes());
  let refused = '';
  for (let i = 0; refused === ''; i++) {
    const reply = await client.send('SET', `key:${i}`, 'v'.repeat(10_000));
    if (reply instanceof RespError) refused = `key:${i}`;
    else t.equal(await client.send('WAIT', '1', '60000'), 1, `${i}: what is on the disk is sent`);
  }
  t.equal(await client.send('EXISTS', refused), 1, 'it has happened in memory');
  const ends = async () =>
    Promise.all([client, follower].map((one) => infoField(one, 'master_repl_offset').then(Number)));
  const late = await followerWithoutWaiting(t, leader.address);
  for (let i = 0; i < 20; i++) {
    await new Promise((done) => setTimeout(done, 50));
    const [ahead, behind] = await ends();
    if (behind >= ahead) t.fail(`the follower is at ${behind}, the leader at ${ahead}`);
  }
  t.equal(await follower.send('EXISTS', refused), 0, 'and no follower hears of it');
  t.equal(await infoField(late, 'master_link_status'), 'down', 'nor with a full sync');
  disk.free();
  await until('it is written', async () => (await follower.send('EXISTS', refused)) === 1);
  await until('the full sync goes on', async () => (await late.send('EXISTS', refused)) === 1);
  t.equal(await client.send('SET', 'after', 'v'), 'OK');
  t.equal(await client.send('WAIT', '2', '60000'), 2);
});

/** A follower whose leader does not let it begin yet. */
async function followerWithoutWaiting(t: Test, leader: string): Promise<RespClient> {
  const node = await startStandaloneNode(t);
  const client = connect(t, node.ready.resp);
  await client.send('REPLICAOF', ...leader.split(':'));
  return client;
}
