import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { BAD_SLOW_LOG_COUNT, DEFAULT_SLOW_LOG_ENTRIES, writeSlowLog } from '../../../lib/metrics/index.ts';
import { type CommandContext, type CommandHandlers, subcommandSyntax } from '../command.ts';
import { help } from './help.ts';

function get({ node: { watch } }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 3) return reply.error(subcommandSyntax(args));
  const count = args.count === 3 ? args.integer(2) : DEFAULT_SLOW_LOG_ENTRIES;
  if (count === null || count < -1) return reply.error(BAD_SLOW_LOG_COUNT);
  writeSlowLog(watch.slowLog.newest(count === -1 ? watch.slowLog.length : count), reply);
}

/** SLOWLOG and its subcommands. */
export const slowLogCommands: CommandHandlers = {
  'SLOWLOG|GET': get,
  'SLOWLOG|LEN': ({ node: { watch } }, _args, reply) => reply.integer(watch.slowLog.length),
  'SLOWLOG|RESET': ({ node: { watch } }, _args, reply) => {
    watch.slowLog.reset();
    reply.ok();
  },
  'SLOWLOG|HELP': help,
};
