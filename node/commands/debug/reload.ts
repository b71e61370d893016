import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import type { CommandContext } from '../command.ts';

const OPTIONS = ['MERGE', 'NOFLUSH', 'NOSAVE'];

/** Writes the snapshot, forgets everything, and loads it again. Without a folder the snapshot stays in memory. */
export function reload({ node: { saves } }: CommandContext, args: Args, reply: RespWriter) {
  const given = new Set<string>();
  for (let i = 2; i < args.count; i++) given.add(args.upper(i));
  if ([...given].some((word) => !OPTIONS.includes(word)))
    return reply.error('ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.');
  const merges = given.has('MERGE');
  if (saves.reload({ saves: !given.has('NOSAVE'), flushes: !given.has('NOFLUSH'), merges })) reply.ok();
  else reply.error('ERR Error trying to load the RDB dump, check server logs.');
}

/** Forgets everything and loads what the append-only file holds. */
export function loadAof({ node: { aof } }: CommandContext, _args: Args, reply: RespWriter) {
  if (aof.reload()) reply.ok();
  else reply.error('ERR Error trying to load the AOF files, check server logs.');
}
