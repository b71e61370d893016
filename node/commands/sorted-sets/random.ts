import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { type Dice, ZsetValue } from '../../values/index.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from '../command.ts';
import { emptyArray, noValue } from '../lookup.ts';
import {
  drawDifferent,
  drawsOneByOne,
  isTooManyPairs,
  parseRandomCount,
  Selection,
} from '../random-choice.ts';
import { answerRepeated, type OpenChoice } from '../repeated-choice.ts';
import { readZset } from './access.ts';

/** Calls `answer` for `wanted` different members, from the highest score down when they are all. */
function chooseDifferent(
  { node }: CommandContext,
  zset: ZsetValue,
  wanted: number,
  answer: (buffer: Buffer, start: number, end: number, score: number) => void,
): void {
  const { size } = zset;
  if (wanted < size && drawsOneByOne(wanted, size)) {
    const draw = () => zset.random(node.random);
    drawDifferent(wanted, zset.member, draw, (buffer, start, end) => answer(buffer, start, end, zset.score));
    return;
  }
  const selection = new Selection(node.random, size, wanted);
  zset.walk(size - 1, true, (buffer, start, end, score) => {
    if (wanted === size || selection.next()) answer(buffer, start, end, score);
    return true;
  });
}

function randomMembers(context: CommandContext, args: Args, reply: RespWriter) {
  const count = parseRandomCount(args);
  if (typeof count === 'string') return reply.error(count);
  const withScores = args.count > 3;
  if (args.count > 4 || (withScores && !args.equalsIgnoreCase(3, 'WITHSCORES'))) {
    return reply.error(SYNTAX_ERROR);
  }
  if (withScores && isTooManyPairs(args)) return reply.error('ERR value is out of range');
  const zset = readZset(context, args, reply, emptyArray);
  if (zset === null) return;
  const nested = withScores && reply.protocol === 3;
  const wanted = count < 0 ? -count : Math.min(count, zset.size);
  reply.arrayHeader(withScores && !nested ? 2 * wanted : wanted);
  if (count < 0) {
    answerRepeated(context, args, zset.slot, wanted, choosing(context.node.random, withScores), reply);
    return;
  }
  chooseDifferent(context, zset, wanted, (buffer, start, end, score) => {
    answer(buffer, start, end, score, withScores, reply);
  });
}

function answer(
  buffer: Buffer,
  start: number,
  end: number,
  score: number,
  withScores: boolean,
  reply: RespWriter,
): void {
  if (withScores && reply.protocol === 3) reply.arrayHeader(2);
  reply.bulk(buffer, start, end);
  if (withScores) reply.double(score);
}

function choosing(dice: Dice, withScores: boolean): OpenChoice {
  return (keyspace, slot, reply) => {
    const zset = ZsetValue.open(keyspace, slot);
    return () => {
      zset.random(dice);
      const { buffer, start, end } = zset.member;
      answer(buffer, start, end, zset.score, withScores, reply);
    };
  };
}

function randomMember(context: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 2) return randomMembers(context, args, reply);
  const zset = readZset(context, args, reply, noValue);
  if (zset === null) return;
  zset.random(context.node.random);
  const { buffer, start, end } = zset.member;
  reply.bulk(buffer, start, end);
}

/** Commands that choose members by chance. */
export const randomCommands: CommandHandlers = {
  ZRANDMEMBER: randomMember,
};
