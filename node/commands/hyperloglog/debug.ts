import { REGISTERS } from '../../../lib/codec/hyperloglog/index.ts';
import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import type { CommandContext } from '../command.ts';
import { CORRUPTED, loadSketch, sketch, storeSketch } from './stored.ts';

/** PFDEBUG GETREG|DECODE|ENCODING|TODENSE key */
export function debug({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = keyspace.write(args.buffer, args.start(2), args.end(2));
  if (slot === 0) return reply.error('ERR The specified key does not exist');
  if (!loadSketch(keyspace, slot, reply)) return;
  const { isDense } = sketch;
  const makeDense = () => {
    const isSound = sketch.makeDense();
    if (!isSound) reply.error(CORRUPTED);
    else if (!isDense) storeSketch(keyspace, args, 2, slot);
    return isSound;
  };
  if (args.equalsIgnoreCase(1, 'GETREG')) {
    if (makeDense()) replyRegisters(reply);
  } else if (args.equalsIgnoreCase(1, 'DECODE')) {
    if (isDense) reply.error('ERR HLL encoding is not sparse');
    else reply.bulkLatin1(sketch.describeRuns());
  } else if (args.equalsIgnoreCase(1, 'ENCODING')) {
    reply.simple(isDense ? 'dense' : 'sparse');
  } else if (args.equalsIgnoreCase(1, 'TODENSE')) {
    if (makeDense()) reply.integer(isDense ? 0 : 1);
  } else {
    reply.error(`ERR Unknown PFDEBUG subcommand '${args.latin1(1)}'`);
  }
}

function replyRegisters(reply: RespWriter): void {
  reply.arrayHeader(REGISTERS);
  for (let register = 0; register < REGISTERS; register++) reply.integer(sketch.registerOf(register));
}
