import type { Random } from '../../../lib/base/index.ts';
import {
  anyCase,
  type Command,
  far,
  farSeconds,
  type Generator,
  keys,
  number,
  pick,
  seconds,
  some,
  value,
} from './base.ts';

function expiryOption(random: Random): Command {
  const word = anyCase(random, pick(random, ['EX', 'PX', 'EXAT', 'PXAT']));
  const good = {
    EX: String(seconds(random)),
    PX: String(1000 * seconds(random)),
    EXAT: farSeconds(random),
    PXAT: far(random),
  }[word.toUpperCase()]!;
  return [word, random.int(4) > 0 ? good : pick(random, ['0', '-1', 'abc', '9223372036854775808', '1'])];
}

const key: Generator = (random) => [pick(random, keys)];

// A relative time of a second or two would run out during the test on one side first; EX 1 comes with a past or far one only.
const generators: Readonly<Record<string, Generator>> = {
  SET: (random) => [
    ...key(random),
    value(random),
    ...some(
      random,
      () => pick(random, [['NX'], ['xx'], ['GET'], ['KEEPTTL'], safeExpiry(random), ['nonsense']]),
      3,
    ),
  ],
  GET: key,
  SETNX: (random) => [...key(random), value(random)],
  SETEX: (random) => [
    ...key(random),
    pick(random, [String(seconds(random)), '0', '-5', 'x', '9223372036854775807']),
    value(random),
  ],
  PSETEX: (random) => [
    ...key(random),
    pick(random, [String(1000 * seconds(random)), '0', '-5', 'x']),
    value(random),
  ],
  GETSET: (random) => [...key(random), value(random)],
  GETDEL: key,
  GETEX: (random) => [
    ...key(random),
    ...some(random, () => pick(random, [safeExpiry(random), ['PERSIST'], ['bad']]), 2),
  ],
  MGET: (random) => [...key(random), ...some(random, () => key(random), 4)],
  MSET: (random) => [
    ...key(random),
    ...some(random, () => pick(random, [[value(random)], [value(random), pick(random, keys)]]), 3),
  ],
  MSETNX: (random) => [
    ...key(random),
    value(random),
    ...some(random, () => [pick(random, keys), value(random)], 2),
  ],
  DEL: (random) => [...key(random), ...some(random, () => key(random), 3)],
  UNLINK: key,
  EXISTS: (random) => [...key(random), ...some(random, () => key(random), 3)],
  TOUCH: (random) => [...key(random), ...some(random, () => key(random), 2)],
  TYPE: key,
  STRLEN: key,
  APPEND: (random) => [...key(random), value(random)],
  INCR: key,
  DECR: key,
  INCRBY: (random) => [...key(random), number(random)],
  DECRBY: (random) => [...key(random), number(random)],
  INCRBYFLOAT: (random) => [
    ...key(random),
    pick(random, ['0.1', '-2.25', '1e3', '3.0e-2', '10', 'x', '', 'inf', '1.']),
  ],
  EXPIRE: (random) => [
    ...key(random),
    pick(random, [String(seconds(random)), '0', '-1', 'x', '9223372036854775807']),
    ...condition(random),
  ],
  PEXPIRE: (random) => [
    ...key(random),
    pick(random, [String(1000 * seconds(random)), '-1', 'x']),
    ...condition(random),
  ],
  EXPIREAT: (random) => [
    ...key(random),
    pick(random, [farSeconds(random), '1', '0', '-1', 'x']),
    ...condition(random),
  ],
  PEXPIREAT: (random) => [...key(random), pick(random, [far(random), '1', 'x']), ...condition(random)],
  PERSIST: key,
  TTL: key,
  PTTL: key,
  EXPIRETIME: key,
  PEXPIRETIME: key,
  DBSIZE: () => [],
  FLUSHALL: (random) => (random.int(20) === 0 ? [pick(random, ['ASYNC', 'sync', 'bad'])] : ['bad']),
  FLUSHDB: () => ['wrong', 'wrong'],
  KEYS: (random) => [pick(random, ['*', 'a', '?', '[a-b]', '{tag}*', 'nothing*'])],
  RANDOMKEY: () => ['too many'],
  SCAN: (random) => [
    pick(random, ['0', 'x', '-1', '18446744073709551616']),
    'COUNT',
    pick(random, ['1000', '0', 'x']),
  ],
  PING: (random) => some(random, () => [value(random)], 2),
  ECHO: (random) => [value(random)],
  SELECT: (random) => [pick(random, ['0', 'x', '-1', '99'])],
  AUTH: (random) => some(random, () => ['default'], 3),
  CLIENT: (random) =>
    pick<Command>(random, [
      ['GETNAME'],
      ['SETNAME', 'good'],
      ['SETNAME', 'bad name'],
      ['SETNAME', ''],
      ['NO-EVICT', 'on'],
      ['NO-EVICT', 'x'],
      ['SETINFO', 'lib-name', 'x'],
      ['nonsense'],
      ['KILL', '1.2.3.4:5'],
      ['KILL', 'ID', 'x'],
      ['KILL', 'ID', '999999'],
      ['KILL', 'TYPE', 'x'],
      ['LIST', 'TYPE', 'x'],
      ['LIST', 'ID', 'x'],
      ['LIST', 'bad'],
      ['REPLY', 'x'],
      ['UNPAUSE'],
      [],
      ['ID', 'x'],
    ]),
  CONFIG: (random) =>
    pick<Command>(random, [
      ['GET', 'save'],
      ['GET', 'appendonly'],
      ['GET', 'nothing-like-it'],
      ['GET'],
      ['SET', 'nothing-like-it', '1'],
      ['SET', 'x'],
      ['SET', 'maxmemory', 'many'],
      ['RESETSTAT'],
      ['REWRITE'],
      ['nonsense'],
      ['RESETSTAT', 'x'],
      ['SET', 'maxmemory', '0', 'maxmemory', '0'],
    ]),
  COMMAND: (random) =>
    pick<Command>(random, [
      ['GETKEYS', 'SET', 'a', 'b'],
      ['GETKEYS', 'MSET', 'a', 'b', 'c', 'd'],
      ['GETKEYS', 'PING'],
      ['GETKEYS', 'nope', 'a'],
      ['INFO', 'nope'],
      ['nonsense'],
      ['LIST', 'FILTERBY', 'PATTERN', 'nothing-like-it'],
      ['DOCS', 'nope'],
    ]),
  WAIT: (random) => [pick(random, ['0', '-1', 'x']), pick(random, ['0', '10', '-1', 'x'])],
  ROLE: () => ['x'],
  TIME: () => ['x'],
  HELLO: (random) =>
    pick<Command>(random, [
      ['1'],
      ['x'],
      ['2', 'nonsense'],
      ['2', 'SETNAME', 'a b'],
      ['2', 'AUTH', 'default'],
      ['3', 'AUTH', 'nobody', 'x'],
    ]),
  FUNCTION: (random) => pick<Command>(random, [['FLUSH'], ['FLUSH', 'ASYNC'], ['FLUSH', 'x']]),
  SCRIPT: (random) => pick<Command>(random, [['FLUSH'], ['FLUSH', 'SYNC']]),
  NOTACOMMAND: (random) => some(random, () => [pick(random, ['a', '', 'x'.repeat(random.int(200)), "'"])], 4),
};

function safeExpiry(random: Random): Command {
  const [word, at] = expiryOption(random);
  // `EX 1` and `PX 1` would be races; as a point in time, 1 is long past.
  return at === '1' && !String(word).toUpperCase().endsWith('AT') ? [word, '0'] : [word, at];
}

const condition: Generator = (random) =>
  some(random, () => [pick(random, ['NX', 'XX', 'gt', 'LT', 'bad'])], 2);

/** Commands on plain strings, on keys and on the connection. */
export const basics: Generator = (random) => {
  const name = pick(random, Object.keys(generators));
  return [anyCase(random, name), ...generators[name](random)];
};
