import type { Random } from '../../../lib/base/index.ts';
import { anyCase, type Command, type Generator, keys, number, pick, some, value } from './base.ts';

const key: Generator = (random) => [pick(random, keys)];
const field = (random: Random) =>
  random.int(10) === 0
    ? pick(random, [value(random), `many${random.int(800)}`])
    : pick(random, ['f', 'g', 'h', '1', '2', '', 'field']);
const pair: Generator = (random) => [field(random), value(random)];
const fields: Generator = (random) => [field(random), ...some(random, () => [field(random)], 4)];
/** Now and then more than Redis keeps compact. */
const pairs: Generator = (random) =>
  random.int(40) === 0
    ? Array.from({ length: 200 + random.int(600) }, (_, i) => [`many${i}`, String(i)]).flat()
    : [...pair(random), ...some(random, () => pair(random), 4)];
const keyed =
  (rest: Generator): Generator =>
  (random) => [...key(random), ...rest(random)];
const float = (random: Random) =>
  pick(random, ['0.1', '-2.25', '1e3', '3.0e-2', '10', 'x', '', 'inf', '-inf', 'nan', '1.', '1e5000', ' 1']);

const generators: Readonly<Record<string, Generator>> = {
  HSET: keyed((random) => (random.int(12) === 0 ? fields(random) : pairs(random))),
  HMSET: keyed((random) => (random.int(12) === 0 ? fields(random) : pairs(random))),
  HSETNX: keyed(pair),
  HGET: keyed((random) => [field(random)]),
  HMGET: keyed(fields),
  HGETALL: key,
  HDEL: keyed(fields),
  HLEN: key,
  HSTRLEN: keyed((random) => [field(random)]),
  HEXISTS: keyed((random) => [field(random)]),
  HINCRBY: keyed((random) => [field(random), number(random)]),
  HINCRBYFLOAT: keyed((random) => [field(random), float(random)]),
  HKEYS: key,
  HVALS: key,
  HRANDFIELD: keyed((random) => [
    pick(random, ['0', 'x', '-9223372036854775808']),
    ...some(random, () => [pick(random, ['WITHVALUES', 'withscores'])], 2),
  ]),
  HSCAN: keyed((random) => [
    pick(random, ['0', '0', '0', 'x', '-1', '', '18446744073709551616']),
    ...some(
      random,
      () =>
        pick<Command>(random, [
          ['COUNT', pick(random, ['1000', '1000', '0', 'x'])],
          ['MATCH', pick(random, ['*', 'f*', '?', '[a-g]', 'nothing'])],
          ['match', ''],
          ['TYPE', 'hash'],
          ['COUNT'],
        ]),
      2,
    ),
    // All of it in one reply, however it is kept.
    'COUNT',
    '1000',
  ]),
};

/** Commands on hashes but for random choices. */
export const hashes: Generator = (random) => {
  const name = pick(random, Object.keys(generators));
  return [anyCase(random, name), ...generators[name](random)];
};
