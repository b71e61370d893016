import { alternate, type Load, median, type Sample } from '../support/measure.ts';
import { type Server, startNodeRole, startRedis } from '../support/peers.ts';
import { apart } from '../support/processors.ts';

/** Commands per second, and the median of the CPU time of the measured process per command. */
export interface Figures {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly cpuMicros: number;
}

/** One line of the report: our sample against a peer's in the same alternated run. The ratio is the median of those of each round, whose turns are neighbours. */
export interface Comparison {
  readonly what: string;
  readonly command: string;
  readonly pipeline: number;
  readonly peer: string;
  readonly ours: Figures;
  readonly theirs: Figures;
  readonly ratio: number;
}

/** How long and how often to measure; `progress` gets one line for each finished group. */
export interface Effort {
  readonly alternations: number;
  readonly seconds: number;
  /** Size of the values in bytes. */
  readonly valueBytes: number;
  readonly progress: (line: string) => void;
}

/** SET and GET, one at a time and 16 in a pipeline. */
export const loadsWith = (valueBytes: number, isApart = false): Load[] =>
  [1, 16].flatMap((pipeline) =>
    (['SET', 'GET'] as const).map((command) => ({
      command,
      pipeline,
      connections: 50,
      valueBytes,
      keys: 100_000,
      isApart,
    })),
  );

const figures = (sample: Sample): Figures => ({
  median: Math.round(median(sample.rates)),
  min: Math.round(Math.min(...sample.rates)),
  max: Math.round(Math.max(...sample.rates)),
  cpuMicros: Number(median(sample.cpuMicros).toFixed(2)),
});

/** Our sample beside a peer's. */
export function comparisonOf(
  what: string,
  { command, pipeline }: Pick<Load, 'command' | 'pipeline'>,
  mine: Sample,
  sample: Sample,
): Comparison {
  const [ours, theirs] = [figures(mine), figures(sample)];
  const ratios = mine.rates.map((rate, i) => rate / sample.rates[i]);
  return { what, command, pipeline, peer: sample.name, ours, theirs, ratio: median(ratios) };
}

/** Measures our server and its peers under each load. */
export async function compare(
  what: string,
  ours: Server,
  peers: Server[],
  loads: readonly Load[],
  effort: Effort,
): Promise<Comparison[]> {
  const rows: Comparison[] = [];
  for (const load of loads) {
    const [mine, ...theirs] = await alternate([ours, ...peers], load, effort);
    for (const sample of theirs) rows.push(comparisonOf(what, load, mine, sample));
    effort.progress(`${what}: ${load.command} at depth ${load.pipeline} measured`);
  }
  return rows;
}

/** Starts servers with `keep`, and stops them when `use` is done. */
export async function withServers<T>(
  use: (keep: (server: Promise<Server>) => Promise<Server>) => Promise<T>,
): Promise<T> {
  const started: Server[] = [];
  const keep = async (server: Promise<Server>) => {
    started.push(await server);
    return started.at(-1)!;
  };
  try {
    return await use(keep);
  } finally {
    for (const server of started.reverse()) await server.stop();
  }
}

/** `ringside node` beside redis-server. */
export async function nodeAgainstRedis(effort: Effort): Promise<Comparison[]> {
  return withServers(async (keep) => {
    const peer = apart(await keep(startRedis()));
    const ours = apart(await keep(startNodeRole()));
    return compare('node', ours, [peer], loadsWith(effort.valueBytes, true), effort);
  });
}
