import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import type { Copy } from '../cache/index.ts';
import {
  type CommandContext,
  type CommandHandlers,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  subcommandSyntax,
} from './command.ts';

/** A copy lives for an hour at most. */
const MAX_COPY_MS = 3_600_000;
const VERSION = /^\d{1,20}$/;
const U32 = 2 ** 32;
const NO_KEY = -2;

/** RS.COPY GET key | SET key version milliseconds flags ttl soft-ttl value | DEL key */
function copy(context: CommandContext, args: Args, reply: RespWriter) {
  if (args.equalsIgnoreCase(1, 'GET') && args.count === 3) getCopy(context, args, reply);
  else if (args.equalsIgnoreCase(1, 'SET') && args.count === 9) setCopy(context, args, reply);
  else if (args.equalsIgnoreCase(1, 'DEL') && args.count === 3)
    reply.integer(Number(context.databases.copies.remove(args.latin1(2))));
  else reply.error(subcommandSyntax(args));
}

/** As `RS.GET … TAIL`. */
function getCopy({ databases, node }: CommandContext, args: Args, reply: RespWriter) {
  const nowMs = node.clock.monotonicMs();
  const found = databases.copies.find(args.latin1(2), nowMs);
  reply.arrayHeader(8);
  reply.bulkLatin1(String(found?.version ?? 0n));
  reply.integer(found?.clientFlags ?? 0);
  reply.integer(found === undefined ? NO_KEY : leftOf(found, found.ttlMs, nowMs));
  const softTtlMs = found === undefined ? NO_KEY : leftOf(found, found.softTtlMs, nowMs);
  reply.integer(softTtlMs);
  reply.bulkLatin1(found === undefined ? 'miss' : softTtlMs === 0 ? 'stale' : 'hit');
  reply.nullBulk();
  reply.integer(0);
  if (found === undefined) reply.nullBulk();
  else reply.bulk(found.value);
}

function leftOf({ madeMs }: Copy, ttlMs: number, nowMs: number): number {
  return ttlMs < 0 ? -1 : Math.max(0, Math.floor(ttlMs - (nowMs - madeMs)));
}

/** 1: it is kept. 0: it is not, since it is too large, or a newer one is here. */
function setCopy({ databases, node }: CommandContext, args: Args, reply: RespWriter) {
  const version = args.latin1(3);
  const copyMs = args.integer(4);
  const clientFlags = args.integer(5);
  const ttlMs = args.integer(6);
  const softTtlMs = args.integer(7);
  if (copyMs === null || clientFlags === null || ttlMs === null || softTtlMs === null)
    return reply.error(NOT_AN_INTEGER);
  if (!VERSION.test(version) || clientFlags < 0 || clientFlags >= U32) return reply.error(SYNTAX_ERROR);
  if (copyMs < 1 || copyMs > MAX_COPY_MS) return reply.error(`ERR a copy lives 1 to ${MAX_COPY_MS} ms`);
  const madeMs = node.clock.monotonicMs();
  const endsMs = madeMs + (ttlMs < 0 ? copyMs : Math.min(copyMs, ttlMs));
  const made = {
    ...{ clientFlags, ttlMs, softTtlMs, madeMs, endsMs },
    version: BigInt(version),
    value: args.copy(8),
  };
  reply.integer(Number(databases.copies.store(args.latin1(2), made, madeMs)));
}

/** Copies of values that other shards own. */
export const copyCommands: CommandHandlers = { 'RS.COPY': copy };
