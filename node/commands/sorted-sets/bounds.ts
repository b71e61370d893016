import type { Args } from '../../../lib/codec/resp/index.ts';
import type { ZsetValue } from '../../values/index.ts';
import { longOf } from '../lookup.ts';
import { parseBound } from '../strtod.ts';

const OPEN = 0x28;
const CLOSED = 0x5b;
const PLUS = 0x2b;
const MINUS = 0x2d;

/** Ranks `first` to below `end`. */
export interface RankRange {
  first: number;
  end: number;
}

/** What a range is made of. */
export type RangeKind = 'rank' | 'score' | 'lex';

/** The two ends of a range as they were given, read but not yet looked up. */
export type Bounds =
  | { readonly kind: 'rank'; readonly from: number; readonly to: number }
  | { readonly kind: 'score'; readonly min: ScoreEnd; readonly max: ScoreEnd }
  | { readonly kind: 'lex'; readonly args: Args; readonly min: LexEnd; readonly max: LexEnd };

interface ScoreEnd {
  readonly score: number;
  readonly isOpen: boolean;
}

/** Before all members, behind all, or at the bytes of the argument, without its first one. */
interface LexEnd {
  readonly at: 'start' | 'end' | number;
  readonly isOpen: boolean;
}

/** Texts of the errors of bounds that cannot be read. */
export const badBounds: Readonly<Record<RangeKind, string>> = Object.freeze({
  rank: 'ERR value is not an integer or out of range',
  score: 'ERR min or max is not a float',
  lex: 'ERR min or max not valid string range item',
});

/** Reads the bounds at two arguments; null when they are none. */
export function parseBounds(kind: RangeKind, args: Args, minAt: number, maxAt: number): Bounds | null {
  if (kind === 'rank') {
    const from = longOf(args, minAt);
    const to = longOf(args, maxAt);
    return from === null || to === null ? null : { kind, from, to };
  }
  if (kind === 'score') {
    const [min, max] = [scoreEnd(args, minAt), scoreEnd(args, maxAt)];
    return min === null || max === null ? null : { kind, min, max };
  }
  const [min, max] = [lexEnd(args, minAt), lexEnd(args, maxAt)];
  return min === null || max === null ? null : { kind, args, min, max };
}

function scoreEnd(args: Args, i: number): ScoreEnd | null {
  const { buffer } = args;
  const isOpen = args.length(i) > 0 && buffer[args.start(i)] === OPEN;
  const score = parseBound(buffer, args.start(i) + (isOpen ? 1 : 0), args.end(i));
  return score === null ? null : { score, isOpen };
}

function lexEnd(args: Args, i: number): LexEnd | null {
  if (args.length(i) === 0) return null;
  const start = args.start(i);
  const sign = args.buffer[start];
  if (sign === OPEN || sign === CLOSED) return { at: i, isOpen: sign === OPEN };
  // Redis looks at these as at a text that ends at a zero byte.
  const isAlone = args.length(i) === 1 || args.buffer[start + 1] === 0;
  if (!isAlone || (sign !== PLUS && sign !== MINUS)) return null;
  return { at: sign === PLUS ? 'end' : 'start', isOpen: true };
}

/** The ranks that lie within the bounds; none when `end <= first`. With `reverse`, ranks as bounds count from the highest score. */
export function ranksWithin(zset: ZsetValue, bounds: Bounds, reverse: boolean): RankRange {
  if (bounds.kind === 'rank') return ranksOfIndexes(zset.size, bounds.from, bounds.to, reverse);
  if (bounds.kind === 'score') {
    const { min, max } = bounds;
    return {
      first: zset.countBelow(min.score, min.isOpen),
      end: zset.countBelow(max.score, !max.isOpen),
    };
  }
  const { args, min, max } = bounds;
  return { first: countBefore(zset, args, min, min.isOpen), end: countBefore(zset, args, max, !max.isOpen) };
}

function ranksOfIndexes(size: number, from: number, to: number, reverse: boolean): RankRange {
  const first = Math.max(0, from < 0 ? size + from : from);
  const end = Math.min(size, (to < 0 ? size + to : to) + 1);
  if (first >= end) return { first: 0, end: 0 };
  return reverse ? { first: size - end, end: size - first } : { first, end };
}

function countBefore(zset: ZsetValue, args: Args, { at }: LexEnd, inclusive: boolean): number {
  if (at === 'start') return 0;
  if (at === 'end') return zset.size;
  return zset.countBefore(args.buffer, args.start(at) + 1, args.end(at), inclusive);
}
