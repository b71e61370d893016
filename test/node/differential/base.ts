import type { Random } from '../../../lib/base/index.ts';

/* What the generators of random commands draw from. */

export type Command = (string | Buffer)[];

/** Makes one random command. */
export type Generator = (random: Random) => Command;

export const pick = <T>(random: Random, from: readonly T[]): T => from[random.int(from.length)];

export const keys: readonly (string | Buffer)[] = [
  'a',
  'b',
  'c',
  '{tag}x',
  '',
  Buffer.from([0, 255, 13, 10]),
  'long'.repeat(50),
];
/** Seconds of a time to live: seldom the same twice, so that two clocks a millisecond apart never order two of them differently. */
export const seconds = (random: Random) => 10_000 + random.int(1_000_000);
export const far = (random: Random) => String(Date.now() + 1000 * seconds(random));
export const farSeconds = (random: Random) => String(Math.floor(Date.now() / 1000) + seconds(random));

export function value(random: Random): string | Buffer {
  return pick<() => string | Buffer>(random, [
    () => String(random.int(200) - 100),
    () => (random.next() * 1000 - 500).toFixed(random.int(8)),
    () => '',
    () => Buffer.from(Array.from({ length: random.int(40) }, () => random.int(256))),
    () => 'x'.repeat(random.int(9000)),
    () =>
      pick(random, [
        '9223372036854775807',
        '-9223372036854775808',
        '9007199254740993',
        '007',
        '-0',
        '+1',
        ' 1',
        '1e3',
        'inf',
        'nan',
        '0x10 ',
      ]),
  ])();
}

/** Something that may stand where a number is wanted. */
export const number = (random: Random) =>
  pick(random, [
    '0',
    '1',
    '-1',
    '5',
    '100',
    '9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
    '1.5',
    'abc',
    '',
    '01',
    '-0',
    '+3',
  ]);

export const anyCase = (random: Random, word: string) => (random.int(4) === 0 ? word.toLowerCase() : word);

/** Up to `atMost` pieces in a row. */
export const some = (random: Random, from: () => Command, atMost: number): Command =>
  Array.from({ length: random.int(atMost + 1) }, from).flat();
