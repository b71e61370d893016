import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Slot, ValueType } from '../store/index.ts';
import { type CommandContext, WRONG_TYPE } from './command.ts';

/** Writes what a command answers when its key is not there. */
export type Absent = (reply: RespWriter) => void;

export const zero: Absent = (reply) => reply.integer(0);
export const noValue: Absent = (reply) => reply.nullBulk();
export const noArray: Absent = (reply) => reply.nullArray();
export const emptyArray: Absent = (reply) => reply.arrayHeader(0);
export const emptySet: Absent = (reply) => reply.setHeader(0);
export const emptyMap: Absent = (reply) => reply.mapHeader(0);

/** A class of collections, such as `ListValue`. */
export interface CollectionClass<Value> {
  single(keyspace: Keyspace, slot: Slot): Value;
  create(keyspace: Keyspace, buffer: Buffer, start: number, end: number): Value;
}

/**
 * Looks the key in argument 1 up for reading. Returns 0, with the answer written, when there is none or it holds something else than a
 * value of this type.
 */
export function readAs(
  type: ValueType,
  { keyspace }: CommandContext,
  args: Args,
  reply: RespWriter,
  absent: Absent,
): Slot {
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  return checked(type, keyspace, slot, reply, absent);
}

/** As `readAs`, for writing. */
export function writeAs(
  type: ValueType,
  { keyspace }: CommandContext,
  args: Args,
  reply: RespWriter,
  absent: Absent,
): Slot {
  const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
  return checked(type, keyspace, slot, reply, absent);
}

function checked(type: ValueType, keyspace: Keyspace, slot: Slot, reply: RespWriter, absent: Absent): Slot {
  if (slot === 0) absent(reply);
  else if (keyspace.store.typeOf(slot) === type) return slot;
  else reply.error(WRONG_TYPE);
  return 0;
}

/** The collection at the key in argument 1, the only one of its type that the command opens, made when it is not there; null, with the error written, when the key holds something else. */
export function openOrCreate<Value>(
  type: ValueType,
  values: CollectionClass<Value>,
  { keyspace }: CommandContext,
  args: Args,
  reply: RespWriter,
): Value | null {
  const { buffer } = args;
  const slot = keyspace.write(buffer, args.start(1), args.end(1));
  if (slot === 0) return values.create(keyspace, buffer, args.start(1), args.end(1));
  if (keyspace.store.typeOf(slot) === type) return values.single(keyspace, slot);
  reply.error(WRONG_TYPE);
  return null;
}

/**
 * To be called when something was taken out of a collection, whose key is argument `keyAt`: an empty one goes. Tells who listens, of the
 * event and of the end. Returns whether the key is gone. What was taken out goes into the stream, also when nothing is left.
 */
export function shrunk(
  keyspace: Keyspace,
  value: { readonly size: number; readonly slot: Slot },
  kind: number,
  event: string,
  args: Args,
  keyAt = 1,
): boolean {
  const isGone = value.size === 0;
  if (isGone) keyspace.removeUnsaid(value.slot);
  else keyspace.modified(value.slot);
  notify(keyspace, kind, event, args, keyAt);
  if (isGone) notify(keyspace, NOTIFY_GENERIC, 'del', args, keyAt);
  return isGone;
}

/** Tells who listens that the key in argument `i` had this event. */
export function notify(keyspace: Keyspace, kind: number, event: string, args: Args, i = 1): void {
  keyspace.notify(kind, event, args.buffer, args.start(i), args.end(i));
}

/**
 * Argument `i` as a signed 64-bit whole number, beyond 2^53 rounded to a double: right for counts and indexes, which no collection reaches
 * there. Null when it is none.
 */
export function longOf(args: Args, i: number): number | null {
  const value = args.integer(i) ?? args.bigint(i);
  return value === null ? null : Number(value);
}

/** Whether two byte ranges are the same bytes. */
export function bytesEqual(
  a: Buffer,
  aStart: number,
  aEnd: number,
  b: Buffer,
  bStart: number,
  bEnd: number,
): boolean {
  return aEnd - aStart === bEnd - bStart && a.compare(b, bStart, bEnd, aStart, aEnd) === 0;
}
