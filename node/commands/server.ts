import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandReply } from '../../lib/commands/index.ts';
import { infoText } from '../info/index.ts';
import type { CommandContext, CommandHandler, CommandHandlers } from './command.ts';
import { handlers } from './index.ts';

/** Whether this node answers the command, by itself or by a subcommand. */
function supports(spec: CommandSpec): boolean {
  const name = spec.name.toUpperCase();
  return name in handlers || name.startsWith('COMMAND|') || spec.subcommands.some(supports);
}

function info({ node, databases }: CommandContext, args: Args, reply: RespWriter) {
  const sections: string[] = [];
  for (let i = 1; i < args.count; i++) sections.push(args.latin1(i).toLowerCase());
  reply.verbatim('txt', infoText(sections, { node, databases }));
}

function time({ node: { clock } }: CommandContext, _args: Args, reply: RespWriter) {
  const ms = clock.wallMs();
  reply.arrayHeader(2);
  reply.bulkLatin1(String(Math.floor(ms / 1000)));
  reply.bulkLatin1(String((ms % 1000) * 1000));
}

/** There are no scripts and functions yet, so there is nothing to flush. */
function flushNothing(error: string, surplus = error): CommandHandler {
  return (_context, args, reply) => {
    const isPlain = args.count === 2;
    const isKnown =
      args.count === 3 && (args.equalsIgnoreCase(2, 'SYNC') || args.equalsIgnoreCase(2, 'ASYNC'));
    if (isPlain || isKnown) reply.ok();
    else reply.error(args.count > 3 ? surplus : error);
  };
}

/** Commands about the server. */
export const serverCommands: CommandHandlers = {
  INFO: info,
  TIME: time,
  COMMAND: (_context, args, reply) => commandReply(args, reply, supports),
  'FUNCTION|FLUSH': flushNothing(
    'ERR FUNCTION FLUSH only supports SYNC|ASYNC option',
    "ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP.",
  ),
  'SCRIPT|FLUSH': flushNothing('ERR SCRIPT FLUSH only support SYNC|ASYNC option'),
};
