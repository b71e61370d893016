import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_ZSET } from '../../data-set.ts';
import { ZSET } from '../../store/index.ts';
import { ZsetValue } from '../../values/index.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from '../command.ts';
import { notify, openOrCreate } from '../lookup.ts';
import { NOT_A_FLOAT, parseScore } from '../strtod.ts';

/** Options of ZADD and its relatives, as bits. */
export const NX = 1;
export const XX = 2;
export const CH = 4;
const GT = 8;
const LT = 16;
const INCR = 32;

const NAN = 'ERR resulting score is not a number (NaN)';

const optionNames: readonly (readonly [string, number])[] = [
  ['NX', NX],
  ['XX', XX],
  ['CH', CH],
  ['GT', GT],
  ['LT', LT],
  ['INCR', INCR],
];

/** Scores of the command at hand, in memory that the next one uses again. */
const scores: number[] = [];

/** What became of one member. */
const UNTOUCHED = 0;
const SAME = 1;
const UPDATED = 2;
const ADDED = 3;
const NOT_A_NUMBER = 4;
type Outcome = 0 | 1 | 2 | 3 | 4;

/** The score that `addOne` came to. */
let result = 0;

/** Gives a member its score as far as the options allow; the score it has then is in `result`. */
function addOne(
  zset: ZsetValue,
  score: number,
  options: number,
  buffer: Buffer,
  start: number,
  end: number,
): Outcome {
  result = score;
  if (options === 0 && zset.size === 0) {
    zset.set(score, buffer, start, end);
    return ADDED;
  }
  const current = zset.scoreOf(buffer, start, end);
  if (current === undefined) {
    if (options & XX) return UNTOUCHED;
    zset.place(score, buffer, start, end);
    return ADDED;
  }
  if (options & NX) return UNTOUCHED;
  const wanted = options & INCR ? current + score : score;
  if (Number.isNaN(wanted)) return NOT_A_NUMBER;
  if ((options & LT && wanted >= current) || (options & GT && wanted <= current)) return UNTOUCHED;
  if (wanted !== current) zset.place(wanted, buffer, start, end);
  result = wanted;
  return wanted === current ? SAME : UPDATED;
}

/**
 * Adds members to the sorted set at argument 1 and replies as ZADD does: the scores are given, the members are every `step`th
 * argument from `firstMember` on.
 */
export function addMembers(
  context: CommandContext,
  args: Args,
  reply: RespWriter,
  options: number,
  scores: readonly number[],
  firstMember: number,
  step: number,
) {
  const { keyspace } = context;
  const { buffer } = args;
  if (options & XX && keyspace.write(buffer, args.start(1), args.end(1)) === 0) {
    return options & INCR ? reply.nullBulk() : reply.integer(0);
  }
  const zset = openOrCreate(ZSET, ZsetValue, context, args, reply);
  if (zset === null) return;
  const isNew = zset.size === 0;
  let added = 0;
  let updated = 0;
  let outcome: Outcome = UNTOUCHED;
  for (let i = 0; i < scores.length; i++) {
    const member = firstMember + i * step;
    outcome = addOne(zset, scores[i], options & ~CH, buffer, args.start(member), args.end(member));
    if (outcome === ADDED) added++;
    else if (outcome === UPDATED) updated++;
  }
  if (added + updated > 0) {
    keyspace.modified(zset.slot);
    if (isNew) keyspace.signalReady(buffer, args.start(1), args.end(1));
    notify(keyspace, NOTIFY_ZSET, options & INCR ? 'zincr' : 'zadd', args);
  }
  if (outcome === NOT_A_NUMBER) return reply.error(NAN);
  if (!(options & INCR)) return reply.integer(options & CH ? added + updated : added);
  if (outcome === UNTOUCHED) reply.nullBulk();
  else reply.double(result);
}

/** The option that argument `i` names, or 0. */
function optionAt(args: Args, i: number): number {
  // Most often a score stands here.
  if (args.buffer[args.start(i)] < 0x41) return 0;
  for (const [name, option] of optionNames) if (args.equalsIgnoreCase(i, name)) return option;
  return 0;
}

function conflict(options: number, pairs: number): string | null {
  const [nx, gt, lt] = [options & NX, options & GT, options & LT];
  if (nx && options & XX) return 'ERR XX and NX options at the same time are not compatible';
  if ((gt && nx) || (lt && nx) || (gt && lt)) {
    return 'ERR GT, LT, and/or NX options at the same time are not compatible';
  }
  if (options & INCR && pairs > 1) return 'ERR INCR option supports a single increment-element pair';
  return null;
}

function add(given: number) {
  return (context: CommandContext, args: Args, reply: RespWriter) => {
    let options = given;
    let first = 2;
    for (; first < args.count; first++) {
      const option = optionAt(args, first);
      if (option === 0) break;
      options |= option;
    }
    const rest = args.count - first;
    if (rest === 0 || rest % 2 !== 0) return reply.error(SYNTAX_ERROR);
    const problem = options === 0 ? null : conflict(options, rest / 2);
    if (problem !== null) return reply.error(problem);
    scores.length = 0;
    for (let i = first; i < args.count; i += 2) {
      const score = parseScore(args, i);
      if (score === null) return reply.error(NOT_A_FLOAT);
      scores.push(score);
    }
    addMembers(context, args, reply, options, scores, first + 1, 2);
  };
}

/** Commands that give members their scores. */
export const addCommands: CommandHandlers = {
  ZADD: add(0),
  ZINCRBY: add(INCR),
};
