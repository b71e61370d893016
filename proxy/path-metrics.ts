import type { Metrics } from '../lib/metrics/index.ts';
import { registerBalanceMetrics } from './balance/index.ts';
import type { DataPath } from './core/data-path.ts';
import { registerFillMetrics } from './fill/index.ts';
import { registerNearMetrics } from './near/index.ts';
import { registerShadowMetrics } from './shadow/index.ts';
import { registerWarmMetrics } from './warm/index.ts';
import { registerLimitMetrics } from './watch/thread-metrics.ts';

/** Adds the figures of what the data path of one thread consists of, read at the scrape. */
export function registerPathMetrics(metrics: Metrics, path: DataPath): void {
  const { router, near, balance, fills, warmUp, shadow } = path;
  registerLimitMetrics(metrics, router.env.health.limits);
  if (near !== null) registerNearMetrics(metrics, near);
  if (balance !== null) registerBalanceMetrics(metrics, balance);
  if (fills !== null) registerFillMetrics(metrics, fills);
  if (warmUp !== null) registerWarmMetrics(metrics, warmUp);
  if (shadow !== null) registerShadowMetrics(metrics, shadow);
}
