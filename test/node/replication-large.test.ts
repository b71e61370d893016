import t, { type Test } from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { infoField } from '../support/data-set.ts';
import { linkIs, node, type Party, redis, same, write } from '../support/parties.ts';
import { RawClient } from '../support/raw-client.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';

/*
 * A full sync of many keys while values of every type are written, and the many are changed, removed and expire: in the end all hold the same.
 * The requests for the lease that are in the stream meanwhile do no harm, not to a redis-server either.
 */

const KEYS = process.env.RINGSIDE_LONG === '1' ? 5_000_000 : 100_000;
const seed = Number(process.env.SEED ?? 20261121);
const skip = hasRedisServer ? false : NO_REDIS;
const UP_TIMEOUT_MS = 600_000;
/** Where the many are; what empties databases does not come there. */
const MANY = 15;
const BATCH = 1000;
const ROOMY = ['backlogBytes=256mb', 'maxOutputBytes=4gb'].flatMap((size) => [
  '--set',
  `node.replication.${size}`,
]);

const keyOf = (i: number) => `key:${i}`;

function populate({ client }: Party): Promise<unknown> {
  void client.send('SELECT', MANY);
  void client.send('DEBUG', 'POPULATE', KEYS, 'key', 40);
  return client.send('SELECT', 0);
}

/** Changes some of the many. */
async function change(raw: RawClient, random: Random): Promise<void> {
  const key = () => keyOf(random.int(KEYS));
  const batch = Array.from({ length: 40 }, () => [
    ['SET', key(), random.hex(20)],
    ['SET', key(), 'short', 'PX', '1'],
    ['DEL', key()],
    ['APPEND', key(), 'more'],
    ['EXPIRE', key(), '5000'],
  ]).flat();
  await raw.run([['SELECT', String(MANY)], ...batch]);
}

/** Writes for as long as one of the followers has not caught up. */
async function writeUntilUp(t: Test, leader: Party, followers: readonly Party[]): Promise<void> {
  const random = seededRandom(seed);
  const raw = new RawClient(leader.address);
  t.teardown(() => raw.close());
  let isUp = false;
  const up = Promise.all(followers.map((follower) => linkIs(follower, 'up', UP_TIMEOUT_MS))).finally(() => {
    isUp = true;
  });
  while (!isUp) await Promise.all([write(t, leader, random, 40), change(raw, random)]);
  await up;
}

/** How many of the many differ, and how many there are. */
async function compareMany(leader: Party, follower: Party): Promise<{ different: number; there: number }> {
  const found = { different: 0, there: 0 };
  const both = [leader.client, follower.client];
  for (const client of both) await client.text('SELECT', MANY);
  for (let i = 0; i < KEYS; i += BATCH) {
    const keys = Array.from({ length: BATCH }, (_, j) => keyOf(i + j));
    const values = await Promise.all(both.map((client) => client.send('MGET', ...keys)));
    const [ours, theirs] = values as (Buffer | null)[][];
    for (const [j, value] of ours.entries()) {
      if (value !== null) found.there++;
      if (String(value) !== String(theirs[j])) found.different++;
    }
  }
  for (const client of both) await client.text('SELECT', 0);
  return found;
}

async function equalAtLast(t: Test, leader: Party, follower: Party, what: string): Promise<void> {
  await same(t, leader, follower, what, MANY);
  const { different, there } = await compareMany(leader, follower);
  t.equal(different, 0, `${what}: the many`);
  t.ok(there > KEYS / 2, `${there} of them`);
}

t.test(`a node and a redis-server follow a node of ${KEYS} keys, seed ${seed}`, { skip }, async (t) => {
  const leader = await node(t, ...ROOMY);
  await populate(leader);
  const following = ['--replicaof', leader.address.replace(':', ' ')];
  const followers = await Promise.all([node(t, ...ROOMY, ...following), redis(t, ...following)]);
  await writeUntilUp(t, leader, followers);
  t.equal(await infoField(leader.client, 'sync_full'), '2', 'none was dropped on the way');
  await equalAtLast(t, leader, followers[0], 'the node');
  await equalAtLast(t, leader, followers[1], 'redis-server');
});

t.test(`a node follows a redis-server of ${KEYS} keys, seed ${seed}`, { skip }, async (t) => {
  const roomy = ['--client-output-buffer-limit', 'replica 0 0 0', '--repl-diskless-sync-delay', '0'];
  const leader = await redis(t, ...roomy);
  await populate(leader);
  const follower = await node(t, ...ROOMY, '--replicaof', leader.address.replace(':', ' '));
  await writeUntilUp(t, leader, [follower]);
  t.equal(await infoField(leader.client, 'sync_full'), '1');
  await equalAtLast(t, leader, follower, 'the node');
});
