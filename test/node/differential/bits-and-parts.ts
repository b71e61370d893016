import type { Random } from '../../../lib/base/index.ts';
import { anyCase, type Command, type Generator, keys, number, pick, some, value } from './base.ts';

const key: Generator = (random) => [pick(random, keys)];
const offset = (random: Random) => (random.int(8) === 0 ? number(random) : String(random.int(200)));
const index = (random: Random) => (random.int(8) === 0 ? number(random) : String(random.int(60) - 30));
const keyed =
  (rest: Generator): Generator =>
  (random) => [...key(random), ...rest(random)];
const unit: Generator = (random) => some(random, () => [pick(random, ['BYTE', 'bit', 'BIT', 'x'])], 1);

const width = (random: Random) =>
  random.int(10) === 0
    ? pick(random, ['u64', 'i65', 'x8', 'u0', 'i08', 'u', '', 'i\0', 'u8\0x'])
    : `${pick(random, ['i', 'u'])}${1 + random.int(63)}`;
const place = (random: Random) =>
  random.int(10) === 0
    ? pick(random, ['#x', '-1', '#', '#-1', '4294967296', 'x'])
    : `${pick(random, ['', '#'])}${random.int(20)}`;
const amount = (random: Random) =>
  random.int(4) === 0 ? number(random) : String(Math.floor((random.next() - 0.5) * 2 ** random.int(54)));
const field: Generator = (random) =>
  pick<() => Command>(random, [
    () => ['GET', width(random), place(random)],
    () => ['get', width(random), place(random)],
    () => ['SET', width(random), place(random), amount(random)],
    () => ['INCRBY', width(random), place(random), amount(random)],
    () => ['OVERFLOW', pick(random, ['WRAP', 'SAT', 'fail', 'sat', 'FAIL', 'x'])],
  ])();

const generators: Readonly<Record<string, Generator>> = {
  SETRANGE: keyed((random) => [offset(random), pick(random, ['', 'abc', value(random)])]),
  GETRANGE: keyed((random) => [index(random), index(random)]),
  SUBSTR: keyed((random) => [index(random), index(random)]),
  LCS: keyed((random) => [
    pick(random, keys),
    ...some(
      random,
      () =>
        pick<Command>(random, [['IDX'], ['LEN'], ['WITHMATCHLEN'], ['MINMATCHLEN', index(random)], ['x']]),
      3,
    ),
  ]),
  SETBIT: keyed((random) => [offset(random), pick(random, ['0', '1', '1', '2', 'x'])]),
  GETBIT: keyed((random) => [offset(random)]),
  BITCOUNT: keyed((random) => [...some(random, () => [index(random), index(random)], 1), ...unit(random)]),
  BITPOS: keyed((random) => [
    pick(random, ['0', '1', '2', 'x']),
    ...some(random, () => [index(random)], 2),
    ...unit(random),
  ]),
  BITOP: (random) => [
    anyCase(random, pick(random, ['AND', 'OR', 'XOR', 'NOT', 'x'])),
    ...key(random),
    ...key(random),
    ...some(random, () => key(random), 2),
  ],
  BITFIELD: keyed((random) => some(random, () => field(random), 4)),
  BITFIELD_RO: keyed((random) => some(random, () => field(random), 2)),
  SET: keyed((random) => [pick(random, ['abcabcabc', 'ohmytext', 'mynewtext', value(random)])]),
};

/** Commands on parts of strings, and on their bits. */
export const bitsAndParts: Generator = (random) => {
  const name = pick(random, Object.keys(generators));
  return [anyCase(random, name), ...generators[name](random)];
};
