import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { readMonotonically, type Seen } from '../support/monotonic-readers.ts';
import type { RespClient } from '../support/resp-client.ts';
import { inFrontOf, routeOf, spreading, startFollowers, startNodesWith } from '../support/spread.ts';

/* With reads spread over followers and other shards, and a writer elsewhere, no connection ever sees an older value after a newer one, and each reads its own writes. */

const isLong = process.env.RINGSIDE_LONG === '1';
const READS = isLong ? 1_000_000 : 40_000;
const KEY = 'n:a';
const PATIENT = { operationTimeoutMs: 20_000, readTimeoutMs: 5000 };

/** Adds to the key past the proxy until told to stop; how often. */
async function writeElsewhere(node: RespClient, isOver: () => boolean): Promise<number> {
  const random = seededRandom(5);
  let writes = 0;
  for (; !isOver(); writes++) {
    await node.send('INCR', KEY);
    await new Promise((resolve) => setTimeout(resolve, random.int(20)));
  }
  return writes;
}

for (const mode of ['followers', 'overflow'])
  t.test(mode, async (t) => {
    const leaders = await startNodesWith(t, 2);
    const followers = await startFollowers(t, leaders, mode === 'followers' ? 1 : 0);
    const { namespaces, ...rest } = spreading(mode, { copyTtlMs: 50 });
    // A leader that is slow must not be passed over: what a follower says in its place may be anything.
    const strict = namespaces.map((one) => ({ ...one, readFallback: 'off' }));
    const spread = await inFrontOf(t, leaders, followers, { namespaces: strict, ...rest }, PATIENT);
    const { resp, client, proxy, nodes } = spread;
    const route = await routeOf(client(), KEY);
    const owner = nodes[leaders.findIndex(({ ready }) => ready.resp === route.get('node'))];
    let isOver = false;
    const writing = writeElsewhere(owner, () => isOver);
    const seen: Seen = { reads: 0, wrong: [] };
    const random = seededRandom(11);
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        readMonotonically(resp, [KEY], { reads: READS / 8, depth: 1 + i * 4, random, seen }),
      ),
    );
    isOver = true;
    t.ok((await writing) > 20, 'values change meanwhile');
    t.same(seen.wrong.slice(0, 5), []);
    t.equal(seen.reads, READS);
    const figures = await proxy.admin.figures.balance();
    t.comment(JSON.stringify(figures));
    t.ok(figures.overflowReads + figures.followerReads > READS / 50, 'much is read elsewhere');
    t.ok(figures.refused > 0, 'and some of it was too old');
  });
