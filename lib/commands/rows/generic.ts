import type { CommandRow } from '../spec.ts';

const PER_KEY = 'O(N) where N is the number of keys';

function perKey(name: string, flags: string, keyFlags: string, since: string, summary: string): CommandRow {
  return {
    name,
    arity: -2,
    flags,
    keys: 'all',
    keyFlags,
    acl: 'keyspace',
    tips: 'request_policy:multi_shard response_policy:agg_sum',
    since,
    complexity: PER_KEY,
    summary,
    syntax: 'key [key ...]',
    routing: 'multi',
  };
}

function expire(name: string, argument: string, since: string, summary: string): CommandRow {
  return {
    name,
    arity: -3,
    flags: 'write fast',
    keys: 'first',
    keyFlags: 'RW update',
    acl: 'keyspace',
    since,
    complexity: 'O(1)',
    summary,
    syntax: `key ${argument} [NX|XX|GT|LT]`,
    routing: 'key',
  };
}

function ask(name: string, keyFlags: string, since: string, summary: string, tips?: string): CommandRow {
  return {
    name,
    arity: 2,
    flags: 'readonly fast',
    keys: 'first',
    keyFlags,
    acl: 'keyspace',
    tips,
    since,
    complexity: 'O(1)',
    summary,
    syntax: 'key',
    routing: 'key',
  };
}

/** Commands on keys of any type, and on the whole key space. */
export const genericRows: readonly CommandRow[] = [
  perKey('del', 'write', 'RM delete', '1.0.0', 'Deletes keys.'),
  perKey('unlink', 'write fast', 'RM delete', '4.0.0', 'Deletes keys; their memory may be freed later.'),
  perKey('exists', 'readonly fast', 'RO', '1.0.0', 'Counts how many of the keys exist.'),
  perKey(
    'touch',
    'readonly fast',
    'RO',
    '3.2.1',
    'Counts how many of the keys exist, and marks them as used.',
  ),
  expire('expire', 'seconds', '1.0.0', 'Sets the time to live of a key in seconds.'),
  expire('pexpire', 'milliseconds', '2.6.0', 'Sets the time to live of a key in milliseconds.'),
  expire('expireat', 'unix-time-seconds', '1.2.0', 'Sets when a key expires, as Unix time in seconds.'),
  expire(
    'pexpireat',
    'unix-time-milliseconds',
    '2.6.0',
    'Sets when a key expires, as Unix time in milliseconds.',
  ),
  {
    name: 'persist',
    arity: 2,
    flags: 'write fast',
    keys: 'first',
    keyFlags: 'RW update',
    acl: 'keyspace',
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'Removes the expiry of a key.',
    syntax: 'key',
    routing: 'key',
  },
  ask(
    'ttl',
    'RO access',
    '1.0.0',
    'Returns the time to live of a key in seconds.',
    'nondeterministic_output',
  ),
  ask(
    'pttl',
    'RO access',
    '2.6.0',
    'Returns the time to live of a key in milliseconds.',
    'nondeterministic_output',
  ),
  ask('expiretime', 'RO access', '7.0.0', 'Returns when a key expires, as Unix time in seconds.'),
  ask('pexpiretime', 'RO access', '7.0.0', 'Returns when a key expires, as Unix time in milliseconds.'),
  ask('type', 'RO', '1.0.0', 'Returns the type of the value of a key.'),
  {
    name: 'scan',
    arity: -2,
    flags: 'readonly',
    acl: 'keyspace',
    tips: 'nondeterministic_output request_policy:special',
    since: '2.8.0',
    complexity: 'O(1) for every call, O(N) for a complete iteration over N keys',
    summary: 'Walks through the keys, some with each call.',
    syntax: 'cursor [MATCH pattern] [COUNT count] [TYPE type]',
    routing: 'all',
  },
  {
    name: 'keys',
    arity: 2,
    flags: 'readonly',
    acl: 'keyspace dangerous',
    tips: 'request_policy:all_shards nondeterministic_output_order',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys in the database',
    summary: 'Returns all keys that match a pattern.',
    syntax: 'pattern',
    routing: 'all',
  },
  {
    name: 'randomkey',
    arity: 1,
    flags: 'readonly',
    acl: 'keyspace',
    tips: 'request_policy:all_shards nondeterministic_output',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Returns some key.',
    routing: 'all',
  },
  {
    name: 'wait',
    arity: 3,
    flags: 'noscript',
    acl: 'connection',
    tips: 'request_policy:all_shards response_policy:agg_min',
    since: '3.0.0',
    complexity: 'O(1)',
    summary: "Waits until so many followers have this connection's writes, and returns how many do.",
    syntax: 'numreplicas timeout',
    routing: 'local',
  },
];
