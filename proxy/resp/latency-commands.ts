import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commands, lookupCommandPath } from '../../lib/commands/index.ts';
import {
  type Durations,
  durationsOf,
  type LatencyEvent,
  latencyGraph,
  latencyReport,
  writeHistograms,
  writeHistory,
  writeLatest,
} from '../../lib/metrics/index.ts';
import type { CommandFigure } from '../watch/command-figures.ts';
import { askThreads } from './ask.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';

/** The events of all threads: of one second only the longest, as if one had seen them all. */
function together(events: readonly LatencyEvent[]): LatencyEvent[] {
  const byName = new Map<string, LatencyEvent[]>();
  for (const event of events) byName.set(event.name, [...(byName.get(event.name) ?? []), event]);
  return Array.from(byName, ([name, alike]) => {
    const bySecond = new Map<number, number>();
    for (const { atS, ms } of alike.flatMap(({ samples }) => samples))
      bySecond.set(atS, Math.max(ms, bySecond.get(atS) ?? 0));
    const samples = Array.from(bySecond, ([atS, ms]) => ({ atS, ms })).sort((a, b) => a.atS - b.atS);
    return { name, samples, maxMs: Math.max(...alike.map(({ maxMs }) => maxMs)) };
  });
}

/** Runs `reply` with the events of all threads. */
function withEvents(connection: RespConnection, reply: (events: readonly LatencyEvent[]) => void): void {
  askThreads(connection, 'latency', { reset: null }, (events) => reply(together(events.flat())));
}

function nowS(connection: RespConnection): number {
  return Math.floor(connection.context.router.env.clock.wallMs() / 1000);
}

const graph: Handler = (connection, args) => {
  const name = args.latin1(2);
  withEvents(connection, (events) => {
    const event = events.find((one) => one.name === name);
    if (event === undefined) return connection.replyError(`ERR No samples available for event '${name}'`);
    connection.writer.verbatim('txt', latencyGraph(event, nowS(connection)));
    connection.replyWritten();
  });
};

const doctor: Handler = (connection) => {
  withEvents(connection, (events) => {
    const { settings } = connection.context;
    connection.writer.verbatim('txt', latencyReport(events, settings, nowS(connection)));
    connection.replyWritten();
  });
};

const history: Handler = (connection, args) => {
  const name = args.latin1(2);
  withEvents(connection, (events) => {
    writeHistory(events.find((one) => one.name === name)?.samples ?? [], connection.writer);
    connection.replyWritten();
  });
};

const latest: Handler = (connection) => {
  withEvents(connection, (events) => {
    writeLatest(events, connection.writer);
    connection.replyWritten();
  });
};

const reset: Handler = (connection, args) => {
  const names: string[] = [];
  for (let i = 2; i < args.count; i++) names.push(args.latin1(i));
  askThreads(connection, 'latency', { reset: names }, (forgotten) => {
    connection.writer.integer(new Set(forgotten.flat().map(({ name }) => name)).size);
    connection.replyWritten();
  });
};

/** The commands that LATENCY HISTOGRAM is about, a container with its subcommands. */
function specsAsked(args: RequestParser): CommandSpec[] {
  const specs = args.count === 2 ? [...commands] : [];
  for (let i = 2; i < args.count; i++) {
    const spec = lookupCommandPath(args.buffer, args.start(i), args.end(i));
    if (spec) specs.push(spec);
  }
  return specs.flatMap((one) => [one, ...one.subcommands]);
}

const histogram: Handler = (connection, args) => {
  const asked = specsAsked(args);
  askThreads(connection, 'commands', null, (threads) => {
    const figures = threads.flat().filter(({ listener }) => listener === 'resp');
    const found: [command: string, durations: Durations][] = [];
    for (const { name } of asked) {
      const durations = durationsOf(figuresOf(name, figures).map((figure) => figure.durations));
      if (durations.total > 0) found.push([name, durations]);
    }
    writeHistograms(found, connection.writer);
    connection.replyWritten();
  });
};

function figuresOf(name: string, figures: readonly CommandFigure[]): CommandFigure[] {
  return figures.filter(({ command }) => command === name);
}

/** LATENCY and its subcommands: how long commands took from the client's bytes being read until their reply left. */
export const latencyHandlers: Readonly<Record<string, Handler>> = {
  'LATENCY|DOCTOR': doctor,
  'LATENCY|GRAPH': graph,
  'LATENCY|HISTOGRAM': histogram,
  'LATENCY|HISTORY': history,
  'LATENCY|LATEST': latest,
  'LATENCY|RESET': reset,
};
