import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_STRING } from '../data-set.ts';
import { STRING } from '../store/index.ts';
import { Found } from '../values/index.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, WRONG_TYPE } from './command.ts';
import { longOf } from './lookup.ts';
import { lengthened, maxStringBytes, TOO_LONG } from './string-edits.ts';

const value = new Found();

function strlen({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot !== 0 && keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  reply.integer(slot === 0 ? 0 : keyspace.store.length(slot));
}

function append(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const { buffer } = args;
  const slot = keyspace.write(buffer, args.start(1), args.end(1));
  if (slot !== 0 && keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  let length = args.length(2);
  if (slot === 0) {
    const added = keyspace.insert(buffer, args.start(1), args.end(1));
    keyspace.setBytes(added, buffer, args.start(2), args.end(2), 0);
  } else {
    if (keyspace.store.length(slot) + length > maxStringBytes(context)) return reply.error(TOO_LONG);
    length = keyspace.append(slot, buffer, args.start(2), args.end(2));
  }
  keyspace.notify(NOTIFY_STRING, 'append', buffer, args.start(1), args.end(1));
  reply.integer(length);
}

function setRange(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const { buffer } = args;
  const offset = longOf(args, 2);
  if (offset === null) return reply.error(NOT_AN_INTEGER);
  if (offset < 0) return reply.error('ERR offset is out of range');
  const found = keyspace.write(buffer, args.start(1), args.end(1));
  if (found !== 0 && keyspace.store.typeOf(found) !== STRING) return reply.error(WRONG_TYPE);
  if (args.length(3) === 0) return reply.integer(found === 0 ? 0 : keyspace.store.length(found));
  const end = offset + args.length(3);
  if (end > maxStringBytes(context)) return reply.error(TOO_LONG);
  const slot = lengthened(keyspace, args, found, end);
  keyspace.store.writeAt(slot, offset, buffer, args.start(3), args.end(3));
  keyspace.modified(slot);
  keyspace.notify(NOTIFY_STRING, 'setrange', buffer, args.start(1), args.end(1));
  reply.integer(keyspace.store.length(slot));
}

function getRange({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const from = longOf(args, 2);
  const to = longOf(args, 3);
  if (from === null || to === null) return reply.error(NOT_AN_INTEGER);
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot === 0) return reply.bulkLatin1('');
  if (keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  keyspace.store.view(slot, value);
  const length = value.end - value.start;
  const first = Math.max(0, from < 0 ? length + from : from);
  const last = Math.min(length - 1, Math.max(0, to < 0 ? length + to : to));
  if ((from < 0 && to < 0 && from > to) || first > last) return reply.bulkLatin1('');
  reply.bulk(value.buffer, value.start + first, value.start + last + 1);
}

/** Commands on parts of a string. */
export const stringRangeCommands: CommandHandlers = {
  STRLEN: strlen,
  APPEND: append,
  SETRANGE: setRange,
  GETRANGE: getRange,
  SUBSTR: getRange,
};
