import type { Random } from '../../../lib/base/index.ts';
import { anyCase, type Command, type Generator, keys, number, pick, some, value } from './base.ts';

const key: Generator = (random) => [pick(random, keys)];

/** Seldom anything new, so that elements come twice. */
const element = (random: Random) =>
  random.int(3) === 0 ? value(random) : pick(random, ['x', 'y', 'z', '1', '-1', '12345', '']);
/** Now and then more than Redis keeps in one piece. */
const elements: Generator = (random) =>
  random.int(40) === 0
    ? Array.from({ length: 200 + random.int(300) }, (_, i) => `${i % 7}`.repeat(random.int(90)))
    : [element(random), ...some(random, () => [element(random)], 4)];

const index = (random: Random) => {
  if (random.int(5) === 0) return number(random);
  return String(random.int(8) === 0 ? random.int(1000) - 500 : random.int(14) - 7);
};
const count = (random: Random) => (random.int(4) === 0 ? number(random) : String(random.int(5)));
const end = (random: Random) =>
  anyCase(random, pick(random, ['LEFT', 'RIGHT', 'LEFT', 'RIGHT', 'LEFT', 'RIGHT', 'MIDDLE']));
/** Mostly the number of keys that follow. */
const counted: Generator = (random) => {
  const named = [...key(random), ...some(random, () => key(random), 2)];
  return [random.int(8) === 0 ? number(random) : String(named.length), ...named];
};
const keyed =
  (rest: Generator): Generator =>
  (random) => [...key(random), ...rest(random)];

const generators: Readonly<Record<string, Generator>> = {
  LPUSH: keyed(elements),
  RPUSH: keyed(elements),
  LPUSHX: keyed(elements),
  RPUSHX: keyed(elements),
  LPOP: keyed((random) => some(random, () => [count(random)], 1)),
  RPOP: keyed((random) => some(random, () => [count(random)], 1)),
  LLEN: key,
  LRANGE: keyed((random) => [index(random), index(random)]),
  LINDEX: keyed((random) => [index(random)]),
  LSET: keyed((random) => [index(random), element(random)]),
  LINSERT: keyed((random) => [
    anyCase(random, pick(random, ['BEFORE', 'AFTER', 'BEFORE', 'AFTER', 'AROUND'])),
    element(random),
    element(random),
  ]),
  LREM: keyed((random) => [index(random), element(random)]),
  LTRIM: keyed((random) => [index(random), index(random)]),
  LPOS: keyed((random) => [
    element(random),
    ...some(
      random,
      () =>
        pick<Command>(random, [
          ['RANK', index(random)],
          ['rank', pick(random, ['1', '-1', '2', '-2'])],
          ['COUNT', count(random)],
          ['MAXLEN', count(random)],
          ['LIMIT', '1'],
        ]),
      3,
    ),
  ]),
  LMOVE: (random) => [...key(random), ...key(random), end(random), end(random)],
  RPOPLPUSH: (random) => [...key(random), ...key(random)],
  LMPOP: (random) => [
    ...counted(random),
    end(random),
    ...some(random, () => pick<Command>(random, [['COUNT', count(random)], ['count', '2'], ['x']]), 2),
  ],
};

/** Commands on lists that do not wait. */
export const lists: Generator = (random) => {
  const name = pick(random, Object.keys(generators));
  const command = [anyCase(random, name), ...generators[name](random)];
  // What a smallest 64-bit number means as a rank, Redis 7.0 leaves to the compiler.
  return command.includes('-9223372036854775808') && name === 'LPOS' ? ['LLEN', 'a'] : command;
};
