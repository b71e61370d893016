import t, { type Test } from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { anyCommands } from '../support/any-writes.ts';
import { infoField, lastingDifferences } from '../support/data-set.ts';
import { RawClient } from '../support/raw-client.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/*
 * The link to a follower is cut at any byte while its leader changes values of every type, empties, swaps and renames. The follower goes on
 * from the backlog, or begins its full sync again, and has the same data in the end: key by key, with expiry and version.
 */

const seed = Number(process.env.SEED ?? 20261121);
const ROUNDS = 5;
const BATCH = 40;
const ARGS = ['--enable-debug-command', 'yes', '--set', 'node.replication.backlogBytes=128mb'];

/** A leader behind a proxy, and a connection that writes to it. */
async function startLeader(t: Test, random: Random) {
  const node = await startStandaloneNode(t, ...ARGS);
  const link = await TcpProxy.start(node.ready.resp);
  const client = new RespClient(node.ready.resp);
  const raw = new RawClient(node.ready.resp);
  t.teardown(() => {
    link.stop();
    client.close();
    raw.close();
  });
  const write = async (batches: number) => {
    for (let i = 0; i < batches; i++) await raw.run(anyCommands(random, BATCH));
  };
  return { link, client, write };
}

async function startFollower(t: Test, link: TcpProxy): Promise<RespClient> {
  const node = await startStandaloneNode(t, ...ARGS, '--replicaof', `127.0.0.1 ${link.port}`);
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  return client;
}

const linkIs = (follower: RespClient, status: 'up' | 'down') =>
  until(`the link is ${status}`, async () => (await infoField(follower, 'master_link_status')) === status);

t.test(`cut in the stream, seed ${seed}`, async (t) => {
  const random = seededRandom(seed);
  const { link, client, write } = await startLeader(t, random);
  await write(20);
  const follower = await startFollower(t, link);
  await linkIs(follower, 'up');
  for (let round = 1; round <= ROUNDS; round++) {
    const cut = link.cutAfter(1 + random.int(500_000));
    const writing = write(10);
    await Promise.race([cut, writing]);
    link.cut();
    await Promise.all([writing, linkIs(follower, 'down')]);
    await write(1 + random.int(10));
    link.restore();
    await write(random.int(5));
    t.same(await lastingDifferences(client, follower), [], `round ${round}`);
  }
  t.equal(await infoField(client, 'sync_full'), '1', 'one full sync, at the beginning');
  t.equal(await infoField(client, 'sync_partial_ok'), String(ROUNDS), 'each time it went on where it stood');
  t.notMatch(await client.text('DEBUG', 'DIGEST'), /^0+$/, 'there is something');
});

t.test(`cut in the snapshot, seed ${seed}`, async (t) => {
  const random = seededRandom(seed + 1);
  const { link, client, write } = await startLeader(t, random);
  // What no command empties: each cut comes before its end.
  await client.send('SELECT', '15');
  const filling = Array.from({ length: 200 }, (_, i) => client.send('SET', `fill${i}`, 'x'.repeat(20_000)));
  await Promise.all(filling);
  await write(30);
  const cuts = Array.from({ length: 4 }, () => 1 + random.int(2_000_000));
  let cut = link.cutAfter(cuts[0]);
  const starting = startFollower(t, link);
  for (const bytes of cuts.slice(1)) {
    await Promise.all([cut, write(2)]);
    cut = link.cutAfter(bytes);
    link.restore();
  }
  await Promise.all([cut, write(2)]);
  link.restore();
  const follower = await starting;
  t.same(await lastingDifferences(client, follower), []);
  t.ok(Number(await infoField(client, 'sync_full')) > cuts.length, 'each cut one began anew');
  await write(5);
  t.same(await lastingDifferences(client, follower), [], 'and the stream goes on');
});
