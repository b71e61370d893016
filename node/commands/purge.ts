import { RingsideError } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { MAX_PREFIX_PURGES, type Version } from '../cache/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from './command.ts';

/** Up to this many keys of a tag are removed by the command itself. */
const KEYS_AT_ONCE = 64;
const TOO_MANY = new RingsideError(
  'overloaded',
  `${MAX_PREFIX_PURGES} purges by prefix are under way in this database, the most there may be`,
).toResp();

/** RS.PURGE TAG tag [tag …] | PREFIX prefix */
function purge({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  if (args.equalsIgnoreCase(1, 'TAG')) {
    for (let i = 2; i < args.count; i++) purgeTag(keyspace, args.latin1(i));
    return reply.ok();
  }
  if (!args.equalsIgnoreCase(1, 'PREFIX') || args.count !== 3) return reply.error(SYNTAX_ERROR);
  if (purgePrefix(keyspace, args.latin1(2))) reply.ok();
  else reply.error(TOO_MANY);
}

function purgeTag(keyspace: Keyspace, tag: string): void {
  keyspace.data.leases.tagPurged(tag);
  const keys = keyspace.marks.tags.takeTag(tag);
  if (keys === null) return;
  if (keys.size > KEYS_AT_ONCE) {
    const version = keyspace.beginPurge('TAG', tag);
    keyspace.marks.purges.beginKeys(keys, version);
    return;
  }
  for (const key of keys) {
    const slot = keyspace.find(Buffer.from(key, 'latin1'), 0, key.length);
    if (slot !== 0) keyspace.remove(slot);
  }
}

function purgePrefix(keyspace: Keyspace, prefix: string): boolean {
  const { purges } = keyspace.marks;
  if (!purges.hasRoom) return false;
  keyspace.data.leases.prefixPurged(keyspace.index, prefix);
  purges.beginPrefix(prefix, keyspace.beginPurge('PREFIX', prefix));
  return true;
}

/** RS.PURGING high low TAG|PREFIX text: the leader has begun a purge. */
function purging({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const version = versionOf(args);
  if (version === null || !keyspace.data.isReplaying) return reply.error(SYNTAX_ERROR);
  const { purges, tags } = keyspace.marks;
  if (args.equalsIgnoreCase(3, 'TAG')) purges.beginKeys(tags.takeTag(args.latin1(4)) ?? new Set(), version);
  else purges.beginPrefix(args.latin1(4), version);
  reply.ok();
}

/** RS.PURGED high low: the leader has removed what a purge was about. */
function purged({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const version = versionOf(args);
  if (version === null || !keyspace.data.isReplaying) return reply.error(SYNTAX_ERROR);
  keyspace.marks.purges.end(version);
  reply.ok();
}

function versionOf(args: Args): Version | null {
  const high = args.integer(1);
  const low = args.integer(2);
  return high === null || low === null ? null : { high, low };
}

/** Purges by tag and by prefix. */
export const purgeCommands: CommandHandlers = {
  'RS.PURGE': purge,
  'RS.PURGING': purging,
  'RS.PURGED': purged,
};
