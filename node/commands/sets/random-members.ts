import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_SET } from '../../data-set.ts';
import type { Keyspace } from '../../keyspace.ts';
import { SET } from '../../store/index.ts';
import { type Dice, SetValue } from '../../values/index.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from '../command.ts';
import { emptyArray, emptySet, longOf, notify, noValue, readAs, shrunk, writeAs } from '../lookup.ts';
import { drawDifferent, drawsOneByOne, parseRandomCount, Selection } from '../random-choice.ts';
import { answerRepeated, type OpenChoice } from '../repeated-choice.ts';

/** Members of one SREM in the replication stream. */
const MEMBERS_PER_FRAME = 1024;

function replyMember({ member }: SetValue, reply: RespWriter): void {
  reply.bulk(member.buffer, member.start, member.end);
}

function randomMembers(context: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 3) return reply.error(SYNTAX_ERROR);
  const count = args.count === 3 ? parseRandomCount(args) : null;
  if (typeof count === 'string') return reply.error(count);
  const slot = readAs(SET, context, args, reply, count === null ? noValue : emptyArray);
  if (slot === 0) return;
  const { random } = context.node;
  const set = SetValue.open(context.keyspace, slot);
  if (count === null) {
    set.random(random);
    replyMember(set, reply);
  } else if (count < 0) {
    reply.arrayHeader(-count);
    answerRepeated(context, args, slot, -count, choosing(random), reply);
  } else {
    differentMembers(set, Math.min(count, set.size), random, reply);
  }
}

function choosing(dice: Dice): OpenChoice {
  return (keyspace, slot, reply) => {
    const set = SetValue.open(keyspace, slot);
    return () => {
      set.random(dice);
      replyMember(set, reply);
    };
  };
}

function differentMembers(set: SetValue, count: number, dice: Dice, reply: RespWriter): void {
  reply.arrayHeader(count);
  if (drawsOneByOne(count, set.size)) {
    drawDifferent(
      count,
      set.member,
      () => set.random(dice),
      (buffer, start, end) => reply.bulk(buffer, start, end),
    );
    return;
  }
  const selection = new Selection(dice, set.size, count);
  set.forEach((buffer, start, end) => {
    if (selection.next()) reply.bulk(buffer, start, end);
  });
}

function pop(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  if (args.count > 3) return reply.error(SYNTAX_ERROR);
  if (args.count === 3) return popMany(context, args, reply);
  const slot = writeAs(SET, context, args, reply, noValue);
  if (slot === 0) return;
  const set = SetValue.open(keyspace, slot);
  const member = takeOne(set, context.node.random);
  reply.bulk(member);
  shrunk(keyspace, set, NOTIFY_SET, 'spop', args);
  keyspace.logCommand(['SREM', args.bytes(1), member]);
}

function popMany(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace, node } = context;
  const count = longOf(args, 2);
  if (count === null || count < 0) return reply.error('ERR value is out of range, must be positive');
  const slot = writeAs(SET, context, args, reply, emptySet);
  if (slot === 0) return;
  if (count === 0) return reply.setHeader(0);
  const set = SetValue.open(keyspace, slot);
  if (count >= set.size) popAll(keyspace, set, args, reply);
  else popSome(keyspace, set, takeSome(set, count, node.random), args, reply);
}

function popAll(keyspace: Keyspace, set: SetValue, args: Args, reply: RespWriter): void {
  reply.setHeader(set.size);
  set.forEach((buffer, start, end) => {
    reply.bulk(buffer, start, end);
  });
  keyspace.remove(set.slot);
  notify(keyspace, NOTIFY_SET, 'spop', args);
  notify(keyspace, NOTIFY_GENERIC, 'del', args);
}

/** Answers members that were taken, while others stay. On a follower, the same ones go. */
function popSome(
  keyspace: Keyspace,
  set: SetValue,
  popped: readonly Buffer[],
  args: Args,
  reply: RespWriter,
): void {
  reply.setHeader(popped.length);
  for (const member of popped) reply.bulk(member);
  shrunk(keyspace, set, NOTIFY_SET, 'spop', args);
  for (let i = 0; i < popped.length; i += MEMBERS_PER_FRAME) {
    keyspace.logCommand(['SREM', args.bytes(1), ...popped.slice(i, i + MEMBERS_PER_FRAME)]);
  }
}

/** Takes a member out of the set, in memory of its own. */
function takeOne(set: SetValue, dice: Dice): Buffer {
  set.random(dice);
  const { buffer, start, end } = set.member;
  const member = Buffer.from(buffer.subarray(start, end));
  set.delete(member, 0, member.length);
  return member;
}

/** Takes `count` members out of a set that has more. */
function takeSome(set: SetValue, count: number, dice: Dice): Buffer[] {
  const taken: Buffer[] = [];
  if (drawsOneByOne(count, set.size)) {
    while (taken.length < count) taken.push(takeOne(set, dice));
    return taken;
  }
  const selection = new Selection(dice, set.size, count);
  set.forEach((buffer, start, end) => {
    if (selection.next()) taken.push(Buffer.from(buffer.subarray(start, end)));
  });
  for (const member of taken) set.delete(member, 0, member.length);
  return taken;
}

/** Random choices from a set. */
export const randomMemberCommands: CommandHandlers = { SRANDMEMBER: randomMembers, SPOP: pop };
