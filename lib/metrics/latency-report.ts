import type { LatencyEvent } from './latency-monitor.ts';

/** What decides on what is noticed. */
export interface LatencySettings {
  /** Microseconds from which on a command goes into the slow log; negative for never. */
  readonly slowlogSlowerThanUs: number;
  /** Milliseconds from which on the latency monitor takes note; 0 for never. */
  readonly latencyThresholdMs: number;
}

const GRAPH_COLUMNS = 80;
const GRAPH_ROWS = 4;
/** Lowest first; a cell below the top of its column is a bar. */
const LEVELS = '_o#';

/** An age in its largest unit, as `12s` or `3h`. */
function age(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** The character of a sample in the row `fromBottom`, when it reaches up to `step` of all levels. */
function cell(step: number, fromBottom: number): string {
  const level = step - fromBottom * LEVELS.length;
  if (level < 0) return ' ';
  return LEVELS[level] ?? '|';
}

/** Draws the spikes of an event as Redis does: a column each, oldest first, with its age below. */
export function latencyGraph({ name, samples, maxMs }: LatencyEvent, nowS: number): string {
  const values = samples.map(({ ms }) => ms);
  const high = Math.max(...values);
  const low = Math.min(...values);
  const steps = LEVELS.length * GRAPH_ROWS;
  const range = high - low || 1;
  const levels = values.map((ms) => Math.min(steps - 1, Math.floor(((ms - low) * steps) / range)));
  const labels = samples.map(({ atS }) => age(Math.max(0, nowS - atS)));
  const lines = [
    `${name} - high ${high} ms, low ${low} ms (all time high ${maxMs} ms)`,
    '-'.repeat(GRAPH_COLUMNS),
  ];
  for (let from = 0; from < values.length; from += GRAPH_COLUMNS) {
    if (from > 0) lines.push('');
    const columns = levels.slice(from, from + GRAPH_COLUMNS);
    for (let row = GRAPH_ROWS - 1; row >= 0; row--)
      lines.push(columns.map((step) => cell(step, row)).join(''));
    lines.push(' '.repeat(columns.length), ...labelLines(labels.slice(from, from + GRAPH_COLUMNS)));
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** Labels, written downwards. */
function labelLines(labels: readonly string[]): string[] {
  const longest = Math.max(...labels.map((label) => label.length));
  return Array.from({ length: longest }, (_, i) => labels.map((label) => label[i] ?? ' ').join(''));
}

interface Summary {
  readonly averageMs: number;
  readonly deviationMs: number;
  /** Seconds between spikes. */
  readonly periodS: number;
}

function summaryOf({ samples }: LatencyEvent, nowS: number): Summary {
  const mean = (values: number[]) =>
    Math.floor(values.reduce((sum, value) => sum + value, 0) / values.length);
  const averageMs = mean(samples.map(({ ms }) => ms));
  return {
    averageMs,
    deviationMs: mean(samples.map(({ ms }) => Math.abs(ms - averageMs))),
    periodS: Math.max(1, nowS - samples[0].atS) / samples.length,
  };
}

/** What may help against spikes of an event. */
function adviceFor(name: string, { slowlogSlowerThanUs, latencyThresholdMs }: LatencySettings): string[] {
  if (name === 'command') {
    const logs = slowlogSlowerThanUs >= 0 && slowlogSlowerThanUs / 1000 <= latencyThresholdMs;
    return [
      logs
        ? 'SLOWLOG GET says which commands are slow.'
        : `CONFIG SET slowlog-log-slower-than ${latencyThresholdMs * 1000} puts commands as slow as these into the slow log.`,
      'Large collections make commands on them slow; several smaller ones do not.',
    ];
  }
  if (name === 'fast-command') {
    return [
      'The process does not get its CPU, or collects garbage: look at the load of the host and its neighbours,',
      "and at the process's event loop and garbage collection in the metrics of the admin port.",
    ];
  }
  if (name === 'expire-cycle') return ['Many keys expire at once: spread their times to live.'];
  if (name === 'eviction-cycle') {
    return ['Much had to be evicted at once: a large value came, or maxmemory was lowered by a large step.'];
  }
  return [];
}

/** What LATENCY DOCTOR says. */
export function latencyReport(
  events: readonly LatencyEvent[],
  settings: LatencySettings,
  nowS: number,
): string {
  if (events.length === 0 && settings.latencyThresholdMs === 0) {
    return 'Nothing is known: the latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n';
  }
  if (events.length === 0) return 'No spike of latency has been seen since the monitor was turned on.\n';
  const lines = ['Spikes of latency have been seen:', ''];
  for (const [i, event] of events.entries()) {
    const { averageMs, deviationMs, periodS } = summaryOf(event, nowS);
    lines.push(
      `${i + 1}. ${event.name}: ${event.samples.length} latency spikes (average ${averageMs}ms, mean deviation ${deviationMs}ms, ` +
        `period ${periodS.toFixed(2)} sec). Worst all time event ${event.maxMs}ms.`,
    );
  }
  const advice = new Set(events.flatMap(({ name }) => adviceFor(name, settings)));
  if (advice.size > 0) lines.push('', 'What may help:', '', ...[...advice].map((line) => `- ${line}`));
  return lines.map((line) => `${line}\n`).join('');
}
