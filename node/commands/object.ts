import { integerOf } from '../../lib/codec/rdb/index.ts';
import { parseSafeInteger, type RespWriter } from '../../lib/codec/resp/index.ts';
import { helpReply, lookupCommand } from '../../lib/commands/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { HASH, LIST, SET, type Slot, STRING } from '../store/index.ts';
import { Found, HashValue, ListValue, SetValue, ZsetValue } from '../values/index.ts';
import type { CommandContext, CommandHandler, CommandHandlers } from './command.ts';

/** Longest string that Redis keeps within its object. */
const MAX_EMBEDDED_BYTES = 44;
/** Whole numbers below this are shared in Redis, and say so by a count of references that never ends. */
const SHARED_INTEGERS = 10_000;
const SHARED_REFERENCES = 0x7fffffff;
const TRACKING_CHANGES =
  'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.';

const value = new Found();

/** Redis's name of how the value is kept. */
export function encodingOf(keyspace: Keyspace, slot: Slot): string {
  const type = keyspace.store.typeOf(slot);
  if (type === STRING) return stringEncoding(keyspace, slot);
  if (type === HASH) return HashValue.open(keyspace, slot).encoding;
  if (type === LIST) return ListValue.open(keyspace, slot).encoding;
  if (type === SET) return SetValue.open(keyspace, slot).encoding;
  return ZsetValue.open(keyspace, slot).encoding;
}

function stringEncoding({ store }: Keyspace, slot: Slot): string {
  if (store.wasEdited(slot)) return 'raw';
  store.view(slot, value);
  if (integerOf(value.buffer, value.start, value.end) !== null) return 'int';
  return value.end - value.start <= MAX_EMBEDDED_BYTES ? 'embstr' : 'raw';
}

/** As many references as Redis would count. */
export function referencesOf(keyspace: Keyspace, slot: Slot): number {
  if (keyspace.store.typeOf(slot) !== STRING || stringEncoding(keyspace, slot) !== 'int') return 1;
  const number = parseSafeInteger(value.buffer, value.start, value.end);
  return number !== null && number >= 0 && number < SHARED_INTEGERS ? SHARED_REFERENCES : 1;
}

/** A handler that looks the key up, which is no use of it and tells nobody of a miss, and answers nothing for a key that is not there. */
function ofKey(answer: (context: CommandContext, slot: Slot, reply: RespWriter) => void): CommandHandler {
  return (context, args, reply) => {
    const { stats } = context.keyspace;
    const slot = context.keyspace.find(args.buffer, args.start(2), args.end(2));
    if (slot === 0) stats.misses++;
    else stats.hits++;
    if (slot === 0) reply.nullBulk();
    else answer(context, slot, reply);
  };
}

function countsUses({ node }: CommandContext): boolean {
  return node.settings.maxMemoryPolicy.endsWith('lfu');
}

function idleTime(context: CommandContext, slot: Slot, reply: RespWriter) {
  if (!countsUses(context)) return reply.integer(context.keyspace.store.idleSeconds(slot));
  reply.error(`ERR An LFU maxmemory policy is selected, idle time not tracked. ${TRACKING_CHANGES}`);
}

function frequency(context: CommandContext, slot: Slot, reply: RespWriter) {
  if (countsUses(context)) return reply.integer(context.keyspace.store.frequencyOf(slot));
  reply.error(
    `ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${TRACKING_CHANGES}`,
  );
}

/** What is known of the values of keys. */
export const objectCommands: CommandHandlers = {
  'OBJECT|ENCODING': ofKey(({ keyspace }, slot, reply) => reply.bulkLatin1(encodingOf(keyspace, slot))),
  'OBJECT|REFCOUNT': ofKey(({ keyspace }, slot, reply) => reply.integer(referencesOf(keyspace, slot))),
  'OBJECT|IDLETIME': ofKey(idleTime),
  'OBJECT|FREQ': ofKey(frequency),
  'OBJECT|HELP': (_context, args, reply) =>
    helpReply(lookupCommand(args.buffer, args.start(0), args.end(0))!, reply),
};
