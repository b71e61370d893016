import type { Random } from '../../../lib/base/index.ts';
import { anyCase, type Command, type Generator, keys, number, pick, some } from './base.ts';

const key: Generator = (random) => [pick(random, keys)];
const keyed =
  (rest: Generator): Generator =>
  (random) => [...key(random), ...rest(random)];

/** What DUMP of redis-server 7.0.15 gives: integers, strings, LZF, a quicklist, intsets, sets, listpacks, tables. */
const dumps: readonly string[] = [
  '00c0fb0a0049c4c6f4d7263f68',
  '00c1e8030a0089d1478ebac4b764',
  '00c290eefeff0a002875de7b13eb2800',
  '000b68656c6c6f20776f726c640a000bfc49b9a6c7a034',
  '00000a005d9b5c400f7fa2da',
  '00c30a406402616261e056010161620a0017383d942096d863',
  '120102c3284068196800000006008161020101f178ec03f270110104f4ffe30b540220180309e04678e03c000148ff0a00e4067433686a7042',
  '0b0e0200000003000000fdff010002000a00d1b78ed9bc07c27f',
  '0b10040000000200000001000000701101000a002735436efd6656c4',
  '0b1808000000020000000100000000000000ffe30b54020000000a00a43b5e34aba729ae',
  '0203c007016101620a008829d57252c0e257',
  '111d1d0000000600816302842d696e6605816102010181620283322e3504ff0a003992339be11f323d',
  '05020162000000000000f07fc3094041017979e03400017979000000000000f03f0a007ec83ccb3fe44bbc',
  '101111000000040081660281760201010201ff0a001a4df2175e0bff9b',
  '04010166c3094041017676e034000176760a003d71be523786cf45',
];

function payload(random: Random): Buffer {
  const bytes = Buffer.from(pick(random, dumps), 'hex');
  if (random.int(6) === 0) bytes[random.int(bytes.length)] ^= 1 << random.int(8);
  return bytes;
}

const database = (random: Random) => pick(random, ['0', '0', '1', '2', '15', '16', '-1', 'x']);
/** What sorts equal in the order of a set comes in any order: with BY, numbers only, and a pattern. */
const by = (random: Random) => pick(random, ['*', 'w_*', 'h_*->f', '#*', 'c*', 'h_*->']);
const pattern = (random: Random) => pick(random, ['*', 'a', 'w_*', 'h_*->f', '#', '*->f', 'h_*->', 'c*']);

const sortOptions: Generator = (random) => {
  const how: Command = random.int(2) === 0 ? ['ALPHA'] : ['BY', by(random)];
  return some(
    random,
    () =>
      pick<Command>(random, [
        ['ASC'],
        ['desc'],
        how,
        how,
        ['LIMIT', number(random), number(random)],
        ['LIMIT', '1', '3'],
        ['GET', pattern(random)],
        ['x'],
      ]),
    4,
  );
};

const generators: Readonly<Record<string, Generator>> = {
  RENAME: keyed(key),
  RENAMENX: keyed(key),
  MOVE: keyed((random) => [database(random)]),
  COPY: keyed((random) => [
    ...key(random),
    ...some(random, () => pick<Command>(random, [['REPLACE'], ['DB', database(random)], ['x']]), 2),
  ]),
  SELECT: (random) => [pick(random, ['0', '0', '0', '1', '2', '16', 'x'])],
  OBJECT: (random) =>
    pick<Command>(random, [
      ['ENCODING', ...key(random)],
      ['FREQ', ...key(random)],
      ['x', ...key(random)],
      ['ENCODING'],
    ]),
  RESTORE: keyed((random) => [
    pick(random, ['0', '0', '100000000', '-1', 'x']),
    payload(random),
    ...some(
      random,
      () =>
        pick<Command>(random, [
          ['REPLACE'],
          ['REPLACE'],
          ['ABSTTL'],
          ['IDLETIME', number(random)],
          ['FREQ', number(random)],
          ['x'],
        ]),
      2,
    ),
  ]),
  // Stored are texts only: redis-server now and then takes good numbers for bad ones, when an earlier command has left `errno` set.
  SORT: (random) =>
    random.int(2) === 0
      ? [...key(random), ...sortOptions(random)]
      : [...key(random), 'ALPHA', 'LIMIT', number(random), '3', 'STORE', ...key(random)],
  SORT_RO: keyed(sortOptions),
  TYPE: key,
  SCAN: (random) => [
    '0',
    'COUNT',
    '1000',
    'TYPE',
    pick(random, ['string', 'LIST', 'set', 'zset', 'hash', 'stream', 'x']),
  ],
  RPUSH: keyed((random) => [
    '1',
    ...some(random, () => [String(random.int(20)), pick(random, ['a', 'b', '2.5'])], 3),
  ]),
  MSET: (random) => [`w_${random.int(10)}`, String(random.int(10)), `w_${pick(random, ['a', 'b'])}`, 'text'],
  HSET: (random) => [`h_${random.int(10)}`, 'f', pick(random, ['1', '10', 'z', '-3'])],
  UNLINK: keyed(key),
  FLUSHDB: (random) => (random.int(8) === 0 ? [] : ['x']),
};

/** Commands on keys of any type: names, databases, dumps, sorting. */
export const generic: Generator = (random) => {
  const name = pick(random, Object.keys(generators));
  return [anyCase(random, name), ...generators[name](random)];
};
