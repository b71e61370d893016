import { type Args, parseInt64, parseSafeInteger, type RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_HASH } from '../../data-set.ts';
import type { Keyspace } from '../../keyspace.ts';
import { HASH } from '../../store/index.ts';
import { HashValue } from '../../values/index.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER } from '../command.ts';
import { addLongDoubles } from '../long-double.ts';
import { notify, openOrCreate } from '../lookup.ts';

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const OVERFLOW = 'ERR increment or decrement would overflow';
const FIELD_NOT_AN_INTEGER = 'ERR hash value is not an integer';

/** Sets the field in argument 2. */
function store(keyspace: Keyspace, hash: HashValue, args: Args, text: string, event: string): void {
  const value = Buffer.from(text, 'latin1');
  hash.set(args.buffer, args.start(2), args.end(2), value, 0, value.length);
  keyspace.modified(hash.slot);
  notify(keyspace, NOTIFY_HASH, event, args);
}

/** The sum with the field in argument 2, or the text of an error. Small numbers take the way without allocation of a bigint. */
function sumOf(hash: HashValue, args: Args): number | bigint | string {
  const small = args.integer(3);
  const isThere = hash.find(args.buffer, args.start(2), args.end(2));
  const { buffer, start, end } = hash.value;
  const old = isThere ? parseSafeInteger(buffer, start, end) : 0;
  if (small !== null && old !== null && Number.isSafeInteger(old + small)) return old + small;
  const exact = isThere ? parseInt64(buffer, start, end) : 0n;
  if (exact === null) return FIELD_NOT_AN_INTEGER;
  const sum = exact + args.bigint(3)!;
  return sum > INT64_MAX || sum < INT64_MIN ? OVERFLOW : sum;
}

function incrBy(context: CommandContext, args: Args, reply: RespWriter) {
  if (args.integer(3) === null && args.bigint(3) === null) return reply.error(NOT_AN_INTEGER);
  const hash = openOrCreate(HASH, HashValue, context, args, reply);
  if (hash === null) return;
  const sum = sumOf(hash, args);
  if (typeof sum === 'string') return reply.error(sum);
  reply.integer(sum);
  store(context.keyspace, hash, args, String(sum), 'hincrby');
}

/** The sum with the field in argument 2 as text, or the text of an error. */
function floatSumOf(hash: HashValue, args: Args): { text: string } | { error: string } {
  const isThere = hash.find(args.buffer, args.start(2), args.end(2));
  const { buffer, start, end } = hash.value;
  const sum = addLongDoubles(isThere ? buffer.latin1Slice(start, end) : '0', args.latin1(3));
  if ('text' in sum) return sum;
  const isInfinite = sum.error === 'infinite';
  return {
    error: isInfinite ? 'ERR increment would produce NaN or Infinity' : 'ERR hash value is not a float',
  };
}

function incrByFloat(context: CommandContext, args: Args, reply: RespWriter) {
  const increment = addLongDoubles('0', args.latin1(3));
  if ('error' in increment) {
    const isInfinite = increment.error === 'infinite';
    return reply.error(isInfinite ? 'ERR value is NaN or Infinity' : 'ERR value is not a valid float');
  }
  const hash = openOrCreate(HASH, HashValue, context, args, reply);
  if (hash === null) return;
  const sum = floatSumOf(hash, args);
  if ('error' in sum) return reply.error(sum.error);
  reply.bulkLatin1(sum.text);
  store(context.keyspace, hash, args, sum.text, 'hincrbyfloat');
}

/** Arithmetic on a field that is a number. */
export const hashNumberCommands: CommandHandlers = { HINCRBY: incrBy, HINCRBYFLOAT: incrByFloat };
