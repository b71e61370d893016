import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { type AnsweredPart, countOf } from './gather.ts';

/** One input: members, by their bytes as latin1 text, and their scores. */
export interface ScoredInput {
  readonly scores: ReadonlyMap<string, number>;
  readonly weight: number;
}

/** A member of the result. */
export interface Scored {
  readonly member: string;
  readonly score: number;
}

/** Makes one score of two. */
export type Aggregate = (a: number, b: number) => number;

/** As Redis names them. Infinities of both signs add up to 0. */
export const aggregates: Readonly<Record<string, Aggregate>> = {
  SUM: (a, b) => noNaN(a + b),
  MIN: (a, b) => (b < a ? b : a),
  MAX: (a, b) => (b > a ? b : a),
};

function noNaN(score: number): number {
  return Number.isNaN(score) ? 0 : score;
}

/** The members and scores of a reply that has them in turn. */
export function scoresOf(part: AnsweredPart): Map<string, number> {
  const { bytes, start } = part.reply;
  const scores = new Map<string, number>();
  const count = countOf(part);
  let at = replyLineEnd(bytes, start);
  const next = () => {
    const from = replyLineEnd(bytes, at);
    const to = from + replyNumber(bytes, at);
    at = to + 2;
    return bytes.latin1Slice(from, to);
  };
  for (let i = 0; i < count; i += 2) {
    const member = next();
    scores.set(member, parseScore(next()));
  }
  return scores;
}

/** A score as Redis prints it. */
function parseScore(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  return text === '-inf' ? Number.NEGATIVE_INFINITY : Number(text);
}

/** From the smallest to the largest: sums of doubles depend on their order, and this is Redis's. */
function bySize(inputs: readonly ScoredInput[]): ScoredInput[] {
  return inputs.toSorted((a, b) => a.scores.size - b.scores.size);
}

/** The members that any input has, in the order of a sorted set. */
export function uniteScored(inputs: readonly ScoredInput[], aggregate: Aggregate): Scored[] {
  const found = new Map<string, number>();
  for (const { scores, weight } of bySize(inputs)) {
    for (const [member, score] of scores) {
      const weighted = noNaN(weight * score);
      const before = found.get(member);
      found.set(member, before === undefined ? weighted : aggregate(before, weighted));
    }
  }
  return inOrder(found);
}

/** The members that all inputs have, in the order of a sorted set. */
export function intersectScored(inputs: readonly ScoredInput[], aggregate: Aggregate): Scored[] {
  const [smallest, ...others] = bySize(inputs);
  const found = new Map<string, number>();
  for (const [member, score] of smallest.scores) {
    let total: number | undefined = noNaN(smallest.weight * score);
    for (const { scores, weight } of others) {
      const other = scores.get(member);
      total = other === undefined || total === undefined ? undefined : aggregate(total, other * weight);
    }
    if (total !== undefined) found.set(member, total);
  }
  return inOrder(found);
}

/** The members of the first input that no other has, with their scores, in the order of a sorted set. */
export function subtractScored([first, ...others]: readonly ScoredInput[]): Scored[] {
  const left = new Map(first.scores);
  for (const { scores } of others) for (const member of scores.keys()) left.delete(member);
  return inOrder(left);
}

function inOrder(scores: ReadonlyMap<string, number>): Scored[] {
  return Array.from(scores, ([member, score]) => ({ member, score })).sort(compare);
}

function compare(a: Scored, b: Scored): number {
  if (a.score !== b.score) return a.score < b.score ? -1 : 1;
  return a.member < b.member ? -1 : a.member > b.member ? 1 : 0;
}
