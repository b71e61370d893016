import { type Args, parseInt64, type RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_STRING } from '../data-set.ts';
import { type Slot, STRING } from '../store/index.ts';
import { refusalOfValue } from '../value-limit.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, WRONG_TYPE } from './command.ts';
import { addLongDoubles } from './long-double.ts';

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const OVERFLOW = 'ERR increment or decrement would overflow';

/** Makes the text the value of the key in argument 1; false, with the error written, when its namespace has no room for it. */
export function storeNumber(
  { keyspace }: CommandContext,
  args: Args,
  reply: RespWriter,
  slot: Slot,
  value: string,
  event: string,
): boolean {
  const refusal = refusalOfValue(keyspace, args, 1, () => value.length);
  if (refusal !== null) {
    reply.error(refusal);
    return false;
  }
  const expiresAt = slot === 0 ? 0 : keyspace.store.expiresAt(slot);
  const target = slot || keyspace.insert(args.buffer, args.start(1), args.end(1));
  keyspace.setLatin1(target, value, expiresAt);
  keyspace.notify(NOTIFY_STRING, event, args.buffer, args.start(1), args.end(1));
  return true;
}

/** What the number that is written as `text` becomes, or the text of an error. */
export function sumOf(text: string, by: bigint): bigint | string {
  const bytes = Buffer.from(text, 'latin1');
  const exact = parseInt64(bytes, 0, bytes.length);
  if (exact === null) return NOT_AN_INTEGER;
  const sum = exact + by;
  return sum > INT64_MAX || sum < INT64_MIN ? OVERFLOW : sum;
}

/** Adds to the number at the key. Small numbers take the way without allocation of a bigint. */
function add(context: CommandContext, args: Args, reply: RespWriter, by: bigint | number) {
  const { keyspace } = context;
  const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
  if (slot !== 0 && keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  const text = slot === 0 ? '0' : keyspace.store.latin1(slot);
  const old = Number(text);
  if (typeof by === 'number' && Number.isSafeInteger(old + by) && String(old) === text) {
    if (storeNumber(context, args, reply, slot, String(old + by), 'incrby')) reply.integer(old + by);
    return;
  }
  const sum = sumOf(text, BigInt(by));
  if (typeof sum === 'string') return reply.error(sum);
  if (storeNumber(context, args, reply, slot, sum.toString(), 'incrby')) reply.integer(sum);
}

function addArgument(sign: 1 | -1) {
  return (context: CommandContext, args: Args, reply: RespWriter) => {
    const small = args.integer(2);
    if (small !== null) return add(context, args, reply, sign * small);
    const by = args.bigint(2);
    if (by === null) return reply.error(NOT_AN_INTEGER);
    if (sign < 0 && by === INT64_MIN) return reply.error('ERR decrement would overflow');
    add(context, args, reply, sign > 0 ? by : -by);
  };
}

function incrByFloat(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
  if (slot !== 0 && keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  const sum = addLongDoubles(slot === 0 ? '0' : keyspace.store.latin1(slot), args.latin1(2));
  if ('error' in sum) {
    return reply.error(
      sum.error === 'infinite'
        ? 'ERR increment would produce NaN or Infinity'
        : 'ERR value is not a valid float',
    );
  }
  if (!storeNumber(context, args, reply, slot, sum.text, 'incrbyfloat')) return;
  // Others may round otherwise.
  keyspace.logValue(keyspace.store.find(args.buffer, args.start(1), args.end(1)));
  reply.bulkLatin1(sum.text);
}

/** Arithmetic on a string that is a number. */
export const numberCommands: CommandHandlers = {
  INCR: (context, args, reply) => add(context, args, reply, 1),
  DECR: (context, args, reply) => add(context, args, reply, -1),
  INCRBY: addArgument(1),
  DECRBY: addArgument(-1),
  INCRBYFLOAT: incrByFloat,
};
