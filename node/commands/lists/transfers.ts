import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_LIST } from '../../data-set.ts';
import type { Keyspace } from '../../keyspace.ts';
import { LIST } from '../../store/index.ts';
import { refusalOfValue } from '../../value-limit.ts';
import { ListValue } from '../../values/index.ts';
import { block, mayBlock, parseTimeout, type Serve } from '../blocking.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR, WRONG_TYPE } from '../command.ts';
import { bytesEqual, notify } from '../lookup.ts';

/** From which end of the source to which end of the destination. */
interface Ends {
  readonly fromHead: boolean;
  readonly toHead: boolean;
}

const TAIL_TO_HEAD: Ends = { fromHead: false, toHead: true };

/** Whether argument `i` says LEFT (true) or RIGHT (false); null when neither. */
export function parseEnd(args: Args, i: number): boolean | null {
  if (args.equalsIgnoreCase(i, 'LEFT')) return true;
  return args.equalsIgnoreCase(i, 'RIGHT') ? false : null;
}

function parseEnds(args: Args): Ends | null {
  const fromHead = parseEnd(args, 3);
  const toHead = parseEnd(args, 4);
  return fromHead === null || toHead === null ? null : { fromHead, toHead };
}

/** The ends of a command that has been parsed once. */
function endsOf(args: Args): Ends {
  return parseEnds(args) ?? TAIL_TO_HEAD;
}

/** Takes the element at an end of the list, in memory of its own. */
function take(list: ListValue, atHead: boolean): Buffer {
  const index = atHead ? 0 : list.size - 1;
  list.at(index);
  const { buffer, start, end } = list.element;
  const value = Buffer.from(buffer.subarray(start, end));
  list.remove(index, 1);
  return value;
}

function pushEvent(keyspace: Keyspace, args: Args, toHead: boolean): void {
  notify(keyspace, NOTIFY_LIST, toHead ? 'lpush' : 'rpush', args, 2);
}

function popEvent(keyspace: Keyspace, args: Args, fromHead: boolean): void {
  notify(keyspace, NOTIFY_LIST, fromHead ? 'lpop' : 'rpop', args, 1);
}

/** Moves an element of the list in argument 1, which has some, to the one in argument 2, and answers it. */
function move(keyspace: Keyspace, args: Args, ends: Ends, reply: RespWriter): void {
  const { buffer } = args;
  const list = ListValue.open(keyspace, keyspace.find(buffer, args.start(1), args.end(1)));
  const value = take(list, ends.fromHead);
  reply.bulk(value);
  if (bytesEqual(buffer, args.start(1), args.end(1), buffer, args.start(2), args.end(2))) {
    rotate(keyspace, list, value, args, ends);
    return;
  }
  const isGone = list.size === 0;
  if (isGone) keyspace.removeUnsaid(list.slot);
  else keyspace.modified(list.slot);
  keyspace.logCommand([ends.fromHead ? 'LPOP' : 'RPOP', args.bytes(1)]);
  give(keyspace, value, args, ends.toHead);
  pushEvent(keyspace, args, ends.toHead);
  popEvent(keyspace, args, ends.fromHead);
  if (isGone) notify(keyspace, NOTIFY_GENERIC, 'del', args, 1);
}

/** Puts an element taken from a list back into the same one, which keeps its expiry though it was empty for a moment. */
function rotate(keyspace: Keyspace, list: ListValue, value: Buffer, args: Args, ends: Ends): void {
  const { fromHead, toHead } = ends;
  list.push(toHead, value, 0, value.length);
  keyspace.modified(list.slot);
  const words = [fromHead, toHead].map((atHead) => (atHead ? 'LEFT' : 'RIGHT'));
  keyspace.logCommand(['LMOVE', args.bytes(1), args.bytes(1), ...words]);
  pushEvent(keyspace, args, toHead);
  popEvent(keyspace, args, fromHead);
}

function give(keyspace: Keyspace, value: Buffer, args: Args, toHead: boolean): void {
  const [buffer, start, end] = [args.buffer, args.start(2), args.end(2)];
  const slot = keyspace.find(buffer, start, end);
  const list = slot === 0 ? ListValue.create(keyspace, buffer, start, end) : ListValue.open(keyspace, slot);
  list.push(toHead, value, 0, value.length);
  keyspace.modified(list.slot);
  keyspace.logCommand([toHead ? 'LPUSH' : 'RPUSH', args.bytes(2), value]);
  if (slot === 0) keyspace.signalReady(buffer, start, end);
}

/** Whether argument `i` is a list, nothing, or (null) something else. */
function holdsList({ keyspace }: CommandContext, args: Args, i: number): boolean | null {
  const slot = keyspace.write(args.buffer, args.start(i), args.end(i));
  if (slot === 0) return false;
  return keyspace.store.typeOf(slot) === LIST ? true : null;
}

/** Length of the element at an end of the list in argument 1. */
function endBytes(keyspace: Keyspace, args: Args, atHead: boolean): number {
  const list = ListValue.open(keyspace, keyspace.find(args.buffer, args.start(1), args.end(1)));
  list.at(atHead ? 0 : list.size - 1);
  return list.element.end - list.element.start;
}

/** Moves if both keys allow it, and answers so or with an error; false when there is nothing to move, with no answer. */
function tryMove(context: CommandContext, args: Args, ends: Ends, reply: RespWriter): boolean {
  const source = holdsList(context, args, 1);
  if (source === false) return false;
  const refusal =
    source === null || holdsList(context, args, 2) === null
      ? WRONG_TYPE
      : refusalOfValue(context.keyspace, args, 2, () => endBytes(context.keyspace, args, ends.fromHead));
  if (refusal !== null) reply.error(refusal);
  else move(context.keyspace, args, ends, reply);
  return true;
}

function moveNow(context: CommandContext, args: Args, ends: Ends, reply: RespWriter) {
  if (!tryMove(context, args, ends, reply)) reply.nullBulk();
}

const serve: Serve = (context, args, _key, reply) =>
  holdsList(context, args, 1) === true && tryMove(context, args, endsOf(args), reply);

function moveOrWait(context: CommandContext, args: Args, ends: Ends, reply: RespWriter) {
  const timeoutMs = parseTimeout(args, args.count - 1);
  if (typeof timeoutMs === 'string') return reply.error(timeoutMs);
  if (tryMove(context, args, ends, reply)) return;
  if (!mayBlock(context)) return reply.nullBulk();
  block(context, args, 1, 1, timeoutMs, serve);
}

function withEnds(run: typeof moveNow) {
  return (context: CommandContext, args: Args, reply: RespWriter) => {
    const ends = parseEnds(args);
    if (ends === null) return reply.error(SYNTAX_ERROR);
    run(context, args, ends, reply);
  };
}

/** Commands that move an element from one list to another. */
export const listTransferCommands: CommandHandlers = {
  LMOVE: withEnds(moveNow),
  RPOPLPUSH: (context, args, reply) => moveNow(context, args, TAIL_TO_HEAD, reply),
  BLMOVE: withEnds(moveOrWait),
  BRPOPLPUSH: (context, args, reply) => moveOrWait(context, args, TAIL_TO_HEAD, reply),
};
