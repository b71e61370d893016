export { Shadow } from './shadow.ts';
export { type ShadowCounts, type ShadowStatus, sumOfShadowCounts } from './shadow-figures.ts';
export { registerShadowMetrics } from './shadow-metrics.ts';
