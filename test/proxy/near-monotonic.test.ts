import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { readMonotonically, type Seen } from '../support/monotonic-readers.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';

/* With the near cache on and a writer elsewhere, no connection ever sees an older value after a newer one, and each reads its own writes. */

const isLong = process.env.RINGSIDE_LONG === '1';
const READS = isLong ? 1_000_000 : 100_000;
const KEYS = ['n:a', 'n:b', 'n:c'];

/** Adds to the keys past the proxy until told to stop. */
async function writeElsewhere(address: string, isOver: () => boolean): Promise<number> {
  const client = new RespClient(address);
  const random = seededRandom(5);
  let writes = 0;
  while (!isOver()) {
    await client.send('INCRBY', KEYS[random.int(KEYS.length)], 1);
    writes++;
    // Now and then long enough for the values to be kept for a while.
    if (random.int(4) === 0) await new Promise((resolve) => setTimeout(resolve, random.int(10)));
  }
  client.close();
  return writes;
}

async function neverGoesBack(t: Test, address: string, engine: string, mode: string) {
  const { resp, proxy } = await proxyWith(
    t,
    // A machine that is busy with other things must not make answers late.
    {
      upstreams: [{ name: 's0', leader: address }],
      engine,
      operationTimeoutMs: 60_000,
      readTimeoutMs: 30_000,
    },
    {
      nearCache: { mode, hotKeysPerSecond: 100, minTtlMs: 50, maxTtlMs: 1000 },
      namespaces: [{ name: 'near', prefix: 'n:', stalenessMs: 10_000 }],
    },
  );
  const seen: Seen = { reads: 0, wrong: [] };
  let isOver = false;
  const writing = writeElsewhere(address, () => isOver);
  const random = seededRandom(11);
  await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      readMonotonically(resp, KEYS, { reads: READS / 8, depth: 1 + i * 4, random, seen }),
    ),
  );
  isOver = true;
  t.ok((await writing) > 100, 'values change meanwhile');
  t.same(seen.wrong.slice(0, 5), []);
  t.equal(seen.reads, READS);
  const [figures] = await proxy.admin.figures.near();
  t.comment(JSON.stringify(figures));
  t.ok(figures.hits > READS / 20, 'much is answered from memory');
  t.ok(figures.drops > 20, 'and much is forgotten');
}

for (const mode of ['always', 'hot-keys']) {
  t.test(`${mode}: Ringside`, async (t) => {
    const { ready } = await startStandaloneNode(t);
    await neverGoesBack(t, ready.resp, 'ringside', mode);
  });

  t.test(`${mode}: redis-server`, { skip: !hasRedisServer && NO_REDIS }, async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    await neverGoesBack(t, redis.address, 'redis', mode);
  });
}
