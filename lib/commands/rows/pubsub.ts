import type { CommandRow } from '../spec.ts';

const PUBLISHES = 'pubsub loading stale fast';
const SUBSCRIBES = 'pubsub noscript loading stale';
const ASKS = 'pubsub loading stale';
const PER_CHANNEL = 'O(N) where N is the number of channels';

function subscription(
  name: string,
  arity: number,
  since: string,
  summary: string,
  syntax: string,
): CommandRow {
  const complexity = PER_CHANNEL;
  return { name, arity, flags: SUBSCRIBES, since, complexity, summary, syntax, routing: 'pubsub' };
}

/** One about shard channels, which cluster clients route like keys. */
function sharded(row: CommandRow, keys: CommandRow['keys']): CommandRow {
  return { ...row, keys, keyFlags: 'not_key' };
}

function question(name: string, arity: number, since: string, summary: string, syntax = ''): CommandRow {
  const complexity = 'O(N) where N is the number of channels or patterns';
  return { name, arity, flags: ASKS, since, complexity, summary, syntax, routing: 'pubsub' };
}

function publish(name: string, since: string, summary: string, syntax: string): CommandRow {
  const complexity = 'O(N) where N is the number of subscribers and patterns';
  return { name, arity: 3, flags: PUBLISHES, since, complexity, summary, syntax, routing: 'pubsub' };
}

/** Commands of publish and subscribe. */
export const pubsubRows: readonly CommandRow[] = [
  publish('publish', '2.0.0', 'Sends a message to all subscribers of a channel.', 'channel message'),
  subscription('subscribe', -2, '2.0.0', 'Listens to channels.', 'channel [channel ...]'),
  subscription('unsubscribe', -1, '2.0.0', 'Ends listening to channels.', '[channel [channel ...]]'),
  subscription('psubscribe', -2, '2.0.0', 'Listens to channels by pattern.', 'pattern [pattern ...]'),
  subscription('punsubscribe', -1, '2.0.0', 'Ends listening by pattern.', '[pattern [pattern ...]]'),
  sharded(
    publish(
      'spublish',
      '7.0.0',
      'Sends a message to all subscribers of a shard channel.',
      'shardchannel message',
    ),
    'first',
  ),
  sharded(
    subscription('ssubscribe', -2, '7.0.0', 'Listens to shard channels.', 'shardchannel [shardchannel ...]'),
    'all',
  ),
  sharded(
    subscription(
      'sunsubscribe',
      -1,
      '7.0.0',
      'Ends listening to shard channels.',
      '[shardchannel [shardchannel ...]]',
    ),
    'all',
  ),
  {
    name: 'pubsub',
    arity: -2,
    since: '2.8.0',
    complexity: 'Depends on subcommand.',
    summary: 'Commands about channels and their subscribers.',
    routing: 'pubsub',
    subcommands: [
      question('channels', -2, '2.8.0', 'Lists the channels that have subscribers.', '[pattern]'),
      question('numpat', 2, '2.8.0', 'Counts the patterns that have subscribers.'),
      question('numsub', -2, '2.8.0', 'Counts the subscribers of channels.', '[channel [channel ...]]'),
      question('shardchannels', -2, '7.0.0', 'Lists the shard channels that have subscribers.', '[pattern]'),
      question(
        'shardnumsub',
        -2,
        '7.0.0',
        'Counts the subscribers of shard channels.',
        '[shardchannel [shardchannel ...]]',
      ),
      {
        name: 'help',
        arity: 2,
        flags: 'loading stale',
        since: '6.2.0',
        complexity: 'O(1)',
        summary: 'Prints this help.',
        routing: 'pubsub',
      },
    ],
  },
];
