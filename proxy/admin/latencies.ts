import { durationsOf } from '../../lib/metrics/index.ts';
import type { CommandFigure } from '../watch/command-figures.ts';
import { type Percentiles, percentilesOf } from './clusters.ts';

/** How one command went by way of one listener. */
export interface CommandLatency {
  readonly listener: string;
  readonly command: string;
  readonly calls: number;
  readonly failed: number;
  readonly meanMs: number | null;
  /** From the client's bytes being read until the reply left; null where none was counted. */
  readonly latencyMs: Percentiles | null;
}

/** The figures of all threads together, by listener, the commands with most calls first. */
export function latenciesOf(figures: readonly CommandFigure[]): CommandLatency[] {
  const groups = new Map<string, CommandFigure[]>();
  for (const figure of figures) {
    const key = `${figure.listener} ${figure.command}`;
    groups.set(key, [...(groups.get(key) ?? []), figure]);
  }
  return [...groups.values()]
    .map(latencyOf)
    .sort((a, b) => a.listener.localeCompare(b.listener) || b.calls - a.calls);
}

function latencyOf(figures: readonly CommandFigure[]): CommandLatency {
  const [{ listener, command }] = figures;
  const durations = durationsOf(figures.map((figure) => figure.durations));
  const meanMs = durations.total === 0 ? null : Math.round(durations.sum / durations.total / 1e3) / 1e3;
  return {
    listener,
    command,
    calls: figures.reduce((sum, { calls }) => sum + calls, 0),
    failed: figures.reduce((sum, { failed }) => sum + failed, 0),
    meanMs,
    latencyMs: percentilesOf(durations),
  };
}
