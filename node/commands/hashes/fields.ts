import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_HASH } from '../../data-set.ts';
import { HASH, type Slot } from '../../store/index.ts';
import { HashValue } from '../../values/index.ts';
import { type CommandContext, type CommandHandler, type CommandHandlers, WRONG_TYPE } from '../command.ts';
import {
  type Absent,
  emptyArray,
  emptyMap,
  notify,
  noValue,
  openOrCreate,
  readAs,
  shrunk,
  writeAs,
  zero,
} from '../lookup.ts';

function set(name: string, isCounted: boolean): CommandHandler {
  const wrongArity = `ERR wrong number of arguments for '${name}' command`;
  return (context, args, reply) => {
    if (args.count % 2 !== 0) return reply.error(wrongArity);
    const hash = openOrCreate(HASH, HashValue, context, args, reply);
    if (hash === null) return;
    let added = 0;
    for (let i = 2; i < args.count; i += 2) if (setField(hash, args, i)) added++;
    if (isCounted) reply.integer(added);
    else reply.ok();
    context.keyspace.modified(hash.slot);
    notify(context.keyspace, NOTIFY_HASH, 'hset', args);
  };
}

/** Sets the field in argument `i` to the value behind it; whether it is new. */
function setField(hash: HashValue, args: Args, i: number): boolean {
  const { buffer } = args;
  return hash.set(buffer, args.start(i), args.end(i), buffer, args.start(i + 1), args.end(i + 1));
}

function setNew(context: CommandContext, args: Args, reply: RespWriter) {
  const hash = openOrCreate(HASH, HashValue, context, args, reply);
  if (hash === null) return;
  if (hash.find(args.buffer, args.start(2), args.end(2))) return reply.integer(0);
  setField(hash, args, 2);
  reply.integer(1);
  context.keyspace.modified(hash.slot);
  notify(context.keyspace, NOTIFY_HASH, 'hset', args);
}

function replyField(hash: HashValue, args: Args, i: number, reply: RespWriter): void {
  const { value } = hash;
  if (hash.find(args.buffer, args.start(i), args.end(i))) reply.bulk(value.buffer, value.start, value.end);
  else reply.nullBulk();
}

function get(context: CommandContext, args: Args, reply: RespWriter) {
  const slot = readAs(HASH, context, args, reply, noValue);
  if (slot !== 0) replyField(HashValue.single(context.keyspace, slot), args, 2, reply);
}

function getMany({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot !== 0 && keyspace.store.typeOf(slot) !== HASH) return reply.error(WRONG_TYPE);
  reply.arrayHeader(args.count - 2);
  const hash = slot === 0 ? null : HashValue.open(keyspace, slot);
  for (let i = 2; i < args.count; i++) {
    if (hash === null) reply.nullBulk();
    else replyField(hash, args, i, reply);
  }
}

function remove(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const slot = writeAs(HASH, context, args, reply, zero);
  if (slot === 0) return;
  const hash = HashValue.open(keyspace, slot);
  let removed = 0;
  for (let i = 2; i < args.count && hash.size > 0; i++) {
    if (hash.delete(args.buffer, args.start(i), args.end(i))) removed++;
  }
  reply.integer(removed);
  if (removed > 0) shrunk(keyspace, hash, NOTIFY_HASH, 'hdel', args);
}

/** A command that answers something about a hash that is there. */
function reading(absent: Absent, answer: (hash: HashValue, args: Args, reply: RespWriter) => void) {
  return (context: CommandContext, args: Args, reply: RespWriter) => {
    const slot: Slot = readAs(HASH, context, args, reply, absent);
    if (slot !== 0) answer(HashValue.open(context.keyspace, slot), args, reply);
  };
}

const has = (hash: HashValue, args: Args) => hash.find(args.buffer, args.start(2), args.end(2));

const size = reading(zero, (hash, _args, reply) => reply.integer(hash.size));
const exists = reading(zero, (hash, args, reply) => reply.integer(has(hash, args) ? 1 : 0));
const valueLength = reading(zero, (hash, args, reply) => {
  reply.integer(has(hash, args) ? hash.value.end - hash.value.start : 0);
});

const all = reading(emptyMap, (hash, _args, reply) => {
  reply.mapHeader(hash.size);
  hash.forEach((field, fieldStart, fieldEnd, value, start, end) => {
    reply.bulk(field, fieldStart, fieldEnd);
    reply.bulk(value, start, end);
  });
});

const fields = reading(emptyArray, (hash, _args, reply) => {
  reply.arrayHeader(hash.size);
  hash.forEach((field, start, end) => {
    reply.bulk(field, start, end);
  });
});

const values = reading(emptyArray, (hash, _args, reply) => {
  reply.arrayHeader(hash.size);
  hash.forEach((_field, _fieldStart, _fieldEnd, value, start, end) => {
    reply.bulk(value, start, end);
  });
});

/** Commands on the fields of a hash. */
export const fieldCommands: CommandHandlers = {
  HSET: set('hset', true),
  HMSET: set('hmset', false),
  HSETNX: setNew,
  HGET: get,
  HMGET: getMany,
  HGETALL: all,
  HDEL: remove,
  HLEN: size,
  HSTRLEN: valueLength,
  HEXISTS: exists,
  HKEYS: fields,
  HVALS: values,
};
