import type { CommandRow } from '../spec.ts';

const ALWAYS = 'noscript loading stale fast no_auth allow_busy';
const ABOUT_ONESELF = 'noscript loading stale';
const ABOUT_OTHERS = 'admin noscript loading stale';

function client(
  name: string,
  arity: number,
  flags: string,
  since: string,
  summary: string,
  syntax = '',
  tips = '',
): CommandRow {
  const complexity = 'O(1)';
  return { name, arity, flags, since, complexity, summary, syntax, tips, routing: 'local' };
}

function connection(
  name: string,
  arity: number,
  flags: string,
  since: string,
  summary: string,
  syntax = '',
): CommandRow {
  return { name, arity, flags, since, complexity: 'O(1)', summary, syntax, routing: 'local' };
}

const clientRows: readonly CommandRow[] = [
  client('id', 2, ABOUT_ONESELF, '5.0.0', 'Returns the number of this connection.'),
  client('info', 2, ABOUT_ONESELF, '6.2.0', 'Describes this connection.', '', 'nondeterministic_output'),
  client(
    'list',
    -2,
    ABOUT_OTHERS,
    '2.4.0',
    'Describes all connections.',
    '[TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID client-id [client-id ...]]',
    'nondeterministic_output',
  ),
  client(
    'kill',
    -3,
    ABOUT_OTHERS,
    '2.4.0',
    'Closes connections.',
    '[ip:port] [ID client-id] [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME yes/no]',
  ),
  client('getname', 2, ABOUT_ONESELF, '2.6.9', 'Returns the name of this connection.'),
  client('setname', 3, ABOUT_ONESELF, '2.6.9', 'Names this connection.', 'connection-name'),
  client(
    'setinfo',
    4,
    ABOUT_ONESELF,
    '7.2.0',
    'Tells which library this connection uses.',
    '(LIB-NAME libname|LIB-VER libver)',
  ),
  client('reply', 3, ABOUT_ONESELF, '3.2.0', 'Turns replies to this connection on and off.', '(ON|OFF|SKIP)'),
  client('no-evict', 3, ABOUT_OTHERS, '7.0.0', 'Exempts this connection from eviction.', '(ON|OFF)'),
  client(
    'no-touch',
    3,
    ABOUT_ONESELF,
    '7.2.0',
    'Keeps reads of this connection from marking keys as used.',
    '(ON|OFF)',
  ),
  client(
    'unblock',
    -3,
    ABOUT_OTHERS,
    '5.0.0',
    'Ends the wait of a blocked connection.',
    'client-id [TIMEOUT|ERROR]',
  ),
  client(
    'tracking',
    -3,
    ABOUT_ONESELF,
    '6.0.0',
    'Lets the server tell when keys that this connection has read are changed.',
    '(ON|OFF) [REDIRECT client-id] [PREFIX prefix] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]',
  ),
  client(
    'caching',
    3,
    ABOUT_ONESELF,
    '6.0.0',
    'Says whether the keys of the next command are tracked.',
    '(YES|NO)',
  ),
  client('getredir', 2, ABOUT_ONESELF, '6.0.0', 'Returns the connection that invalidations go to.'),
  client('trackinginfo', 2, ABOUT_ONESELF, '6.2.0', 'Describes how keys are tracked for this connection.'),
  client('pause', -3, ABOUT_OTHERS, '3.0.0', 'Lets commands wait for a time.', 'timeout [WRITE|ALL]'),
  client('unpause', 2, ABOUT_OTHERS, '6.2.0', 'Ends a pause.'),
  client('help', 2, 'loading stale', '5.0.0', 'Prints this help.'),
];

/** Commands about the connection they come on. */
export const connectionRows: readonly CommandRow[] = [
  {
    ...connection('ping', -1, 'fast', '1.0.0', 'Answers PONG, or the message given.', '[message]'),
    tips: 'request_policy:all_shards response_policy:all_succeeded',
  },
  connection('echo', 2, 'loading stale fast', '1.0.0', 'Answers the message given.', 'message'),
  connection(
    'hello',
    -1,
    ALWAYS,
    '6.0.0',
    'Chooses the protocol, and may authenticate and name the connection.',
    '[protover [AUTH username password] [SETNAME clientname]]',
  ),
  connection('auth', -2, ALWAYS, '1.0.0', 'Authenticates the connection.', '[username] password'),
  connection('quit', -1, ALWAYS, '1.0.0', 'Closes the connection.'),
  connection('reset', 1, ALWAYS, '6.2.0', 'Brings the connection back to the state it began in.'),
  connection('select', 2, 'loading stale fast', '1.0.0', 'Chooses the database by its number.', 'index'),
  {
    ...connection('client', -2, '', '2.4.0', 'Commands about connections.'),
    complexity: 'Depends on subcommand.',
    subcommands: clientRows,
  },
];
