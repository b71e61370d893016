import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { refusalOfValue } from '../value-limit.ts';
import { longestPartOf } from '../values/longest.ts';
import { copyEntry, type EntryPlace, moveEntry } from '../values/transfer.ts';
import { NO_ROOM_FOR_TAGS } from './cache-options.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import { bytesEqual, notify } from './lookup.ts';

export const NO_SUCH_KEY = 'ERR no such key';
const SAME_OBJECT = 'ERR source and destination objects are the same';
const NO_DATABASE = 'ERR DB index is out of range';
const MAX_INT = 0x7fffffff;

function place(keyspace: Keyspace, args: Args, i: number): EntryPlace {
  return { keyspace, buffer: args.buffer, start: args.start(i), end: args.end(i) };
}

function isThere(keyspace: Keyspace, args: Args, i: number): boolean {
  return keyspace.write(args.buffer, args.start(i), args.end(i)) !== 0;
}

function sameKey(args: Args): boolean {
  const { buffer } = args;
  return bytesEqual(buffer, args.start(1), args.end(1), buffer, args.start(2), args.end(2));
}

/** Why the value of the key in argument 1 must not be that of the one in argument 2; null when it may. */
function refusalOfNewKey(keyspace: Keyspace, args: Args): string | null {
  const { namespaces } = keyspace.data;
  if (!namespaces.boundsValues) return null;
  const { buffer } = args;
  const [from, to] = [1, 2].map((i) => namespaces.numberOf(buffer, args.start(i), args.end(i)));
  if (from === to) return null;
  const slot = keyspace.find(buffer, args.start(1), args.end(1));
  return refusalOfValue(keyspace, args, 2, () => longestPartOf(keyspace, slot));
}

/** Whether the key has its new name; null when it cannot have it, and the reply is an error. */
function renamed(
  { keyspace }: CommandContext,
  args: Args,
  reply: RespWriter,
  overwrites: boolean,
): boolean | null {
  if (!isThere(keyspace, args, 1)) {
    reply.error(NO_SUCH_KEY);
    return null;
  }
  if (sameKey(args)) return false;
  if (isThere(keyspace, args, 2) && !overwrites) return false;
  const refusal = refusalOfNewKey(keyspace, args);
  if (refusal !== null) {
    reply.error(refusal);
    return null;
  }
  moveEntry(place(keyspace, args, 1), place(keyspace, args, 2));
  notify(keyspace, NOTIFY_GENERIC, 'rename_from', args, 1);
  notify(keyspace, NOTIFY_GENERIC, 'rename_to', args, 2);
  return true;
}

function rename(context: CommandContext, args: Args, reply: RespWriter) {
  if (renamed(context, args, reply, true) !== null) reply.ok();
}

function renameNx(context: CommandContext, args: Args, reply: RespWriter) {
  const isRenamed = renamed(context, args, reply, false);
  if (isRenamed !== null) reply.integer(isRenamed ? 1 : 0);
}

/** The database that argument `i` names, or the text of an error. */
function databaseAt({ databases }: CommandContext, args: Args, i: number): Keyspace | string {
  const index = args.integer(i);
  if (index === null || Math.abs(index) > MAX_INT) return NOT_AN_INTEGER;
  return index < 0 || index >= databases.count ? NO_DATABASE : databases.at(index);
}

function move(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const target = databaseAt(context, args, 2);
  if (typeof target === 'string') return reply.error(target);
  if (target === keyspace) return reply.error(SAME_OBJECT);
  if (!isThere(keyspace, args, 1) || isThere(target, args, 1)) return reply.integer(0);
  moveEntry(place(keyspace, args, 1), place(target, args, 1));
  notify(keyspace, NOTIFY_GENERIC, 'move_from', args, 1);
  notify(target, NOTIFY_GENERIC, 'move_to', args, 1);
  reply.integer(1);
}

interface CopyOptions {
  target: Keyspace;
  replace: boolean;
}

function parseCopy(context: CommandContext, args: Args): CopyOptions | string {
  const options: CopyOptions = { target: context.keyspace, replace: false };
  for (let i = 3; i < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'REPLACE')) {
      options.replace = true;
    } else if (args.equalsIgnoreCase(i, 'DB') && i + 1 < args.count) {
      const target = databaseAt(context, args, ++i);
      if (typeof target === 'string') return target;
      options.target = target;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options;
}

/** Whether the index of tags can take those of a copy. A move needs no more than there is. */
function hasRoomForTags({ store, marks }: Keyspace, target: Keyspace, args: Args): boolean {
  if (marks.tags.size === 0) return true;
  const slot = store.find(args.buffer, args.start(1), args.end(1));
  if (!store.hasTags(slot)) return true;
  return target.marks.tags.hasRoomFor(args.latin1(2), marks.tags.tagsOf(args.latin1(1)));
}

function copy(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const options = parseCopy(context, args);
  if (typeof options === 'string') return reply.error(options);
  const { target, replace } = options;
  if (target === keyspace && sameKey(args)) return reply.error(SAME_OBJECT);
  if (keyspace.read(args.buffer, args.start(1), args.end(1)) === 0) return reply.integer(0);
  if (isThere(target, args, 2) && !replace) return reply.integer(0);
  const refusal = refusalOfNewKey(keyspace, args);
  if (refusal !== null) return reply.error(refusal);
  if (!hasRoomForTags(keyspace, target, args)) return reply.error(NO_ROOM_FOR_TAGS);
  copyEntry(place(keyspace, args, 1), place(target, args, 2));
  notify(target, NOTIFY_GENERIC, 'copy_to', args, 2);
  reply.integer(1);
}

/** Commands that give a value another key, or another database. */
export const transferCommands: CommandHandlers = {
  RENAME: rename,
  RENAMENX: renameNx,
  MOVE: move,
  COPY: copy,
};
