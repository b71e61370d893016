import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import type { ZsetValue } from '../../values/index.ts';
import { type CommandContext, type CommandHandler, type CommandHandlers, SYNTAX_ERROR } from '../command.ts';
import { noValue } from '../lookup.ts';
import { openZset, readZset } from '../sorted-sets/access.ts';
import { addMembers, CH, NX, XX } from '../sorted-sets/add.ts';
import { distance } from './distance.ts';
import { geohashOf, positionOf, scoreOf } from './position.ts';
import { replyDistance, replyPosition } from './reply.ts';
import { NO_SUCH_UNIT, parsePosition, parseUnit } from './shape.ts';

/** Scores of the command at hand, in memory that the next one uses again. */
const scores: number[] = [];

/** The option that argument `i` names, or 0. */
function optionAt(args: Args, i: number): number {
  if (args.equalsIgnoreCase(i, 'NX')) return NX;
  if (args.equalsIgnoreCase(i, 'XX')) return XX;
  return args.equalsIgnoreCase(i, 'CH') ? CH : 0;
}

function add(context: CommandContext, args: Args, reply: RespWriter) {
  let options = 0;
  let first = 2;
  for (let option = -1; first < args.count && option !== 0; ) {
    option = optionAt(args, first);
    options |= option;
    if (option !== 0) first++;
  }
  const rest = args.count - first;
  if (rest === 0 || rest % 3 !== 0 || (options & NX && options & XX)) return reply.error(SYNTAX_ERROR);
  scores.length = 0;
  for (let i = first; i < args.count; i += 3) {
    const position = parsePosition(args, i);
    if (typeof position === 'string') return reply.error(position);
    scores.push(scoreOf(position));
  }
  addMembers(context, args, reply, options, scores, first + 2, 3);
}

const distanceBetween: CommandHandler = (context, args, reply) => {
  if (args.count > 5) return reply.error(SYNTAX_ERROR);
  const unit = args.count === 5 ? parseUnit(args, 4) : 1;
  if (unit === null) return reply.error(NO_SUCH_UNIT);
  const zset = readZset(context, args, reply, noValue);
  if (zset === null) return;
  const from = zset.scoreOf(args.buffer, args.start(2), args.end(2));
  const to = zset.scoreOf(args.buffer, args.start(3), args.end(3));
  if (from === undefined || to === undefined) return reply.nullBulk();
  replyDistance(distance(positionOf(from), positionOf(to)) / unit, reply);
};

/** Replies with something of each member's score, or with what stands for a member that is not there. */
function forEachMember(
  answer: (score: number, reply: RespWriter) => void,
  absent: (reply: RespWriter) => void,
): CommandHandler {
  return ({ keyspace }, args, reply) => {
    const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
    const zset: ZsetValue | null = slot === 0 ? null : openZset(keyspace, slot, reply);
    if (slot !== 0 && zset === null) return;
    reply.arrayHeader(args.count - 2);
    for (let i = 2; i < args.count; i++) {
      const score = zset?.scoreOf(args.buffer, args.start(i), args.end(i));
      if (score === undefined) absent(reply);
      else answer(score, reply);
    }
  };
}

/** Commands that give members their positions, and tell them. */
export const positionCommands: CommandHandlers = {
  GEOADD: add,
  GEODIST: distanceBetween,
  GEOPOS: forEachMember(
    (score, reply) => replyPosition(positionOf(score), reply),
    (reply) => reply.nullArray(),
  ),
  GEOHASH: forEachMember(
    (score, reply) => reply.bulkLatin1(geohashOf(positionOf(score))),
    (reply) => reply.nullBulk(),
  ),
};
