import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_SET } from '../../data-set.ts';
import type { Keyspace } from '../../keyspace.ts';
import { SET } from '../../store/index.ts';
import { type Dice, SetValue } from '../../values/index.ts';
import { ByteList } from '../byte-list.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from '../command.ts';
import { emptyArray, emptySet, longOf, notify, noValue, readAs, shrunk, writeAs } from '../lookup.ts';
import { drawDifferent, drawsOneByOne, parseRandomCount, repeat, Selection } from '../random-choice.ts';

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
    repeat(context, -count, reply, () => {
      set.random(random);
      replyMember(set, reply);
    });
  } else {
    differentMembers(set, Math.min(count, set.size), random, reply);
  }
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
  const popped = new ByteList();
  takeOne(set, context.node.random, popped);
  popped.forEach((buffer, start, end) => {
    reply.bulk(buffer, start, end);
  });
  afterPop(keyspace, set, popped, args);
}

function popMany(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace, node } = context;
  const count = longOf(args, 2);
  if (count === null || count < 0) return reply.error('ERR value is out of range, must be positive');
  const slot = writeAs(SET, context, args, reply, emptySet);
  if (slot === 0) return;
  if (count === 0) return reply.setHeader(0);
  const set = SetValue.open(keyspace, slot);
  if (count >= set.size) {
    reply.setHeader(set.size);
    set.forEach((buffer, start, end) => {
      reply.bulk(buffer, start, end);
    });
    keyspace.remove(set.slot);
    notify(keyspace, NOTIFY_SET, 'spop', args);
    notify(keyspace, NOTIFY_GENERIC, 'del', args);
    return;
  }
  const popped = new ByteList();
  if (drawsOneByOne(count, set.size)) {
    while (popped.count < count) takeOne(set, node.random, popped);
  } else {
    takeSelection(set, count, node.random, popped);
  }
  reply.setHeader(count);
  popped.forEach((buffer, start, end) => {
    reply.bulk(buffer, start, end);
  });
  afterPop(keyspace, set, popped, args);
}

/** Takes a member out of the set. */
function takeOne(set: SetValue, dice: Dice, into: ByteList): void {
  set.random(dice);
  const { buffer, start, end } = set.member;
  into.add(buffer, start, end);
  into.last((bytes, from, to) => set.delete(bytes, from, to));
}

/** Takes members in one pass, which many draws from a set that thins out would not be. */
function takeSelection(set: SetValue, count: number, dice: Dice, into: ByteList): void {
  const selection = new Selection(dice, set.size, count);
  set.forEach((buffer, start, end) => {
    if (selection.next()) into.add(buffer, start, end);
  });
  into.forEach((buffer, start, end) => {
    set.delete(buffer, start, end);
  });
}

/** What follows when members were taken: on a follower, the same ones go. */
function afterPop(keyspace: Keyspace, set: SetValue, popped: ByteList, args: Args): void {
  if (shrunk(keyspace, set, NOTIFY_SET, 'spop', args)) return;
  keyspace.data.logged = true;
  if (!keyspace.data.records) return;
  const members = popped.views();
  for (let i = 0; i < members.length; i += MEMBERS_PER_FRAME) {
    keyspace.logCommand(['SREM', args.bytes(1), ...members.slice(i, i + MEMBERS_PER_FRAME)]);
  }
}

/** Random choices from a set. */
export const randomMemberCommands: CommandHandlers = { SRANDMEMBER: randomMembers, SPOP: pop };
