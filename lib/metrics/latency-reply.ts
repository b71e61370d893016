import type { WideReplySink } from '../base/index.ts';
import { type Durations, MAX_NS } from './durations.ts';
import type { LatencyEvent, LatencySample } from './latency-monitor.ts';

/** Bounds of the histogram that is shown, in nanoseconds: powers of two from 1 µs to 34 s, and the longest there is. */
const BOUNDS_NS = [...Array.from({ length: 26 }, (_, i) => 1024 * 2 ** i), MAX_NS];

/** Answers LATENCY HISTORY. */
export function writeHistory(samples: readonly LatencySample[], sink: WideReplySink): void {
  sink.arrayHeader(samples.length);
  for (const { atS, ms } of samples) {
    sink.arrayHeader(2);
    sink.integer(atS);
    sink.integer(ms);
  }
}

/** Answers LATENCY LATEST. */
export function writeLatest(events: readonly LatencyEvent[], sink: WideReplySink): void {
  sink.arrayHeader(events.length);
  for (const { name, samples, maxMs } of events) {
    const last = samples.at(-1)!;
    sink.arrayHeader(4);
    sink.bulkLatin1(name);
    sink.integer(last.atS);
    sink.integer(last.ms);
    sink.integer(maxMs);
  }
}

/** Answers LATENCY HISTOGRAM, each command with how long it took. */
export function writeHistograms(
  found: readonly (readonly [command: string, durations: Durations])[],
  sink: WideReplySink,
): void {
  sink.mapHeader(found.length);
  for (const [command, durations] of found) {
    sink.bulkLatin1(command);
    writeHistogram(durations, sink);
  }
}

/** Bounds at which the count grows, with the count up to there. */
function writeHistogram(durations: Durations, sink: WideReplySink): void {
  const counts = durations.cumulative(BOUNDS_NS);
  const grown = BOUNDS_NS.map((bound, i) => ({ bound, count: counts[i] })).filter(
    ({ count }, i) => count > (counts[i - 1] ?? 0),
  );
  sink.mapHeader(2);
  sink.bulkLatin1('calls');
  sink.integer(durations.total);
  sink.bulkLatin1('histogram_usec');
  sink.mapHeader(grown.length);
  for (const { bound, count } of grown) {
    sink.integer(Math.floor(durations.highestEquivalent(bound) / 1000));
    sink.integer(count);
  }
}
