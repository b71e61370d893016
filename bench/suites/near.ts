import { type Load, redisBenchmark } from '../support/measure.ts';
import { type Server, startProxyRole, startRedis } from '../support/peers.ts';
import { type Comparison, compare, type Effort, withServers } from './throughput.ts';

/** Keys that fit into the near cache, so that nearly every read is a hit. */
const KEYS = 10_000;
const FILLS_PER_KEY = 4;
/** Every key may be kept. */
const NEAR = ['nearCache.mode=always', 'namespaces=[{name: all, prefix: "", stalenessMs: 60000}]'];

const reads = (valueBytes: number): Load[] =>
  [1, 16].map((pipeline) => ({ command: 'GET', pipeline, connections: 50, valueBytes, keys: KEYS }));

/**
 * Reads that `ringside proxy` answers from its near cache, beside redis-server itself and the same proxy without one. redis-benchmark draws keys
 * uniformly: where all of them are kept, that costs what a Zipf distribution does.
 */
export async function nearAgainstRedis(effort: Effort): Promise<Comparison[]> {
  const { valueBytes } = effort;
  return withServers(async (keep) => {
    const redis = await keep(startRedis());
    const set = NEAR.flatMap((setting) => ['--set', setting]);
    const ours = await keep(startProxyRole([redis], [], set));
    const plain: Server = { ...(await keep(startProxyRole([redis]))), name: 'proxy without' };
    await redisBenchmark(
      redis.port,
      { command: 'SET', pipeline: 16, connections: 50, valueBytes, keys: KEYS },
      FILLS_PER_KEY * KEYS,
    );
    return compare('near cache', ours, [redis, plain], reads(valueBytes), effort);
  });
}
