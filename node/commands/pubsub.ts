import { matchesGlob } from '../../lib/base/index.ts';
import { type Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { helpReply, lookupCommand } from '../../lib/commands/index.ts';
import type { PubSub, Topic } from '../pubsub/pubsub.ts';
import type { Client } from '../server/client.ts';
import type { CommandContext, CommandHandler, CommandHandlers } from './command.ts';

/** How many subscriptions a client is told it has: channels and patterns together, shard channels apart. */
function countFor({ subscriptions }: Client, topic: Topic): number {
  if (subscriptions === null) return 0;
  if (topic === 'shardChannels') return subscriptions.shardChannels.size;
  return subscriptions.channels.size + subscriptions.patterns.size;
}

/** Tells the client of a change of its subscriptions: a message, so that CLIENT REPLY does not silence it. */
function tell(
  context: CommandContext,
  reply: RespWriter,
  word: string,
  name: string | null,
  topic: Topic,
): void {
  const { client, node } = context;
  const isSilent = client.replyMode !== 'on';
  const writer = isSilent ? new RespWriter() : reply;
  writer.protocol = client.protocol;
  writer.pushHeader(3);
  writer.bulkLatin1(word);
  if (name === null) writer.nullBulk();
  else writer.bulkLatin1(name);
  writer.integer(countFor(client, topic));
  if (isSilent) node.clients.get(client.id)?.push(writer.take());
}

function subscribe(topic: Topic, word: string): CommandHandler {
  return (context, args, reply) => {
    const { client, node } = context;
    for (let i = 1; i < args.count; i++) {
      const name = args.latin1(i);
      node.observers.pubsub.subscribe(client, topic, name);
      tell(context, reply, word, name, topic);
    }
  };
}

function unsubscribe(topic: Topic, word: string): CommandHandler {
  return (context, args, reply) => {
    const { client, node } = context;
    const names: string[] = [];
    for (let i = 1; i < args.count; i++) names.push(args.latin1(i));
    if (args.count === 1) names.push(...(client.subscriptions?.[topic] ?? []));
    if (names.length === 0) tell(context, reply, word, null, topic);
    for (const name of names) {
      node.observers.pubsub.unsubscribe(client, topic, name);
      tell(context, reply, word, name, topic);
    }
  };
}

function listNames(topic: Topic): CommandHandler {
  return ({ node }, args, reply) => {
    if (args.count > 3) return reply.error(subcommandSyntax(args));
    const pattern = args.count === 3 ? args.latin1(2) : null;
    const names = [...node.observers.pubsub.names(topic)].filter(
      (name) => pattern === null || matchesGlob(pattern, name),
    );
    reply.arrayHeader(names.length);
    for (const name of names) reply.bulkLatin1(name);
  };
}

function countSubscribers(topic: Topic): CommandHandler {
  return ({ node }, args, reply) => {
    // Redis calls it a map in name only: the reply is a flat array in RESP3 too.
    reply.arrayHeader(2 * (args.count - 2));
    for (let i = 2; i < args.count; i++) {
      reply.bulk(args.buffer, args.start(i), args.end(i));
      reply.integer(node.observers.pubsub.subscribers(topic, args.latin1(i)));
    }
  };
}

function subcommandSyntax(args: Args): string {
  return `ERR unknown subcommand or wrong number of arguments for '${args.utf8(1)}'. Try PUBSUB HELP.`;
}

/** Sends a message; what a leader's clients say, those of its followers hear too. */
function publish(send: (pubsub: PubSub, channel: string, message: string) => number): CommandHandler {
  return ({ node, keyspace, client }, args, reply) => {
    reply.integer(send(node.observers.pubsub, args.latin1(1), args.latin1(2)));
    const { data, stream } = keyspace;
    // Nobody keeps messages for later.
    if (data.records && node.followers.links.size > 0)
      stream.message(client.database, [args.bytes(0), args.bytes(1), args.bytes(2)]);
  };
}

/** Commands of publish and subscribe. */
export const pubsubCommands: CommandHandlers = {
  SUBSCRIBE: subscribe('channels', 'subscribe'),
  PSUBSCRIBE: subscribe('patterns', 'psubscribe'),
  SSUBSCRIBE: subscribe('shardChannels', 'ssubscribe'),
  UNSUBSCRIBE: unsubscribe('channels', 'unsubscribe'),
  PUNSUBSCRIBE: unsubscribe('patterns', 'punsubscribe'),
  SUNSUBSCRIBE: unsubscribe('shardChannels', 'sunsubscribe'),
  PUBLISH: publish((pubsub, channel, message) => pubsub.publish(channel, message)),
  SPUBLISH: publish((pubsub, channel, message) => pubsub.publishToShard(channel, message)),
  'PUBSUB|CHANNELS': listNames('channels'),
  'PUBSUB|SHARDCHANNELS': listNames('shardChannels'),
  'PUBSUB|NUMSUB': countSubscribers('channels'),
  'PUBSUB|SHARDNUMSUB': countSubscribers('shardChannels'),
  'PUBSUB|NUMPAT': ({ node }, _args, reply) => reply.integer(node.observers.pubsub.count('patterns')),
  'PUBSUB|HELP': (_context, args, reply) =>
    helpReply(lookupCommand(args.buffer, args.start(0), args.end(0))!, reply, isSupported),
};

function isSupported({ name }: { name: string }): boolean {
  return name.toUpperCase() in pubsubCommands;
}
