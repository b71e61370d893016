import { RingsideError } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { MAX_PURGED_TAGS } from '../../lib/commands/index.ts';
import { type KeySet, MAX_PREFIX_PURGES, type Version } from '../cache/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from './command.ts';

/** Up to this many keys are removed by the command itself. */
const KEYS_AT_ONCE = 64;
const TOO_MANY = new RingsideError(
  'overloaded',
  `${MAX_PREFIX_PURGES} purges by prefix are under way in this database, the most there may be`,
).toResp();

/** RS.PURGE TAG tag [tag …] | PREFIX prefix */
function purge({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  if (args.equalsIgnoreCase(1, 'TAG')) {
    if (args.count - 2 > MAX_PURGED_TAGS)
      return reply.error(`ERR one purge is of at most ${MAX_PURGED_TAGS} tags`);
    purgeTags(keyspace, tagsOf(args, 2));
    return reply.ok();
  }
  if (!args.equalsIgnoreCase(1, 'PREFIX') || args.count !== 3) return reply.error(SYNTAX_ERROR);
  if (purgePrefix(keyspace, args.latin1(2))) reply.ok();
  else reply.error(TOO_MANY);
}

/** The tags from argument `first` on, each once. */
function tagsOf(args: Args, first: number): string[] {
  const tags = new Set<string>();
  for (let i = first; i < args.count; i++) tags.add(args.latin1(i));
  return [...tags];
}

function purgeTags(keyspace: Keyspace, tags: readonly string[]): void {
  const { tags: index, purges } = keyspace.marks;
  for (const tag of tags) keyspace.data.leases.tagPurged(tag);
  const used = tags.filter((tag) => index.countOf(tag) > 0);
  if (used.length === 0) return;
  const keys = used.reduce((sum, tag) => sum + index.countOf(tag), 0);
  if (keys <= KEYS_AT_ONCE) for (const tag of used) removeTagged(keyspace, tag);
  else purges.beginTags(takeTags(keyspace, used), keyspace.beginPurge('TAG', ...used));
}

function removeTagged(keyspace: Keyspace, tag: string): void {
  for (const key of keyspace.marks.tags.takeTag(tag).keys()) {
    const slot = keyspace.find(Buffer.from(key, 'latin1'), 0, key.length);
    if (slot !== 0) keyspace.remove(slot);
  }
}

function takeTags({ marks }: Keyspace, tags: readonly string[]): Map<string, KeySet> {
  return new Map(tags.map((tag) => [tag, marks.tags.takeTag(tag)]));
}

function purgePrefix(keyspace: Keyspace, prefix: string): boolean {
  const { purges } = keyspace.marks;
  if (!purges.hasRoom) return false;
  keyspace.data.leases.prefixPurged(keyspace.index, prefix);
  purges.beginPrefix(prefix, keyspace.beginPurge('PREFIX', prefix));
  return true;
}

/** RS.PURGING high low TAG tag … | PREFIX prefix: the leader has begun a purge. */
function purging({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const version = versionOf(args);
  if (version === null || !keyspace.data.isReplaying) return reply.error(SYNTAX_ERROR);
  const { purges } = keyspace.marks;
  if (args.equalsIgnoreCase(3, 'TAG')) purges.beginTags(takeTags(keyspace, tagsOf(args, 4)), version);
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
