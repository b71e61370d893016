import type { CommandHandler, CommandHandlers } from '../command.ts';
import { noValue, zero } from '../lookup.ts';
import { openZset, readZset, shrunk, writeZset } from './access.ts';

const card: CommandHandler = (context, args, reply) => {
  const zset = readZset(context, args, reply, zero);
  if (zset !== null) reply.integer(zset.size);
};

const score: CommandHandler = (context, args, reply) => {
  const zset = readZset(context, args, reply, noValue);
  if (zset === null) return;
  const found = zset.scoreOf(args.buffer, args.start(2), args.end(2));
  if (found === undefined) reply.nullBulk();
  else reply.double(found);
};

const manyScores: CommandHandler = ({ keyspace }, args, reply) => {
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  const zset = slot === 0 ? null : openZset(keyspace, slot, reply);
  if (slot !== 0 && zset === null) return;
  reply.arrayHeader(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const found = zset?.scoreOf(args.buffer, args.start(i), args.end(i));
    if (found === undefined) reply.nullBulk();
    else reply.double(found);
  }
};

function rank(fromHighest: boolean): CommandHandler {
  return (context, args, reply) => {
    const zset = readZset(context, args, reply, noValue);
    if (zset === null) return;
    const found = zset.rankOf(args.buffer, args.start(2), args.end(2));
    if (found < 0) reply.nullBulk();
    else reply.integer(fromHighest ? zset.size - 1 - found : found);
  };
}

const remove: CommandHandler = (context, args, reply) => {
  const zset = writeZset(context, args, reply, zero);
  if (zset === null) return;
  let removed = 0;
  for (let i = 2; i < args.count && zset.size > 0; i++) {
    if (zset.delete(args.buffer, args.start(i), args.end(i))) removed++;
  }
  if (removed > 0) shrunk(context.keyspace, zset, 'zrem', args, 1);
  reply.integer(removed);
};

/** Commands on members by name. */
export const memberCommands: CommandHandlers = {
  ZCARD: card,
  ZSCORE: score,
  ZMSCORE: manyScores,
  ZRANK: rank(false),
  ZREVRANK: rank(true),
  ZREM: remove,
};
