import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { LIST } from '../../store/index.ts';
import { ListValue } from '../../values/index.ts';
import { block, mayBlock, parseTimeout, type Serve } from '../blocking.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR, WRONG_TYPE } from '../command.ts';
import { longOf } from '../lookup.ts';
import { popElements } from './elements.ts';
import { parseEnd } from './transfers.ts';

/** A pop from the first of several lists that has something. */
interface Pop {
  readonly firstKey: number;
  readonly lastKey: number;
  readonly atHead: boolean;
  /** The most elements to take; null for one that is answered by itself, not in an array. */
  readonly count: number | null;
}

/** Takes elements of the list in argument `i`, which is there. */
function popFrom(
  context: CommandContext,
  args: Args,
  i: number,
  list: ListValue,
  pop: Pop,
  reply: RespWriter,
) {
  const { keyspace } = context;
  const { atHead, count } = pop;
  const taken = count === null ? 1 : Math.min(count, list.size);
  reply.arrayHeader(2);
  reply.bulk(args.buffer, args.start(i), args.end(i));
  if (count !== null) reply.arrayHeader(taken);
  popElements(keyspace, list, args, i, atHead, taken, reply);
  const name = atHead ? 'LPOP' : 'RPOP';
  keyspace.logCommand([name, args.bytes(i), ...(count === null ? [] : [String(taken)])]);
}

/** Takes from the first list that has something, and answers so or with an error; false when none has, with no answer. */
function popFirst(context: CommandContext, args: Args, pop: Pop, reply: RespWriter): boolean {
  const { keyspace } = context;
  for (let i = pop.firstKey; i <= pop.lastKey; i++) {
    const slot = keyspace.write(args.buffer, args.start(i), args.end(i));
    if (slot === 0) continue;
    if (keyspace.store.typeOf(slot) !== LIST) reply.error(WRONG_TYPE);
    else popFrom(context, args, i, ListValue.open(keyspace, slot), pop, reply);
    return true;
  }
  return false;
}

function popOrWait(context: CommandContext, args: Args, timeoutAt: number, pop: Pop, reply: RespWriter) {
  const timeoutMs = parseTimeout(args, timeoutAt);
  if (typeof timeoutMs === 'string') return reply.error(timeoutMs);
  if (popFirst(context, args, pop, reply)) return;
  if (!mayBlock(context)) return reply.nullArray();
  block(context, args, pop.firstKey, pop.lastKey, timeoutMs, serving(pop));
}

function serving(pop: Pop): Serve {
  return (context, args, i, reply) => {
    const { keyspace } = context;
    const slot = keyspace.write(args.buffer, args.start(i), args.end(i));
    if (slot === 0 || keyspace.store.typeOf(slot) !== LIST) return false;
    popFrom(context, args, i, ListValue.open(keyspace, slot), pop, reply);
    return true;
  };
}

function blockingPop(atHead: boolean) {
  return (context: CommandContext, args: Args, reply: RespWriter) => {
    const last = args.count - 1;
    popOrWait(context, args, last, { firstKey: 1, lastKey: last - 1, atHead, count: null }, reply);
  };
}

/** `numkeys key [key ...] LEFT|RIGHT [COUNT count]` from argument `at` on, or the text of an error. */
function parsePop(args: Args, at: number): Pop | string {
  const keys = longOf(args, at);
  if (keys === null || keys < 1) return 'ERR numkeys should be greater than 0';
  const whereAt = at + keys + 1;
  const atHead = whereAt < args.count ? parseEnd(args, whereAt) : null;
  if (atHead === null) return SYNTAX_ERROR;
  let count = 0;
  for (let i = whereAt + 1; i < args.count; i += 2) {
    if (count > 0 || i + 1 === args.count || !args.equalsIgnoreCase(i, 'COUNT')) return SYNTAX_ERROR;
    count = longOf(args, i + 1) ?? 0;
    if (count < 1) return 'ERR count should be greater than 0';
  }
  return { firstKey: at + 1, lastKey: at + keys, atHead, count: count || 1 };
}

function popFromFirst(context: CommandContext, args: Args, reply: RespWriter) {
  const pop = parsePop(args, 1);
  if (typeof pop === 'string') return reply.error(pop);
  if (!popFirst(context, args, pop, reply)) reply.nullArray();
}

function blockingPopFromFirst(context: CommandContext, args: Args, reply: RespWriter) {
  const pop = parsePop(args, 2);
  if (typeof pop === 'string') return reply.error(pop);
  popOrWait(context, args, 1, pop, reply);
}

/** Pops that look at several lists. */
export const listPopCommands: CommandHandlers = {
  LMPOP: popFromFirst,
  BLPOP: blockingPop(true),
  BRPOP: blockingPop(false),
  BLMPOP: blockingPopFromFirst,
};
