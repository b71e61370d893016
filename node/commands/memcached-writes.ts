import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_STRING } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { type Slot, STRING } from '../store/index.ts';
import { refusalOfValue } from '../value-limit.ts';
import {
  type CommandContext,
  type CommandHandlers,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from './command.ts';
import { counted, expiryOf, unsignedOf } from './memcached-values.ts';
import { maxStringBytes } from './string-edits.ts';
import { versionOf, versionText } from './version-text.ts';

const U32 = 2 ** 32;
/** No version is asked for. */
const ANY = '0';

/** What memcached answers instead of writing. */
type Refusal = 'NOT_STORED' | 'EXISTS' | 'NOT_FOUND';

/** How RS.MCSET stores. */
interface StoreOrder {
  /** As in memcached's meta protocol: S set, E add, A append, P prepend, R replace; and L, a set that may come late. */
  readonly mode: string;
  readonly flags: number;
  /** Unix milliseconds, 0 for never. */
  readonly expiresAt: number;
  /** The version that is to be replaced, `ANY` for any. */
  readonly version: string;
  /** How long a value may become by appending. */
  readonly maxBytes: number;
}

/** RS.MCSET key value mode flags ttl version maxbytes: the new version, or why not. */
function set(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const order = parseStore(context, args);
  if (order === null) return reply.error(SYNTAX_ERROR);
  const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
  const isLate = order.mode === 'L' && isOlder(order.version, versionOf(keyspace, slot));
  const refusal = isLate ? null : refusalOf(context, args, slot, order);
  if (refusal !== null) return reply.simple(refusal);
  if (order.mode === 'A' || order.mode === 'P') return lengthen(context, args, slot, order, reply);
  if (isLate) storeLate(keyspace, args, slot, order);
  else store(keyspace, args, slot, order);
  answerStored(keyspace, args, 'set', reply);
}

function parseStore(context: CommandContext, args: Args): StoreOrder | null {
  const mode = args.latin1(3);
  const flags = args.integer(4);
  const expiresAt = expiryOf(args, 5, context.keyspace.nowMs);
  const version = unsignedOf(args, 6);
  const maxBytes = args.integer(7);
  const isFlags = flags !== null && flags >= 0 && flags < U32;
  if (!/^[SEAPRL]$/.test(mode) || !isFlags || expiresAt === null || version === null || maxBytes === null)
    return null;
  return { mode, flags, expiresAt, version: String(version), maxBytes };
}

function isOlder(version: string, present: string): boolean {
  return present !== ANY && version !== ANY && BigInt(version) < BigInt(present);
}

function refusalOf(
  { keyspace, node }: CommandContext,
  args: Args,
  slot: Slot,
  { mode, version }: StoreOrder,
): Refusal | null {
  if (mode === 'E') return slot === 0 ? null : 'NOT_STORED';
  const isCas = version !== ANY;
  if (slot !== 0) return isCas && versionOf(keyspace, slot) !== version ? 'EXISTS' : null;
  if (mode === 'A' || mode === 'P') return 'NOT_STORED';
  if (!isCas) return mode === 'R' ? 'NOT_STORED' : null;
  // Whoever is to fill a key that is not there names the version of its lease.
  const { leases } = keyspace.data;
  if (leases.held === 0) return 'NOT_FOUND';
  const promised = leases.versionOf(keyspace.index, args.latin1(1), node.clock.monotonicMs());
  if (promised === ANY) return 'NOT_FOUND';
  return promised === version ? null : 'EXISTS';
}

function store(keyspace: Keyspace, args: Args, slot: Slot, { flags, expiresAt }: StoreOrder): void {
  const { buffer } = args;
  const target = slot === 0 ? keyspace.insert(buffer, args.start(1), args.end(1)) : slot;
  keyspace.setBytes(target, buffer, args.start(2), args.end(2), expiresAt);
  keyspace.mark(target, { clientFlags: flags });
  keyspace.logMarks(target, { clientFlags: flags });
  keyspace.store.noteAccess(target, false);
}

/** The value of somebody who was overtaken: it may be served, but remains to be refreshed, by whoever is to do that, and in the same time. */
function storeLate(keyspace: Keyspace, args: Args, slot: Slot, order: StoreOrder): void {
  const expiresAt = keyspace.store.expiresAt(slot);
  keyspace.data.leases.keep(keyspace.index, args.latin1(1), () => {
    store(keyspace, args, slot, { ...order, expiresAt });
    const marks = { softExpiresAt: keyspace.nowMs };
    keyspace.mark(slot, marks);
    keyspace.logMarks(slot, marks);
  });
}

function lengthen(
  context: CommandContext,
  args: Args,
  slot: Slot,
  { mode, maxBytes }: StoreOrder,
  reply: RespWriter,
) {
  const { keyspace } = context;
  const { store: entries } = keyspace;
  const { buffer } = args;
  if (entries.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  const length = entries.length(slot) + args.length(2);
  // As memcached does, which finds no room for such an item.
  if (length > maxBytes || length > maxStringBytes(context)) return reply.simple('NOT_STORED');
  const refusal = refusalOfValue(keyspace, args, 1, () => length);
  if (refusal !== null) return reply.error(refusal);
  if (mode === 'A') keyspace.append(slot, buffer, args.start(2), args.end(2));
  else {
    keyspace.setLatin1(slot, args.latin1(2) + entries.latin1(slot), entries.expiresAt(slot));
    keyspace.logValue(entries.find(buffer, args.start(1), args.end(1)));
  }
  answerStored(keyspace, args, 'append', reply);
}

function answerStored(keyspace: Keyspace, args: Args, event: string, reply: RespWriter) {
  const { versions } = keyspace;
  keyspace.notify(NOTIFY_STRING, event, args.buffer, args.start(1), args.end(1));
  reply.bulkLatin1(versionText(versions.high, versions.low));
}

/** What RS.MCINCR and RS.MCSTALE may be told. */
interface EditOptions {
  isDecrement: boolean;
  version: string;
  /** Value and expiry of an item that is made where there is none. */
  initial: { readonly value: bigint; readonly expiresAt: number } | null;
  /** Null: it stays. */
  expiresAt: number | null;
}

/** RS.MCINCR key delta [DECR] [IFVERSION v] [TTL ms] [INIT value ms]: value, version, time to live and whether it was made, or why not. */
function increment(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const delta = unsignedOf(args, 2);
  const options = parseEdit(args, 3, keyspace.nowMs);
  if (delta === null || options === null) return reply.error(SYNTAX_ERROR);
  const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
  if (slot === 0) return create(keyspace, args, options, reply);
  const { store: entries } = keyspace;
  if (entries.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  const before = entries.latin1(slot);
  // An empty value is no number, whatever its version.
  if (before.length > 0 && options.version !== ANY && versionOf(keyspace, slot) !== options.version)
    return reply.simple('EXISTS');
  const digits = counted(before, delta, options.isDecrement);
  if (digits === null) return reply.error(NOT_AN_INTEGER);
  const refusal = refusalOfValue(keyspace, args, 1, () => digits.length);
  if (refusal !== null) return reply.error(refusal);
  // memcached overwrites the item where it lies.
  keyspace.setLatin1(slot, digits.padEnd(before.length), options.expiresAt ?? entries.expiresAt(slot));
  answerNumber(keyspace, args, digits, false, reply);
}

function create(keyspace: Keyspace, args: Args, { initial }: EditOptions, reply: RespWriter) {
  if (initial === null) return reply.simple('NOT_FOUND');
  const digits = initial.value.toString();
  const refusal = refusalOfValue(keyspace, args, 1, () => digits.length);
  if (refusal !== null) return reply.error(refusal);
  const slot = keyspace.insert(args.buffer, args.start(1), args.end(1));
  keyspace.setLatin1(slot, digits, initial.expiresAt);
  answerNumber(keyspace, args, digits, true, reply);
}

function answerNumber(keyspace: Keyspace, args: Args, digits: string, isMade: boolean, reply: RespWriter) {
  const { buffer } = args;
  const { store: entries, versions } = keyspace;
  const slot = entries.find(buffer, args.start(1), args.end(1));
  const expiresAt = entries.expiresAt(slot);
  const version = versionText(versions.high, versions.low);
  entries.noteAccess(slot, false);
  keyspace.logValue(slot);
  keyspace.notify(NOTIFY_STRING, 'incrby', buffer, args.start(1), args.end(1));
  reply.arrayHeader(4);
  reply.bulkLatin1(digits);
  reply.bulkLatin1(version);
  reply.integer(expiresAt === 0 ? -1 : Math.max(0, expiresAt - keyspace.nowMs));
  reply.integer(isMade ? 1 : 0);
}

/** RS.MCSTALE key [IFVERSION v] [TTL ms]: the value is stale from now on, and has a new version; somebody may win it again. */
function makeStale({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const { buffer } = args;
  const options = parseEdit(args, 2, keyspace.nowMs);
  if (options === null) return reply.error(SYNTAX_ERROR);
  const slot = keyspace.write(buffer, args.start(1), args.end(1));
  if (slot === 0) {
    keyspace.voidLease(buffer, args.start(1), args.end(1));
    return reply.simple('NOT_FOUND');
  }
  const { store: entries, versions } = keyspace;
  if (entries.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  if (options.version !== ANY && versionOf(keyspace, slot) !== options.version) return reply.simple('EXISTS');
  if (options.expiresAt !== null) entries.setExpiry(slot, options.expiresAt);
  keyspace.mark(slot, { softExpiresAt: keyspace.nowMs });
  keyspace.modified(slot);
  const version = versionText(versions.high, versions.low);
  keyspace.logValue(slot);
  keyspace.notify(NOTIFY_GENERIC, 'expire', buffer, args.start(1), args.end(1));
  reply.bulkLatin1(version);
}

function parseEdit(args: Args, first: number, nowMs: number): EditOptions | null {
  const options: EditOptions = { isDecrement: false, version: ANY, initial: null, expiresAt: null };
  for (let i = first; i < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'DECR')) {
      options.isDecrement = true;
      continue;
    }
    const name = args.upper(i);
    if (++i >= args.count) return null;
    if (name === 'IFVERSION') {
      const version = unsignedOf(args, i);
      if (version === null) return null;
      options.version = String(version);
    } else if (name === 'TTL') {
      options.expiresAt = expiryOf(args, i, nowMs);
      if (options.expiresAt === null) return null;
    } else if (name !== 'INIT' || i + 1 >= args.count || !parseInitial(args, i++, nowMs, options))
      return null;
  }
  return options;
}

function parseInitial(args: Args, i: number, nowMs: number, options: EditOptions): boolean {
  const value = unsignedOf(args, i);
  const expiresAt = expiryOf(args, i + 1, nowMs);
  if (value === null || expiresAt === null) return false;
  options.initial = { value, expiresAt };
  return true;
}

/** What memcached clients write, as the proxies ask for it. */
export const memcachedWrites: CommandHandlers = {
  'RS.MCSET': set,
  'RS.MCINCR': increment,
  'RS.MCSTALE': makeStale,
};
