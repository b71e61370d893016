import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_SET } from '../../data-set.ts';
import type { Keyspace } from '../../keyspace.ts';
import { SET, type Slot } from '../../store/index.ts';
import { SetValue } from '../../values/index.ts';
import { type CommandContext, type CommandHandlers, WRONG_TYPE } from '../command.ts';
import { bytesEqual, emptySet, notify, openOrCreate, readAs, shrunk, writeAs, zero } from '../lookup.ts';

function add(context: CommandContext, args: Args, reply: RespWriter) {
  const set = openOrCreate(SET, SetValue, context, args, reply);
  if (set === null) return;
  let added = 0;
  for (let i = 2; i < args.count; i++) if (set.add(args.buffer, args.start(i), args.end(i))) added++;
  reply.integer(added);
  if (added === 0) return;
  context.keyspace.modified(set.slot);
  notify(context.keyspace, NOTIFY_SET, 'sadd', args);
}

function remove(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const slot = writeAs(SET, context, args, reply, zero);
  if (slot === 0) return;
  const set = SetValue.open(keyspace, slot);
  let removed = 0;
  for (let i = 2; i < args.count && set.size > 0; i++) {
    if (set.delete(args.buffer, args.start(i), args.end(i))) removed++;
  }
  reply.integer(removed);
  if (removed > 0) shrunk(keyspace, set, NOTIFY_SET, 'srem', args);
}

function has(set: SetValue, args: Args, i: number): boolean {
  return set.has(args.buffer, args.start(i), args.end(i));
}

function isMember(context: CommandContext, args: Args, reply: RespWriter) {
  const slot = readAs(SET, context, args, reply, zero);
  if (slot !== 0) reply.integer(has(SetValue.single(context.keyspace, slot), args, 2) ? 1 : 0);
}

function areMembers({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot !== 0 && keyspace.store.typeOf(slot) !== SET) return reply.error(WRONG_TYPE);
  const set = slot === 0 ? null : SetValue.open(keyspace, slot);
  reply.arrayHeader(args.count - 2);
  for (let i = 2; i < args.count; i++) reply.integer(set !== null && has(set, args, i) ? 1 : 0);
}

function members(context: CommandContext, args: Args, reply: RespWriter) {
  const slot = readAs(SET, context, args, reply, emptySet);
  if (slot === 0) return;
  const set = SetValue.open(context.keyspace, slot);
  reply.setHeader(set.size);
  set.forEach((buffer, start, end) => {
    reply.bulk(buffer, start, end);
  });
}

function size(context: CommandContext, args: Args, reply: RespWriter) {
  const slot = readAs(SET, context, args, reply, zero);
  if (slot !== 0) reply.integer(SetValue.open(context.keyspace, slot).size);
}

/** The key in argument `i`, found again. */
function found(keyspace: Keyspace, args: Args, i: number): Slot {
  return keyspace.find(args.buffer, args.start(i), args.end(i));
}

function move({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const { buffer } = args;
  // A lookup may remove a key whose time is over, and the slots found before it are stale then.
  for (const i of [1, 2]) keyspace.write(buffer, args.start(i), args.end(i));
  const [from, to] = [found(keyspace, args, 1), found(keyspace, args, 2)];
  if (from === 0) return reply.integer(0);
  const { store } = keyspace;
  if (store.typeOf(from) !== SET || (to !== 0 && store.typeOf(to) !== SET)) return reply.error(WRONG_TYPE);
  const source = SetValue.open(keyspace, from);
  if (bytesEqual(buffer, args.start(1), args.end(1), buffer, args.start(2), args.end(2))) {
    return reply.integer(has(source, args, 3) ? 1 : 0);
  }
  if (!source.delete(buffer, args.start(3), args.end(3))) return reply.integer(0);
  reply.integer(1);
  shrunk(keyspace, source, NOTIFY_SET, 'srem', args);
  keyspace.logCommand(['SREM', args.bytes(1), args.bytes(3)]);
  give(keyspace, args);
}

/** Adds argument 3 to the set in argument 2. */
function give(keyspace: Keyspace, args: Args): void {
  const { buffer } = args;
  const slot = found(keyspace, args, 2);
  const set =
    slot === 0
      ? SetValue.create(keyspace, buffer, args.start(2), args.end(2))
      : SetValue.open(keyspace, slot);
  if (!set.add(buffer, args.start(3), args.end(3))) return;
  keyspace.modified(set.slot);
  keyspace.logCommand(['SADD', args.bytes(2), args.bytes(3)]);
  notify(keyspace, NOTIFY_SET, 'sadd', args, 2);
}

/** Commands on the members of a set. */
export const memberCommands: CommandHandlers = {
  SADD: add,
  SREM: remove,
  SISMEMBER: isMember,
  SMISMEMBER: areMembers,
  SMEMBERS: members,
  SCARD: size,
  SMOVE: move,
};
