export { Counter, durationBuckets, Gauge, Histogram } from './instruments.ts';
export {
  createMetrics,
  type Family,
  type MetricOptions,
  type Metrics,
  type ObservedHistogram,
  type Reading,
} from './metrics.ts';
export type { MetricSnapshot, Sample } from './series.ts';
