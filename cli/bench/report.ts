import { formatTable } from '../table.ts';
import type { Recorder, Result } from './recorder.ts';

/** Two targets measured in turns. */
export interface Comparison {
  readonly target: string;
  readonly against: string;
  readonly rounds: readonly { readonly target: Result; readonly against: Result }[];
}

/** Middle, least and greatest of some figures. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One line of live progress. */
export function progressLine(
  recorder: Recorder,
  elapsedMs: number,
  sinceLast: { requests: number; ms: number },
): string {
  const { p50, p99, max } = recorder.takeInterval();
  const rate = sinceLast.ms > 0 ? (sinceLast.requests * 1000) / sinceLast.ms : 0;
  const hits = recorder.keysRead > 0 ? `  hits ${(recorder.hitRatio * 100).toFixed(1)} %` : '';
  const errors = recorder.errors > 0 ? `  errors ${recorder.errors}` : '';
  return `${(elapsedMs / 1000).toFixed(0).padStart(4)} s  ${count(rate).padStart(9)}/s${hits}  p50 ${p50} ms  p99 ${p99} ms  max ${max} ms${errors}`;
}

/** A result for people. */
export function renderResult(name: string, result: Result): string {
  const { requests, errors, seconds, throughput, hitRatio, latencyMs: l, keys } = result;
  const lines = [
    `${name}: ${count(throughput)} commands/s (${count(requests)} in ${seconds} s)`,
    ...(keys === undefined ? [] : [`keys: ${count(keys / seconds)}/s`]),
    `hit ratio: ${(hitRatio * 100).toFixed(2)} %`,
    `latency: p50 ${l.p50} ms, p90 ${l.p90} ms, p99 ${l.p99} ms, p99.9 ${l.p999} ms, max ${l.max} ms`,
    `errors: ${count(errors)}`,
    ...Object.entries(result.errorTexts ?? {}).map(([text, times]) => `  ${count(times)} x ${text}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The ratio target / against of each round's throughput. */
export function throughputRatio({ rounds }: Comparison): Spread {
  return spreadOf(rounds.map(({ target, against }) => target.throughput / against.throughput));
}

/** A comparison for people. */
export function renderComparison(comparison: Comparison): string {
  const { target, against, rounds } = comparison;
  const rows = [target, against].map((name, i) => {
    const results = rounds.map((round) => (i === 0 ? round.target : round.against));
    const rate = spreadOf(results.map(({ throughput }) => throughput));
    const middle = (of: (result: Result) => number) => String(spreadOf(results.map(of)).median);
    return [
      name,
      count(rate.median),
      `${count(rate.min)}-${count(rate.max)}`,
      middle(({ latencyMs }) => latencyMs.p50),
      middle(({ latencyMs }) => latencyMs.p99),
      count(results.reduce((sum, { errors }) => sum + errors, 0)),
    ];
  });
  const columns = [
    { title: 'TARGET' },
    ...['COMMANDS/S', 'RANGE', 'P50 MS', 'P99 MS', 'ERRORS'].map((title) => ({ title, right: true })),
  ];
  const { median, min, max } = throughputRatio(comparison);
  const ratio = `ratio ${median.toFixed(2)} x (${min.toFixed(2)}-${max.toFixed(2)}), medians of ${rounds.length} alternations\n`;
  return formatTable(columns, rows) + ratio;
}

/** `values` must not be empty. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1)! };
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
