import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC } from '../data-set.ts';
import { type CommandContext, type CommandHandler, type CommandHandlers, NOT_AN_INTEGER } from './command.ts';
import { absoluteTime, EX, EXAT, invalidExpiry, PX, PXAT, type TimeUnit } from './expiry-time.ts';

interface Condition {
  nx: boolean;
  xx: boolean;
  gt: boolean;
  lt: boolean;
}

/** The conditions from argument 3 on, null for none, or the text of an error. */
function parseCondition(args: Args): Condition | string | null {
  if (args.count === 3) return null;
  const condition: Condition = { nx: false, xx: false, gt: false, lt: false };
  for (let i = 3; i < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'NX')) condition.nx = true;
    else if (args.equalsIgnoreCase(i, 'XX')) condition.xx = true;
    else if (args.equalsIgnoreCase(i, 'GT')) condition.gt = true;
    else if (args.equalsIgnoreCase(i, 'LT')) condition.lt = true;
    else return `ERR Unsupported option ${args.utf8(i)}`;
  }
  const { nx, xx, gt, lt } = condition;
  if (nx && (xx || gt || lt)) {
    return 'ERR NX and XX, GT or LT options at the same time are not compatible';
  }
  if (gt && lt) return 'ERR GT and LT options at the same time are not compatible';
  return condition;
}

/** Whether a key that expires at `current` (0: never) may get the expiry `at`. */
function allows({ nx, xx, gt, lt }: Condition, current: number, at: number): boolean {
  if (nx && current !== 0) return false;
  if (xx && current === 0) return false;
  if (gt && (current === 0 || at <= current)) return false;
  return !(lt && current !== 0 && at >= current);
}

function expire(unit: TimeUnit, command: string): CommandHandler {
  return ({ keyspace }, args, reply) => {
    const condition = parseCondition(args);
    if (typeof condition === 'string') return reply.error(condition);
    const at = absoluteTime(args, 2, unit, keyspace.nowMs);
    if (at === 'not an integer') return reply.error(NOT_AN_INTEGER);
    if (at === 'out of range') return reply.error(invalidExpiry(command));
    const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
    if (slot === 0) return reply.integer(0);
    if (condition && !allows(condition, keyspace.store.expiresAt(slot), at)) return reply.integer(0);
    const isOver = at <= keyspace.nowMs;
    if (isOver) keyspace.remove(slot);
    else keyspace.setExpiry(slot, at);
    keyspace.notify(NOTIFY_GENERIC, isOver ? 'del' : 'expire', args.buffer, args.start(1), args.end(1));
    reply.integer(1);
  };
}

function persist({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
  if (slot === 0 || keyspace.store.expiresAt(slot) === 0) return reply.integer(0);
  keyspace.setExpiry(slot, 0);
  keyspace.notify(NOTIFY_GENERIC, 'persist', args.buffer, args.start(1), args.end(1));
  reply.integer(1);
}

function timeToLive(unit: TimeUnit): CommandHandler {
  return ({ keyspace }, args, reply) => {
    const slot = keyspace.peek(args.buffer, args.start(1), args.end(1));
    if (slot === 0) return reply.integer(-2);
    const at = keyspace.store.expiresAt(slot);
    if (at === 0) return reply.integer(-1);
    const ms = unit.relative ? Math.max(0, at - keyspace.nowMs) : at;
    reply.integer(unit.seconds ? Math.floor((ms + 500) / 1000) : ms);
  };
}

/** Commands on the time to live. */
export const expiryCommands: CommandHandlers = {
  EXPIRE: expire(EX, 'expire'),
  PEXPIRE: expire(PX, 'pexpire'),
  EXPIREAT: expire(EXAT, 'expireat'),
  PEXPIREAT: expire(PXAT, 'pexpireat'),
  PERSIST: persist,
  TTL: timeToLive(EX),
  PTTL: timeToLive(PX),
  EXPIRETIME: timeToLive(EXAT),
  PEXPIRETIME: timeToLive(PXAT),
};
