import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import type { Keyspace } from '../../keyspace.ts';
import { SET, type Slot, ZSET } from '../../store/index.ts';
import { SetValue, ZsetValue } from '../../values/index.ts';
import {
  type CommandHandler,
  type CommandHandlers,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from '../command.ts';
import { longOf } from '../lookup.ts';
import { parseScore } from '../strtod.ts';
import { compareScored, type Scored, storeMembers } from './stored.ts';

type Operation = 'union' | 'inter' | 'diff';
type Aggregate = (a: number, b: number) => number;

/** What one of the commands does, and with what it is asked. */
interface AlgebraForm {
  readonly operation: Operation;
  /** Lower-case, for errors. */
  readonly name: string;
  readonly result: 'reply' | 'store' | 'count';
}

interface AlgebraQuery {
  /** Index of the first key, and behind the last. */
  readonly first: number;
  readonly end: number;
  readonly weights: number[];
  aggregate: Aggregate;
  withScores: boolean;
  /** 0: no limit. */
  limit: number;
}

/** One input: a set, whose members all have the score 1, or a sorted set; null for a key that is not there. */
interface Source {
  readonly value: SetValue | ZsetValue | null;
  readonly weight: number;
}

/** Gets a member's byte range, valid during the call, and its score; false ends the walk. */
type Visit = (buffer: Buffer, start: number, end: number, score: number) => boolean;

/** Infinities of both signs add up to 0, as in Redis. */
const sum: Aggregate = (a, b) => noNaN(a + b);
const minimum: Aggregate = (a, b) => (b < a ? b : a);
const maximum: Aggregate = (a, b) => (b > a ? b : a);

function noNaN(score: number): number {
  return Number.isNaN(score) ? 0 : score;
}

/** Checks that all inputs are what they may be; what has expired is gone behind that. */
function checkInputs(keyspace: Keyspace, args: Args, first: number, end: number): boolean {
  for (let i = first; i < end; i++) {
    const slot = keyspace.read(args.buffer, args.start(i), args.end(i));
    const type = slot === 0 ? ZSET : keyspace.store.typeOf(slot);
    if (type !== ZSET && type !== SET) return false;
  }
  return true;
}

/** Reads `WEIGHTS`, whose numbers stand from argument `at` on; the text of an error when one is none. */
function parseWeights(args: Args, at: number, weights: number[]): string | null {
  for (let k = 0; k < weights.length; k++) {
    const weight = parseScore(args, at + k);
    if (weight === null) return 'ERR weight value is not a float';
    weights[k] = weight;
  }
  return null;
}

function parseAggregate(args: Args, i: number): Aggregate | null {
  if (args.equalsIgnoreCase(i, 'SUM')) return sum;
  if (args.equalsIgnoreCase(i, 'MIN')) return minimum;
  return args.equalsIgnoreCase(i, 'MAX') ? maximum : null;
}

/** Reads the options behind the keys into the query; the text of an error when they are wrong. */
function parseOptions(args: Args, query: AlgebraQuery, { operation, result }: AlgebraForm): string | null {
  const isWeighted = operation !== 'diff' && result !== 'count';
  const keys = query.weights.length;
  for (let i = query.end; i < args.count; ) {
    const left = args.count - i;
    if (isWeighted && left >= keys + 1 && args.equalsIgnoreCase(i, 'WEIGHTS')) {
      const error = parseWeights(args, i + 1, query.weights);
      if (error !== null) return error;
      i += keys + 1;
    } else if (isWeighted && left >= 2 && args.equalsIgnoreCase(i, 'AGGREGATE')) {
      const aggregate = parseAggregate(args, i + 1);
      if (aggregate === null) return SYNTAX_ERROR;
      query.aggregate = aggregate;
      i += 2;
    } else if (result === 'reply' && args.equalsIgnoreCase(i, 'WITHSCORES')) {
      query.withScores = true;
      i++;
    } else if (result === 'count' && left >= 2 && args.equalsIgnoreCase(i, 'LIMIT')) {
      const limit = longOf(args, i + 1);
      if (limit === null || limit < 0) return "ERR LIMIT can't be negative";
      query.limit = limit;
      i += 2;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return null;
}

/** Opens the inputs; nothing may be mutated from here on. */
function openSources(keyspace: Keyspace, args: Args, { first, weights }: AlgebraQuery): Source[] {
  return weights.map((weight, k) => {
    const i = first + k;
    const slot = keyspace.find(args.buffer, args.start(i), args.end(i));
    return { value: slot === 0 ? null : openSource(keyspace, slot), weight };
  });
}

function openSource(keyspace: Keyspace, slot: Slot): SetValue | ZsetValue {
  const isSet = keyspace.store.typeOf(slot) === SET;
  return isSet ? SetValue.open(keyspace, slot) : ZsetValue.open(keyspace, slot);
}

function sizeOf({ value }: Source): number {
  return value === null ? 0 : value.size;
}

function visitMembers({ value }: Source, visit: Visit): void {
  if (value instanceof ZsetValue) value.walk(0, false, visit);
  else if (value !== null) {
    let goesOn = true;
    value.forEach((buffer, start, end) => {
      if (goesOn) goesOn = visit(buffer, start, end, 1);
    });
  }
}

function scoreIn({ value }: Source, buffer: Buffer, start: number, end: number): number | undefined {
  if (value === null) return undefined;
  if (value instanceof ZsetValue) return value.scoreOf(buffer, start, end);
  return value.has(buffer, start, end) ? 1 : undefined;
}

function union(sources: readonly Source[], aggregate: Aggregate): Scored[] {
  const scores = new Map<string, number>();
  for (const source of sources) {
    visitMembers(source, (buffer, start, end, score) => {
      const member = buffer.latin1Slice(start, end);
      const weighted = noNaN(source.weight * score);
      const before = scores.get(member);
      scores.set(member, before === undefined ? weighted : aggregate(before, weighted));
      return true;
    });
  }
  return Array.from(scores, ([member, score]) => ({ member, score }));
}

/** Visits the members that are in all sources, with the score they come to. The smallest source is the first. */
function intersect(sources: readonly Source[], aggregate: Aggregate, visit: Visit): void {
  const [smallest, ...others] = sources;
  visitMembers(smallest, (buffer, start, end, score) => {
    let total = noNaN(smallest.weight * score);
    for (const other of others) {
      const found = scoreIn(other, buffer, start, end);
      if (found === undefined) return true;
      total = aggregate(total, found * other.weight);
    }
    return visit(buffer, start, end, total);
  });
}

function inter(sources: readonly Source[], aggregate: Aggregate): Scored[] {
  const members: Scored[] = [];
  intersect(sources, aggregate, (buffer, start, end, score) => {
    members.push({ member: buffer.latin1Slice(start, end), score });
    return true;
  });
  return members;
}

function interCount(sources: readonly Source[], limit: number): number {
  let count = 0;
  intersect(sources, sum, () => ++count !== limit);
  return count;
}

function diff([first, ...others]: readonly Source[]): Scored[] {
  const members: Scored[] = [];
  visitMembers(first, (buffer, start, end, score) => {
    if (others.every((other) => scoreIn(other, buffer, start, end) === undefined)) {
      members.push({ member: buffer.latin1Slice(start, end), score });
    }
    return true;
  });
  return members;
}

function replyMembers(members: readonly Scored[], withScores: boolean, reply: RespWriter): void {
  const nested = withScores && reply.protocol === 3;
  reply.arrayHeader(withScores && !nested ? 2 * members.length : members.length);
  for (const { member, score } of members) {
    if (nested) reply.arrayHeader(2);
    reply.bulkLatin1(member);
    if (withScores) reply.double(score);
  }
}

/** Reads the number of keys at argument `at` and makes the query without its options; the text of an error when it is wrong. */
function parseKeys(args: Args, at: number, name: string): AlgebraQuery | string {
  const keys = longOf(args, at);
  if (keys === null) return NOT_AN_INTEGER;
  if (keys < 1) return `ERR at least 1 input key is needed for '${name}' command`;
  if (keys > args.count - at - 1) return SYNTAX_ERROR;
  return {
    first: at + 1,
    end: at + 1 + keys,
    weights: new Array(keys).fill(1),
    aggregate: sum,
    withScores: false,
    limit: 0,
  };
}

function algebra(form: AlgebraForm): CommandHandler {
  const { operation, name, result } = form;
  const numberAt = result === 'store' ? 2 : 1;
  return ({ keyspace }, args, reply) => {
    const query = parseKeys(args, numberAt, name);
    if (typeof query === 'string') return reply.error(query);
    if (!checkInputs(keyspace, args, query.first, query.end)) return reply.error(WRONG_TYPE);
    const error = parseOptions(args, query, form);
    if (error !== null) return reply.error(error);
    const sources = openSources(keyspace, args, query);
    // Sums of doubles depend on their order: it is Redis's, from the smallest input to the largest.
    if (operation !== 'diff') sources.sort((a, b) => sizeOf(a) - sizeOf(b));
    if (result === 'count') return reply.integer(interCount(sources, query.limit));
    const { aggregate } = query;
    const members =
      operation === 'diff'
        ? diff(sources)
        : operation === 'union'
          ? union(sources, aggregate)
          : inter(sources, aggregate);
    members.sort(compareScored);
    if (result === 'store') storeMembers(keyspace, args, 1, members, name, reply);
    else replyMembers(members, query.withScores, reply);
  };
}

/** Commands that put sets and sorted sets together. */
export const algebraCommands: CommandHandlers = {
  ZUNION: algebra({ operation: 'union', name: 'zunion', result: 'reply' }),
  ZINTER: algebra({ operation: 'inter', name: 'zinter', result: 'reply' }),
  ZDIFF: algebra({ operation: 'diff', name: 'zdiff', result: 'reply' }),
  ZUNIONSTORE: algebra({ operation: 'union', name: 'zunionstore', result: 'store' }),
  ZINTERSTORE: algebra({ operation: 'inter', name: 'zinterstore', result: 'store' }),
  ZDIFFSTORE: algebra({ operation: 'diff', name: 'zdiffstore', result: 'store' }),
  ZINTERCARD: algebra({ operation: 'inter', name: 'zintercard', result: 'count' }),
};
