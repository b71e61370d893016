export { type BalanceCounts, mostDecided, noCounts, sumOfCounts } from './balance-figures.ts';
export { registerBalanceMetrics } from './balance-metrics.ts';
export { BoundedLoad } from './bounded-load.ts';
