import { RingsideError } from '../lib/base/index.ts';
import type { Args } from '../lib/codec/resp/index.ts';
import type { Keyspace } from './keyspace.ts';
import { STRING } from './store/index.ts';

const BITS_PER_BYTE = 8;

/** The length of a value, with its key at argument `i`: of the string that results, or of the longest element of a collection. */
type Measure = (args: Args, i: number, keyspace: Keyspace) => number;

const argument =
  (place: number): Measure =>
  (args, i) =>
    args.length(i + place);

const allArguments: Measure = (args, i) => longest(args, i + 1, 1);

/** What comes in groups behind options: the last of each group. */
const lastOf =
  (group: number): Measure =>
  (args, i) =>
    longest(args, i + 1 + ((args.count - i - 2) % group), group);

/**
 * Commands whose arguments tell how long their value becomes. Those that make values of other ones ask `refusalOfValue` themselves, once they
 * know; of the arithmetic of hashes the field and what is added count, not the sum.
 */
export const argumentBytes: Readonly<Record<string, Measure>> = {
  set: argument(1),
  setnx: argument(1),
  getset: argument(1),
  'rs.set': argument(1),
  'rs.mcset': argument(1),
  setex: argument(2),
  psetex: argument(2),
  mset: argument(1),
  msetnx: argument(1),
  append: (args, i, keyspace) => heldBytes(args, i, keyspace) + args.length(i + 1),
  setrange: (args, i) => (args.integer(i + 1) ?? 0) + args.length(i + 2),
  setbit: (args, i) => Math.floor((args.integer(i + 1) ?? 0) / BITS_PER_BYTE) + 1,
  bitfield: fieldsEnd,
  hset: allArguments,
  hmset: allArguments,
  hsetnx: allArguments,
  hincrby: allArguments,
  hincrbyfloat: allArguments,
  lpush: allArguments,
  rpush: allArguments,
  lpushx: allArguments,
  rpushx: allArguments,
  lset: argument(2),
  linsert: argument(3),
  sadd: allArguments,
  smove: argument(1),
  zadd: lastOf(2),
  zincrby: argument(2),
  geoadd: lastOf(3),
};

/**
 * The error for a value that is longer than the namespace of the key at argument `i` allows; null for one that is not. `measure` is asked only
 * where there is a limit.
 */
export function refusalOfValue(
  keyspace: Keyspace,
  args: Args,
  i: number,
  measure: () => number,
): string | null {
  const { namespaces, isReplaying } = keyspace.data;
  // What a leader has made is made.
  if (!namespaces.boundsValues || isReplaying) return null;
  const rule = namespaces.rules[namespaces.numberOf(args.buffer, args.start(i), args.end(i))];
  const maxBytes = rule?.maxValueBytes ?? Number.POSITIVE_INFINITY;
  if (maxBytes === Number.POSITIVE_INFINITY) return null;
  const bytes = measure();
  return bytes <= maxBytes ? null : tooLarge(bytes, maxBytes, rule!.name);
}

/** The error for a value of `bytes`. */
export function tooLarge(bytes: number, maxBytes: number, namespace: string): string {
  return new RingsideError(
    'too_large',
    `a value of ${bytes} bytes is larger than maxValueBytes (${maxBytes}) of namespace ${namespace}`,
  ).toResp();
}

/** The longest of every `step`-th argument from `first` on. */
function longest(args: Args, first: number, step: number): number {
  let bytes = 0;
  for (let at = first; at < args.count; at += step) bytes = Math.max(bytes, args.length(at));
  return bytes;
}

/** The byte behind the last field that BITFIELD writes. What is no field is left to the command, which refuses it. */
function fieldsEnd(args: Args, i: number): number {
  let bits = 0;
  for (let at = i + 1; at + 2 < args.count; at++) {
    if (!args.equalsIgnoreCase(at, 'SET') && !args.equalsIgnoreCase(at, 'INCRBY')) continue;
    const width = Number(args.utf8(at + 1).slice(1));
    const offset = args.utf8(at + 2);
    const start = offset.startsWith('#') ? Number(offset.slice(1)) * width : Number(offset);
    bits = Math.max(bits, start + width || 0);
  }
  return Math.ceil(bits / BITS_PER_BYTE);
}

function heldBytes(args: Args, i: number, keyspace: Keyspace): number {
  const slot = keyspace.find(args.buffer, args.start(i), args.end(i));
  return slot !== 0 && keyspace.store.typeOf(slot) === STRING ? keyspace.store.length(slot) : 0;
}
