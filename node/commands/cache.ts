import { errorCatalogue, RingsideError } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { DEFAULT_LEASE_MS, MAX_LEASE_MS } from '../cache/index.ts';
import { NOTIFY_GENERIC, NOTIFY_STRING } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { type Slot, STRING } from '../store/index.ts';
import { answer, once } from './cache-once.ts';
import { type CacheOptions, NO_ROOM_FOR_TAGS, parseCacheOptions, parseFence } from './cache-options.ts';
import {
  type CommandContext,
  type CommandHandlers,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from './command.ts';
import { storeNumber, sumOf } from './numbers.ts';
import { versionOf, versionText } from './version-text.ts';

const LEASE_VOID = errorCatalogue.lease_void.resp;
const NO_TAGS: readonly string[] = [];
const NO_EXPIRY = -1;
const NO_KEY = -2;

/** What RS.GET says of the entry; absent: whoever was to fill it found that there is nothing. */
type Freshness = 'hit' | 'stale' | 'miss' | 'absent';

/** The lease that RS.GET was asked for. */
interface LeaseWish {
  /** How long it is to run; 0: none is wanted. */
  ms: number;
  /** With less left until it is stale, or over, the value is to be refreshed. */
  belowMs: number;
}

/** RS.GET key [LEASE [milliseconds] [BELOW milliseconds]] [NOVALUE] [TAIL] */
function get(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const { store } = keyspace;
  const wish: LeaseWish = { ms: 0, belowMs: 0 };
  let withValue = true;
  let isTail = false;
  for (let i = 2; i < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'LEASE') && wish.ms === 0) {
      const given = i + 1 < args.count ? args.integer(i + 1) : null;
      wish.ms = given ?? DEFAULT_LEASE_MS;
      if (given !== null) i++;
      if (wish.ms < 1 || wish.ms > MAX_LEASE_MS)
        return reply.error(`ERR a lease runs 1 to ${MAX_LEASE_MS} ms`);
    } else if (args.equalsIgnoreCase(i, 'BELOW') && wish.ms > 0 && wish.belowMs === 0) {
      const given = ++i < args.count ? args.integer(i) : null;
      if (given === null || given < 1) return reply.error(SYNTAX_ERROR);
      wish.belowMs = given;
    } else if (args.equalsIgnoreCase(i, 'NOVALUE')) withValue = false;
    else if (args.equalsIgnoreCase(i, 'TAIL')) isTail = true;
    else return reply.error(SYNTAX_ERROR);
  }
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot !== 0 && store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  const softAt = slot === 0 ? 0 : store.softExpiresAt(slot);
  const found = freshnessOf(keyspace, slot);
  const freshness = found === 'miss' && isAbsent(context, args) ? 'absent' : found;
  const writeValue = () => {
    if (slot === 0 || !withValue) reply.nullBulk();
    else store.writeValue(slot, reply);
  };
  reply.arrayHeader(8);
  if (!isTail) writeValue();
  reply.bulkLatin1(versionOf(keyspace, slot));
  reply.integer(slot === 0 ? 0 : store.clientFlags(slot));
  reply.integer(slot === 0 ? NO_KEY : timeLeft(store.expiresAt(slot), keyspace.nowMs));
  reply.integer(slot === 0 ? NO_KEY : timeLeft(softAt, keyspace.nowMs));
  reply.bulkLatin1(freshness);
  writeLease(context, args, slot, wish, freshness, reply);
  if (isTail) writeValue();
}

function freshnessOf({ store, nowMs }: Keyspace, slot: Slot): Freshness {
  if (slot === 0) return 'miss';
  const softAt = store.softExpiresAt(slot);
  return softAt !== 0 && softAt <= nowMs ? 'stale' : 'hit';
}

function isAbsent({ keyspace, node }: CommandContext, args: Args): boolean {
  const { leases } = keyspace.data;
  return leases.held > 0 && leases.isAbsent(keyspace.index, args.latin1(1), node.clock.monotonicMs());
}

/** Whether so little is left of the value, which is neither missing nor stale, that it is to be refreshed. */
function isNearItsEnd({ store, nowMs }: Keyspace, slot: Slot, belowMs: number): boolean {
  const endsAt = store.softExpiresAt(slot) || store.expiresAt(slot);
  return endsAt !== 0 && endsAt - nowMs < belowMs;
}

function timeLeft(atMs: number, nowMs: number): number {
  return atMs === 0 ? NO_EXPIRY : Math.max(0, atMs - nowMs);
}

/** Token and milliseconds: of the caller's own lease, or none and how long somebody else's still runs. */
function writeLease(
  { keyspace, node }: CommandContext,
  args: Args,
  slot: Slot,
  { ms: leaseMs, belowMs }: LeaseWish,
  freshness: Freshness,
  reply: RespWriter,
) {
  const { leases } = keyspace.data;
  const isFresh = freshness === 'hit' && !(belowMs > 0 && isNearItsEnd(keyspace, slot, belowMs));
  if (isFresh || !node.shard.leads || (leaseMs === 0 && leases.held === 0)) {
    reply.nullBulk();
    return reply.integer(0);
  }
  const key = args.latin1(1);
  const nowMs = node.clock.monotonicMs();
  const token = leaseMs === 0 ? null : leases.grant(keyspace.index, key, leaseMs, nowMs);
  if (token !== null) {
    reply.bulkLatin1(token);
    return reply.integer(leaseMs);
  }
  reply.nullBulk();
  reply.integer(Math.ceil(leases.remainingMs(keyspace.index, key, nowMs)));
}

/** RS.MGET key [key …]: of each key value, version, time to live and state. */
function getMany({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const { store } = keyspace;
  reply.arrayHeader(args.count - 1);
  for (let i = 1; i < args.count; i++) {
    const found = keyspace.read(args.buffer, args.start(i), args.end(i));
    const slot = found !== 0 && store.typeOf(found) === STRING ? found : 0;
    reply.arrayHeader(4);
    if (slot === 0) reply.nullBulk();
    else store.writeValue(slot, reply);
    reply.bulkLatin1(versionOf(keyspace, slot));
    reply.integer(slot === 0 ? NO_KEY : timeLeft(store.expiresAt(slot), keyspace.nowMs));
    reply.bulkLatin1(freshnessOf(keyspace, slot));
  }
}

/** RS.SET key value [options]: replies with the new version. */
function set(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const { versions } = keyspace;
  const options = parseCacheOptions(args, 3, keyspace.nowMs);
  if (typeof options === 'string') return reply.error(options);
  once(keyspace, options, reply, () => {
    const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
    const refusal = refusalOf(context, args, slot, options) ?? raiseFence(keyspace, options);
    if (refusal !== null) return reply.error(refusal);
    const previous = options.tellsPrevious ? versionOf(keyspace, slot) : null;
    writeEntry(keyspace, args, slot, options);
    keyspace.notify(NOTIFY_STRING, 'set', args.buffer, args.start(1), args.end(1));
    if (previous !== null) reply.arrayHeader(2);
    reply.bulkLatin1(versionText(versions.high, versions.low));
    if (previous !== null) reply.bulkLatin1(previous);
  });
}

/** RS.INCR key number [options]: replies with the sum and its version. */
function increment(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const { store, versions } = keyspace;
  const options = parseCacheOptions(args, 3, keyspace.nowMs, ['XX', 'IFVERSION', 'FENCE', 'ONCE']);
  if (typeof options === 'string') return reply.error(options);
  const by = args.bigint(2);
  if (by === null) return reply.error(NOT_AN_INTEGER);
  once(keyspace, options, reply, () => {
    const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
    if (slot !== 0 && store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
    const sum = sumOf(slot === 0 ? '0' : store.latin1(slot), by);
    if (typeof sum === 'string') return reply.error(sum);
    const refusal = refusalOf(context, args, slot, options) ?? raiseFence(keyspace, options);
    if (refusal !== null) return reply.error(refusal);
    if (!storeNumber(context, args, reply, slot, String(sum), 'incrby')) return;
    const { high, low } = versions;
    keyspace.logValue(store.find(args.buffer, args.start(1), args.end(1)));
    reply.arrayHeader(2);
    reply.integer(sum);
    reply.bulkLatin1(versionText(high, low));
  });
}

/** Why a write may not happen; null when it may. Looks only. */
function refusalOf(context: CommandContext, args: Args, slot: Slot, options: CacheOptions): string | null {
  const { keyspace, node } = context;
  const { leases, cache } = keyspace.data;
  const { fence, lease, tags = NO_TAGS, ifVersion, mustExist } = options;
  if (fence !== null) {
    const refusal = cache.fences.refusal(fence.name, fence.token);
    if (refusal !== null) return refusal;
  }
  const isVoid =
    lease !== null && !leases.holds(keyspace.index, args.latin1(1), lease, tags, node.clock.monotonicMs());
  if (isVoid) return LEASE_VOID;
  const version = versionOf(keyspace, slot);
  if ((mustExist && slot === 0) || (ifVersion !== null && version !== String(ifVersion)))
    return new RingsideError('precondition_failed', `the key has version ${version}`).toResp();
  if (tags.length > 0 && !keyspace.marks.tags.hasRoomFor(args.latin1(1), tags)) return NO_ROOM_FOR_TAGS;
  return null;
}

/** The last thing before a fenced write happens. Returns the text of an error. */
function raiseFence(keyspace: Keyspace, { fence }: CacheOptions): string | null {
  if (fence === null) return null;
  const problem = keyspace.data.cache.fences.raise(fence.name, fence.token);
  if (problem === null) keyspace.logCommand(['RS.FENCE', fence.name, String(fence.token)]);
  return problem;
}

function writeEntry(keyspace: Keyspace, args: Args, slot: Slot, options: CacheOptions): void {
  const { buffer } = args;
  const { softExpiresAt, clientFlags, tags } = options;
  const expiresAt = options.keepTtl && slot !== 0 ? keyspace.store.expiresAt(slot) : options.expiresAt;
  const target = slot === 0 ? keyspace.insert(buffer, args.start(1), args.end(1)) : slot;
  keyspace.setBytes(target, buffer, args.start(2), args.end(2), expiresAt);
  if (softExpiresAt === undefined && clientFlags === undefined && tags === undefined) return;
  keyspace.mark(target, { softExpiresAt, clientFlags, tags });
  keyspace.logMarks(target, options);
}

/** RS.DEL key [XX | IFVERSION version] [FENCE name token] [ONCE name digest] */
function remove(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const { buffer } = args;
  const options = parseCacheOptions(args, 2, keyspace.nowMs, ['XX', 'IFVERSION', 'FENCE', 'ONCE']);
  if (typeof options === 'string') return reply.error(options);
  once(keyspace, options, reply, () => {
    const slot = keyspace.write(buffer, args.start(1), args.end(1));
    const refusal = refusalOf(context, args, slot, options) ?? raiseFence(keyspace, options);
    if (refusal !== null) return reply.error(refusal);
    if (slot === 0) {
      keyspace.voidLease(buffer, args.start(1), args.end(1));
      return reply.integer(0);
    }
    keyspace.remove(slot);
    keyspace.notify(NOTIFY_GENERIC, 'del', buffer, args.start(1), args.end(1));
    reply.integer(1);
  });
}

/** RS.FORGO key token [ABSENT milliseconds]: the holder of the lease will not fill the key. */
function forgo({ keyspace, node }: CommandContext, args: Args, reply: RespWriter) {
  let absentMs = 0;
  if (args.count > 3) {
    const given = args.count === 5 && args.equalsIgnoreCase(3, 'ABSENT') ? args.integer(4) : null;
    if (given === null) return reply.error(SYNTAX_ERROR);
    if (given < 1 || given > MAX_LEASE_MS)
      return reply.error(`ERR a key is absent for 1 to ${MAX_LEASE_MS} ms`);
    absentMs = given;
  }
  const { leases } = keyspace.data;
  const nowMs = node.clock.monotonicMs();
  reply.integer(leases.forgo(keyspace.index, args.latin1(1), args.latin1(2), absentMs, nowMs) ? 1 : 0);
}

/** RS.MARK key [FLAGS n] [SOFTPX ms | SOFTPXAT at] [TAGS n tag …] */
function mark({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const allowed = ['FLAGS', 'SOFTPX', 'SOFTPXAT', 'TAGS'];
  const options = parseCacheOptions(args, 2, keyspace.nowMs, allowed);
  if (typeof options === 'string') return reply.error(options);
  const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
  if (slot === 0) return reply.integer(0);
  const key = args.latin1(1);
  const { tags = NO_TAGS } = options;
  const isRefused = tags.length > 0 && !keyspace.marks.tags.hasRoomFor(key, tags);
  if (isRefused && !keyspace.data.isReplaying) return reply.error(NO_ROOM_FOR_TAGS);
  keyspace.mark(slot, options);
  keyspace.logMarks(slot, options);
  reply.integer(1);
}

/** RS.FENCE name token: raises a floor without a write. */
function fence({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const found = parseFence(args, 1);
  if (typeof found === 'string') return reply.error(found);
  const { fences } = keyspace.data.cache;
  // A floor that the leader has kept is kept here, whatever the limit.
  const refusal = keyspace.data.isReplaying ? null : fences.refusal(found.name, found.token);
  const problem = refusal ?? fences.raise(found.name, found.token);
  if (problem !== null) return reply.error(problem);
  keyspace.data.dirty++;
  reply.ok();
}

/** Commands of a cache beyond Redis's: versions, leases, soft expiry, fences, tags. */
export const cacheCommands: CommandHandlers = {
  'RS.GET': get,
  'RS.MGET': getMany,
  'RS.SET': set,
  'RS.INCR': increment,
  'RS.DEL': remove,
  'RS.FORGO': forgo,
  'RS.MARK': mark,
  'RS.FENCE': fence,
  'RS.ANSWER': answer,
};
