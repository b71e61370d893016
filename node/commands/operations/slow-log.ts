import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import type { SlowLogEntry } from '../../operations/slow-log.ts';
import { type CommandContext, type CommandHandlers, subcommandSyntax } from '../command.ts';
import { help } from './help.ts';

const DEFAULT_ENTRIES = 10;
const BAD_COUNT = 'ERR count should be greater than or equal to -1';

function get({ node: { watch } }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 3) return reply.error(subcommandSyntax(args));
  const count = args.count === 3 ? args.integer(2) : DEFAULT_ENTRIES;
  if (count === null || count < -1) return reply.error(BAD_COUNT);
  const entries = watch.slowLog.newest(count === -1 ? watch.slowLog.length : count);
  reply.arrayHeader(entries.length);
  for (const entry of entries) writeEntry(entry, reply);
}

function writeEntry({ id, atS, durationUs, args, address, name }: SlowLogEntry, reply: RespWriter) {
  reply.arrayHeader(6);
  reply.integer(id);
  reply.integer(atS);
  reply.integer(durationUs);
  reply.arrayHeader(args.length);
  for (const arg of args) reply.bulk(arg);
  reply.bulkLatin1(address);
  reply.bulkUtf8(name);
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
