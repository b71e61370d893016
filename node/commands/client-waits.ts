import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER } from './command.ts';

function unblock({ node }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 4) return reply.error(wrongSubcommand(args));
  let how: 'timeout' | 'error' = 'timeout';
  if (args.count === 4) {
    if (args.equalsIgnoreCase(3, 'ERROR')) how = 'error';
    else if (!args.equalsIgnoreCase(3, 'TIMEOUT')) {
      return reply.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
    }
  }
  const id = args.integer(2);
  if (id === null) return reply.error(NOT_AN_INTEGER);
  const target = node.clients.get(id)?.client;
  const isUnblocked = target !== undefined && node.blocked.unblock(target, how);
  if (isUnblocked && how === 'error') {
    node.stats.countError('UNBLOCKED');
    node.watch.hasFailed(target.lastCommand);
  }
  reply.integer(isUnblocked ? 1 : 0);
}

function pause({ node }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 4) return reply.error(wrongSubcommand(args));
  let mode: 'write' | 'all' = 'all';
  if (args.count === 4) {
    if (args.equalsIgnoreCase(3, 'WRITE')) mode = 'write';
    else if (!args.equalsIgnoreCase(3, 'ALL'))
      return reply.error('ERR CLIENT PAUSE mode must be WRITE or ALL');
  }
  const ms = args.integer(2);
  if (ms === null) return reply.error('ERR timeout is not an integer or out of range');
  if (ms < 0) return reply.error('ERR timeout is negative');
  node.pause.begin(ms, mode);
  reply.ok();
}

function wrongSubcommand(args: Args): string {
  return `ERR unknown subcommand or wrong number of arguments for '${args.utf8(1)}'. Try CLIENT HELP.`;
}

/** CLIENT UNBLOCK, PAUSE and UNPAUSE. */
export const waitCommands: CommandHandlers = {
  'CLIENT|UNBLOCK': unblock,
  'CLIENT|PAUSE': pause,
  'CLIENT|UNPAUSE': ({ node }, _args, reply) => {
    node.pause.end();
    reply.ok();
  },
};
