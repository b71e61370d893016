import type { Random } from '../../../lib/base/index.ts';
import { anyCase, type Command, type Generator, keys, number, pick, some, value } from './base.ts';

const key: Generator = (random) => [pick(random, keys)];
const someKeys: Generator = (random) => [
  ...key(random),
  ...some(random, () => key(random), random.int(8) === 0 ? 20 : 3),
];
/** Often integers only, since Redis keeps those by themselves. */
const member = (random: Random) =>
  pick<() => string | Buffer>(random, [
    () => value(random),
    () => String(random.int(20) - 10),
    () => String(random.int(20) - 10),
    () => pick(random, ['a', 'b', 'c', '', '007']),
  ])();
/** Now and then more than Redis keeps compact. */
const members: Generator = (random) =>
  random.int(40) === 0
    ? Array.from({ length: 200 + random.int(600) }, (_, i) => `${pick(random, ['', 'm'])}${i}`)
    : [member(random), ...some(random, () => [member(random)], 6)];
const integers: Generator = (random) => some(random, () => [String(random.int(2000) - 1000)], 9);
const keyed =
  (rest: Generator): Generator =>
  (random) => [...key(random), ...rest(random)];
const counted: Generator = (random) => {
  const named = someKeys(random);
  return [random.int(8) === 0 ? number(random) : String(named.length), ...named];
};

const generators: Readonly<Record<string, Generator>> = {
  SADD: keyed((random) => (random.int(2) === 0 ? ['1', ...integers(random)] : members(random))),
  SREM: keyed(members),
  SISMEMBER: keyed((random) => [member(random)]),
  SMISMEMBER: keyed(members),
  SMEMBERS: key,
  SCARD: key,
  SMOVE: (random) => [...key(random), ...key(random), member(random)],
  SINTER: someKeys,
  SUNION: someKeys,
  SDIFF: someKeys,
  SINTERSTORE: keyed(someKeys),
  SUNIONSTORE: keyed(someKeys),
  SDIFFSTORE: keyed(someKeys),
  SINTERCARD: (random) => [
    ...counted(random),
    ...some(random, () => pick<Command>(random, [['LIMIT', number(random)], ['limit', '2'], ['x']]), 2),
  ],
  SPOP: (random) => [...key(random), pick(random, ['0', 'x', '100000', '-9223372036854775808'])],
  SRANDMEMBER: (random) => [...key(random), pick(random, ['0', 'x', '100000', '-9223372036854775808'])],
  SSCAN: keyed((random) => [
    pick(random, ['0', '0', '0', 'x', '-1', '', '18446744073709551616']),
    ...some(
      random,
      () =>
        pick<Command>(random, [
          ['COUNT', pick(random, ['1000', '1000', '0', 'x'])],
          ['MATCH', pick(random, ['*', '1*', '?', '[a-b]', 'nothing'])],
          ['TYPE', 'set'],
        ]),
      2,
    ),
    // All of it in one reply, however it is kept.
    'COUNT',
    '100000',
  ]),
};

/** Commands on sets but for random choices. */
export const sets: Generator = (random) => {
  const name = pick(random, Object.keys(generators));
  return [anyCase(random, name), ...generators[name](random)];
};
