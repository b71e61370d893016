import type { Load } from '../support/measure.ts';
import { startNodeRole, startRedis } from '../support/peers.ts';
import { apart } from '../support/processors.ts';
import { type Comparison, compare, type Effort, withServers } from './throughput.ts';

/** Names of members, fields and of the many small keys. */
const KEYS = 100_000;
const RANDOM = '__rand_int__';

/** A command as it is sent: once to a key that grows large, once to many small keys. */
interface Shape {
  readonly command: string;
  /** Given the key. */
  readonly words: (key: string, value: string) => readonly string[];
  readonly fill?: Shape['words'];
}

const shapes: readonly Shape[] = [
  { command: 'LPUSH', words: (key, value) => ['LPUSH', `l:${key}`, value] },
  {
    command: 'RPOP',
    words: (key) => ['RPOP', `l:${key}`],
    fill: (key, value) => ['LPUSH', `l:${key}`, value],
  },
  { command: 'HSET', words: (key, value) => ['HSET', `h:${key}`, `field:${RANDOM}`, value] },
  { command: 'HGET', words: (key) => ['HGET', `h:${key}`, `field:${RANDOM}`] },
  { command: 'SADD', words: (key) => ['SADD', `s:${key}`, `element:${RANDOM}`] },
  { command: 'ZADD', words: (key) => ['ZADD', `z:${key}`, RANDOM, `element:${RANDOM}`] },
  { command: 'ZRANGE', words: (key) => ['ZRANGE', `z:${key}`, '0', '9'] },
];

function loadsWith(key: string, valueBytes: number): Load[] {
  const value = 'x'.repeat(valueBytes);
  return [1, 16].flatMap((pipeline) =>
    shapes.map(({ command, words, fill }) => ({
      command,
      words: words(key, value),
      fill: fill?.(key, value),
      pipeline,
      connections: 50,
      valueBytes,
      keys: KEYS,
      isApart: true,
    })),
  );
}

/** `ringside node` beside redis-server on lists, hashes, sets and sorted sets: one big key, then many tiny ones. */
export async function typesAgainstRedis(effort: Effort): Promise<Comparison[]> {
  return withServers(async (keep) => {
    const peer = apart(await keep(startRedis()));
    const ours = apart(await keep(startNodeRole()));
    const big = await compare('big', ours, [peer], loadsWith('big', effort.valueBytes), effort);
    const tiny = await compare('tiny', ours, [peer], loadsWith(RANDOM, effort.valueBytes), effort);
    return [...big, ...tiny];
  });
}
