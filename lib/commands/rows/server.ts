import type { CommandRow } from '../spec.ts';

const ADMIN = 'admin noscript loading stale';
const ALL_SHARDS = 'request_policy:all_shards response_policy:all_succeeded';

function config(
  name: string,
  arity: number,
  since: string,
  summary: string,
  syntax = '',
  tips = '',
): CommandRow {
  const flags = name === 'help' ? 'loading stale' : ADMIN;
  return { name, arity, flags, since, complexity: 'O(1)', summary, syntax, tips, routing: 'local' };
}

function command(
  name: string,
  arity: number,
  since: string,
  summary: string,
  syntax = '',
  tips = '',
): CommandRow {
  const complexity = 'O(N) where N is the number of commands';
  const flags = 'loading stale';
  return {
    name,
    arity,
    flags,
    acl: 'connection',
    since,
    complexity,
    summary,
    syntax,
    tips,
    routing: 'local',
  };
}

const UNORDERED = 'nondeterministic_output_order';

const commandRows: readonly CommandRow[] = [
  command('count', 2, '2.8.13', 'Returns the number of commands.'),
  command(
    'list',
    -2,
    '7.0.0',
    'Returns the names of the commands.',
    '[FILTERBY (MODULE module-name|ACLCAT category|PATTERN pattern)]',
    UNORDERED,
  ),
  command(
    'info',
    -2,
    '2.8.13',
    'Returns arity, flags and keys of commands.',
    '[command-name [command-name ...]]',
    UNORDERED,
  ),
  command(
    'docs',
    -2,
    '7.0.0',
    'Returns the documentation of commands.',
    '[command-name [command-name ...]]',
    UNORDERED,
  ),
  command('getkeys', -4, '2.8.13', 'Returns the keys of a full command.', 'command [arg ...]'),
  command(
    'getkeysandflags',
    -4,
    '7.0.0',
    'Returns the keys of a full command and how it uses them.',
    'command [arg ...]',
  ),
  command('help', 2, '5.0.0', 'Prints this help.'),
];

const configRows: readonly CommandRow[] = [
  config('get', -3, '2.0.0', 'Returns the settings that match patterns.', 'parameter [parameter ...]'),
  config(
    'set',
    -4,
    '2.0.0',
    'Changes settings.',
    'parameter value [parameter value ...]',
    'request_policy:all_nodes response_policy:all_succeeded',
  ),
  config('resetstat', 2, '2.0.0', 'Sets the counters of INFO to zero.'),
  config('rewrite', 2, '2.8.0', 'Writes the settings to the configuration file.'),
  config('help', 2, '5.0.0', 'Prints this help.'),
];

/** A container of which there is only FLUSH, which succeeds: there is nothing to flush yet, and test suites begin with it. */
function flushOnly(name: string, since: string, what: string, flags: string, policy: string): CommandRow {
  const complexity = 'O(N)';
  return {
    name,
    arity: -2,
    since,
    complexity: 'Depends on subcommand.',
    summary: `Commands about ${what}.`,
    routing: 'local',
    subcommands: [
      {
        name: 'flush',
        arity: -2,
        flags,
        acl: 'scripting',
        tips: `request_policy:${policy} response_policy:all_succeeded`,
        since,
        complexity,
        summary: `Deletes all ${what}.`,
        syntax: '[ASYNC|SYNC]',
        routing: 'all',
      },
    ],
  };
}

function flush(name: string, what: string): CommandRow {
  return {
    name,
    arity: -1,
    flags: 'write',
    acl: 'keyspace dangerous',
    tips: ALL_SHARDS,
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys',
    summary: `Deletes all keys of ${what}.`,
    syntax: '[ASYNC|SYNC]',
    routing: 'all',
  };
}

function replicaOf(name: string, since: string): CommandRow {
  return {
    name,
    arity: 3,
    flags: 'admin noscript stale no_async_loading',
    since,
    complexity: 'O(1)',
    summary: 'Makes the node follow another one, or lead.',
    syntax: '<host port | NO ONE>',
    routing: 'node',
  };
}

/** Commands about the server. */
export const serverRows: readonly CommandRow[] = [
  {
    name: 'dbsize',
    arity: 1,
    flags: 'readonly fast',
    acl: 'keyspace',
    tips: 'request_policy:all_shards response_policy:agg_sum',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Returns the number of keys.',
    routing: 'all',
  },
  flushOnly('function', '7.0.0', 'functions', 'write noscript', 'all_shards'),
  flushOnly('script', '2.6.0', 'scripts', 'noscript', 'all_nodes'),
  flush('flushall', 'all databases'),
  flush('flushdb', 'the current database'),
  {
    name: 'swapdb',
    arity: 3,
    flags: 'write fast',
    acl: 'keyspace dangerous',
    since: '4.0.0',
    complexity: 'O(N) where N is the number of clients that watch or wait for keys of the databases',
    summary: 'Swaps the content of two databases.',
    syntax: 'index1 index2',
    routing: 'all',
  },
  {
    name: 'info',
    arity: -1,
    flags: 'loading stale',
    acl: 'dangerous',
    tips: 'nondeterministic_output request_policy:all_shards response_policy:special',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Describes the server and what it has counted.',
    syntax: '[section [section ...]]',
    routing: 'local',
  },
  {
    name: 'config',
    arity: -2,
    since: '2.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'Commands about settings.',
    routing: 'local',
    subcommands: configRows,
  },
  {
    name: 'command',
    arity: -1,
    flags: 'loading stale',
    acl: 'connection',
    tips: UNORDERED,
    since: '2.8.13',
    complexity: 'O(N) where N is the number of commands',
    summary: 'Returns arity, flags and keys of all commands.',
    routing: 'local',
    subcommands: commandRows,
  },
  {
    name: 'role',
    arity: 1,
    flags: 'noscript loading stale fast',
    acl: 'admin dangerous',
    since: '2.8.12',
    complexity: 'O(1)',
    summary: 'Returns the role of the node in replication.',
    routing: 'local',
  },
  {
    name: 'time',
    arity: 1,
    flags: 'loading stale fast',
    tips: 'nondeterministic_output',
    since: '2.6.0',
    complexity: 'O(1)',
    summary: "Returns the server's clock in seconds and microseconds.",
    routing: 'local',
  },
  {
    name: 'replconf',
    arity: -1,
    flags: 'admin noscript loading stale allow_busy',
    since: '3.0.0',
    complexity: 'O(1)',
    summary: 'What leader and follower tell each other about a replication link.',
    routing: 'node',
  },
  {
    name: 'psync',
    arity: -3,
    flags: 'admin noscript no_async_loading no_multi',
    since: '2.8.0',
    complexity: 'O(1)',
    summary: 'Turns the connection into a replication link, with a full sync where the stream cannot go on.',
    syntax: 'replicationid offset',
    routing: 'node',
  },
  {
    name: 'sync',
    arity: 1,
    flags: 'admin noscript no_async_loading no_multi',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Turns the connection into a replication link that begins with a full sync.',
    routing: 'node',
  },
  replicaOf('replicaof', '5.0.0'),
  { ...replicaOf('slaveof', '1.0.0'), deprecated: { since: '5.0.0', replacedBy: '`REPLICAOF`' } },
];
