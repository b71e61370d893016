import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { type CommandSpec, commands, lookupCommandPath } from '../../../lib/commands/index.ts';
import { type Durations, MAX_NS } from '../../operations/durations.ts';
import { latencyGraph, latencyReport } from '../../operations/latency-report.ts';
import type { CommandContext, CommandHandlers } from '../command.ts';
import { help } from './help.ts';

/** Bounds of the histogram that is shown, in nanoseconds: powers of two from 1 µs to 34 s, and the longest there is. */
const BOUNDS_NS = [...Array.from({ length: 26 }, (_, i) => 1024 * 2 ** i), MAX_NS];

function nowS({ node: { clock } }: CommandContext): number {
  return Math.floor(clock.wallMs() / 1000);
}

function history({ node: { watch } }: CommandContext, args: Args, reply: RespWriter) {
  const samples = watch.latency.get(args.latin1(2))?.samples ?? [];
  reply.arrayHeader(samples.length);
  for (const { atS, ms } of samples) {
    reply.arrayHeader(2);
    reply.integer(atS);
    reply.integer(ms);
  }
}

function latest({ node: { watch } }: CommandContext, _args: Args, reply: RespWriter) {
  const events = watch.latency.all();
  reply.arrayHeader(events.length);
  for (const { name, samples, maxMs } of events) {
    const last = samples.at(-1)!;
    reply.arrayHeader(4);
    reply.bulkLatin1(name);
    reply.integer(last.atS);
    reply.integer(last.ms);
    reply.integer(maxMs);
  }
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
  let names = watch.latency.all().map(({ name }) => name);
  if (args.count > 2) {
    const asked = new Set<string>();
    for (let i = 2; i < args.count; i++) asked.add(args.latin1(i).toLowerCase());
    names = names.filter((name) => asked.has(name));
  }
  reply.integer(names.filter((name) => watch.latency.forget(name)).length);
}

function histogram({ node: { watch } }: CommandContext, args: Args, reply: RespWriter) {
  const specs = args.count === 2 ? [...commands] : [];
  for (let i = 2; i < args.count; i++) {
    const spec = lookupCommandPath(args.buffer, args.start(i), args.end(i));
    if (spec) specs.push(spec);
  }
  const found: [CommandSpec, Durations][] = [];
  for (const spec of specs.flatMap((one) => [one, ...one.subcommands])) {
    const ofCommand = watch.stats.durationsOf(spec.id);
    if (ofCommand) found.push([spec, ofCommand]);
  }
  reply.mapHeader(found.length);
  for (const [spec, ofCommand] of found) {
    reply.bulkLatin1(spec.name);
    writeHistogram(ofCommand, reply);
  }
}

/** Bounds at which the count grows, with the count up to there. */
function writeHistogram(ofCommand: Durations, reply: RespWriter) {
  const counts = ofCommand.cumulative(BOUNDS_NS);
  const grown = BOUNDS_NS.map((bound, i) => ({ bound, count: counts[i] })).filter(
    ({ count }, i) => count > (counts[i - 1] ?? 0),
  );
  reply.mapHeader(2);
  reply.bulkLatin1('calls');
  reply.integer(ofCommand.total);
  reply.bulkLatin1('histogram_usec');
  reply.mapHeader(grown.length);
  for (const { bound, count } of grown) {
    reply.integer(Math.floor(ofCommand.highestEquivalent(bound) / 1000));
    reply.integer(count);
  }
}

/** LATENCY and its subcommands. */
export const latencyCommands: CommandHandlers = {
  'LATENCY|DOCTOR': doctor,
  'LATENCY|GRAPH': graph,
  'LATENCY|HISTOGRAM': histogram,
  'LATENCY|HISTORY': history,
  'LATENCY|LATEST': latest,
  'LATENCY|RESET': reset,
  'LATENCY|HELP': help,
};
