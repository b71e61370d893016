import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { clientTypeOf, helpReply, lookupCommand, unknownClientType } from '../../lib/commands/index.ts';
import { kill } from './client-kill.ts';
import { describeClient, typeOf } from './client-line.ts';
import { trackingCommands } from './client-tracking.ts';
import { waitCommands } from './client-waits.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from './command.ts';
import { BAD_CLIENT_NAME, GOOD_CLIENT_NAME } from './connection.ts';

function info({ client, node }: CommandContext, _args: Args, reply: RespWriter) {
  const connected = node.clients.get(client.id) ?? { client, inputBytes: 0, outputBytes: 0 };
  reply.verbatim('txt', `${describeClient(connected, node.clock.monotonicMs())}\n`);
}

function list(context: CommandContext, args: Args, reply: RespWriter) {
  const { clients, clock } = context.node;
  let chosen = [...clients.all()];
  if (args.count === 4 && args.equalsIgnoreCase(2, 'TYPE')) {
    const type = clientTypeOf(args, 3);
    if (type === null) return reply.error(unknownClientType(args, 3));
    chosen = chosen.filter(({ client }) => typeOf(client) === type);
  } else if (args.count > 3 && args.equalsIgnoreCase(2, 'ID')) {
    const ids: number[] = [];
    for (let i = 3; i < args.count; i++) {
      const id = args.integer(i);
      if (id === null) return reply.error('ERR Invalid client ID');
      ids.push(id);
    }
    chosen = ids.flatMap((id) => clients.get(id) ?? []);
  } else if (args.count !== 2) {
    return reply.error(SYNTAX_ERROR);
  }
  const nowMs = clock.monotonicMs();
  reply.verbatim('txt', chosen.map((connected) => `${describeClient(connected, nowMs)}\n`).join(''));
}

function setName({ client }: CommandContext, args: Args, reply: RespWriter) {
  const name = args.utf8(2);
  if (!GOOD_CLIENT_NAME.test(name)) return reply.error(BAD_CLIENT_NAME);
  client.name = name;
  reply.ok();
}

function getName({ client }: CommandContext, _args: Args, reply: RespWriter) {
  if (client.name === '') reply.nullBulk();
  else reply.bulkUtf8(client.name);
}

function setReply({ client }: CommandContext, args: Args, reply: RespWriter) {
  if (args.equalsIgnoreCase(2, 'ON')) {
    client.replyMode = 'on';
    reply.ok();
  } else if (args.equalsIgnoreCase(2, 'OFF')) {
    client.replyMode = 'off';
  } else if (args.equalsIgnoreCase(2, 'SKIP')) {
    if (client.replyMode === 'on') client.replyMode = 'skip-next';
  } else {
    reply.error(SYNTAX_ERROR);
  }
}

function noEvict({ client }: CommandContext, args: Args, reply: RespWriter) {
  const on = args.equalsIgnoreCase(2, 'ON');
  if (!on && !args.equalsIgnoreCase(2, 'OFF')) return reply.error(SYNTAX_ERROR);
  client.noEvict = on;
  reply.ok();
}

/** CLIENT and its subcommands. */
export const clientCommands: CommandHandlers = {
  'CLIENT|ID': ({ client }, _args, reply) => reply.integer(client.id),
  'CLIENT|INFO': info,
  'CLIENT|LIST': list,
  'CLIENT|KILL': kill,
  'CLIENT|GETNAME': getName,
  'CLIENT|SETNAME': setName,
  'CLIENT|REPLY': setReply,
  'CLIENT|NO-EVICT': noEvict,
  ...waitCommands,
  ...trackingCommands,
  'CLIENT|HELP': (_context, args, reply) =>
    helpReply(lookupCommand(args.buffer, args.start(0), args.end(0))!, reply, isSupported),
};

function isSupported({ name }: { name: string }): boolean {
  return name.toUpperCase() in clientCommands;
}
