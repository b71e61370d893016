import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandReply } from '../../lib/commands/index.ts';
import { infoText } from '../info.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from './command.ts';
import { handlers } from './index.ts';

/** Whether this node answers the command, by itself or by a subcommand. */
function supports(spec: CommandSpec): boolean {
  const name = spec.name.toUpperCase();
  return name in handlers || name.startsWith('COMMAND|') || spec.subcommands.some(supports);
}

function info({ node, keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const sections: string[] = [];
  for (let i = 1; i < args.count; i++) sections.push(args.latin1(i).toLowerCase());
  reply.verbatim('txt', infoText(sections, node, keyspace));
}

function time({ node: { clock } }: CommandContext, _args: Args, reply: RespWriter) {
  const ms = clock.wallMs();
  reply.arrayHeader(2);
  reply.bulkLatin1(String(Math.floor(ms / 1000)));
  reply.bulkLatin1(String((ms % 1000) * 1000));
}

/** There are no scripts and functions yet, so there is nothing to flush. */
function flushNothing(_context: CommandContext, args: Args, reply: RespWriter) {
  const known = args.count === 2 || args.equalsIgnoreCase(2, 'SYNC') || args.equalsIgnoreCase(2, 'ASYNC');
  if (args.count > 3 || !known) reply.error(SYNTAX_ERROR);
  else reply.ok();
}

/** Commands about the server. */
export const serverCommands: CommandHandlers = {
  INFO: info,
  TIME: time,
  COMMAND: (_context, args, reply) => commandReply(args, reply, supports),
  'FUNCTION|FLUSH': flushNothing,
  'SCRIPT|FLUSH': flushNothing,
};
