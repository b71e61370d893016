import type { CommandRow } from '../spec.ts';

const ADMIN = 'admin noscript loading stale';
const HELP = 'loading stale';
const EVERYWHERE = 'request_policy:all_nodes response_policy:all_succeeded';
const LOOK = 'nondeterministic_output request_policy:all_nodes response_policy:special';
const LOOK_AT_SHARDS = 'nondeterministic_output request_policy:all_shards response_policy:special';

type Words = Pick<CommandRow, 'name' | 'arity' | 'since' | 'summary'> & Partial<CommandRow>;

function on(row: Words): CommandRow {
  return { complexity: 'O(1)', routing: 'local', ...row };
}

function container(
  name: string,
  since: string,
  about: string,
  subcommands: readonly CommandRow[],
): CommandRow {
  const summary = `Commands about ${about}.`;
  return {
    name,
    arity: -2,
    since,
    complexity: 'Depends on subcommand.',
    summary,
    routing: 'local',
    subcommands,
  };
}

function help(since: string): CommandRow {
  return on({ name: 'help', arity: 2, flags: HELP, since, summary: 'Prints this help.' });
}

const slowLogRows: readonly CommandRow[] = [
  on({
    name: 'get',
    arity: -2,
    flags: 'admin loading stale',
    tips: 'request_policy:all_nodes nondeterministic_output',
    since: '2.2.12',
    complexity: 'O(N) where N is the number of entries returned',
    summary: 'Returns the newest entries, -1 for all, 10 by default.',
    syntax: '[count]',
  }),
  on({
    name: 'len',
    arity: 2,
    flags: 'admin loading stale',
    tips: 'request_policy:all_nodes response_policy:agg_sum nondeterministic_output',
    since: '2.2.12',
    summary: 'Returns the number of entries.',
  }),
  on({
    name: 'reset',
    arity: 2,
    flags: 'admin loading stale',
    tips: EVERYWHERE,
    since: '2.2.12',
    complexity: 'O(N) where N is the number of entries',
    summary: 'Forgets all entries.',
  }),
  help('6.2.0'),
];

function latency(name: string, arity: number, since: string, summary: string, syntax = ''): CommandRow {
  return on({ name, arity, flags: ADMIN, tips: LOOK, since, summary, syntax });
}

const latencyRows: readonly CommandRow[] = [
  latency('doctor', 2, '2.8.13', 'Says what made the node slow, and what may help.'),
  latency('graph', 3, '2.8.13', 'Draws the latest spikes of an event.', 'event'),
  latency(
    'histogram',
    -2,
    '7.0.0',
    'Returns how long commands took, as cumulative counts by microseconds.',
    '[command [command ...]]',
  ),
  latency('history', 3, '2.8.13', 'Returns the latest spikes of an event.', 'event'),
  latency('latest', 2, '2.8.13', 'Returns the last spike of every event.'),
  on({
    name: 'reset',
    arity: -2,
    flags: ADMIN,
    tips: EVERYWHERE,
    since: '2.8.13',
    summary: 'Forgets the spikes of events, of all by default.',
    syntax: '[event [event ...]]',
  }),
  help('2.8.13'),
];

function memory(
  name: string,
  since: string,
  summary: string,
  tips = LOOK_AT_SHARDS,
  routing: CommandRow['routing'] = 'node',
): CommandRow {
  return on({ name, arity: 2, tips, since, summary, routing });
}

const memoryRows: readonly CommandRow[] = [
  memory('doctor', '4.0.0', 'Says what is wrong with the memory.'),
  memory('malloc-stats', '4.0.0', 'Describes where the memory of the process goes.'),
  memory(
    'purge',
    '4.0.0',
    'Asks the allocator to give memory back.',
    'request_policy:all_shards response_policy:all_succeeded',
    'all',
  ),
  memory('stats', '4.0.0', 'Returns how memory is used.'),
  on({
    name: 'usage',
    arity: -3,
    flags: 'readonly',
    keys: 'second',
    keyFlags: 'RO',
    since: '4.0.0',
    complexity: 'O(1): every entry knows its size',
    summary: 'Returns the bytes that a key and its value take.',
    syntax: 'key [SAMPLES count]',
    routing: 'key',
  }),
  help('4.0.0'),
];

function acl(name: string, arity: number, summary: string, syntax = '', since = '6.0.0'): CommandRow {
  return on({ name, arity, flags: ADMIN, since, summary, syntax });
}

function harmless(name: string, arity: number, summary: string, syntax = ''): CommandRow {
  return on({ name, arity, flags: 'noscript loading stale', since: '6.0.0', summary, syntax });
}

const aclRows: readonly CommandRow[] = [
  harmless('cat', -2, 'Returns the categories of commands, or the commands of one.', '[category]'),
  acl('deluser', -3, 'Deletes users and closes their connections.', 'username [username ...]'),
  acl('dryrun', -4, 'Says whether a user may execute a command.', 'username command [arg ...]', '7.0.0'),
  harmless('genpass', -2, 'Returns a random password in hexadecimal digits.', '[bits]'),
  acl('getuser', 3, 'Returns what a user may do.', 'username'),
  acl('list', 2, 'Describes all users in the words of SETUSER.'),
  acl('load', 2, 'Reads the users from the ACL file.'),
  acl('log', -2, 'Returns the latest refusals, or forgets them.', '[count|RESET]'),
  acl('save', 2, 'Writes the users to the ACL file.'),
  acl('setuser', -3, 'Makes or changes a user.', 'username [rule [rule ...]]'),
  acl('users', 2, 'Returns the names of all users.'),
  harmless('whoami', 2, 'Returns the user of this connection.'),
  help('6.0.0'),
];

/** Commands by which people look after a node. */
export const operationsRows: readonly CommandRow[] = [
  container('slowlog', '2.2.12', 'slow commands', slowLogRows),
  container('latency', '2.8.13', 'spikes of latency', latencyRows),
  container('memory', '4.0.0', 'memory', memoryRows),
  container('acl', '6.0.0', 'users', aclRows),
  on({
    name: 'monitor',
    arity: 1,
    flags: ADMIN,
    since: '1.0.0',
    summary: 'Shows every command from now on.',
  }),
  on({
    name: 'rs.hotkeys',
    arity: -1,
    flags: 'admin loading stale',
    since: '7.0.0',
    complexity: 'O(N log N) where N is the number of keys kept track of, at most 256',
    summary: 'Returns the keys with most commands of late, with an estimate of how many.',
    syntax: '[COUNT count]',
    routing: 'node',
  }),
];
