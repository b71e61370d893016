import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_STRING } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { type Slot, STRING } from '../store/index.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR, WRONG_TYPE } from './command.ts';
import { EX, EXAT, PX, PXAT, positiveTime, type TimeUnit } from './expiry-time.ts';
import { notify } from './lookup.ts';

const units: readonly (readonly [string, TimeUnit])[] = [
  ['EX', EX],
  ['PX', PX],
  ['EXAT', EXAT],
  ['PXAT', PXAT],
];

/** Options of SET and GETEX as they were given. */
interface StringOptions {
  unit: TimeUnit | null;
  timeAt: number;
  nx: boolean;
  xx: boolean;
  get: boolean;
  keepTtl: boolean;
  persist: boolean;
}

function write(
  { keyspace }: CommandContext,
  args: Args,
  slot: Slot,
  valueAt: number,
  expiresAt: number,
  isAsked = false,
): void {
  const { buffer } = args;
  const target = slot === 0 ? keyspace.insert(buffer, args.start(1), args.end(1)) : slot;
  keyspace.setBytes(target, buffer, args.start(valueAt), args.end(valueAt), expiresAt, isAsked);
  notify(keyspace, NOTIFY_STRING, 'set', args, 1);
}

function lookupKey(keyspace: Keyspace, args: Args, i: number): Slot {
  return keyspace.write(args.buffer, args.start(i), args.end(i));
}

function readKey(keyspace: Keyspace, args: Args, i: number): Slot {
  return keyspace.read(args.buffer, args.start(i), args.end(i));
}

/** Replies the string or nothing; false when there is neither, and the reply is an error. */
function replyValue(keyspace: Keyspace, slot: Slot, reply: RespWriter): boolean {
  if (slot === 0) {
    reply.nullBulk();
    return true;
  }
  const isString = keyspace.store.typeOf(slot) === STRING;
  if (isString) keyspace.store.writeValue(slot, reply);
  else reply.error(WRONG_TYPE);
  return isString;
}

function get({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  replyValue(keyspace, readKey(keyspace, args, 1), reply);
}

function set(context: CommandContext, args: Args, reply: RespWriter) {
  if (args.count === 3) {
    write(context, args, lookupKey(context.keyspace, args, 1), 2, 0, true);
    reply.ok();
    return;
  }
  setWithOptions(context, args, reply);
}

function setWithOptions(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const options = parseOptions(args, 3, true);
  if (options === null) return reply.error(SYNTAX_ERROR);
  let expiresAt = 0;
  if (options.unit) {
    const at = positiveTime(args, options.timeAt, options.unit, keyspace.nowMs, 'set');
    if (typeof at === 'string') return reply.error(at);
    expiresAt = at;
  }
  const slot = options.get ? readKey(keyspace, args, 1) : lookupKey(keyspace, args, 1);
  if (options.get && !replyValue(keyspace, slot, reply)) return;
  if ((options.nx && slot !== 0) || (options.xx && slot === 0)) {
    if (!options.get) reply.nullBulk();
    return;
  }
  if (options.keepTtl && slot !== 0) expiresAt = keyspace.store.expiresAt(slot);
  write(context, args, slot, 2, expiresAt);
  if (options.unit) notify(keyspace, NOTIFY_GENERIC, 'expire', args, 1);
  if (!options.get) reply.ok();
}

/** Reads the options from argument `first` on; null on a syntax error. `forSet`: those of SET, else those of GETEX. */
function parseOptions(args: Args, first: number, forSet: boolean): StringOptions | null {
  const options: StringOptions = {
    unit: null,
    timeAt: 0,
    nx: false,
    xx: false,
    get: false,
    keepTtl: false,
    persist: false,
  };
  for (let i = first; i < args.count; i++) {
    const named = units.find(([name]) => args.equalsIgnoreCase(i, name));
    if (named) {
      // The same one again is no error in Redis; the last one counts.
      const isOther = options.unit !== null && options.unit !== named[1];
      if (isOther || options.keepTtl || options.persist || i + 1 === args.count) return null;
      options.unit = named[1];
      options.timeAt = ++i;
    } else if (!parseFlag(args, i, options, forSet)) {
      return null;
    }
  }
  return options;
}

function parseFlag(args: Args, i: number, options: StringOptions, forSet: boolean): boolean {
  if (!forSet) {
    if (!args.equalsIgnoreCase(i, 'PERSIST') || options.unit) return false;
    options.persist = true;
    return true;
  }
  if (args.equalsIgnoreCase(i, 'NX') && !options.xx) options.nx = true;
  else if (args.equalsIgnoreCase(i, 'XX') && !options.nx) options.xx = true;
  else if (args.equalsIgnoreCase(i, 'GET')) options.get = true;
  else if (args.equalsIgnoreCase(i, 'KEEPTTL') && !options.unit) options.keepTtl = true;
  else return false;
  return true;
}

function setNx(context: CommandContext, args: Args, reply: RespWriter) {
  const slot = lookupKey(context.keyspace, args, 1);
  if (slot === 0) write(context, args, 0, 2, 0);
  reply.integer(slot === 0 ? 1 : 0);
}

function setWithTtl(unit: TimeUnit, command: string) {
  return (context: CommandContext, args: Args, reply: RespWriter) => {
    const at = positiveTime(args, 2, unit, context.keyspace.nowMs, command);
    if (typeof at === 'string') return reply.error(at);
    write(context, args, lookupKey(context.keyspace, args, 1), 3, at);
    notify(context.keyspace, NOTIFY_GENERIC, 'expire', args, 1);
    reply.ok();
  };
}

function getSet(context: CommandContext, args: Args, reply: RespWriter) {
  const slot = readKey(context.keyspace, args, 1);
  if (replyValue(context.keyspace, slot, reply)) write(context, args, slot, 2, 0);
}

function getDel({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = readKey(keyspace, args, 1);
  if (slot === 0) keyspace.voidLease(args.buffer, args.start(1), args.end(1));
  if (!replyValue(keyspace, slot, reply) || slot === 0) return;
  keyspace.remove(slot);
  notify(keyspace, NOTIFY_GENERIC, 'del', args, 1);
}

function getEx({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const options = parseOptions(args, 2, false);
  if (options === null) return reply.error(SYNTAX_ERROR);
  const slot = readKey(keyspace, args, 1);
  if (slot === 0) return reply.nullBulk();
  if (keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  let at = 0;
  if (options.unit) {
    const time = positiveTime(args, options.timeAt, options.unit, keyspace.nowMs, 'getex');
    if (typeof time === 'string') return reply.error(time);
    at = time;
  }
  replyValue(keyspace, slot, reply);
  if (options.unit) {
    applyExpiry(keyspace, args, slot, at);
  } else if (options.persist && keyspace.store.expiresAt(slot) !== 0) {
    keyspace.setExpiry(slot, 0);
    notify(keyspace, NOTIFY_GENERIC, 'persist', args, 1);
  }
}

/** Sets when the key of argument 1 expires, or removes it when that is over. */
function applyExpiry(keyspace: Keyspace, args: Args, slot: Slot, at: number): void {
  const isOver = at <= keyspace.nowMs;
  if (isOver) keyspace.remove(slot);
  else keyspace.setExpiry(slot, at);
  notify(keyspace, NOTIFY_GENERIC, isOver ? 'del' : 'expire', args, 1);
}

function mget({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  reply.arrayHeader(args.count - 1);
  for (let i = 1; i < args.count; i++) {
    const slot = readKey(keyspace, args, i);
    if (slot === 0 || keyspace.store.typeOf(slot) !== STRING) reply.nullBulk();
    else keyspace.store.writeValue(slot, reply);
  }
}

function wrongMset(command: string): string {
  return `ERR wrong number of arguments for '${command}' command`;
}

function writePairs(keyspace: Keyspace, args: Args): void {
  const { buffer } = args;
  for (let i = 1; i < args.count; i += 2) {
    const slot = lookupKey(keyspace, args, i) || keyspace.insert(buffer, args.start(i), args.end(i));
    keyspace.setBytes(slot, buffer, args.start(i + 1), args.end(i + 1), 0);
    notify(keyspace, NOTIFY_STRING, 'set', args, i);
  }
}

function mset({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count % 2 === 0) return reply.error(wrongMset('mset'));
  writePairs(keyspace, args);
  reply.ok();
}

function msetNx({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count % 2 === 0) return reply.error(wrongMset('msetnx'));
  for (let i = 1; i < args.count; i += 2) {
    if (lookupKey(keyspace, args, i) !== 0) return reply.integer(0);
  }
  writePairs(keyspace, args);
  reply.integer(1);
}

/** Commands on one string, or on several. */
export const stringCommands: CommandHandlers = {
  GET: get,
  SET: set,
  SETNX: setNx,
  SETEX: setWithTtl(EX, 'setex'),
  PSETEX: setWithTtl(PX, 'psetex'),
  GETSET: getSet,
  GETDEL: getDel,
  GETEX: getEx,
  MGET: mget,
  MSET: mset,
  MSETNX: msetNx,
};
