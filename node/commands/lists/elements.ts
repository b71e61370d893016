import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_LIST } from '../../data-set.ts';
import type { Keyspace } from '../../keyspace.ts';
import { LIST } from '../../store/index.ts';
import { ListValue } from '../../values/index.ts';
import {
  type CommandContext,
  type CommandHandler,
  type CommandHandlers,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from '../command.ts';
import {
  bytesEqual,
  emptyArray,
  longOf,
  noArray,
  notify,
  noValue,
  readAs,
  shrunk,
  writeAs,
  zero,
} from '../lookup.ts';

/** The first and the last index of a range of a list; nothing when `first > last`. */
interface Range {
  readonly first: number;
  readonly last: number;
}

/** What Redis makes of two indexes, negative ones counted from the end. */
function rangeOf(start: number, stop: number, size: number): Range {
  const first = Math.max(0, start < 0 ? size + start : start);
  const last = Math.min(size - 1, stop < 0 ? size + stop : stop);
  return { first, last };
}

function push(atHead: boolean, mustExist: boolean): CommandHandler {
  const event = atHead ? 'lpush' : 'rpush';
  return ({ keyspace }, args, reply) => {
    const { buffer } = args;
    const slot = keyspace.write(buffer, args.start(1), args.end(1));
    if (slot === 0 && mustExist) return reply.integer(0);
    if (slot !== 0 && keyspace.store.typeOf(slot) !== LIST) return reply.error(WRONG_TYPE);
    const list =
      slot === 0
        ? ListValue.create(keyspace, buffer, args.start(1), args.end(1))
        : ListValue.open(keyspace, slot);
    for (let i = 2; i < args.count; i++) list.push(atHead, buffer, args.start(i), args.end(i));
    reply.integer(list.size);
    keyspace.modified(list.slot);
    notify(keyspace, NOTIFY_LIST, event, args);
    if (slot === 0) keyspace.signalReady(buffer, args.start(1), args.end(1));
  };
}

/** Removes `count` elements from an end of a list and answers each. The key is argument `keyAt`. */
export function popElements(
  keyspace: Keyspace,
  list: ListValue,
  args: Args,
  keyAt: number,
  atHead: boolean,
  count: number,
  reply: RespWriter,
): void {
  if (count === 1) answerEnd(list, atHead, reply);
  else answerMany(list, atHead, count, reply);
  list.remove(atHead ? 0 : list.size - count, count);
  shrunk(keyspace, list, NOTIFY_LIST, atHead ? 'lpop' : 'rpop', args, keyAt);
}

function answerEnd(list: ListValue, atHead: boolean, reply: RespWriter): void {
  list.at(atHead ? 0 : list.size - 1);
  const { element } = list;
  reply.bulk(element.buffer, element.start, element.end);
}

function answerMany(list: ListValue, atHead: boolean, count: number, reply: RespWriter): void {
  let left = count;
  list.walk(atHead ? 0 : list.size - 1, !atHead, (buffer, start, end) => {
    reply.bulk(buffer, start, end);
    return --left > 0;
  });
}

function pop(atHead: boolean): CommandHandler {
  const name = atHead ? 'lpop' : 'rpop';
  return (context, args, reply) => {
    if (args.count > 3) return reply.error(`ERR wrong number of arguments for '${name}' command`);
    if (args.count === 3) return popMany(context, args, atHead, reply);
    const slot = writeAs(LIST, context, args, reply, noValue);
    if (slot === 0) return;
    popElements(context.keyspace, ListValue.open(context.keyspace, slot), args, 1, atHead, 1, reply);
  };
}

function popMany(context: CommandContext, args: Args, atHead: boolean, reply: RespWriter) {
  const count = longOf(args, 2);
  if (count === null || count < 0) return reply.error('ERR value is out of range, must be positive');
  const slot = writeAs(LIST, context, args, reply, noArray);
  if (slot === 0) return;
  if (count === 0) return reply.arrayHeader(0);
  const list = ListValue.open(context.keyspace, slot);
  const taken = Math.min(count, list.size);
  reply.arrayHeader(taken);
  popElements(context.keyspace, list, args, 1, atHead, taken, reply);
}

function length(context: CommandContext, args: Args, reply: RespWriter) {
  const slot = readAs(LIST, context, args, reply, zero);
  if (slot !== 0) reply.integer(ListValue.open(context.keyspace, slot).size);
}

function range(context: CommandContext, args: Args, reply: RespWriter) {
  const start = longOf(args, 2);
  const stop = longOf(args, 3);
  if (start === null || stop === null) return reply.error(NOT_AN_INTEGER);
  const slot = readAs(LIST, context, args, reply, emptyArray);
  if (slot === 0) return;
  const list = ListValue.open(context.keyspace, slot);
  const { first, last } = rangeOf(start, stop, list.size);
  if (first > last) return reply.arrayHeader(0);
  reply.arrayHeader(last - first + 1);
  list.walk(first, false, (buffer, from, to, index) => {
    reply.bulk(buffer, from, to);
    return index < last;
  });
}

/** The index that argument 2 names, or -1; an error is written and null returned when it is no number. */
function indexOf(args: Args, size: number, reply: RespWriter): number | null {
  const index = longOf(args, 2);
  if (index === null) {
    reply.error(NOT_AN_INTEGER);
    return null;
  }
  const counted = index < 0 ? size + index : index;
  return counted >= 0 && counted < size ? counted : -1;
}

function elementAt(context: CommandContext, args: Args, reply: RespWriter) {
  const slot = readAs(LIST, context, args, reply, noValue);
  if (slot === 0) return;
  const list = ListValue.open(context.keyspace, slot);
  const index = indexOf(args, list.size, reply);
  if (index === null) return;
  if (index < 0) return reply.nullBulk();
  list.at(index);
  const { element } = list;
  reply.bulk(element.buffer, element.start, element.end);
}

function set(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const slot = writeAs(LIST, context, args, reply, (to) => to.error('ERR no such key'));
  if (slot === 0) return;
  const list = ListValue.open(keyspace, slot);
  const index = indexOf(args, list.size, reply);
  if (index === null) return;
  if (index < 0) return reply.error('ERR index out of range');
  list.set(index, args.buffer, args.start(3), args.end(3));
  reply.ok();
  keyspace.modified(list.slot);
  notify(keyspace, NOTIFY_LIST, 'lset', args);
}

/** The index of the first element that equals argument `i`, or -1. */
function find(list: ListValue, args: Args, i: number): number {
  let found = -1;
  list.walk(0, false, (buffer, start, end, index) => {
    if (!bytesEqual(buffer, start, end, args.buffer, args.start(i), args.end(i))) return true;
    found = index;
    return false;
  });
  return found;
}

function insert(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const isBehind = args.equalsIgnoreCase(2, 'AFTER');
  if (!isBehind && !args.equalsIgnoreCase(2, 'BEFORE')) return reply.error(SYNTAX_ERROR);
  const slot = writeAs(LIST, context, args, reply, zero);
  if (slot === 0) return;
  const list = ListValue.open(keyspace, slot);
  const pivot = find(list, args, 3);
  if (pivot < 0) return reply.integer(-1);
  list.insert(isBehind ? pivot + 1 : pivot, args.buffer, args.start(4), args.end(4));
  reply.integer(list.size);
  keyspace.modified(list.slot);
  notify(keyspace, NOTIFY_LIST, 'linsert', args);
}

function removeEqual(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const count = longOf(args, 2);
  if (count === null) return reply.error(NOT_AN_INTEGER);
  const slot = writeAs(LIST, context, args, reply, zero);
  if (slot === 0) return;
  const list = ListValue.open(keyspace, slot);
  const most = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count);
  const removed = list.removeEqual(most, count < 0, args.buffer, args.start(3), args.end(3));
  reply.integer(removed);
  if (removed === 0) return;
  shrunk(keyspace, list, NOTIFY_LIST, 'lrem', args);
}

function trim(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const start = longOf(args, 2);
  const stop = longOf(args, 3);
  if (start === null || stop === null) return reply.error(NOT_AN_INTEGER);
  const slot = writeAs(LIST, context, args, reply, (to) => to.ok());
  if (slot === 0) return;
  const list = ListValue.open(keyspace, slot);
  const { first, last } = rangeOf(start, stop, list.size);
  if (first > last) {
    list.remove(0, list.size);
  } else {
    list.remove(last + 1, list.size - last - 1);
    list.remove(0, first);
  }
  shrunk(keyspace, list, NOTIFY_LIST, 'ltrim', args);
  reply.ok();
}

/** Commands on one list that do not wait. */
export const listElementCommands: CommandHandlers = {
  LPUSH: push(true, false),
  RPUSH: push(false, false),
  LPUSHX: push(true, true),
  RPUSHX: push(false, true),
  LPOP: pop(true),
  RPOP: pop(false),
  LLEN: length,
  LRANGE: range,
  LINDEX: elementAt,
  LSET: set,
  LINSERT: insert,
  LREM: removeEqual,
  LTRIM: trim,
};
