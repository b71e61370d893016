import {
  countOfRegisters,
  isHyperLogLog,
  mergeRegisters,
  REGISTERS,
} from '../../lib/codec/hyperloglog/index.ts';
import { encodeCommand, type RequestParser, replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { plainError } from '../core/frames.ts';
import type { AnsweredPart } from '../core/gather.ts';
import type { Router } from '../core/router.ts';
import { intersect, setReply, subtract, unite } from '../core/set-algebra.ts';
import type { ShardRoute } from '../core/topology.ts';
import {
  type Aggregate,
  aggregates,
  intersectScored,
  type Scored,
  type ScoredInput,
  scoresOf,
  subtractScored,
  uniteScored,
} from '../core/zset-algebra.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { type Gathering, type GatherPart, gathered, type Prepare } from './gathered.ts';

const SYNTAX_ERROR = 'ERR syntax error';

/** The keys of each shard, in the order of the command, the shard of the first key first. */
function byShard(router: Router, args: RequestParser, keys: readonly number[]): Map<ShardRoute, Buffer[]> {
  const found = new Map<ShardRoute, Buffer[]>();
  for (const i of keys) {
    const route = router.routeOf(args.buffer, args.start(i), args.end(i));
    const others = found.get(route);
    if (others === undefined) found.set(route, [args.bytes(i)]);
    else others.push(args.bytes(i));
  }
  return found;
}

/** One request for each shard: `first` of the keys of the first shard, `rest` of the keys of each other. */
function perShard(
  router: Router,
  args: RequestParser,
  keys: readonly number[],
  first: string,
  rest = first,
): GatherPart[] {
  return Array.from(byShard(router, args, keys), ([route, own], i) => ({
    route,
    frame: encodeCommand(i === 0 ? first : rest, ...own),
  }));
}

/** One request for each key. */
function perKey(
  router: Router,
  args: RequestParser,
  keys: readonly number[],
  ask: (key: Buffer) => Buffer,
): GatherPart[] {
  return keys.map((i) => ({
    route: router.routeOf(args.buffer, args.start(i), args.end(i)),
    frame: ask(args.bytes(i)),
  }));
}

function setOperation(first: string, rest: string, combine: typeof unite): Prepare {
  return (router, args, keys) => ({
    parts: perShard(router, args, keys, first, rest),
    merge: (parts, { protocol }) => setReply(combine(parts), protocol),
  });
}

/** LIMIT behind the keys of SINTERCARD and ZINTERCARD, 0: none; or the text of an error. */
function parseLimit(args: RequestParser, at: number): number | string {
  let limit = 0;
  for (let i = at; i < args.count; i += 2) {
    if (i + 1 === args.count || !args.equalsIgnoreCase(i, 'LIMIT')) return SYNTAX_ERROR;
    limit = args.integer(i + 1) ?? -1;
    if (limit < 0) return "ERR LIMIT can't be negative";
  }
  return limit;
}

function countReply(count: number | bigint): Buffer {
  return Buffer.from(`:${count}\r\n`);
}

function limited(count: number, limit: number): Buffer {
  return countReply(limit === 0 ? count : Math.min(count, limit));
}

const intersectionSize: Prepare = (router, args, keys) => {
  const limit = parseLimit(args, keys[keys.length - 1] + 1);
  if (typeof limit === 'string') return limit;
  return {
    parts: perShard(router, args, keys, 'SINTER'),
    merge: (parts) => limited(intersect(parts).size, limit),
  };
};

/** What stands behind the keys of ZUNION and ZINTER. */
interface ScoreOptions {
  readonly weights: number[];
  aggregate: Aggregate;
  withScores: boolean;
}

/** The text of an error, or null. */
function parseWeights(args: RequestParser, at: number, weights: number[]): string | null {
  for (let k = 0; k < weights.length; k++) {
    const weight = args.number(at + k);
    if (weight === null) return 'ERR weight value is not a float';
    weights[k] = weight;
  }
  return null;
}

/** Reads the options from argument `at` on; the text of an error when they are wrong. */
function parseScoreOptions(
  args: RequestParser,
  at: number,
  keyCount: number,
  isWeighted: boolean,
): ScoreOptions | string {
  const options: ScoreOptions = {
    weights: new Array(keyCount).fill(1),
    aggregate: aggregates.SUM,
    withScores: false,
  };
  for (let i = at; i < args.count; ) {
    const left = args.count - i;
    if (isWeighted && left > keyCount && args.equalsIgnoreCase(i, 'WEIGHTS')) {
      const problem = parseWeights(args, i + 1, options.weights);
      if (problem !== null) return problem;
      i += keyCount + 1;
    } else if (isWeighted && left >= 2 && args.equalsIgnoreCase(i, 'AGGREGATE')) {
      const aggregate = aggregates[args.upper(i + 1)];
      if (aggregate === undefined) return SYNTAX_ERROR;
      options.aggregate = aggregate;
      i += 2;
    } else if (args.equalsIgnoreCase(i, 'WITHSCORES')) {
      options.withScores = true;
      i++;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options;
}

/** The whole of a set or sorted set, with scores. */
function scoresFrame(key: Buffer): Buffer {
  return encodeCommand('ZUNION', 1, key, 'WITHSCORES');
}

function scoredOperation(
  isWeighted: boolean,
  combine: (inputs: readonly ScoredInput[], aggregate: Aggregate) => Scored[],
): Prepare {
  return (router, args, keys): Gathering | string => {
    const options = parseScoreOptions(args, keys[keys.length - 1] + 1, keys.length, isWeighted);
    if (typeof options === 'string') return options;
    const { weights, aggregate, withScores } = options;
    return {
      parts: perKey(router, args, keys, scoresFrame),
      merge(parts, connection) {
        const inputs = parts.map((part, i) => ({ scores: scoresOf(part), weight: weights[i] }));
        return scoredReply(combine(inputs, aggregate), withScores, connection);
      },
    };
  };
}

function scoredReply(members: readonly Scored[], withScores: boolean, { writer }: RespConnection): Buffer {
  const isNested = withScores && writer.protocol === 3;
  writer.arrayHeader(withScores && !isNested ? 2 * members.length : members.length);
  for (const { member, score } of members) {
    if (isNested) writer.arrayHeader(2);
    writer.bulkLatin1(member);
    if (withScores) writer.double(score);
  }
  return writer.take();
}

const scoredIntersectionSize: Prepare = (router, args, keys) => {
  const limit = parseLimit(args, keys[keys.length - 1] + 1);
  if (typeof limit === 'string') return limit;
  return {
    parts: perKey(router, args, keys, scoresFrame),
    merge(parts) {
      const inputs = parts.map((part) => ({ scores: scoresOf(part), weight: 1 }));
      return limited(intersectScored(inputs, aggregates.SUM).length, limit);
    },
  };
};

const BULK = 0x24;
const NOT_A_HYPERLOGLOG = 'WRONGTYPE Key is not a valid HyperLogLog string value.';
const CORRUPTED = 'INVALIDOBJ Corrupted HLL object detected';

/** PFCOUNT: the registers of all keys, merged. */
const countDistinct: Prepare = (router, args, keys) => ({
  parts: perKey(router, args, keys, (key) => encodeCommand('GET', key)),
  merge: mergeHyperLogLogs,
});

function mergeHyperLogLogs(parts: readonly AnsweredPart[]): Buffer {
  const values = new Uint8Array(REGISTERS);
  for (const { reply, route } of parts) {
    if (reply.bytes[reply.start] !== BULK) throw new Error(`shard ${route.name} answered GET with no string`);
    const length = replyNumber(reply.bytes, reply.start);
    if (length < 0) continue;
    const start = replyLineEnd(reply.bytes, reply.start);
    if (!isHyperLogLog(reply.bytes, start, start + length)) return plainError(NOT_A_HYPERLOGLOG);
    if (!mergeRegisters(reply.bytes, start, start + length, values)) return plainError(CORRUPTED);
  }
  return countReply(countOfRegisters(values));
}

/** Reads of several keys that are put together here, by upper-case name. */
export const gatherHandlers: Readonly<Record<string, Handler>> = {
  SINTER: gathered('SINTER', setOperation('SINTER', 'SINTER', intersect)),
  SUNION: gathered('SUNION', setOperation('SUNION', 'SUNION', unite)),
  SDIFF: gathered('SDIFF', setOperation('SDIFF', 'SUNION', subtract)),
  SINTERCARD: gathered('SINTERCARD', intersectionSize),
  ZUNION: gathered('ZUNION', scoredOperation(true, uniteScored)),
  ZINTER: gathered('ZINTER', scoredOperation(true, intersectScored)),
  ZDIFF: gathered('ZDIFF', scoredOperation(false, subtractScored)),
  ZINTERCARD: gathered('ZINTERCARD', scoredIntersectionSize),
  PFCOUNT: gathered('PFCOUNT', countDistinct),
};
