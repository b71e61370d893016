import type { Random } from '../../../lib/base/index.ts';
import { anyCase, type Command, type Generator, keys, number, pick, some } from './base.ts';

const key: Generator = (random) => [pick(random, keys)];
/** Sets whose members all have the score 0: the only ones for which Redis says what a range of members is. */
const lexKeys = ['lex1', 'lex2'];

/** Few enough that the same ones meet again, and one too long for the compact encoding. */
const member: Generator = (random) => [
  pick<() => string | Buffer>(random, [
    () => String(random.int(30)),
    () => `m${random.int(10)}`,
    () => pick(random, ['', 'a', 'b', 'ab', 'é', Buffer.from([0, 255, 128]), '007', '-0', '-5']),
    () => (random.int(20) === 0 ? 'long'.repeat(20) : String(random.int(400))),
  ])(),
];

const score = (random: Random): string =>
  pick<() => string>(random, [
    () => String(random.int(20) - 10),
    () => String(random.int(5) / 2),
    () => String(random.next() * 1000 - 500),
    () => String((random.next() - 0.5) * 10 ** (random.int(60) - 30)),
    () => String(random.int(2 ** 20) / 2 ** 17),
    () =>
      pick(random, [
        'inf',
        '-inf',
        '+Infinity',
        '-0',
        '0x1p4',
        '1e3',
        '.5',
        '5.',
        '9007199254740993',
        '123456789012345678',
        '1e-320',
        '3.0000000000000000001',
        'nan',
        'x',
        '',
        ' 1',
        '1 ',
        '1e400',
        '1e-400',
      ]),
  ])();

const bound = (random: Random): string =>
  (random.int(3) === 0 ? '(' : '') + pick(random, [() => score(random), () => '-inf', () => '+inf'])();

const lexBound = (random: Random): Command => [
  pick<() => string | Buffer>(random, [
    () => pick(random, ['-', '+']),
    () => `[${member(random)[0]}`,
    () => `(${member(random)[0]}`,
    () => pick(random, ['', 'a', '-x', '[', '(', Buffer.from([0x2b, 0, 1])]),
  ])(),
];

const index = (random: Random): string =>
  random.int(8) === 0 ? number(random) : String(random.int(60) - 30);

const word = (random: Random, ...words: string[]): Command => [anyCase(random, pick(random, words))];
const withScores: Generator = (random) => some(random, () => word(random, 'WITHSCORES'), 1);
const limit: Generator = (random) =>
  some(
    random,
    () => ['LIMIT', String(random.int(8) - 1), random.int(9) === 0 ? 'x' : String(random.int(12) - 3)],
    1,
  );

const pairs = (random: Random, atMost: number): Command =>
  Array.from({ length: 1 + random.int(atMost) }, () => [score(random), ...member(random)]).flat();

const add: Generator = (random) => [
  ...key(random),
  ...(random.int(2) === 0 ? [] : some(random, () => word(random, 'NX', 'XX', 'GT', 'LT', 'CH', 'INCR'), 3)),
  ...pairs(random, random.int(30) === 0 ? 150 : 3),
];

const counted = (random: Random): Command => {
  const count = 1 + random.int(3);
  const given = random.int(15) === 0 ? pick(random, ['0', '-1', 'x', '9']) : String(count);
  return [given, ...Array.from({ length: count }, () => pick(random, keys))];
};

const weights: Generator = (random) =>
  some(
    random,
    () =>
      pick<() => Command>(random, [
        () => ['WEIGHTS', ...Array.from({ length: 1 + random.int(3) }, () => score(random))],
        () => ['AGGREGATE', ...word(random, 'SUM', 'MIN', 'MAX', random.int(5) === 0 ? 'AVG' : 'SUM')],
      ])(),
    2,
  );

const rangeOptions = (random: Random, kind: string, scores: boolean): Command => [
  ...(kind === '' ? [] : [anyCase(random, kind)]),
  ...some(random, () => word(random, 'REV'), 1),
  ...limit(random),
  ...(scores ? withScores(random) : []),
];

/** Bounds and options of ZRANGE and ZRANGESTORE, behind the key. */
const query = (random: Random, scores: boolean): Command =>
  random.int(2) === 0
    ? [index(random), index(random), ...rangeOptions(random, '', scores)]
    : [bound(random), bound(random), ...rangeOptions(random, 'BYSCORE', scores)];

const lexSet: Generator = (random) =>
  pick<() => Command>(random, [
    () => [
      'ZADD',
      pick(random, lexKeys),
      ...Array.from({ length: 1 + random.int(5) }, () => ['0', ...member(random)]).flat(),
    ],
    () => ['ZREM', pick(random, lexKeys), ...member(random), ...member(random)],
    () => ['ZLEXCOUNT', pick(random, lexKeys), ...lexBound(random), ...lexBound(random)],
    () => ['ZREMRANGEBYLEX', pick(random, lexKeys), ...lexBound(random), ...lexBound(random)],
    () => [
      pick(random, ['ZRANGEBYLEX', 'ZREVRANGEBYLEX']),
      pick(random, lexKeys),
      ...lexBound(random),
      ...lexBound(random),
      ...limit(random),
    ],
    () => [
      'ZRANGE',
      pick(random, lexKeys),
      ...lexBound(random),
      ...lexBound(random),
      ...rangeOptions(random, 'BYLEX', true),
    ],
    () => [
      'ZRANGESTORE',
      pick(random, lexKeys),
      pick(random, lexKeys),
      ...lexBound(random),
      ...lexBound(random),
      ...rangeOptions(random, 'BYLEX', false),
    ],
  ])();

const generators: Readonly<Record<string, Generator>> = {
  ZADD: add,
  ZINCRBY: (random) => [...key(random), score(random), ...member(random)],
  ZREM: (random) => [...key(random), ...member(random), ...some(random, () => member(random), 3)],
  ZCARD: key,
  ZSCORE: (random) => [...key(random), ...member(random)],
  ZMSCORE: (random) => [...key(random), ...member(random), ...some(random, () => member(random), 3)],
  ZRANK: (random) => [...key(random), ...member(random)],
  ZREVRANK: (random) => [...key(random), ...member(random)],
  ZCOUNT: (random) => [...key(random), bound(random), bound(random)],
  ZLEXCOUNT: (random) => [...key(random), '-', '+'],
  ZRANGE: (random) => [...key(random), ...query(random, true)],
  ZRANGESTORE: (random) => [...key(random), ...key(random), ...query(random, false)],
  ZREVRANGE: (random) => [...key(random), index(random), index(random), ...withScores(random)],
  ZRANGEBYSCORE: (random) => [
    ...key(random),
    bound(random),
    bound(random),
    ...withScores(random),
    ...limit(random),
  ],
  ZREVRANGEBYSCORE: (random) => [
    ...key(random),
    bound(random),
    bound(random),
    ...limit(random),
    ...withScores(random),
  ],
  ZREMRANGEBYRANK: (random) => [...key(random), index(random), index(random)],
  ZREMRANGEBYSCORE: (random) => [...key(random), bound(random), bound(random)],
  ZPOPMIN: (random) => [...key(random), ...some(random, () => [index(random)], 1)],
  ZPOPMAX: (random) => [...key(random), ...some(random, () => [index(random)], 1)],
  ZMPOP: (random) => [
    ...counted(random),
    ...word(random, 'MIN', 'MAX'),
    ...some(random, () => ['COUNT', index(random)], 1),
  ],
  ZUNION: (random) => [...counted(random), ...weights(random), ...withScores(random)],
  ZINTER: (random) => [...counted(random), ...weights(random), ...withScores(random)],
  ZDIFF: (random) => [...counted(random), ...withScores(random)],
  ZINTERCARD: (random) => [...counted(random), ...some(random, () => ['LIMIT', index(random)], 1)],
  ZUNIONSTORE: (random) => [...key(random), ...counted(random), ...weights(random)],
  ZINTERSTORE: (random) => [...key(random), ...counted(random), ...weights(random)],
  ZDIFFSTORE: (random) => [...key(random), ...counted(random)],
  ZSCAN: (random) => [
    ...key(random),
    pick(random, ['0', '0', 'x']),
    'COUNT',
    '10000',
    ...some(random, () => pick(random, [['COUNT', '0'], ['MATCH', 'm*'], ['bad']]), 1),
  ],
};

/** Commands on sorted sets, and on sets where they may take the place of sorted sets. */
export const sortedSets: Generator = (random) => {
  if (random.int(6) === 0) return lexSet(random);
  if (random.int(15) === 0) return ['SADD', ...key(random), ...member(random), ...member(random)];
  // Otherwise every key would soon hold something, and the same.
  if (random.int(12) === 0) return ['DEL', ...key(random)];
  const name = pick(random, [...Object.keys(generators), 'ZADD', 'ZADD', 'ZINCRBY']);
  return [anyCase(random, name), ...generators[name](random)];
};
