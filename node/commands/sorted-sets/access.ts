import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_ZSET } from '../../data-set.ts';
import type { Keyspace } from '../../keyspace.ts';
import { type Slot, ZSET } from '../../store/index.ts';
import { ZsetValue } from '../../values/index.ts';
import { type CommandContext, WRONG_TYPE } from '../command.ts';
import { type Absent, notify, readAs, writeAs } from '../lookup.ts';

/** The sorted set at argument 1, for reading, the only one that the command opens; null, with the answer written, when there is none. */
export function readZset(
  context: CommandContext,
  args: Args,
  reply: RespWriter,
  absent: Absent,
): ZsetValue | null {
  const slot = readAs(ZSET, context, args, reply, absent);
  return slot === 0 ? null : ZsetValue.single(context.keyspace, slot);
}

/** As `readZset`, for writing. */
export function writeZset(
  context: CommandContext,
  args: Args,
  reply: RespWriter,
  absent: Absent,
): ZsetValue | null {
  const slot = writeAs(ZSET, context, args, reply, absent);
  return slot === 0 ? null : ZsetValue.open(context.keyspace, slot);
}

/** The sorted set of an entry; when it holds something else, writes that error and returns null. `isOnly`: the command opens no other. */
export function openZset(
  keyspace: Keyspace,
  slot: Slot,
  reply: RespWriter,
  isOnly = false,
): ZsetValue | null {
  if (keyspace.store.typeOf(slot) === ZSET)
    return isOnly ? ZsetValue.single(keyspace, slot) : ZsetValue.open(keyspace, slot);
  reply.error(WRONG_TYPE);
  return null;
}

/** To be called when members were taken out of the sorted set at argument `keyAt`: an empty one goes. Tells watchers and the stream. */
export function shrunk(keyspace: Keyspace, zset: ZsetValue, event: string, args: Args, keyAt: number): void {
  const isEmpty = zset.size === 0;
  if (isEmpty) keyspace.removeUnsaid(zset.slot);
  else keyspace.modified(zset.slot);
  notify(keyspace, NOTIFY_ZSET, event, args, keyAt);
  if (isEmpty) notify(keyspace, NOTIFY_GENERIC, 'del', args, keyAt);
}
