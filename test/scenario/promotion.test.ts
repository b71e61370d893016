import t from 'tap';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import { lastingDifferences } from '../support/data-set.ts';
import { calm, DevCluster } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';
import { contradictionsOf, nodeKinds, plainKinds, TypedLoad } from './typed-load.ts';

/*
 * A cluster of real processes under `ack: replica` whose leader is killed, and then its successor, while values of every type, transactions,
 * tags, leases and fences are written: what was acknowledged is there, what was refused is not, versions and fences never go back.
 */

const SHARDS = 2;
const FOLLOWERS = 2;
const WRITERS = 4;
/** Writes of each kind that each writer has acknowledged before anything goes on. */
const WRITES = 15;

t.test('SIGKILL of one leader after the other', async (t) => {
  const cluster = await DevCluster.start(
    ...['--shards', `${SHARDS}`, '--followers', `${FOLLOWERS}`, '--ack', 'replica'],
    ...['--set', 'node.enableDebugCommand=yes'],
    ...calm(3000),
  );
  t.teardown(() => cluster.stop());
  const whole = await cluster.whole(SHARDS, FOLLOWERS);
  const { name } = whole.shards[0];
  const shard = async () => (await cluster.status()).shards.find((one) => one.name === name)!;
  const connect = (address: string) => {
    const client = new RespClient(address);
    t.teardown(() => client.close());
    return client;
  };
  /** Kills the leader and connects to its successor. */
  const succeed = async () => {
    const before = await shard();
    process.kill(before.leader!.pid, 'SIGKILL');
    const after = await until('a follower leads', async () => {
      const now = await shard();
      return now.leader && now.leader.id !== before.leader!.id && now.leader.state === 'serving' ? now : null;
    });
    t.ok(BigInt(after.epoch) > BigInt(before.epoch), `shard epoch ${before.epoch} -> ${after.epoch}`);
    return connect(after.leader!.address);
  };

  const direct = new TypedLoad(async () => (await shard()).leader?.address ?? null);
  const proxied = new TypedLoad(async () => cluster.at(7379));
  const stop = () => Promise.all([direct.stop(), proxied.stop()]);
  t.teardown(stop);
  direct.start(WRITERS, 'd', nodeKinds);
  proxied.start(WRITERS, 'p', plainKinds);
  const moreWrites = async (what: string) => {
    const [a, b] = [direct.least + WRITES, proxied.least + WRITES];
    await until(what, () => direct.least >= a && proxied.least >= b);
  };
  await moreWrites('everybody has written');
  const first = connect((await shard()).leader!.address);
  const token = ((await first.send('RS.GET', 'leased', 'LEASE', 60_000)) as RespValue[])[6] as Buffer;
  const version = await first.text('RS.SET', 'version', '1');

  const second = await succeed();
  await moreWrites('everybody writes again');
  t.match(await second.send('RS.SET', 'leased', 'late', 'LEASE', token), { code: 'LEASEVOID' });
  const next = await second.text('RS.SET', 'version', '2');
  t.ok(BigInt(next!) > BigInt(version!), `version ${version} -> ${next}`);
  const sibling = await until('the other follower is listed again', async () =>
    (await shard()).followers.find(({ listed, state }) => listed && state === 'serving'),
  );
  await stop();
  t.same(await contradictionsOf(direct.fates, second), [], 'written to the leader');
  const proxy = connect(cluster.at(7379));
  t.same(await contradictionsOf(proxied.fates, proxy), [], 'written through the proxy');
  t.same(await lastingDifferences(second, connect(sibling.address)), [], 'the follower has the same');
  await second.text('SELECT', 0);
  for (const { prefix, acknowledged } of direct.fates.filter((fates) => fates.name === 'fenced')) {
    const reply = await second.send('RS.FENCE', `${prefix}fence`, acknowledged.at(-1)! - 1);
    t.match(reply, { code: 'FENCED' }, `${prefix} the floor is as high as before`);
    t.ok(((await second.send('KEYS', `${prefix}t[0-9]*`)) as []).length > WRITES);
    t.equal(await second.text('RS.PURGE', 'TAG', `${prefix}tag`), 'OK');
    t.same(
      await second.send('KEYS', `${prefix}t[0-9]*`),
      [],
      'the promoted leader knows all keys of the tag',
    );
  }

  const third = await succeed();
  await until('nobody is left to follow', async () => {
    const reply = await third.send('SET', 'alone', '1');
    return reply instanceof Error && reply.message.startsWith('NOREPLICAS');
  });
  const rest = direct.fates.filter((fates) => fates.name !== 'tagged');
  t.same(await contradictionsOf(rest, third), [], 'the last one has what was written to the leaders');
  t.same(await contradictionsOf(proxied.fates, proxy), [], 'and what came through the proxy');
  t.same(await third.send('KEYS', '*:t[0-9]*'), [], 'nothing purged has come back');
  t.equal(String(((await third.send('RS.GET', 'version')) as RespValue[])[1]), next);
  t.comment(
    `${direct.acknowledged} writes acknowledged by leaders, ${proxied.acknowledged} through the proxy`,
  );
});
