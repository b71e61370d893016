export type { WarmCounts } from './warm-figures.ts';
export { registerWarmMetrics } from './warm-metrics.ts';
export { WarmUp } from './warm-up.ts';
export { WarmUpKeeper, type WarmUpStatus } from './warm-up-keeper.ts';
