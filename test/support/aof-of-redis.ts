import type { Test } from 'tap';
import type { Random } from '../../lib/base/index.ts';
import { anyCommands } from './any-writes.ts';
import { copyOf, differences, nodeAt, redisAt } from './aof.ts';
import { RawClient } from './raw-client.ts';
import { contentOf } from './redis-content.ts';
import { until } from './until.ts';

/* Append-only files that a real redis-server has written, and what it and a node make of them. */

const BATCH = 40;

/** Writes that leave something of every type, in all forms that Redis writes down. */
export async function writeAllForms(t: Test, address: string, random: Random, count: number): Promise<void> {
  const raw = new RawClient(address);
  t.teardown(() => raw.close());
  await raw.run([
    // Where what is random neither comes nor empties anything.
    ['SELECT', '15'],
    ['SET', 'until', 'then', 'EX', '1000'],
    ['SET', 'float', '1.5'],
    ['INCRBYFLOAT', 'float', '0.25'],
    ['SETEX', 'old-form', '500', 'v'],
    ['GETEX', 'old-form', 'PERSIST'],
    ['HSET', 'hash', 'f', '1'],
    ['HINCRBYFLOAT', 'hash', 'f', '0.1'],
    ['EXPIRE', 'hash', '900', 'NX'],
    ['PFADD', 'sketch', 'a', 'b'],
    ['PFCOUNT', 'sketch'],
    ['GEOADD', 'places', '13.36', '38.11', 'Palermo', '15.08', '37.5', 'Catania'],
    ['BITFIELD', 'bits', 'SET', 'u8', '0', '200'],
    ['SADD', 'set', '1', '2', 'three'],
    ['SELECT', '14'],
    ['ZADD', 'zset', 'inf', 'a', '-1e300', 'b'],
    ['EVAL', "redis.call('SET', KEYS[1], 1) redis.call('LPUSH', KEYS[2], 2, 3)", '2', 's', 'l'],
    ['SELECT', '0'],
  ]);
  for (let done = 0; done < count; done += BATCH) {
    await raw.run(anyCommands(random, BATCH).filter(([name]) => !/^RS\./i.test(String(name))));
  }
}

/** A redis-server and a node load a copy each, and come to hold the same. */
export async function sameInBoth(t: Test, dir: string, what: string): Promise<void> {
  const [[, theirs], [, ours]] = await Promise.all([redisAt(t, copyOf(t, dir)), nodeAt(t, copyOf(t, dir))]);
  let different: string[] = [];
  let size = 0;
  // What is about to expire is given its time to.
  await until('the data is the same', async () => {
    const [a, b] = await Promise.all([theirs, ours].map((one) => contentOf(one)));
    size = b.size;
    different = differences(a, b);
    return different.length === 0;
  }).catch(() => {});
  t.same(different.slice(0, 5), [], `${what}: ${size} keys`);
  t.ok(size > 10);
}
