export type { OriginFigures } from './figures.ts';
export type { FillOutcome, FillWaiter } from './fill.ts';
export { FillAhead } from './fill-ahead.ts';
export { registerFillMetrics } from './fill-metrics.ts';
export { FilledKeyValue } from './filled-key-value.ts';
export { Fills } from './fills.ts';
export type { Origin } from './origin.ts';
export { type FoundValue, OriginRead } from './origin-read.ts';
