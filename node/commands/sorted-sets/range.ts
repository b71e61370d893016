import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import type { ZsetValue } from '../../values/index.ts';
import { type CommandHandler, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from '../command.ts';
import { longOf, zero } from '../lookup.ts';
import { openZset, readZset, shrunk, writeZset } from './access.ts';
import {
  type Bounds,
  badBounds,
  parseBounds,
  type RangeKind,
  type RankRange,
  ranksWithin,
} from './bounds.ts';
import { type Scored, storeMembers } from './stored.ts';

const LIMIT_OF_RANKS =
  'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX';
const SCORES_OF_LEX = 'ERR syntax error, WITHSCORES not supported in combination with BYLEX';

/** Which options a command of the family takes, and what it says without one. */
interface RangeForm {
  /** Null: BYSCORE and BYLEX say it. */
  readonly kind: RangeKind | null;
  /** Null: REV says it. */
  readonly reverse: boolean | null;
  readonly stores: boolean;
}

interface RangeQuery {
  kind: RangeKind | null;
  reverse: boolean | null;
  withScores: boolean;
  offset: number;
  /** Negative: no limit. */
  limit: number;
}

/** Reads the options behind the bounds, from argument `first` on; the text of an error when they are wrong. */
function parseQuery(args: Args, first: number, form: RangeForm): RangeQuery | string {
  const { kind, reverse } = form;
  const query: RangeQuery = { kind, reverse, withScores: false, offset: 0, limit: -1 };
  for (let i = first; i < args.count; i++) {
    if (!form.stores && args.equalsIgnoreCase(i, 'WITHSCORES')) {
      query.withScores = true;
    } else if (i + 2 < args.count && args.equalsIgnoreCase(i, 'LIMIT')) {
      const [offset, limit] = [longOf(args, i + 1), longOf(args, i + 2)];
      if (offset === null || limit === null) return NOT_AN_INTEGER;
      query.offset = offset;
      query.limit = limit;
      i += 2;
    } else if (query.reverse === null && args.equalsIgnoreCase(i, 'REV')) query.reverse = true;
    else if (query.kind === null && args.equalsIgnoreCase(i, 'BYLEX')) query.kind = 'lex';
    else if (query.kind === null && args.equalsIgnoreCase(i, 'BYSCORE')) query.kind = 'score';
    else return SYNTAX_ERROR;
  }
  query.kind ??= 'rank';
  query.reverse ??= false;
  if (query.limit !== -1 && query.kind === 'rank') return LIMIT_OF_RANKS;
  if (query.withScores && query.kind === 'lex') return SCORES_OF_LEX;
  return query;
}

/** Cuts the ranks down to what LIMIT leaves of them. */
function limited(range: RankRange, { kind, reverse, offset, limit }: RangeQuery): RankRange {
  if (kind === 'rank') return range;
  if (offset < 0) return { first: 0, end: 0 };
  const count = Math.max(0, range.end - range.first - offset);
  const kept = limit < 0 ? count : Math.min(count, limit);
  const first = reverse ? range.end - offset - kept : range.first + offset;
  return { first, end: first + kept };
}

function replyRange(
  zset: ZsetValue,
  { first, end }: RankRange,
  { reverse, withScores }: RangeQuery,
  reply: RespWriter,
): void {
  const nested = withScores && reply.protocol === 3;
  let left = end - first;
  reply.arrayHeader(withScores && !nested ? 2 * left : left);
  if (left === 0) return;
  const visit = (buffer: Buffer, start: number, stop: number, score: number) => {
    if (nested) reply.arrayHeader(2);
    reply.bulk(buffer, start, stop);
    if (withScores) reply.double(score);
    return --left > 0;
  };
  zset.walk(reverse ? end - 1 : first, reverse === true, visit, withScores);
}

function membersOf(zset: ZsetValue, { first, end }: RankRange): Scored[] {
  const members: Scored[] = [];
  let left = end - first;
  if (left === 0) return members;
  zset.walk(first, false, (buffer, start, stop, score) => {
    members.push({ member: buffer.latin1Slice(start, stop), score });
    return --left > 0;
  });
  return members;
}

/** Ranks as bounds allow, never a negative number of them. */
function rangeOf(zset: ZsetValue, bounds: Bounds, query: RangeQuery): RankRange {
  const range = ranksWithin(zset, bounds, query.reverse === true);
  return range.end <= range.first ? { first: 0, end: 0 } : limited(range, query);
}

function range(form: RangeForm): CommandHandler {
  const sourceAt = form.stores ? 2 : 1;
  return ({ keyspace }, args, reply) => {
    const query = parseQuery(args, sourceAt + 3, form);
    if (typeof query === 'string') return reply.error(query);
    // A reversed range is given from its upper end.
    const swaps = query.reverse && query.kind !== 'rank' ? 1 : 0;
    const kind = query.kind!;
    const bounds = parseBounds(kind, args, sourceAt + 1 + swaps, sourceAt + 2 - swaps);
    if (bounds === null) return reply.error(badBounds[kind]);
    const slot = keyspace.read(args.buffer, args.start(sourceAt), args.end(sourceAt));
    const zset = slot === 0 ? null : openZset(keyspace, slot, reply);
    if (slot !== 0 && zset === null) return;
    if (form.stores) {
      const members = zset === null ? [] : membersOf(zset, rangeOf(zset, bounds, query));
      return storeMembers(keyspace, args, 1, members, 'zrangestore', reply);
    }
    if (zset === null) return reply.arrayHeader(0);
    replyRange(zset, rangeOf(zset, bounds, query), query, reply);
  };
}

function count(kind: RangeKind): CommandHandler {
  return (context, args, reply) => {
    const bounds = parseBounds(kind, args, 2, 3);
    if (bounds === null) return reply.error(badBounds[kind]);
    const zset = readZset(context, args, reply, zero);
    if (zset === null) return;
    const { first, end } = ranksWithin(zset, bounds, false);
    reply.integer(Math.max(0, end - first));
  };
}

function removeRange(kind: RangeKind, event: string): CommandHandler {
  return (context, args, reply) => {
    const bounds = parseBounds(kind, args, 2, 3);
    if (bounds === null) return reply.error(badBounds[kind]);
    const zset = writeZset(context, args, reply, zero);
    if (zset === null) return;
    const { first, end } = ranksWithin(zset, bounds, false);
    if (end <= first) return reply.integer(0);
    zset.remove(first, end - first);
    shrunk(context.keyspace, zset, event, args, 1);
    reply.integer(end - first);
  };
}

/** Commands on ranges of ranks, scores or members. */
export const rangeCommands: CommandHandlers = {
  ZRANGE: range({ kind: null, reverse: null, stores: false }),
  ZRANGESTORE: range({ kind: null, reverse: null, stores: true }),
  ZREVRANGE: range({ kind: 'rank', reverse: true, stores: false }),
  ZRANGEBYSCORE: range({ kind: 'score', reverse: false, stores: false }),
  ZREVRANGEBYSCORE: range({ kind: 'score', reverse: true, stores: false }),
  ZRANGEBYLEX: range({ kind: 'lex', reverse: false, stores: false }),
  ZREVRANGEBYLEX: range({ kind: 'lex', reverse: true, stores: false }),
  ZCOUNT: count('score'),
  ZLEXCOUNT: count('lex'),
  ZREMRANGEBYRANK: removeRange('rank', 'zremrangebyrank'),
  ZREMRANGEBYSCORE: removeRange('score', 'zremrangebyscore'),
  ZREMRANGEBYLEX: removeRange('lex', 'zremrangebylex'),
};
