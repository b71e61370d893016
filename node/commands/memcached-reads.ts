import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { MetaState } from '../../lib/commands/index.ts';
import { DEFAULT_LEASE_MS, MAX_LEASE_MS } from '../cache/index.ts';
import { NOTIFY_GENERIC } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { type Slot, STRING } from '../store/index.ts';
import {
  type CommandContext,
  type CommandHandlers,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from './command.ts';
import { expiryOf } from './memcached-values.ts';
import { versionOf, versionText } from './version-text.ts';

const NO_EXPIRY = -1;
/** The item expires as it did before. */
const KEEP = -1;

/** What RS.MCMETA was asked for. */
interface MetaOptions {
  withValue: boolean;
  /** It is no use of the item. */
  quiet: boolean;
  /** Accesses of the item are noted from now on. */
  tracks: boolean;
  /** How long a lease on a key that is not there runs, 0: none is wanted. */
  missMs: number;
  /** With less time to live than this, the item is to be refreshed. */
  belowMs: number;
}

/** RS.MCGET key [key …]: null, the value, or flags and value. RS.MCGETS: null, or version, flags and value. */
function getMany(withVersions: boolean) {
  return ({ keyspace }: CommandContext, args: Args, reply: RespWriter) => {
    const { store } = keyspace;
    reply.arrayHeader(args.count - 1);
    for (let i = 1; i < args.count; i++) {
      const slot = keyspace.read(args.buffer, args.start(i), args.end(i));
      if (slot === 0) {
        reply.nullBulk();
        continue;
      }
      if (store.typeOf(slot) !== STRING) {
        reply.error(WRONG_TYPE);
        continue;
      }
      const flags = store.noteAccess(slot, true);
      if (withVersions) {
        reply.arrayHeader(3);
        reply.bulkLatin1(versionOf(keyspace, slot));
        reply.integer(flags);
      } else if (flags !== 0) {
        reply.arrayHeader(2);
        reply.integer(flags);
      }
      store.writeValue(slot, reply);
    }
  };
}

/** RS.MCMETA key [options] */
function meta(context: CommandContext, args: Args, reply: RespWriter) {
  answerMeta(context, args, reply, 2, KEEP);
}

/** RS.MCTOUCH key ttl [options]: as RS.MCMETA, of the item as it was, which from now on lives so long. */
function touch(context: CommandContext, args: Args, reply: RespWriter) {
  const expiresAt = expiryOf(args, 2, context.keyspace.nowMs);
  if (expiresAt === null) return reply.error(NOT_AN_INTEGER);
  answerMeta(context, args, reply, 3, expiresAt);
}

function answerMeta(
  context: CommandContext,
  args: Args,
  reply: RespWriter,
  first: number,
  expiresAt: number,
) {
  const options = parseMeta(args, first);
  if (options === null) return reply.error(SYNTAX_ERROR);
  const { keyspace } = context;
  const { buffer } = args;
  const [start, end] = [args.start(1), args.end(1)];
  const slot = options.quiet ? keyspace.peek(buffer, start, end) : keyspace.read(buffer, start, end);
  if (slot === 0) return answerMiss(context, args, options, reply);
  if (keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  answerHit(context, args, slot, options, reply);
  if (expiresAt !== KEEP) moveExpiry(keyspace, args, slot, expiresAt);
}

function answerHit(context: CommandContext, args: Args, slot: Slot, options: MetaOptions, reply: RespWriter) {
  const { keyspace } = context;
  const { store, nowMs } = keyspace;
  const softAt = store.softExpiresAt(slot);
  const expiresAt = store.expiresAt(slot);
  const isStale = softAt !== 0 && softAt <= nowMs;
  const isShort = expiresAt !== 0 && expiresAt - nowMs < options.belowMs;
  let state = MetaState.HIT | (isStale ? MetaState.STALE : 0) | (store.wasRead(slot) ? MetaState.READ : 0);
  state |= leaseState(context, args, isStale || isShort ? DEFAULT_LEASE_MS : 0);
  const idleSeconds = Math.max(0, store.secondsSinceAccess(slot));
  if (options.tracks) store.trackAccess(slot);
  const flags = options.quiet ? store.clientFlags(slot) : store.noteAccess(slot, true);
  reply.arrayHeader(7);
  reply.bulkLatin1(versionOf(keyspace, slot));
  reply.integer(flags);
  reply.integer(expiresAt === 0 ? NO_EXPIRY : Math.max(0, expiresAt - nowMs));
  reply.integer(state);
  reply.integer(store.length(slot));
  reply.integer(idleSeconds);
  if (options.withValue) store.writeValue(slot, reply);
  else reply.nullBulk();
}

/** Without a value the lease is the item: empty, for as long as it runs, with a version that the value to come may name. */
function answerMiss(context: CommandContext, args: Args, options: MetaOptions, reply: RespWriter) {
  const { keyspace, node } = context;
  const { leases } = keyspace.data;
  const state = options.missMs === 0 ? 0 : leaseState(context, args, options.missMs);
  if (state === 0) return reply.nullArray();
  const key = args.latin1(1);
  const nowMs = node.clock.monotonicMs();
  reply.arrayHeader(7);
  reply.bulkLatin1(leases.versionOf(keyspace.index, key, nowMs));
  reply.integer(0);
  reply.integer(Math.ceil(leases.remainingMs(keyspace.index, key, nowMs)));
  reply.integer(state);
  reply.integer(0);
  reply.integer(0);
  if (options.withValue) reply.bulkLatin1('');
  else reply.nullBulk();
}

/** Whether the caller is the one to fill the key, which it asks to be for `leaseMs` (0: it does not), or somebody else is. */
function leaseState({ keyspace, node }: CommandContext, args: Args, leaseMs: number): number {
  const { leases } = keyspace.data;
  if (!node.shard.leads || (leaseMs === 0 && leases.held === 0)) return 0;
  const key = args.latin1(1);
  const nowMs = node.clock.monotonicMs();
  if (leases.remainingMs(keyspace.index, key, nowMs) > 0) return MetaState.SENT;
  if (leaseMs === 0) return 0;
  const { versions } = keyspace;
  versions.next();
  const version = versionText(versions.high, versions.low);
  return leases.grant(keyspace.index, key, leaseMs, nowMs, version) === null ? 0 : MetaState.WON;
}

/** Whoever is to refresh the item still is. */
function moveExpiry(keyspace: Keyspace, args: Args, slot: Slot, expiresAt: number): void {
  const { buffer } = args;
  const isOver = expiresAt !== 0 && expiresAt <= keyspace.nowMs;
  keyspace.data.leases.keep(keyspace.index, args.latin1(1), () => {
    if (isOver) keyspace.remove(slot);
    else keyspace.setExpiry(slot, expiresAt);
  });
  const event = isOver ? 'del' : expiresAt === 0 ? 'persist' : 'expire';
  keyspace.notify(NOTIFY_GENERIC, event, buffer, args.start(1), args.end(1));
}

function parseMeta(args: Args, first: number): MetaOptions | null {
  const options: MetaOptions = { withValue: true, quiet: false, tracks: false, missMs: 0, belowMs: 0 };
  for (let i = first; i < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'NOVALUE')) options.withValue = false;
    else if (args.equalsIgnoreCase(i, 'QUIET')) options.quiet = true;
    else if (args.equalsIgnoreCase(i, 'TRACK')) options.tracks = true;
    else {
      const isMiss = args.equalsIgnoreCase(i, 'MISS');
      if (!isMiss && !args.equalsIgnoreCase(i, 'BELOW')) return null;
      const ms = ++i < args.count ? args.integer(i) : null;
      if (ms === null || ms < 1) return null;
      if (isMiss) options.missMs = Math.min(ms, MAX_LEASE_MS);
      else options.belowMs = ms;
    }
  }
  return options;
}

/** What memcached clients read, as the proxies ask for it. */
export const memcachedReads: CommandHandlers = {
  'RS.MCGET': getMany(false),
  'RS.MCGETS': getMany(true),
  'RS.MCMETA': meta,
  'RS.MCTOUCH': touch,
};
