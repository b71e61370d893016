import type { Random } from '../../../lib/base/index.ts';
import { anyCase, type Command, type Generator, keys, pick, some } from './base.ts';

const key: Generator = (random) => [pick(random, keys)];
const element: Generator = (random) => [
  pick<() => string | Buffer>(random, [
    () => String(random.int(50)),
    () => String(random.u32()),
    () => Buffer.from(Array.from({ length: random.int(20) }, () => random.int(256))),
    () => '',
  ])(),
];

const header = (form: number, stale: number): Buffer =>
  Buffer.concat([Buffer.from('HYLL'), Buffer.from([form, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, stale])]);

/** Strings that are HyperLogLogs, or nearly. */
const made: Generator = (random) => [
  pick<() => Buffer>(random, [
    () => Buffer.concat([header(1, 0), Buffer.from([0x7f, 0xff])]),
    () => Buffer.concat([header(1, 0x80), Buffer.from([0x7f, 0xff])]),
    // Runs that can be merged, and one register of its own.
    () => Buffer.concat([header(1, 0x80), Buffer.from([0x80, 0x81, 0x84, 0x7f, 0xfa])]),
    // Too few registers, and too many. (Of half a run Redis reads what happens to lie behind it.)
    () => Buffer.concat([header(1, 0x80), Buffer.from([0x7f, 0x00])]),
    () => Buffer.concat([header(1, 0x80), Buffer.from([0x7f, 0xff, 0x00])]),
    () => header(1, 0x80),
    () => header(2, 0),
    () => header(0, 0),
    () => Buffer.concat([header(0, 0x80), Buffer.alloc(12288, random.int(256))]),
    () => Buffer.concat([header(0, 0x80), Buffer.from(Array.from({ length: 12288 }, () => random.int(4)))]),
    () => Buffer.from('HYLL'),
  ])(),
];

const generators: Readonly<Record<string, Generator>> = {
  PFADD: (random) => [...key(random), ...some(random, () => element(random), random.int(20) === 0 ? 400 : 5)],
  PFCOUNT: (random) => [...key(random), ...(random.int(3) === 0 ? some(random, () => key(random), 3) : [])],
  PFMERGE: (random) => [...key(random), ...some(random, () => key(random), 3)],
  PFDEBUG: (random) => [
    anyCase(random, pick(random, ['GETREG', 'DECODE', 'ENCODING', 'TODENSE', 'nonsense'])),
    ...key(random),
  ],
  SET: (random) => [...key(random), ...made(random)],
  // Every bit is to be as Redis has it.
  GET: key,
  DEL: key,
  CONFIG: (random: Random): Command => ['SET', 'hll-sparse-max-bytes', pick(random, ['3000', '300', '30'])],
};

/** Commands on HyperLogLogs, sound and corrupted ones. */
export const hyperloglog: Generator = (random) => {
  const name = pick(random, [
    ...Object.keys(generators),
    'PFADD',
    'PFADD',
    'PFADD',
    'PFCOUNT',
    'PFMERGE',
    'GET',
  ]);
  return [anyCase(random, name), ...generators[name](random)];
};
