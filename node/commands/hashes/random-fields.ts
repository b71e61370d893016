import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { HASH, type Slot } from '../../store/index.ts';
import { HashValue } from '../../values/index.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from '../command.ts';
import { emptyArray, noValue, readAs } from '../lookup.ts';
import {
  drawDifferent,
  drawsOneByOne,
  isTooManyPairs,
  parseRandomCount,
  Selection,
} from '../random-choice.ts';
import { answerRepeated, type OpenChoice } from '../repeated-choice.ts';

function oneField(context: CommandContext, args: Args, reply: RespWriter) {
  const slot = readAs(HASH, context, args, reply, noValue);
  if (slot === 0) return;
  const hash = HashValue.open(context.keyspace, slot);
  hash.random(context.node.random);
  replyField(hash, false, reply);
}

/** Answers the field that `random` chose. */
function replyField(hash: HashValue, withValue: boolean, reply: RespWriter): void {
  const { field, value } = hash;
  if (withValue && reply.protocol === 3) reply.arrayHeader(2);
  reply.bulk(field.buffer, field.start, field.end);
  if (withValue) reply.bulk(value.buffer, value.start, value.end);
}

function header(fields: number, withValues: boolean, reply: RespWriter): void {
  reply.arrayHeader(withValues && reply.protocol === 2 ? 2 * fields : fields);
}

function randomFields(context: CommandContext, args: Args, reply: RespWriter) {
  if (args.count === 2) return oneField(context, args, reply);
  const count = parseRandomCount(args);
  if (typeof count === 'string') return reply.error(count);
  const withValues = args.count > 3;
  if (args.count > 4 || (withValues && !args.equalsIgnoreCase(3, 'WITHVALUES'))) {
    return reply.error(SYNTAX_ERROR);
  }
  if (withValues && isTooManyPairs(args)) return reply.error('ERR value is out of range');
  const slot = readAs(HASH, context, args, reply, emptyArray);
  if (slot === 0) return;
  if (count < 0) return repeatedFields(context, args, slot, -count, withValues, reply);
  const hash = HashValue.open(context.keyspace, slot);
  differentFields(context, hash, Math.min(count, hash.size), withValues, reply);
}

function repeatedFields(
  context: CommandContext,
  args: Args,
  slot: Slot,
  count: number,
  withValues: boolean,
  reply: RespWriter,
): void {
  const { random } = context.node;
  header(count, withValues, reply);
  const open: OpenChoice = (keyspace, at, writer) => {
    const hash = HashValue.open(keyspace, at);
    return () => {
      hash.random(random);
      replyField(hash, withValues, writer);
    };
  };
  answerRepeated(context, args, slot, count, open, reply);
}

function differentFields(
  { node }: CommandContext,
  hash: HashValue,
  count: number,
  withValues: boolean,
  reply: RespWriter,
): void {
  header(count, withValues, reply);
  if (drawsOneByOne(count, hash.size)) {
    const draw = () => hash.random(node.random);
    drawDifferent(count, hash.field, draw, () => replyField(hash, withValues, reply));
    return;
  }
  const selection = new Selection(node.random, hash.size, count);
  hash.forEach((field, fieldStart, fieldEnd, value, start, end) => {
    if (!selection.next()) return;
    if (withValues && reply.protocol === 3) reply.arrayHeader(2);
    reply.bulk(field, fieldStart, fieldEnd);
    if (withValues) reply.bulk(value, start, end);
  });
}

/** The random choice from a hash. */
export const randomFieldCommands: CommandHandlers = { HRANDFIELD: randomFields };
