import type { Args } from '../../lib/codec/resp/index.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Slot } from '../store/index.ts';
import type { CommandContext } from './command.ts';

export const TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)';

/** Longest string that a command may make; what a leader has made is not asked. */
export function maxStringBytes({ keyspace, node }: CommandContext): number {
  return keyspace.data.isReplaying ? Number.POSITIVE_INFINITY : node.settings.maxBulkBytes;
}

/**
 * Makes the string of argument 1 (an entry, or 0 for none) at least `length` bytes long, filled up with zero bytes. Returns its slot. The
 * caller edits it with `store.writeAt` and says so with `keyspace.modified`.
 */
export function lengthened(keyspace: Keyspace, args: Args, slot: Slot, length: number): Slot {
  const { store } = keyspace;
  const { buffer } = args;
  if (slot !== 0 && store.length(slot) >= length) return slot;
  store.resize(slot || keyspace.insert(buffer, args.start(1), args.end(1)), length);
  return store.find(buffer, args.start(1), args.end(1));
}
