import t from 'tap';
import { lastingDifferences } from '../support/data-set.ts';
import { calm, DevCluster } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';
import { contradictionsOf, nodeKinds, TypedLoad } from './typed-load.ts';

/*
 * All nodes of a shard are killed at once, under load, and come back from their append-only files: the one that goes furthest leads, and
 * nothing that a leader has acknowledged is gone, though no follower had to have it.
 */

const ROUNDS = process.env.RINGSIDE_LONG ? 20 : 1;
const FOLLOWERS = 1;
const WRITERS = 4;
const WRITES = 15;

t.test(`SIGKILL of a whole shard, ${ROUNDS} rounds`, async (t) => {
  const files = ['node.appendOnly=true', 'node.appendFsync=always', 'node.enableDebugCommand=yes'];
  const cluster = await DevCluster.start(
    ...['--shards', '1', '--followers', `${FOLLOWERS}`, '--ack', 'leader', '--restart'],
    ...files.flatMap((setting) => ['--set', setting]),
    ...calm(),
  );
  t.teardown(() => cluster.stop());
  await cluster.whole(1, FOLLOWERS);
  const shard = async () => (await cluster.status()).shards[0];
  const load = new TypedLoad(async () => (await shard()).leader?.address ?? null);
  t.teardown(() => load.stop());
  load.start(WRITERS, 'w', nodeKinds);
  let { epoch } = await shard();
  for (let round = 1; round <= ROUNDS; round++) {
    const enough = load.least + WRITES;
    await until('everybody has written', () => load.least >= enough);
    const { leader, followers } = await shard();
    for (const { pid } of [leader!, ...followers]) process.kill(pid, 'SIGKILL');
    await until('another epoch', async () => BigInt((await shard()).epoch) > BigInt(epoch));
    await cluster.whole(1, FOLLOWERS);
    epoch = (await shard()).epoch;
  }
  const enough = load.least + WRITES;
  await until('everybody writes again', () => load.least >= enough);
  await load.stop();
  const { leader, followers } = await shard();
  const [first, second] = [leader!, followers[0]].map(({ address }) => new RespClient(address));
  t.teardown(() => [first, second].map((client) => client.close()));
  t.same(
    await contradictionsOf(load.fates, first),
    [],
    'what was acknowledged is there, what was refused is not',
  );
  t.same(await lastingDifferences(first, second), [], 'the follower has the same');
  t.comment(`${load.acknowledged} writes acknowledged`);
});
