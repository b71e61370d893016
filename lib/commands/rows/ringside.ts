import type { CommandRow } from '../spec.ts';

const SINCE = '7.0.0';

/** A command between proxies and nodes, or between nodes. */
function control(name: string, arity: number, summary: string, syntax: string): CommandRow {
  const flags = 'admin noscript loading stale fast';
  return { name, arity, flags, since: SINCE, complexity: 'O(1)', summary, syntax, routing: 'node' };
}

/** An effect of a write, as it goes from leader to follower. */
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
  const complexity = 'O(1)';
  return {
    name,
    arity,
    flags,
    keys: 'first',
    keyFlags,
    since: SINCE,
    complexity,
    summary,
    syntax,
    routing: 'key',
  };
}

/** One that concerns every shard. */
function everywhere(name: string, arity: number, flags: string, summary: string, syntax: string): CommandRow {
  const complexity = name === 'rs.purge' ? 'O(N), N keys purged; most of it behind the reply' : 'O(1)';
  return { name, arity, flags, since: SINCE, complexity, summary, syntax, routing: 'all' };
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
    'key [LEASE [milliseconds] [BELOW milliseconds]] [NOVALUE] [TAIL]',
  ),
  {
    ...cache(
      'rs.mget',
      -2,
      'readonly fast',
      'RO access',
      'Strings with versions and states.',
      'key [key ...]',
    ),
    keys: 'all',
    complexity: 'O(N), N keys',
  },
  cache(
    'rs.set',
    -3,
    'write denyoom',
    'OW update',
    'Sets a string with what a cache wants to know of it, under conditions; returns its version.',
    `key value ${EXPIRY} ${MARKS} [NX|XX|IFVERSION version] [LEASE token] [FENCE name token] [ONCE name digest] [PREVIOUS]`,
  ),
  cache(
    'rs.incr',
    -3,
    'write denyoom fast',
    'RW update',
    'Adds to a number, under conditions; returns the sum and its version.',
    'key increment [XX|IFVERSION version] [FENCE name token] [ONCE name digest]',
  ),
  cache(
    'rs.del',
    -2,
    'write fast',
    'RM delete',
    'Deletes a key, under conditions.',
    'key [XX|IFVERSION version] [FENCE name token] [ONCE name digest]',
  ),
  cache(
    'rs.forgo',
    -3,
    'write fast',
    'OW',
    'Gives a lease back; says that there is nothing to fill the key with.',
    'key token [ABSENT milliseconds]',
  ),
  cache(
    'rs.mark',
    -3,
    'write denyoom fast',
    'RW update',
    'Changes flags, soft expiry or tags of a key, and nothing else.',
    `key ${MARKS}`,
  ),
  {
    ...cache(
      'rs.mcget',
      -2,
      'readonly fast',
      'RO access',
      'Strings, with the flags of those that have any.',
      'key [key ...]',
    ),
    keys: 'all',
    complexity: 'O(N), N keys',
  },
  {
    ...cache(
      'rs.mcgets',
      -2,
      'readonly fast',
      'RO access',
      'Strings with versions and flags.',
      'key [key ...]',
    ),
    keys: 'all',
    complexity: 'O(N), N keys',
  },
  cache(
    'rs.mcmeta',
    -2,
    'readonly fast',
    'RO access',
    'A string with all that is known of it; says who is to fill or refresh it.',
    'key [NOVALUE] [QUIET] [TRACK] [MISS milliseconds] [BELOW milliseconds]',
  ),
  cache(
    'rs.mctouch',
    -3,
    'write fast',
    'RW access update',
    'As RS.MCMETA; gives the key another time to live.',
    'key ttl-milliseconds [NOVALUE] [QUIET] [TRACK] [MISS milliseconds] [BELOW milliseconds]',
  ),
  cache(
    'rs.mcset',
    8,
    'write denyoom',
    'RW update',
    'Stores a string as memcached does; returns its version or why not.',
    'key value mode flags ttl-milliseconds version max-bytes',
  ),
  cache(
    'rs.mcincr',
    -3,
    'write denyoom fast',
    'RW access update',
    'Adds to or subtracts from a number of 64 bits without sign.',
    'key delta [DECR] [IFVERSION version] [TTL milliseconds] [INIT value ttl-milliseconds]',
  ),
  cache(
    'rs.mcstale',
    -2,
    'write fast',
    'RW update',
    'Makes a string stale.',
    'key [IFVERSION version] [TTL milliseconds]',
  ),
  everywhere('rs.fence', 3, 'write fast', 'Raises the floor of a fence.', 'name token'),
  everywhere(
    'rs.purge',
    -3,
    'write',
    'Deletes all keys with a tag or a prefix.',
    '<TAG tag [tag ...] | PREFIX prefix>',
  ),
  effect(
    'rs.purging',
    -5,
    'A purge has begun.',
    'version-high version-low <TAG tag [tag ...] | PREFIX prefix>',
  ),
  effect('rs.answer', 5, 'A named write has been answered.', 'name digest reply unix-time-milliseconds'),
  effect('rs.purged', 3, 'All keys of a purge are gone.', 'version-high version-low'),
  control(
    'rs.epoch',
    3,
    'Fences the connection: later writes count for this shard and epoch only.',
    'shard shard-epoch',
  ),
  control('rs.grant', 2, 'Grants the leader the lease that it asked for in its stream.', 'sequence'),
  {
    ...control(
      'rs.copy',
      -3,
      'Copies of values that another shard owns, for a moment.',
      '<GET key | SET key version milliseconds flags ttl soft-ttl value | DEL key>',
    ),
    flags: 'admin noscript loading stale',
  },
  {
    name: 'rs.route',
    arity: 2,
    flags: 'readonly loading stale fast',
    keys: 'first',
    keyFlags: 'RO',
    since: SINCE,
    complexity: 'O(1)',
    summary: 'Tells where a proxy sends the commands on a key, and why.',
    syntax: 'key',
    routing: 'local',
  },
];
