import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { readMonotonically, type Seen } from '../support/monotonic-readers.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { routeOf, startNodesWith } from '../support/spread.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* While the way to the leader stalls now and then, and so does its stream of changes, reads are answered by a follower; no connection ever sees an older value after a newer one, and each reads its own writes. */

const isLong = process.env.RINGSIDE_LONG === '1';
/** Reads of one round, by all clients, and answers of the follower that are wanted in all. */
const READS = 4000;
const WON = isLong ? 20_000 : 200;
/** A leader that is slow must not be passed over otherwise: what a follower says then may be anything. */
const namespaces = [
  { name: 'near', prefix: 'n:', stalenessMs: 60_000, readFallback: 'off', hedgedReads: true },
];
const resilience = { hedge: { percentile: 50 }, retries: { ratio: 1, minimumPerSecond: 10_000 } };

/** Does this again and again, after up to `ms` each time, until told to stop. */
async function repeat(random: Random, ms: number, isOver: () => boolean, step: () => unknown): Promise<void> {
  while (!isOver()) {
    await step();
    await delay(random.int(ms));
  }
}

/** A node of this engine, on its own or as a follower; its address. */
async function startNode(t: Test, engine: string, follows: string | null): Promise<string> {
  const args = follows === null ? [] : ['--replicaof', follows.replace(':', ' ')];
  if (engine === 'ringside') return (await startNodesWith(t, 1, ...args))[0].ready.resp;
  const { address, stop } = await startRedis(args.flatMap((arg) => arg.split(' ')));
  t.teardown(stop);
  return address;
}

/** A shard whose ways can be stalled. */
interface StallingShard {
  /** To its leader, for the proxy, and the stream of changes to its follower. */
  readonly way: TcpProxy;
  readonly stream: TcpProxy;
  readonly follower: string;
  /** A connection to its leader that never stalls. */
  readonly direct: RespClient;
}

async function startShard(t: Test, engine: string): Promise<StallingShard> {
  const leader = await startNode(t, engine, null);
  const [way, stream] = [await TcpProxy.start(leader), await TcpProxy.start(leader)];
  t.teardown(() => {
    way.stop();
    stream.stop();
  });
  const follower = await startNode(t, engine, stream.address);
  const direct = new RespClient(leader);
  t.teardown(() => direct.close());
  return { way, stream, follower, direct };
}

/** Sets each key at the leader of its shard, and waits for the followers. Who leads which key. */
async function fill(
  t: Test,
  shards: readonly StallingShard[],
  client: RespClient,
  keys: readonly string[],
): Promise<Map<string, RespClient>> {
  const leaders = new Map<string, RespClient>();
  for (const key of keys) {
    const shard = (await routeOf(client, key)).get('shard')!;
    leaders.set(key, shards[Number(shard.slice(1))].direct);
    await leaders.get(key)!.send('SET', key, '1');
  }
  for (const { direct, follower } of shards) {
    const other = new RespClient(follower);
    t.teardown(() => other.close());
    const size = await direct.send('DBSIZE');
    await until('the follower has the keys', async () => (await other.send('DBSIZE')) === size);
  }
  return leaders;
}

/** What is read: `count` keys of so many shards, `atOnce` of them by one command. */
interface Reads {
  readonly shards: number;
  readonly count: number;
  readonly atOnce: number;
}

async function stalls(
  t: Test,
  engine: string,
  { shards: count, count: keyCount, atOnce }: Reads,
): Promise<void> {
  const shards = await Promise.all(Array.from({ length: count }, () => startShard(t, engine)));
  const upstreams = shards.map(({ way, follower }, i) => ({
    name: `s${i}`,
    leader: way.address,
    followers: [follower],
  }));
  const { resp, proxy, client } = await proxyWith(t, { upstreams, engine, resilience }, { namespaces });
  const keys = Array.from({ length: keyCount }, (_, i) => `n:${i}`);
  const leaders = await fill(t, shards, client(), keys);
  const random = seededRandom(11);
  let isOver = false;
  const stall = async (link: TcpProxy, mostMs: number) => {
    link.stall();
    await delay(10 + random.int(mostMs));
    link.restore();
  };
  const disturbing = shards.flatMap(({ way, stream }) => [
    repeat(
      random,
      20,
      () => isOver,
      () => stall(way, 20),
    ),
    // Followers are behind for much of the time.
    repeat(
      random,
      20,
      () => isOver,
      () => stall(stream, 60),
    ),
  ]);
  const write = () => {
    const key = keys[random.int(keyCount)];
    return leaders.get(key)!.send('INCR', key);
  };
  const writing = repeat(random, 3, () => isOver, write);
  const seen: Seen = { reads: 0, wrong: [] };
  const figures = async () => {
    const nodes = await proxy.admin.figures.nodes();
    const sum = (read: (node: (typeof nodes)[number]) => number) =>
      nodes.reduce((total, node) => total + read(node), 0);
    const won = sum((node) => (atOnce > 1 ? node.multiGetHedgesWon : node.hedgesWon));
    return { hedges: sum(({ hedges }) => hedges), won };
  };
  const round = (i: number) =>
    readMonotonically(resp, keys, { reads: READS / 8, depth: 1 + i * 2, random, seen, atOnce });
  await until(
    'the followers have answered often',
    async () => {
      await Promise.all(Array.from({ length: 8 }, (_, i) => round(i)));
      return seen.wrong.length > 0 || (await figures()).won >= WON;
    },
    { timeoutMs: isLong ? 900_000 : 60_000 },
  );
  isOver = true;
  await Promise.all([...disturbing, writing]);
  const { hedges, won } = await figures();
  t.comment(`${seen.reads} reads, ${hedges} sent twice, ${won} answered by followers`);
  t.same(seen.wrong.slice(0, 5), []);
}

const one: Reads = { shards: 1, count: 20, atOnce: 1 };
const many: Reads = { shards: 2, count: 60, atOnce: 4 };
const skip = hasRedisServer ? false : NO_REDIS;

t.test('a leader that stalls now and then', (t) => stalls(t, 'ringside', one));
t.test('a redis-server that does', { skip }, (t) => stalls(t, 'redis', one));
t.test('multi-gets: leaders that stall now and then', (t) => stalls(t, 'ringside', many));
t.test('multi-gets: redis-servers that do', { skip }, (t) => stalls(t, 'redis', many));
