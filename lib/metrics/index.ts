export { type CountedDurations, DurationCounts, durationsOf } from './duration-counts.ts';
export { Durations, MAX_NS } from './durations.ts';
export { Counter, durationBuckets, Gauge, Histogram } from './instruments.ts';
export { type LatencyEvent, LatencyMonitor, type LatencySample } from './latency-monitor.ts';
export { writeHistograms, writeHistory, writeLatest } from './latency-reply.ts';
export { type LatencySettings, latencyGraph, latencyReport } from './latency-report.ts';
export {
  createMetrics,
  type Family,
  type MetricOptions,
  type Metrics,
  type ObservedHistogram,
  type Reading,
} from './metrics.ts';
export { monitorLine, quoted } from './monitor-line.ts';
export { secondsHistogram } from './seconds-histogram.ts';
export type { MetricSnapshot, Sample } from './series.ts';
export { abridged, type LoggedArgs, REDACTED, SlowLog, type SlowLogEntry } from './slow-log.ts';
export { BAD_SLOW_LOG_COUNT, DEFAULT_SLOW_LOG_ENTRIES, writeSlowLog } from './slow-log-reply.ts';
