import type { CommandRow } from '../spec.ts';

const SINCE = '7.0.0';

/** A command between proxies and nodes, or between nodes. */
function control(name: string, arity: number, summary: string, syntax: string): CommandRow {
  const flags = 'admin noscript loading stale fast';
  return { name, arity, flags, since: SINCE, complexity: 'O(1)', summary, syntax, routing: 'node' };
}

/** An effect of a write, as it goes from leader to follower; counted in the replication offset. */
function effect(name: string, arity: number, summary: string, syntax: string): CommandRow {
  const flags = 'admin noscript loading stale';
  const keys = syntax.startsWith('key') ? 'first' : 'none';
  const keyFlags = keys === 'first' ? 'OW update' : '';
  return {
    name,
    arity,
    flags,
    keys,
    keyFlags,
    since: SINCE,
    complexity: 'O(1)',
    summary,
    syntax,
    routing: 'node',
  };
}

/** What a cache does beyond Redis, for the proxies and for whoever speaks to a node itself. */
function cache(
  name: string,
  arity: number,
  flags: string,
  keyFlags: string,
  summary: string,
  syntax: string,
): CommandRow {
  const keys = keyFlags === '' ? 'none' : 'first';
  const complexity = name === 'rs.purge' ? 'O(N), N keys purged; most of it behind the reply' : 'O(1)';
  return { name, arity, flags, keys, keyFlags, since: SINCE, complexity, summary, syntax, routing: 'node' };
}

const EXPIRY = '[EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]';
const MARKS =
  '[SOFTPX milliseconds|SOFTPXAT unix-time-milliseconds] [FLAGS number] [TAGS numtags tag [tag ...]]';

/** Ringside's own commands. They appear in no client's way. */
export const ringsideRows: readonly CommandRow[] = [
  cache(
    'rs.get',
    -2,
    'readonly fast',
    'RO access',
    'A string with its version, flags, times to live and state; hands out leases.',
    'key [LEASE [milliseconds]] [NOVALUE]',
  ),
  cache(
    'rs.set',
    -3,
    'write denyoom',
    'OW update',
    'Sets a string with what a cache wants to know of it, under conditions; returns its version.',
    `key value ${EXPIRY} ${MARKS} [NX|XX|IFVERSION version] [LEASE token] [FENCE name token]`,
  ),
  cache(
    'rs.del',
    -2,
    'write fast',
    'RM delete',
    'Deletes a key, under conditions.',
    'key [IFVERSION version] [FENCE name token]',
  ),
  cache(
    'rs.mark',
    -3,
    'write denyoom fast',
    'RW update',
    'Changes flags, soft expiry or tags of a key, and nothing else.',
    `key ${MARKS}`,
  ),
  cache('rs.fence', 3, 'write fast', '', 'Raises the floor of a fence.', 'name token'),
  cache(
    'rs.purge',
    -3,
    'write',
    '',
    'Deletes all keys with a tag or a prefix.',
    '<TAG tag [tag ...] | PREFIX prefix>',
  ),
  effect(
    'rs.purging',
    -5,
    'A purge has begun.',
    'version-high version-low <TAG tag [tag ...] | PREFIX prefix>',
  ),
  effect('rs.purged', 3, 'All keys of a purge are gone.', 'version-high version-low'),
  control(
    'rs.epoch',
    3,
    'Fences the connection: later writes count for this shard and epoch only.',
    'shard shard-epoch',
  ),
  control(
    'rs.replicate',
    6,
    'Turns the connection into a replication link.',
    'shard shard-epoch node-id replication-id offset',
  ),
  control('rs.lease', 3, 'Asks the follower to renew the lease of its leader.', 'shard-epoch sequence'),
  control('rs.leaseack', 2, 'Renews the lease of the leader.', 'sequence'),
  effect('rs.snap', -5, 'One string of a snapshot.', 'key value unix-time-milliseconds version [database]'),
  effect(
    'rs.snaprestore',
    -5,
    'One key of a snapshot, as a payload of DUMP.',
    'key payload unix-time-milliseconds version [database]',
  ),
  effect('rs.snapcall', -3, 'A command that brings a part of a snapshot.', 'database command [argument ...]'),
  control('rs.snapend', 3, 'Ends a snapshot.', 'offset max-version'),
  effect(
    'rs.put',
    -5,
    'A key got this string, expiry and version.',
    'key value unix-time-milliseconds version [database]',
  ),
  effect(
    'rs.restore',
    -5,
    'A key got the value of this payload of DUMP, this expiry and version.',
    'key payload unix-time-milliseconds version [database]',
  ),
  effect(
    'rs.call',
    -4,
    'A command, after which its first key has this version.',
    'database version command [argument ...]',
  ),
  effect('rs.remove', -3, 'A key was deleted.', 'key version [database]'),
  effect('rs.pexpireat', -3, 'A key got this expiry, 0 for none.', 'key unix-time-milliseconds [database]'),
  effect('rs.append', -4, 'This was appended to a key.', 'key suffix version [database]'),
  effect('rs.flush', -2, 'All keys of a database were deleted.', 'version [database]'),
];
