import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { ZSET } from '../../store/index.ts';
import { ZsetValue } from '../../values/index.ts';
import { block, mayBlock, parseTimeout, type Serve } from '../blocking.ts';
import { type CommandContext, type CommandHandler, type CommandHandlers, SYNTAX_ERROR } from '../command.ts';
import { emptyArray, longOf } from '../lookup.ts';
import { openZset, shrunk, writeZset } from './access.ts';

const NOT_POSITIVE = 'ERR value is out of range, must be positive';

/** How a popping command names the members: from which end, how many, and in which form. */
interface Popping {
  readonly fromHighest: boolean;
  readonly count: number;
  /** The reply leads with the key. */
  readonly withKey: boolean;
  /** Member and score are an array of their own. */
  readonly nested: boolean;
}

/** Takes members out of the sorted set at argument `keyAt` and replies with them; returns how many. */
function pop(
  { keyspace }: CommandContext,
  args: Args,
  keyAt: number,
  zset: ZsetValue,
  { fromHighest, count, withKey, nested }: Popping,
  reply: RespWriter,
): number {
  const popped = Math.min(count, zset.size);
  if (withKey) {
    reply.arrayHeader(nested ? 2 : 2 * popped + 1);
    reply.bulk(args.buffer, args.start(keyAt), args.end(keyAt));
    if (nested) reply.arrayHeader(popped);
  } else {
    reply.arrayHeader(nested ? popped : 2 * popped);
  }
  let left = popped;
  zset.walk(fromHighest ? zset.size - 1 : 0, fromHighest, (buffer, start, end, score) => {
    if (nested) reply.arrayHeader(2);
    reply.bulk(buffer, start, end);
    reply.double(score);
    return --left > 0;
  });
  zset.remove(fromHighest ? zset.size - popped : 0, popped);
  shrunk(keyspace, zset, fromHighest ? 'zpopmax' : 'zpopmin', args, keyAt);
  return popped;
}

/** As `pop`, for a command that found its key among several: says in the stream what it came to. */
function popLogged(
  context: CommandContext,
  args: Args,
  keyAt: number,
  zset: ZsetValue,
  popping: Popping,
  reply: RespWriter,
): void {
  const popped = pop(context, args, keyAt, zset, popping, reply);
  const name = popping.fromHighest ? 'ZPOPMAX' : 'ZPOPMIN';
  context.keyspace.logCommand([name, args.bytes(keyAt), String(popped)]);
}

/**
 * Pops from the first of the keys at arguments `first` to `last` that exists. True when the reply is written, with members or with an
 * error; false when there is no such key.
 */
function popFirst(
  context: CommandContext,
  args: Args,
  first: number,
  last: number,
  popping: Popping,
  reply: RespWriter,
): boolean {
  const { keyspace } = context;
  for (let i = first; i <= last; i++) {
    const slot = keyspace.write(args.buffer, args.start(i), args.end(i));
    if (slot === 0) continue;
    const zset = openZset(keyspace, slot, reply);
    if (zset !== null) popLogged(context, args, i, zset, popping, reply);
    return true;
  }
  return false;
}

function popOne(fromHighest: boolean): CommandHandler {
  return (context, args, reply) => {
    if (args.count > 3) return reply.error(SYNTAX_ERROR);
    const count = args.count === 3 ? longOf(args, 2) : 1;
    if (count === null || count < 0) return reply.error(NOT_POSITIVE);
    const zset = writeZset(context, args, reply, emptyArray);
    if (zset === null) return;
    if (count === 0) return reply.arrayHeader(0);
    const nested = args.count === 3 && reply.protocol === 3;
    pop(context, args, 1, zset, { fromHighest, count, withKey: false, nested }, reply);
  };
}

function popOneBlocking(fromHighest: boolean): CommandHandler {
  const popping: Popping = { fromHighest, count: 1, withKey: true, nested: false };
  return (context, args, reply) => {
    const last = args.count - 2;
    const timeoutMs = parseTimeout(args, args.count - 1);
    if (typeof timeoutMs === 'string') return reply.error(timeoutMs);
    if (popFirst(context, args, 1, last, popping, reply)) return;
    if (!mayBlock(context)) return reply.nullArray();
    block(context, args, 1, last, timeoutMs, serveWith(popping));
  };
}

/** How a client that waits is served: its key must hold a sorted set by then. */
function serveWith(popping: Popping): Serve {
  return (context, args, i, reply) => {
    const { keyspace } = context;
    const slot = keyspace.write(args.buffer, args.start(i), args.end(i));
    if (slot === 0 || keyspace.store.typeOf(slot) !== ZSET) return false;
    popLogged(context, args, i, ZsetValue.open(keyspace, slot), popping, reply);
    return true;
  };
}

/** What ZMPOP and BZMPOP were asked: the keys and the way to pop. */
interface ManyKeys {
  readonly first: number;
  readonly last: number;
  readonly popping: Popping;
}

/** Reads `numkeys key [key ...] MIN|MAX [COUNT count]` from argument `at` on; the text of an error when it is none. */
function parseManyKeys(args: Args, at: number): ManyKeys | string {
  const keys = longOf(args, at);
  if (keys === null || keys < 1) return 'ERR numkeys should be greater than 0';
  const where = at + keys + 1;
  if (where >= args.count) return SYNTAX_ERROR;
  const fromHighest = args.equalsIgnoreCase(where, 'MAX');
  if (!fromHighest && !args.equalsIgnoreCase(where, 'MIN')) return SYNTAX_ERROR;
  let count: number | null = null;
  for (let i = where + 1; i < args.count; i += 2) {
    if (count !== null || i + 1 >= args.count || !args.equalsIgnoreCase(i, 'COUNT')) return SYNTAX_ERROR;
    count = longOf(args, i + 1);
    if (count === null || count < 1) return 'ERR count should be greater than 0';
  }
  const popping = { fromHighest, count: count ?? 1, withKey: true, nested: true };
  return { first: at + 1, last: where - 1, popping };
}

const popMany: CommandHandler = (context, args, reply) => {
  const asked = parseManyKeys(args, 1);
  if (typeof asked === 'string') return reply.error(asked);
  if (!popFirst(context, args, asked.first, asked.last, asked.popping, reply)) reply.nullArray();
};

const popManyBlocking: CommandHandler = (context, args, reply) => {
  const asked = parseManyKeys(args, 2);
  if (typeof asked === 'string') return reply.error(asked);
  const { first, last, popping } = asked;
  const timeoutMs = parseTimeout(args, 1);
  if (typeof timeoutMs === 'string') return reply.error(timeoutMs);
  if (popFirst(context, args, first, last, popping, reply)) return;
  if (!mayBlock(context)) return reply.nullArray();
  block(context, args, first, last, timeoutMs, serveWith(popping));
};

/** Commands that take out the members with the lowest or highest scores. */
export const popCommands: CommandHandlers = {
  ZPOPMIN: popOne(false),
  ZPOPMAX: popOne(true),
  BZPOPMIN: popOneBlocking(false),
  BZPOPMAX: popOneBlocking(true),
  ZMPOP: popMany,
  BZMPOP: popManyBlocking,
};
