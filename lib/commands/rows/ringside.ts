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

/** Ringside's own commands. They appear in no client's way: all are for links inside the fleet. */
export const ringsideRows: readonly CommandRow[] = [
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
