import type { Random } from '../../../lib/base/index.ts';
import { anyCase, type Command, type Generator, keys, pick, some } from './base.ts';

const key: Generator = (random) => [pick(random, keys)];
const member: Generator = (random) => [
  random.int(4) > 0 ? `place${random.int(40)}` : pick(random, ['', 'm', '1']),
];
const word = (random: Random, ...words: string[]): Command => [anyCase(random, pick(random, words))];

/** No two members are at the same place: Redis does not say in which order they come. */
const position: Generator = (random) =>
  pick<() => Command>(random, [
    () => [String(random.next() * 360 - 180), String(random.next() * 170 - 85)],
    () => [String(10 + random.next() * 10), String(35 + random.next() * 20)],
    () => [String(179 + random.next()), String(random.next() * 2 - 1)],
    () => [String(random.next() * 2 - 1), String(80 + random.next() * 5)],
    () => [(random.next() * 40 - 20).toFixed(4), (random.next() * 40 - 20).toFixed(4)],
  ])();

const badPosition: Generator = (random) =>
  pick<Command>(random, [
    ['180', '85.05112878'],
    ['-180', '-85.05112878'],
    ['181', '0'],
    ['200.0078125', '0'],
    ['0', '85.06'],
    ['x', '0'],
    ['0', ''],
    ['nan', '1'],
    ['inf', '1'],
  ]);

const unit: Generator = (random) => word(random, 'M', 'KM', 'FT', 'MI', random.int(8) === 0 ? 'NM' : 'KM');
const extent = (random: Random): string =>
  pick<() => string>(random, [
    () => String(random.int(3000)),
    () => String(random.next() * 500),
    () => String(random.next() * 10 ** random.int(8)),
    () => pick(random, ['0', '-1', 'x', '', '1e9', '20037726']),
  ])();

const circle: Generator = (random) => [extent(random), ...unit(random)];
const box: Generator = (random) => [extent(random), extent(random), ...unit(random)];

const option: Generator = (random) =>
  pick<() => Command>(random, [
    () => word(random, 'WITHDIST', 'WITHHASH', 'WITHCOORD'),
    () => word(random, 'WITHDIST', 'WITHHASH', 'WITHCOORD'),
    () => word(random, 'ASC', 'DESC'),
    () => ['COUNT', pick(random, ['1', '3', '10', '0', '-1', 'x'])],
    () => ['COUNT', '2', 'ANY'],
    () => word(random, 'ANY', 'bad'),
  ])();
/** Distances go to a key of their own whose scores are not asked for: C's sine is off by a last bit now and then. */
const DISTANCES = 'distances';
const store: Generator = (random) =>
  random.int(2) === 0 ? [...word(random, 'STORE'), ...key(random)] : ['STOREDIST', DISTANCES];

const from: Generator = (random) =>
  random.int(3) === 0 ? ['FROMMEMBER', ...member(random)] : ['FROMLONLAT', ...position(random)];
const by: Generator = (random) =>
  random.int(2) === 0 ? ['BYRADIUS', ...circle(random)] : ['BYBOX', ...box(random)];

const generators: Readonly<Record<string, Generator>> = {
  GEOADD: (random) => [
    ...key(random),
    ...some(random, () => word(random, 'NX', 'XX', 'CH'), 1),
    ...Array.from({ length: 1 + random.int(random.int(10) === 0 ? 60 : 4) }, () => [
      ...(random.int(60) === 0 ? badPosition(random) : position(random)),
      ...member(random),
    ]).flat(),
  ],
  GEODIST: (random) => [
    ...key(random),
    ...member(random),
    ...member(random),
    ...some(random, () => unit(random), 1),
  ],
  GEOPOS: (random) => [...key(random), ...some(random, () => member(random), 3)],
  GEOHASH: (random) => [...key(random), ...some(random, () => member(random), 3)],
  GEOSEARCH: (random) => [
    ...key(random),
    ...from(random),
    ...by(random),
    ...some(random, () => option(random), 3),
  ],
  GEOSEARCHSTORE: (random) => {
    const storesDistance = random.int(3) === 0;
    return [
      ...(storesDistance ? [DISTANCES] : key(random)),
      ...key(random),
      ...from(random),
      ...by(random),
      ...(storesDistance ? ['STOREDIST'] : some(random, () => option(random), 1)),
    ];
  },
  GEORADIUS: (random) => [
    ...key(random),
    ...(random.int(20) === 0 ? badPosition(random) : position(random)),
    ...circle(random),
    ...some(random, () => option(random), 3),
    ...(random.int(3) === 0 ? store(random) : []),
  ],
  GEORADIUS_RO: (random) => [
    ...key(random),
    ...position(random),
    ...circle(random),
    ...some(random, () => (random.int(9) === 0 ? store(random) : option(random)), 2),
  ],
  GEORADIUSBYMEMBER: (random) => [
    ...key(random),
    ...member(random),
    ...circle(random),
    ...some(random, () => option(random), 2),
    ...(random.int(3) === 0 ? store(random) : []),
  ],
  GEORADIUSBYMEMBER_RO: (random) => [
    ...key(random),
    ...member(random),
    ...circle(random),
    ...some(random, () => option(random), 2),
  ],
  ZRANGE: (random) =>
    random.int(3) === 0 ? [DISTANCES, '0', '-1'] : [...key(random), '0', '-1', 'WITHSCORES'],
  // Any score is a place to Redis.
  ZADD: (random) => [
    ...key(random),
    pick(random, ['-1', '1.5', '1e300', '-inf', 'inf', '4503599627370496', '18446744073709551615', '-1e19']),
    ...member(random),
  ],
  DEL: key,
};

/** Commands on places. */
export const geo: Generator = (random) => {
  const name = pick(random, [...Object.keys(generators), 'GEOADD', 'GEOADD', 'GEOSEARCH']);
  return [anyCase(random, name), ...generators[name](random)];
};
