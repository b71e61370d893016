import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { helpReply, lookupCommand } from '../../../lib/commands/index.ts';
import type { CommandContext } from '../command.ts';

/** Answers HELP of a command all of whose subcommands there are. */
export function help(_context: CommandContext, args: Args, reply: RespWriter): void {
  helpReply(lookupCommand(args.buffer, args.start(0), args.end(0))!, reply);
}
