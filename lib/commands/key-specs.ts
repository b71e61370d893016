import type { KeyPattern } from './spec.ts';

/** Where a command's keys begin: at an argument, or behind a keyword that is looked for from an argument on. */
export type KeyStart =
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'keyword'; readonly keyword: string; readonly from: number }
  | { readonly type: 'unknown' };

/**
 * Which arguments from there on are keys: up to `last` (counted from the first, or negative from the end), every `step`-th; or as many as
 * the argument there says, behind it.
 */
export type KeyFind =
  | { readonly type: 'range'; readonly last: number; readonly step: number }
  | { readonly type: 'keynum' }
  | { readonly type: 'unknown' };

/** One rule of where keys are, in Redis's terms. */
export interface KeySearch {
  readonly start: KeyStart;
  readonly find: KeyFind;
}

/** A rule and what the command does to the keys it finds. */
export interface KeySpec extends KeySearch {
  readonly flags: readonly string[];
}

/** A pattern's rules, and the older way to say it: first key, last key and step, as far as that can. */
interface Pattern {
  readonly range: readonly [first: number, last: number, step: number];
  readonly searches: readonly KeySearch[];
}

const UNKNOWN: KeySearch = { start: { type: 'unknown' }, find: { type: 'unknown' } };

function range(index: number, last = 0, step = 1): KeySearch {
  return { start: { type: 'index', index }, find: { type: 'range', last, step } };
}

function counted(index: number): KeySearch {
  return { start: { type: 'index', index }, find: { type: 'keynum' } };
}

function behind(keyword: string, from: number): KeySearch {
  return { start: { type: 'keyword', keyword, from }, find: { type: 'range', last: 0, step: 1 } };
}

/** What every pattern means. Rules after the first get their flags from what follows the bars in a row's `keyFlags`. */
export const keyPatterns: Readonly<Record<KeyPattern, Pattern>> = {
  none: { range: [0, 0, 0], searches: [] },
  first: { range: [1, 1, 1], searches: [range(1)] },
  second: { range: [2, 2, 1], searches: [range(2)] },
  two: { range: [1, 2, 1], searches: [range(1), range(2)] },
  pair: { range: [1, 2, 1], searches: [range(1, 1)] },
  all: { range: [1, -1, 1], searches: [range(1, -1)] },
  'all-but-last': { range: [1, -2, 1], searches: [range(1, -2)] },
  pairs: { range: [1, -1, 2], searches: [range(1, -1, 2)] },
  'target-and-all': { range: [1, -1, 1], searches: [range(1), range(2, -1)] },
  'second-and-all': { range: [2, -1, 1], searches: [range(2), range(3, -1)] },
  counted: { range: [0, 0, 0], searches: [counted(1)] },
  'counted-second': { range: [0, 0, 0], searches: [counted(2)] },
  'target-and-counted': { range: [1, 1, 1], searches: [range(1), counted(2)] },
  migrate: {
    range: [3, 3, 1],
    searches: [
      range(3),
      { start: { type: 'keyword', keyword: 'KEYS', from: -2 }, find: { type: 'range', last: -1, step: 1 } },
    ],
  },
  sort: { range: [1, 1, 1], searches: [range(1), UNKNOWN, UNKNOWN] },
  'sort-ro': { range: [1, 1, 1], searches: [range(1), UNKNOWN] },
  'radius-store': {
    range: [1, 1, 1],
    searches: [range(1), behind('STORE', 6), behind('STOREDIST', 6)],
  },
  'radius-member-store': {
    range: [1, 1, 1],
    searches: [range(1), behind('STORE', 5), behind('STOREDIST', 5)],
  },
};
