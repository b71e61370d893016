import { RingsideError } from '../lib/base/index.ts';
import type { Args } from '../lib/codec/resp/index.ts';
import type { CommandSpec } from '../lib/commands/index.ts';
import type { Keyspace } from './keyspace.ts';
import { STRING } from './store/index.ts';

const BITS_PER_BYTE = 8;

/** Commands that may make a string longer than any of their arguments: bytes of the result, with the key at argument `i`. */
const growing: Readonly<Record<string, (args: Args, i: number, keyspace: Keyspace) => number>> = {
  append: (args, i, keyspace) => heldBytes(args, i, keyspace) + args.length(i + 1),
  setrange: (args, i) => (args.integer(i + 1) ?? 0) + args.length(i + 2),
  setbit: (args, i) => Math.floor((args.integer(i + 1) ?? 0) / BITS_PER_BYTE) + 1,
  bitfield: fieldsEnd,
  copy: (args, i, keyspace) => (i > 1 ? heldBytes(args, 1, keyspace) : 0),
};

/**
 * The error for a write of a value that is larger than its namespace allows; null for one that is not. The key is argument `i`. What counts
 * is the string that would result, and of a collection each element.
 */
export function tooLargeValue(
  spec: CommandSpec,
  args: Args,
  i: number,
  keyspace: Keyspace,
  namespace: string,
  maxBytes: number,
): string | null {
  const bytes = growing[spec.name]?.(args, i, keyspace) ?? longestArgument(spec, args, i);
  if (bytes <= maxBytes) return null;
  return new RingsideError(
    'too_large',
    `a value of ${bytes} bytes is larger than maxValueBytes (${maxBytes}) of namespace ${namespace}`,
  ).toResp();
}

/** Of the arguments that belong to the key: those up to the next key, else all behind it. */
function longestArgument(spec: CommandSpec, args: Args, i: number): number {
  const end = spec.keyStep > 1 ? Math.min(args.count, i + spec.keyStep) : args.count;
  let longest = 0;
  for (let at = i + 1; at < end; at++) longest = Math.max(longest, args.length(at));
  return longest;
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
