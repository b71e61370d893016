import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { readMonotonically, type Seen } from '../support/monotonic-readers.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startNodesWith } from '../support/spread.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* While the way to the leader stalls now and then, and so does its stream of changes, reads are answered by a follower; no connection ever sees an older value after a newer one, and each reads its own writes. */

const isLong = process.env.RINGSIDE_LONG === '1';
/** Reads of one round, by all clients, and answers of the follower that are wanted in all. */
const READS = 4000;
const WON = isLong ? 20_000 : 200;
const KEYS = Array.from({ length: 20 }, (_, i) => `n:${i}`);
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

async function stalls(t: Test, engine: string): Promise<void> {
  const leader = await startNode(t, engine, null);
  const [way, stream] = [await TcpProxy.start(leader), await TcpProxy.start(leader)];
  t.teardown(() => {
    way.stop();
    stream.stop();
  });
  const follower = await startNode(t, engine, stream.address);
  const direct = new RespClient(leader);
  t.teardown(() => direct.close());
  for (const key of KEYS) await direct.send('SET', key, '1');
  const other = new RespClient(follower);
  t.teardown(() => other.close());
  await until('the follower has the keys', async () => (await other.send('DBSIZE')) === KEYS.length);
  const upstreams = [{ name: 's0', leader: way.address, followers: [follower] }];
  const { resp, proxy } = await proxyWith(t, { upstreams, engine, resilience }, { namespaces });
  const random = seededRandom(11);
  let isOver = false;
  const stall = async (link: TcpProxy) => {
    link.stall();
    await delay(10 + random.int(20));
    link.restore();
  };
  const stalling = repeat(
    random,
    20,
    () => isOver,
    () => stall(way),
  );
  const lagging = repeat(
    random,
    20,
    () => isOver,
    () => stall(stream),
  );
  const write = () => direct.send('INCR', KEYS[random.int(KEYS.length)]);
  const writing = repeat(random, 3, () => isOver, write);
  const seen: Seen = { reads: 0, wrong: [] };
  const figures = async () => (await proxy.admin.figures.nodes()).find(({ role }) => role === 'leader')!;
  const round = (i: number) =>
    readMonotonically(resp, KEYS, { reads: READS / 8, depth: 1 + i * 2, random, seen });
  await until(
    'the follower has answered often',
    async () => {
      await Promise.all(Array.from({ length: 8 }, (_, i) => round(i)));
      return seen.wrong.length > 0 || (await figures()).hedgesWon >= WON;
    },
    { timeoutMs: isLong ? 900_000 : 60_000 },
  );
  isOver = true;
  await Promise.all([stalling, lagging, writing]);
  const { hedges, hedgesWon } = await figures();
  t.comment(`${seen.reads} reads, ${hedges} sent twice, ${hedgesWon} answered by the follower`);
  t.same(seen.wrong.slice(0, 5), []);
}

t.test('a leader that stalls now and then', (t) => stalls(t, 'ringside'));
t.test('a redis-server that does', { skip: hasRedisServer ? false : NO_REDIS }, (t) => stalls(t, 'redis'));
