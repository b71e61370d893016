import t, { type Test } from 'tap';
import { RespError } from '../../lib/codec/resp/index.ts';
import { calm, DevCluster } from '../support/dev-cluster.ts';
import { patientArgs, wakingClock } from '../support/patience.ts';
import { RespClient } from '../support/resp-client.ts';
import { startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';
import { type Confirmation, Load } from './load.ts';

/*
 * A whole cluster of real processes under load, and the failures the issue names: a killed leader, a stopped leader that
 * wakes up, a control plane that is gone, and one that comes back without its state.
 */

const SHARDS = 3;
const KEYS = 60;
const WORKERS = 10;
/** A read that waits is no read that failed. */
const PATIENT = ['--set', 'proxy.operationTimeoutMs=10000'];

/** Kills the leader of one shard under load and measures how its keys fare. */
async function killLeader(t: Test, args: string[], followers: number, confirmation: Confirmation) {
  const size = ['--shards', `${SHARDS}`, '--followers', `${followers}`];
  const cluster = await DevCluster.start(...args, ...size, ...PATIENT);
  t.teardown(() => cluster.stop());
  const before = await cluster.whole(SHARDS, followers);
  // While this process is not let run, the cluster beside it is not either.
  const now = wakingClock(t).monotonicMs;
  const load = new Load(cluster.at(7379), KEYS, confirmation, undefined, now);
  load.start(WORKERS);
  const started = now();
  await until('every key was written under load', () => load.allWrittenSince(started));
  load.resetMeasures();
  const shard = before.shards[0];
  const killedAt = now();
  process.kill(shard.leader!.pid, 'SIGKILL');
  await until('every key is written again', () => load.allWrittenSince(killedAt));
  const recoveredMs = now() - killedAt;
  const gapMs = load.longestWriteGapMs();
  await until('another node leads at a higher shard epoch', async () => {
    const next = (await cluster.status()).shards.find(({ name }) => name === shard.name)!;
    return next.leader && next.leader.id !== shard.leader!.id && BigInt(next.epoch) > BigInt(shard.epoch);
  });
  await load.stop();
  t.comment(
    `${args.join(' ')} ${confirmation}: writes were back after ${recoveredMs.toFixed(0)} ms; longest gap ${gapMs.toFixed(0)} ms; ` +
      `${load.reads} reads, ${load.writes} writes; write errors ${JSON.stringify([...load.errors.writes])}`,
  );
  t.strictSame([...load.errors.reads], [], 'no read failed');
  t.ok(gapMs < 3_000, `writes resumed in less than 3 s (${gapMs.toFixed(0)} ms)`);
  return { cluster, load };
}

t.test('ack: leader, one follower: kill -9 of a leader under load', async (t) => {
  await killLeader(t, ['--ack', 'leader'], 1, 'ok');
});

t.test('ack: replica, two followers: nothing acknowledged is lost', async (t) => {
  const { cluster, load } = await killLeader(t, ['--ack', 'replica'], 2, 'ok');
  t.strictSame(await load.lost(cluster.at(7379)), [], 'every acknowledged write is there');
});

t.test('ack: leader with WAIT 1: nothing confirmed is lost', async (t) => {
  const { cluster, load } = await killLeader(t, ['--ack', 'leader'], 2, 'wait-1');
  t.strictSame(await load.lost(cluster.at(7379)), [], 'every confirmed write is there');
});

t.test('a stopped leader that wakes up acknowledges nothing, also to a client of its own', async (t) => {
  const cluster = await DevCluster.start('--shards', '1', '--followers', '1', ...calm(3000));
  t.teardown(() => cluster.stop());
  const before = await cluster.whole(1, 1);
  const { leader } = before.shards[0];
  const direct = new RespClient(leader!.address);
  t.teardown(() => direct.close());
  t.equal(
    await direct.text('SET', 'k', 'before'),
    'OK',
    'the leader takes writes of a direct client while it leads',
  );

  process.kill(leader!.pid, 'SIGSTOP');
  t.teardown(() => {
    try {
      process.kill(leader!.pid, 'SIGCONT');
    } catch {}
  });
  const late = direct.send('SET', 'k', 'late').catch((error: Error) => error);
  await until(
    'the follower leads',
    async () => (await cluster.status()).shards[0].leader?.id === before.shards[0].followers[0].id,
  );
  const proxied = new RespClient(cluster.at(7379));
  t.teardown(() => proxied.close());
  await until('the new leader takes a write', async () => (await proxied.send('SET', 'k', 'after')) === 'OK');

  process.kill(leader!.pid, 'SIGCONT');
  const reply = await late;
  t.not(reply, 'OK', 'what was sent while it slept is not acknowledged');
  const fresh = new RespClient(leader!.address);
  t.teardown(() => fresh.close());
  const refused = await fresh.send('SET', 'k', 'zombie');
  t.ok(refused instanceof RespError && refused.code === 'READONLY', `a new direct client: ${refused}`);
  await until('the old leader follows', async () => {
    const now = (await cluster.status()).shards[0];
    return now.followers.some(({ id, state }) => id === leader!.id && state === 'serving');
  });
  t.equal(await proxied.text('GET', 'k'), 'after', 'the value of the new leader stands');
});

t.test(
  'no control plane: the data path goes on, also for a restarted proxy; an empty one takes over',
  async (t) => {
    const cluster = await DevCluster.start('--shards', '2', '--followers', '1', ...calm(3000));
    t.teardown(() => cluster.stop());
    const before = await cluster.whole(2, 1);
    const load = new Load(cluster.at(7379), KEYS);
    load.start(WORKERS);
    t.teardown(() => load.stop());
    const started = performance.now();
    await until('every key was written under load', () => load.allWrittenSince(started));
    load.resetMeasures();
    for (const { pid } of before.controlPlane) process.kill(pid, 'SIGKILL');
    // Several leases long without a control plane: only the followers can have renewed them.
    const longAfter = performance.now() + 12_000;
    await until('writes go on long after the last lease', () => load.allWrittenSince(longAfter));

    const second = await startRingside([
      ...[
        'proxy',
        '--resp-port',
        'auto',
        '--http-port',
        'off',
        '--grpc-port',
        'off',
        '--memcached-port',
        'off',
      ],
      ...['--admin-port', 'off', '--set', `proxy.controlPlane=${cluster.at(7401)}`],
      ...['--set', `proxy.dir=${cluster.dir}/proxy-0`],
      ...patientArgs,
    ]);
    t.teardown(() => second.stop());
    const client = new RespClient(second.ready.resp);
    t.teardown(() => client.close());
    t.equal(
      await client.text('SET', 'fresh-proxy', '1'),
      'OK',
      'a proxy started now serves from its last known good ring',
    );

    const replacement = await startRingside([
      ...['control-plane', '--state', 'embedded', '--dir', `${cluster.dir}/empty-state`],
      ...['--set', `controlPlane.httpPort=${7400 + cluster.offset}`],
      ...['--set', `controlPlane.grpcPort=${7401 + cluster.offset}`],
      ...calm(3000),
    ]);
    t.teardown(() => replacement.stop());
    const after = await cluster.whole(2, 1);
    t.ok(
      BigInt(after.ring.incarnation) > BigInt(before.ring.incarnation),
      `incarnation ${before.ring.incarnation} -> ${after.ring.incarnation}`,
    );
    t.strictSame(
      after.shards.map(({ name, leader }) => [name, leader?.id]),
      before.shards.map(({ name, leader }) => [name, leader?.id]),
      'the same nodes lead',
    );
    const takenOver = performance.now();
    await until('writes went on after the take-over', () => load.allWrittenSince(takenOver));
    t.strictSame([...load.errors.reads], [], 'no read failed in all that time');
    t.strictSame([...load.errors.writes], [], 'no write failed in all that time');
  },
);
