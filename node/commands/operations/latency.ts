import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { commands, lookupCommandPath } from '../../../lib/commands/index.ts';
import {
  type Durations,
  latencyGraph,
  latencyReport,
  writeHistograms,
  writeHistory,
  writeLatest,
} from '../../../lib/metrics/index.ts';
import type { CommandContext, CommandHandlers } from '../command.ts';
import { help } from './help.ts';

function nowS({ node: { clock } }: CommandContext): number {
  return Math.floor(clock.wallMs() / 1000);
}

function graph(context: CommandContext, args: Args, reply: RespWriter) {
  const event = context.node.watch.latency.get(args.latin1(2));
  if (event) reply.verbatim('txt', latencyGraph(event, nowS(context)));
  else reply.error(`ERR No samples available for event '${args.utf8(2)}'`);
}

function doctor(context: CommandContext, _args: Args, reply: RespWriter) {
  const { watch, settings } = context.node;
  reply.verbatim('txt', latencyReport(watch.latency.all(), settings, nowS(context)));
}

function reset({ node: { watch } }: CommandContext, args: Args, reply: RespWriter) {
  const asked: string[] = [];
  for (let i = 2; i < args.count; i++) asked.push(args.latin1(i));
  reply.integer(watch.latency.reset(asked));
}

function histogram({ node: { watch } }: CommandContext, args: Args, reply: RespWriter) {
  const specs = args.count === 2 ? [...commands] : [];
  for (let i = 2; i < args.count; i++) {
    const spec = lookupCommandPath(args.buffer, args.start(i), args.end(i));
    if (spec) specs.push(spec);
  }
  const found: [command: string, durations: Durations][] = [];
  for (const { id, name } of specs.flatMap((one) => [one, ...one.subcommands])) {
    const ofCommand = watch.stats.durationsOf(id);
    if (ofCommand) found.push([name, ofCommand]);
  }
  writeHistograms(found, reply);
}

/** LATENCY and its subcommands. */
export const latencyCommands: CommandHandlers = {
  'LATENCY|DOCTOR': doctor,
  'LATENCY|GRAPH': graph,
  'LATENCY|HISTOGRAM': histogram,
  'LATENCY|HISTORY': ({ node: { watch } }, args, reply) =>
    writeHistory(watch.latency.get(args.latin1(2))?.samples ?? [], reply),
  'LATENCY|LATEST': ({ node: { watch } }, _args, reply) => writeLatest(watch.latency.all(), reply),
  'LATENCY|RESET': reset,
  'LATENCY|HELP': help,
};
