import { type Args, partsOf, type RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC } from '../data-set.ts';
import { LIST, ZSET } from '../store/index.ts';
import { refusalOfValue } from '../value-limit.ts';
import { dumpEntry, isIntact, isRestorable, longestInPayload, restoreEntry } from '../values/serialize.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import { longOf, notify } from './lookup.ts';

const MAX_FREQUENCY = 255;
/** Redis keeps 24 bits of idle seconds. */
const MAX_IDLE_SECONDS = 0xffffff;

function dump({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot === 0) reply.nullBulk();
  else reply.bulk(dumpEntry(keyspace, slot, { compresses: true }));
}

interface RestoreOptions {
  replace: boolean;
  absTtl: boolean;
  idleSeconds: number | null;
  frequency: number | null;
}

/** Reads IDLETIME or FREQ at argument `i`; returns the text of an error, or null. */
function parseUse(args: Args, i: number, options: RestoreOptions): string | null {
  const value = longOf(args, i + 1);
  if (args.equalsIgnoreCase(i, 'IDLETIME') && options.frequency === null) {
    if (value === null) return NOT_AN_INTEGER;
    options.idleSeconds = Math.min(value, MAX_IDLE_SECONDS);
    return value < 0 ? 'ERR Invalid IDLETIME value, must be >= 0' : null;
  }
  if (!args.equalsIgnoreCase(i, 'FREQ') || options.idleSeconds !== null) return SYNTAX_ERROR;
  if (value === null) return NOT_AN_INTEGER;
  options.frequency = value;
  return value < 0 || value > MAX_FREQUENCY ? 'ERR Invalid FREQ value, must be >= 0 and <= 255' : null;
}

function parse(args: Args): RestoreOptions | string {
  const options: RestoreOptions = { replace: false, absTtl: false, idleSeconds: null, frequency: null };
  for (let i = 4; i < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'REPLACE')) {
      options.replace = true;
    } else if (args.equalsIgnoreCase(i, 'ABSTTL')) {
      options.absTtl = true;
    } else {
      const error = i + 1 < args.count ? parseUse(args, i, options) : SYNTAX_ERROR;
      if (error !== null) return error;
      i++;
    }
  }
  return options;
}

/** Why there is nothing to restore, or null. */
function problemOf({ keyspace }: CommandContext, args: Args, replace: boolean): string | null {
  if (!replace && keyspace.write(args.buffer, args.start(1), args.end(1)) !== 0) {
    return 'BUSYKEY Target key name already exists.';
  }
  const ttl = longOf(args, 2);
  if (ttl === null) return NOT_AN_INTEGER;
  if (ttl < 0) return 'ERR Invalid TTL value, must be >= 0';
  const payload = args.bytes(3);
  if (!isIntact(payload)) return 'ERR DUMP payload version or checksum are wrong';
  if (!isRestorable(payload)) return 'ERR Bad data format';
  return refusalOfValue(keyspace, args, 1, () => longestInPayload(payload));
}

/** The command with its time as unix milliseconds. */
function asLogged(args: Args, expiresAt: number, { absTtl }: RestoreOptions): (string | Buffer)[] {
  const parts: (string | Buffer)[] = partsOf(args);
  if (expiresAt === 0 || absTtl) return parts;
  parts[2] = String(expiresAt);
  return [...parts, 'ABSTTL'];
}

function restore(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const { store } = keyspace;
  const { buffer } = args;
  const options = parse(args);
  if (typeof options === 'string') return reply.error(options);
  const problem = problemOf(context, args, options.replace);
  if (problem !== null) return reply.error(problem);
  const former = keyspace.write(buffer, args.start(1), args.end(1));
  const ttl = longOf(args, 2)!;
  const expiresAt =
    ttl === 0 ? 0 : Math.min(options.absTtl ? ttl : ttl + keyspace.nowMs, Number.MAX_SAFE_INTEGER);
  if (expiresAt !== 0 && expiresAt <= keyspace.nowMs && keyspace.data.removesExpired) {
    if (former !== 0) {
      keyspace.remove(former);
      notify(keyspace, NOTIFY_GENERIC, 'del', args);
    }
    return reply.ok();
  }
  if (former !== 0) keyspace.removeUnsaid(former);
  let slot = restoreEntry(keyspace, buffer, args.start(1), args.end(1), args.bytes(3));
  if (expiresAt !== 0) {
    store.setExpiry(slot, expiresAt);
    slot = store.find(buffer, args.start(1), args.end(1));
  }
  keyspace.modified(slot);
  slot = store.find(buffer, args.start(1), args.end(1));
  keyspace.logCommand(asLogged(args, expiresAt, options));
  store.setUse(slot, options.idleSeconds, options.frequency);
  const type = store.typeOf(slot);
  if (type === LIST || type === ZSET) keyspace.signalReady(buffer, args.start(1), args.end(1));
  notify(keyspace, NOTIFY_GENERIC, 'restore', args);
  reply.ok();
}

/** Values as bytes, in Redis's own format. */
export const dumpCommands: CommandHandlers = { DUMP: dump, RESTORE: restore };
